"""Where the time of a step goes: per node, per scope of the model, per line of the program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from asg.compiler import profile_text
from asg.compiler.backend import TimingProgram, ordered_slots
from asg.compiler.plan import OpWork, positions_in, work_of
from asg.compiler.signature import Signature
from asg.compiler.step import step_of
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.registry import service

if TYPE_CHECKING:
    from asg.compiler.backend import Executable as Program


class OpTime(NamedTuple):
    """What one node took.

    Attributes:
        node: of the graph that runs.
        seconds: in a typical step.
        work: its FLOPs and bytes.
    """

    node: Node
    seconds: float
    work: OpWork


@dataclass(frozen=True, eq=False)
class Profile:
    """Measured times of a program. Print it for a table.

    Attributes:
        name: of the graph.
        backend: what ran it.
        graph: what ran: optimised, lowered, with numbers for sizes.
        steps: the seconds of every step as a whole, one after the other.
        ops: of every node that computes, in order, measured on their own in as many steps. Nodes
            inside of shards are told apart, each with its time in one of them.
    """

    name: str
    backend: str
    graph: Graph
    steps: tuple[float, ...]
    ops: tuple[OpTime, ...]

    @property
    def step_seconds(self) -> float:
        """Of a whole step: the median."""
        return median(self.steps)

    @property
    def op_seconds(self) -> float:
        """Of all nodes together. The rest of a step goes to feeds, results and calls."""
        return sum(each.seconds for each in self.ops)

    def by_scope(self, depth: int | None = None) -> dict[str, float]:
        """Seconds by scope, which is the path of a module; the largest first.

        Args:
            depth: how many names of the path count; None: all.
        """
        return _sums(self.ops, lambda node: _front(node.origin.scope, depth))

    def by_part(self) -> dict[str, float]:
        """Seconds of the "forward" part, of its "gradient", and of the "update" of variables."""
        return _sums(self.ops, part_of)

    def by_line(self) -> dict[str, float]:
        """Seconds by line of the user's program, gradients with the line they come from."""
        return _sums(self.ops, profile_text.line_text)

    def by_serial(self) -> dict[int, float]:
        """Seconds by serial number of the node, as `asg.describe` takes them."""
        return {each.node.serial: each.seconds for each in self.ops}

    def table(self, top: int = 20) -> str:
        """Totals, then the ``top`` nodes, scopes and lines that take longest."""
        return profile_text.table(self, top)

    def to_json(self) -> str:
        """Everything as JSON text."""
        return profile_text.to_json(self)

    def trace(self) -> dict[str, Any]:
        """One step as trace events: its nodes one after the other, inside their scopes.

        Source: the trace event format of Chrome,
        https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
        """
        return profile_text.trace(self)

    def write_trace(self, path: str | PathLike[str]) -> Path:
        """`trace` in a file that chrome://tracing and https://ui.perfetto.dev open."""
        target = Path(path)
        target.write_text(json.dumps(self.trace()), encoding="utf-8")
        return target

    def render(self, path: str | PathLike[str], **options: Any) -> Path:
        """Draw the graph that ran with every box tinted by its share of the time.

        Args:
            path: the file; see `Graph.render`, also for the options.
            options: of the picture.
        """
        drawn: Path = service("render")(self, path, **options)
        return drawn

    def __str__(self) -> str:
        """The table."""
        return self.table()

    def __repr__(self) -> str:
        """``<profile of 'train_step' on numpy: 20 steps of 1.23 ms>``."""
        return f"<{profile_text.title(self)}>"

    def _repr_html_(self) -> str:
        """The table, in a notebook."""
        return profile_text.html(self)


def part_of(node: Node) -> str:
    """``gradient``, ``update`` (what the optimizer does), or ``forward``."""
    if node.origin.gradient_of is not None:
        return "gradient"
    return "update" if node.origin.scope.partition("/")[0] == "optimizer" else "forward"


def _front(scope: str, depth: int | None) -> str:
    return scope if depth is None else "/".join(scope.split("/")[:depth])


def _sums(ops: Iterable[OpTime], key: Callable[[Node], str]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for each in ops:
        name = key(each.node)
        totals[name] = totals.get(name, 0.0) + each.seconds
    return dict(sorted(totals.items(), key=lambda item: -item[1]))


# -- measuring ------------------------------------------------------------------------------------


def measure(
    program: Program, inputs: Sequence[Any], steps: int, signature: Signature, backend: str
) -> Profile:
    """The profile of a backend's program.

    Args:
        program: what the backend compiled.
        inputs: arrays in the order of its graph; those of variables are copies it may use up.
        steps: how many are timed, after one that is not.
        signature: which of the inputs are variables.
        backend: its name.

    Raises:
        OperandError: ``steps`` is no positive number, or the backend cannot time nodes.
    """
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise OperandError(f"steps={steps!r}; profile a whole number of steps, at least 1")
    if not isinstance(program, TimingProgram):
        raise OperandError(f"backend {backend!r} cannot tell how long the nodes of a step take")
    times = program.time_nodes(inputs, steps)
    whole = tuple(_whole_steps(program, inputs, steps, signature))
    graph = program.graph
    return Profile(graph.name, backend, graph, whole, tuple(_op_times(graph, times)))


def _op_times(graph: Graph, times: Sequence[tuple[Node, float]]) -> Iterator[OpTime]:
    positions = positions_in(graph)
    cut = {positions[node].within for node, _ in times}
    for node, seconds in times:
        place, work = positions[node], work_of(node, positions[node])
        if place.within is None and place.position in cut:
            work = work._replace(flops=0)  # its shards do them: it joins what they give
        yield OpTime(node, seconds, work)


def _whole_steps(
    program: Program, inputs: Sequence[Any], steps: int, signature: Signature
) -> Iterator[float]:
    """As sessions run them: variables go from step to step in the program's own form."""
    step = step_of(program, signature)
    held = [slot.input for slot in ordered_slots(signature.state)]
    feeds = [inputs[position] for position in sorted(set(range(len(inputs))) - set(held))]
    state: Sequence[Any] = [inputs[position] for position in held]
    for number in range(steps + 1):
        start = perf_counter()
        results, state = step(feeds, state)
        for array in (*results, *state):
            wait = getattr(array, "block_until_ready", None)
            if wait is not None:
                wait()
        if number:
            yield perf_counter() - start
