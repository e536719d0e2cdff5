"""The work of shards: a program for each, all run at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asg.core.node import Node

from .bind import Program
from .blas import single_threaded
from .kernel import Call
from .threads import TEAM, run_calls


@dataclass(eq=False, slots=True)
class ShardCalls:
    """What one shard does: copies of operands, its program, copies of results."""

    start: list[Call]
    program: Program
    last: list[Call]

    def part(self) -> list[Call]:
        """All of it, for a team of threads."""
        return [*self.start, (self._run, (self.program.schedule(),)), *self.last]

    def _run(self, schedule: list[Call]) -> None:
        """The calls of the program; an error says which of its nodes failed."""
        try:
            for function, args in schedule:
                function(*args)
        except Exception as error:
            self.program.tell_where(error, function, args)
            raise


class Share:
    """Runs shards on the team, with BLAS on the thread that calls it.

    Attributes:
        shards: what each of them does.
    """

    __name__ = "shards"

    def __init__(self, shards: list[ShardCalls]) -> None:
        self.shards = shards
        self._parts = [shard.part() for shard in shards]

    def __call__(self) -> None:
        """All shards at the same time."""
        with single_threaded():
            TEAM.run(self._parts)


def in_turn(program: Program) -> Iterator[tuple[Node, list[Call], float]]:
    """The calls of a step, a node at a time, with the share of their time that a step takes.

    Shards come one after the other, as their nodes; since they run at the same time, the time of
    a node is what it takes in one of them.
    """
    for node, calls in program.steps:
        share = calls[0][0] if calls else None
        if not isinstance(share, Share):
            yield node, calls, 1.0
            continue
        weight = 1.0 / len(share.shards)
        for shard in share.shards:
            yield node, shard.start, weight
            for inner, inner_calls in shard.program.steps:
                yield inner, [(_alone, (inner_calls,))], weight
            yield node, shard.last, weight
        yield node, calls[1:], 1.0


def _alone(calls: list[Call]) -> None:
    with single_threaded():
        run_calls(calls)
