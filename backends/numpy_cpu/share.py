"""The work of shards: a program for each, all run at the same time from one meeting to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asg.core.node import Node
from asg.ops.shards import AllReduceSum

from .bind import Program
from .blas import single_threaded
from .kernel import Call
from .threads import TEAM, run_calls

Steps = list[tuple[Node, list[Call]]]


def is_meeting(node: Node) -> bool:
    """Whether shards have to wait for each other there."""
    return isinstance(node.op, AllReduceSum)


@dataclass(eq=False, slots=True)
class ShardCalls:
    """What one shard does: copies of operands, its program, copies of results."""

    start: list[Call]
    program: Program
    last: list[Call]

    def rounds(self) -> list[Steps]:
        """The steps of the program before, between and after its meetings."""
        found: list[Steps] = [[]]
        for node, calls in self.program.steps:
            if is_meeting(node):
                found.append([])
            else:
                found[-1].append((node, calls))
        return found

    def parts(self) -> list[list[Call]]:
        """All of it, a part for each round, for a team of threads."""
        parts: list[list[Call]] = [
            [(self._run, ([call for _, calls in steps for call in calls],))]
            for steps in self.rounds()
        ]
        parts[0][:0] = self.start
        parts[-1] += self.last
        return parts

    def _run(self, schedule: list[Call]) -> None:
        """Calls of the program; an error says which of its nodes failed."""
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
        meetings: the calls of the thread that calls, at each meeting.
    """

    __name__ = "shards"

    def __init__(self, shards: list[ShardCalls], meetings: Sequence[list[Call]] = ()) -> None:
        self.shards = shards
        self.meetings = meetings
        parts = zip(*[shard.parts() for shard in shards], strict=True)
        self._rounds = list(zip(parts, [*meetings, []], strict=True))

    def __call__(self) -> None:
        """All shards at the same time."""
        with single_threaded():
            for parts, meeting in self._rounds:
                TEAM.run(parts)
                run_calls(meeting)

    def in_turn(self) -> Iterator[tuple[Node | None, list[Call]]]:
        """All calls one after the other: those of each node, None for the op itself.

        A meeting is not done by the shards, and so comes once.
        """
        nodes = [node for node, _ in self.shards[0].program.steps if is_meeting(node)]
        rounds = zip(*[shard.rounds() for shard in self.shards], strict=True)
        for shard in self.shards:
            yield None, shard.start
        for steps, node, meeting in zip(rounds, [*nodes, None], [*self.meetings, []], strict=True):
            yield from (step for of_shard in steps for step in of_shard)
            yield node, meeting
        for shard in self.shards:
            yield None, shard.last


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
        for inner, inner_calls in share.in_turn():
            weight = 1.0 if inner is not None and is_meeting(inner) else 1.0 / len(share.shards)
            yield inner or node, [(_alone, (inner_calls,))], weight
        yield node, calls[1:], 1.0


def _alone(calls: list[Call]) -> None:
    with single_threaded():
        run_calls(calls)
