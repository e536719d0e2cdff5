"""Debugging of passes: each is watched, and what it made is compared by value with what was there.

Graphs share nodes and never change, so the values on both sides of every replacement of every pass
are tensors over the same inputs: one program computes them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.analysis.constraint import bind_dims
from asg.compiler.backend import Executable
from asg.compiler.changed_value import ChangedValue
from asg.compiler.compare_values import Comparison, Difference, Pair, result_pairs
from asg.compiler.generated import fitting_sizes, generated_feeds, likely_array, may_not_end
from asg.compiler.plain import Array
from asg.core.errors import PassError
from asg.core.graph import Graph, reachable_nodes
from asg.core.tensor import Tensor
from asg.passes.pipeline import Pass, Pipeline, as_pass, run_pipeline
from asg.passes.record import PassRecord
from asg.rewrite.watch import Replacement, watched


@dataclass(frozen=True, eq=False)
class WatchedPass:
    """A pass that ran: itself, the graphs around it, and the replacements it made."""

    step: Pass
    before: Graph
    after: Graph
    replacements: tuple[Replacement, ...]

    def again(self, limit: int) -> Graph:
        """The graph after the first ``limit`` replacements only."""
        with watched(limit):
            return run_pipeline((self.step,), self.before)


def run_watched(
    pipeline: Pipeline, graph: Graph, after_each: Callable[[PassRecord], object] | None = None
) -> list[WatchedPass]:
    """Run passes in order and keep what each of them did."""
    found = []
    for step in map(as_pass, pipeline):
        with watched() as watch:
            after = run_pipeline((step,), graph, after_each)
        found.append(WatchedPass(step, graph, after, tuple(watch.made)))
        graph = after
    return found


class PassCheck:
    """Compares what passes made with what was there, for arrays of one binding of sizes.

    First, in order, both sides of every replacement of a pass, then what it returns. The insides
    of loops and branches are seen in their results only; the replacement is then found by making
    fewer of them.
    """

    def __init__(self, steps: Sequence[WatchedPass], binding: Mapping[str, int]) -> None:
        """``steps`` follow each other, from one graph."""
        self._steps, self._binding = steps, binding
        self._graph = steps[0].before
        pairs = [pair for stage, step in enumerate(steps) for pair in _pairs(step, stage)]
        self._comparison = Comparison(self._graph.inputs, pairs, binding)

    def changed(self, feeds: Mapping[str, Any]) -> ChangedValue | None:
        """The first value that a pass changed, for arrays of all inputs by name."""
        arrays = [np.array(feeds[name]) for name in self._graph.input_names]
        found = self._comparison.first_difference(arrays)
        if found is None:
            return None
        step = self._steps[found.pair.stage]
        number = found.pair.number or first_wrong(step, lambda g: self._keeps(step, g, arrays))
        return told(step, number, found, self._graph, arrays)

    def _keeps(self, step: WatchedPass, after: Graph, arrays: Sequence[Array]) -> bool:
        pairs = result_pairs(step.before, after)
        comparison = Comparison(self._graph.inputs, pairs, self._binding)
        return comparison.first_difference(arrays) is None


def first_wrong(step: WatchedPass, is_right: Callable[[Graph], bool]) -> int:
    """The number of the first replacement with which the pass goes wrong, by halving.

    0 when it is wrong without any: what it did then is none of those it tells of.
    """
    right, wrong = 0, len(step.replacements)
    if not is_right(step.again(0)):
        return 0
    while wrong - right > 1:
        middle = (right + wrong) // 2
        right, wrong = (middle, wrong) if is_right(step.again(middle)) else (right, middle)
    return wrong


def told(
    step: WatchedPass, number: int, found: Difference, graph: Graph, arrays: Sequence[Array]
) -> ChangedValue:
    """A difference together with who made it and the inputs it was seen with."""
    return ChangedValue(
        step.step.name, number, step.replacements[number - 1] if number else None,
        found.pair.name, found.index, found.before, found.after, found.allowed, graph,
        dict(zip(graph.input_names, arrays, strict=True)),
    )  # fmt: skip


def binding_of(graph: Graph, feeds: Mapping[str, Any]) -> dict[str, int]:
    """Numbers for the sizes of a graph, from arrays of all inputs by name."""
    types = [tensor.type for tensor in graph.inputs]
    shapes = [np.shape(feeds[name]) for name in graph.input_names]
    return bind_dims(list(graph.input_names), types, shapes, graph.checks)


def _pairs(step: WatchedPass, stage: int) -> Iterator[Pair]:
    inside = _inside_bodies(step.replacements)
    for number, each in enumerate(step.replacements, 1):
        name = each.old[0].node.op.name
        for old, new in zip(each.old, each.new, strict=True):
            if old not in inside and new not in inside:
                yield Pair(name, old, new, each.numerics, each.tolerance, number, stage)
    yield from result_pairs(step.before, step.after, stage)


def _inside_bodies(replacements: Sequence[Replacement]) -> set[Tensor]:
    """The tensors that depend on inputs of the body of a loop or branch."""
    ends = [tensor for each in replacements for tensor in (*each.old, *each.new)]
    inside: set[Tensor] = set()
    for node in reachable_nodes(ends):
        if getattr(node.op, "is_local", False) or not inside.isdisjoint(node.inputs):
            inside.update(node.outputs)
    return inside


# -- while compiling and running ------------------------------------------------------------------


def check_on_generated(steps: Sequence[WatchedPass]) -> None:
    """Check passes before anything is known of the inputs, on numbers made up for them.

    Graphs whose sizes ask for more than small numbers, or with loops that may not end, are checked
    when they are called only.

    Raises:
        PassError: a pass changed a value.
    """
    if not steps or may_not_end(steps[0].before):
        return
    graph = steps[0].before
    binding = fitting_sizes(graph)
    if binding is None:
        return
    check = PassCheck(steps, binding)
    for seed in range(2):
        _require_unchanged(check, generated_feeds(graph, binding, seed))


def _require_unchanged(check: PassCheck, feeds: Mapping[str, Any]) -> None:
    changed = check.changed(feeds)
    if changed is not None:
        raise PassError(
            f"{changed}\n  repair: mend the rule or pass, or compile without it: "
            f"asg.configure(without=({changed.rule!r},))"
        )


class DebuggedProgram:
    """A program of a backend; all passes that led to it are checked with the arrays it is given."""

    def __init__(
        self,
        program: Executable,
        inputs: Sequence[str],
        steps: Sequence[WatchedPass],
        late: Sequence[WatchedPass],
        binding: Mapping[str, int],
    ) -> None:
        """``inputs`` are the names of the program's arrays; ``late`` ran when sizes had numbers."""
        self._program, self._inputs = program, inputs
        self._graphs = [each[0].before for each in (steps, late) if each]
        self._checks = [
            PassCheck(each, sizes) for each, sizes in ((steps, binding), (late, {})) if each
        ]
        self._unread = self._made_up(binding)

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Check, then run.

        Raises:
            PassError: a pass changed a value.
        """
        feeds = {**self._unread, **dict(zip(self._inputs, inputs, strict=True))}
        for check in self._checks:
            _require_unchanged(check, feeds)
        return self._program(inputs)

    def _made_up(self, binding: Mapping[str, int]) -> dict[str, Any]:
        """Arrays of the variables that some pass found to be read by nothing."""
        generator = np.random.default_rng(0)
        return {
            name: likely_array(tensor, binding, generator, positive=True)
            for graph in self._graphs
            for name, tensor in zip(graph.input_names, graph.inputs, strict=True)
            if name not in self._inputs
        }
