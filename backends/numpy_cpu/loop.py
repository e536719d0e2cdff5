"""Scans: the kernels of a body are bound once for every step, to the arrays of that step.

Elements of stacked operands are read, and those of stacked outputs written, where they lie. The
next carry is written to memory that the step does not read, which is the carry of the step after
it: a stacked output if it is one, the output of the scan in the last step. So a step copies
nothing, and costs its kernels.

A scan of many steps is bound for a *window* of some of them, `LIMIT` kernels in all: its operands
are copied to the window, and its outputs from there, many steps at a time. Values that loops and
branches inside the body touch lie in one place, to which they are copied in each step, so that
what compiles a body is bound once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from asg.core.graph import Graph
from asg.core.region import bodies_of
from asg.core.tensor import Tensor
from asg.ops.loops import Scan

from .bind import Program, bind_inside, held_array
from .kernel import Array, Call
from .layout import resolve_layouts

LIMIT = 2048
"""Kernels that a scan binds at most."""

Calls = Sequence[Call]


def scan_calls(op: Scan, inputs: list[Array], outputs: list[Array]) -> list[Call]:
    """The calls that run a scan from its operands to its outputs."""
    length, first = op.length, op.carries
    assert isinstance(length, int)
    if not length:
        return copies(outputs[:first], inputs[:first])
    starts, inputs = _in_c_order(inputs, first)
    body = _Body(op, inputs)
    steps = min(length, max(1, LIMIT // body.kernels))
    order = range(length - 1, -1, -1) if op.reverse else range(length)
    if steps == length:
        xs, ys = inputs[first : first + op.stacked], outputs[first:]
        bound = _Steps(body, inputs[:first], xs, ys, order, outputs[:first])
        calls = [call for step in bound.calls for call in step]
        last = [pair for pair in zip(outputs, bound.carries[-1], strict=False) if not _same(*pair)]
        run = (run_calls, ([*calls, *((np.copyto, pair) for pair in last)],))
        return [*starts, *body.start, run]
    return [*starts, *body.start, *_windowed(body, steps, order, inputs, outputs)]


def _in_c_order(inputs: list[Array], first: int) -> tuple[list[Call], list[Array]]:
    """The operands with their carries in C order."""
    found = [readable_in_place(array) for array in inputs[:first]]
    calls = [call for made, _ in found for call in made]
    return calls, [*(array for _, array in found), *inputs[first:]]


def run_calls(calls: Calls) -> None:
    """Make the calls."""
    for function, args in calls:
        function(*args)


def copies(targets: Sequence[Array], sources: Sequence[Array]) -> list[Call]:
    """The calls that copy one array after the other."""
    return [(np.copyto, pair) for pair in zip(targets, sources, strict=True)]


def readable_in_place(array: Array) -> tuple[list[Call], Array]:
    """The array as the plan of a body reads it, with the calls that copy it there if it is not."""
    if array.flags.c_contiguous:
        return [], array
    copy = held_array(array.shape, array.dtype)
    return [(np.copyto, (copy, array))], copy


# -- the body ---------------------------------------------------------------------------------


class _Body:
    """What is known of a body before it is bound.

    Attributes:
        graph: the body, without variables.
        start: calls to make once, before the first step.
        captured: the arrays of captured values, the same for all steps.
        pinned: values that loops and branches touch.
        direct: the place among the stacked outputs of a value that is written straight into one.
        made: the carry whose next value is written straight into its memory, by value.
        kernels: how many are to be bound for a step.
    """

    def __init__(self, op: Scan, inputs: Sequence[Array]) -> None:
        body, behind = op.body, op.carries + op.stacked
        self.op = op
        self.graph = Graph.of(
            body.inputs, body.outputs, body.output_names, (), body.name, body.input_names, ()
        )
        self.layouts = resolve_layouts(self.graph, inputs_as_given=True)
        self.start: list[Call] = []
        self.captured: dict[Tensor, Array] = {}
        for tensor, array in zip(body.inputs[behind:], inputs[behind:], strict=True):
            calls, self.captured[tensor] = readable_in_place(array)
            self.start += calls
        self.pinned = self._pinned()
        self.direct: dict[Tensor, int] = {}
        self.made: dict[Tensor, int] = {}
        for place, tensor in enumerate(body.outputs[op.carries :]):
            if self._goes_straight(tensor):
                self.direct[self.layouts[tensor].owner] = place
        for place, tensor in enumerate(body.outputs[: op.carries]):
            if self._goes_straight(tensor):
                self.made[self.layouts[tensor].owner] = place
        nodes = {t.node for t, layout in self.layouts.items() if layout.owner is t}
        ops = [node.op for node in nodes if not node.op.is_placeholder]
        self.kernels = 1 + sum(1 + sum(len(b.nodes) for b in bodies_of(each)) for each in ops)

    def _pinned(self) -> set[Tensor]:
        loops = [node for node in self.graph.nodes if node.op.category == "control"]
        touched = {t for node in loops for t in (*node.inputs, *node.outputs)}
        return {self.layouts[t].owner for t in touched} - self.captured.keys()

    def _goes_straight(self, tensor: Tensor) -> bool:
        """Whether an output is computed by a kernel that can write it anywhere, for it alone.

        What lies in another order than C stays where the plan has it, though it be the memory of
        an output that is in C order: a product that is written turned, for those who read it so.
        """
        layout = self.layouts[tensor]
        owner = layout.owner
        taken = owner in self.pinned or owner in self.direct or owner in self.made
        leaf = owner.node.op.is_placeholder or layout.constant is not None
        return layout.whole and self.layouts[owner].whole and not taken and not leaf

    def stays(self, tensor: Tensor, given: Mapping[Tensor, Array]) -> bool:
        """Whether an output, in C order, is still there in the step after."""
        layout = self.layouts[tensor]
        lasts = layout.owner in given or layout.owner in self.captured
        return lasts and layout.whole and layout.constant is None


# -- steps ------------------------------------------------------------------------------------


@dataclass(eq=False)
class _Steps:
    """The calls of some steps in a row.

    Attributes:
        first: the carries as they go in.
        xs: stacked operands; ``ys``: stacked outputs.
        order: the places of the steps in these.
        last: where the last carries are to be written if possible; None for anywhere.
        calls: of every step.
        carries: the arrays of all carries after every step.
    """

    body: _Body
    first: Sequence[Array]
    xs: Sequence[Array]
    ys: Sequence[Array]
    order: Sequence[int]
    last: Sequence[Array] | None
    calls: list[list[Call]] = field(default_factory=list)
    carries: list[list[Array]] = field(default_factory=list)
    buffers: dict[int, list[Array]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Bind them."""
        program: Program | None = None
        current = list(self.first)
        for count, place in enumerate(self.order):
            targets = self.last if count == len(self.order) - 1 else None
            program, calls, current = self._bound(program, current, place, targets)
            self.calls.append(calls)
            self.carries.append(current)

    def _bound(
        self,
        program: Program | None,
        current: list[Array],
        place: int,
        targets: Sequence[Array] | None,
    ) -> tuple[Program, list[Call], list[Array]]:
        """One step: a program, its calls, and the carries after it."""
        body = self.body
        fed = [*current, *(whole[place, ...] for whole in self.xs)]
        given = self._read(fed)
        given |= {owner: self.ys[i][place, ...] for owner, i in body.direct.items()}
        used = list(current)
        for owner, i in body.made.items():
            given[owner] = targets[i] if targets is not None else self._buffer(i, used)
            used.append(given[owner])
        if program is None:
            program = bind_inside(body.graph, given | body.captured)
        else:
            program = program.with_outside(given)
        arrays = program.arrays
        pairs = zip(body.graph.inputs, fed, strict=False)
        calls: list[Call] = [(np.copyto, (arrays[t], x)) for t, x in pairs if t not in given]
        calls += [*program.schedule(), *self._stack(arrays, place)]
        copied, after = self._handed_on(arrays, given, used)
        return program, [*calls, *copied], after

    def _stack(self, arrays: Mapping[Tensor, Array], place: int) -> Iterator[Call]:
        """The copies to stacked outputs that no kernel writes."""
        body = self.body
        for i, tensor in enumerate(body.graph.outputs[body.op.carries :]):
            if body.direct.get(body.layouts[tensor].owner) != i:
                yield np.copyto, (self.ys[i][place, ...], arrays[tensor])

    def _handed_on(
        self, arrays: Mapping[Tensor, Array], given: Mapping[Tensor, Array], used: list[Array]
    ) -> tuple[list[Call], list[Array]]:
        """The carries of the next step, and the copies of those that would not last until then."""
        body = self.body
        calls, after = [], []
        for i, tensor in enumerate(body.graph.outputs[: body.op.carries]):
            array = arrays[tensor]
            if not body.stays(tensor, given):
                array = self._buffer(i, used)
                used.append(array)
                calls += copies([array], [arrays[tensor]])
            after.append(array)
        return calls, after

    def _read(self, fed: Sequence[Array]) -> dict[Tensor, Array]:
        """The carries and elements that are read where they lie."""
        pairs = zip(self.body.graph.inputs, fed, strict=False)
        free = [(t, array) for t, array in pairs if t not in self.body.pinned]
        return {t: array for t, array in free if array.flags.c_contiguous}

    def _buffer(self, carry: int, used: Sequence[Array]) -> Array:
        """Memory for a next carry that holds none of the arrays in use."""
        of = self.body.graph.outputs[carry].type
        shape = self.body.layouts[self.body.graph.outputs[carry]].shape
        known = self.buffers.setdefault(carry, [])
        for array in known:
            if not any(_same(array, other) for other in used):
                return array
        known.append(held_array(shape, of.dtype.numpy))
        return known[-1]


def _same(one: Array, other: Array) -> bool:
    """Whether two arrays in C order start at the same place."""
    return bool(one.__array_interface__["data"][0] == other.__array_interface__["data"][0])


# -- windows ----------------------------------------------------------------------------------


def _windowed(
    body: _Body, steps: int, order: range, inputs: list[Array], outputs: list[Array]
) -> list[Call]:
    """The calls of a scan that binds fewer steps than it takes."""
    first, behind = body.op.carries, body.op.carries + body.op.stacked
    xs, ys = inputs[first:behind], outputs[first:]
    window = [held_array((steps, *whole.shape[1:]), whole.dtype) for whole in (*xs, *ys)]
    carry = [held_array(each.shape, each.dtype) for each in inputs[:first]]
    passing = [held_array(each.shape, each.dtype) for each in inputs[:first]]
    inside = range(steps)[:: order.step]
    bound = _Steps(body, carry, window[: len(xs)], window[len(xs) :], inside, None)
    fed = list(zip(window, xs, strict=False))
    left = list(zip(ys, window[len(xs) :], strict=True))
    again = [[*copies(passing, after), *copies(carry, passing)] for after in bound.carries]
    run = (_run_windows, (order, inside, fed, bound.calls, left, again))
    return [*copies(carry, inputs[:first]), run, *copies(outputs[:first], carry)]


def _run_windows(
    order: range,
    inside: range,
    fed: Sequence[tuple[Array, Array]],
    steps: Sequence[Calls],
    left: Sequence[tuple[Array, Array]],
    again: Sequence[Calls],
) -> None:
    """Window after window: copy operands in, run as many steps as there are, copy outputs out."""
    for start in range(0, len(order), len(inside)):
        places = order[start : start + len(inside)]
        given, used = _slice(places), _slice(inside[: len(places)])
        for window, whole in fed:
            window[used] = whole[given]
        for calls in steps[: len(places)]:
            for function, args in calls:
                function(*args)
        for whole, window in left:
            whole[given] = window[used]
        run_calls(again[len(places) - 1])


def _slice(places: range) -> slice:
    """The places, in ascending order, as a slice."""
    return slice(min(places[0], places[-1]), max(places[0], places[-1]) + 1)
