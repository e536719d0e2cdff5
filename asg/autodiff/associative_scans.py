"""The gradient of an associative scan.

Of a literal length it is that of the tree that the scan stands for: of logarithmic depth as well.
Of a symbolic length it is one scan against the direction. With ``y[t] = f(y[t - 1], x[t])``, all y
being known, it carries what y[t - 1] owes to y[t] and all that comes after it, and sums up the
cotangents of captured values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asg.autodiff.vjp import active_tensors, pullback
from asg.core.graph import Graph
from asg.core.node import next_serial
from asg.core.region import inline
from asg.core.registry import call, public, service
from asg.core.tensor import Tensor
from asg.ops.associative_scans import AssociativeScan
from asg.ops.branches import cond
from asg.ops.leaf import dim_size, iota, zeros, zeros_like
from asg.ops.loops import scan
from asg.ops.operand import respelled
from asg.ops.scans import previous
from asg.ops.shape import expand_dims, moveaxis, squeeze

Tensors = Sequence[Tensor]


@public
def associative_scan_vjp(
    op: AssociativeScan,
    wanted: Sequence[bool],
    inputs: Tensors,
    outputs: Tensors,
    cotangents: Tensors,
) -> list[Tensor | None]:
    """The cotangents of the wanted operands; None where none flows."""
    reached = _reached(op, wanted)
    if isinstance(inputs[0].shape[op.axis], int):
        found = _through_tree(op, reached, inputs, cotangents)
    else:
        found = _Backward(op, reached, inputs).run(outputs, cotangents)
    return [found.get(i) for i in range(len(inputs))]


def _reached(op: AssociativeScan, wanted: Sequence[bool]) -> list[int]:
    """The wanted operands that a derivative flows to."""
    count, body = op.elements, op.body
    floats = [i for i, asked in enumerate(wanted) if asked and _inner(op, i).dtype.is_float]
    return [
        i for i in floats
        if i < count or {*body.outputs} & active_tensors(body.nodes, [_inner(op, i)])
    ]  # fmt: skip


def _inner(op: AssociativeScan, position: int) -> Tensor:
    """The input of the body that belongs to an operand; of x, the one for its second value."""
    return op.body.inputs[op.elements + position]


def _through_tree(
    op: AssociativeScan, reached: Sequence[int], inputs: Tensors, cotangents: Tensors
) -> dict[int, Tensor]:
    floor = next_serial()
    outputs = op.decompose(*inputs)
    floats = [i for i, tensor in enumerate(outputs) if tensor.dtype.is_float]
    places = {inputs[i]: i for i in reversed(reached)}  # of equal operands, the first
    found = pullback([outputs[i] for i in floats], [cotangents[i] for i in floats], [*places],
                     floor, cut=True)  # fmt: skip
    return {
        i: zeros_like(tensor) if each is None else each
        for (tensor, i), each in zip(places.items(), found, strict=True)
    }


class _Backward:
    """The scan against the direction; a step is pulled back through a body for single elements."""

    def __init__(self, op: AssociativeScan, reached: Sequence[int], inputs: Tensors) -> None:
        count = op.elements
        self.op = op
        self.inputs = inputs
        self.floats = [i for i in range(count) if inputs[i].dtype.is_float]
        self.captured = inputs[count:]
        self.summed = {inputs[i]: i for i in reversed(reached) if i >= count}
        self.body: Graph = service("specialise")(op.body, {op.size: 1})

    def run(self, outputs: Tensors, cotangents: Tensors) -> dict[int, Tensor]:
        """The cotangents of floating x and of captured values, by operand."""
        axis, reverse, xs = self.op.axis, self.op.reverse, self.inputs[: self.op.elements]
        before = [previous(y, axis, reverse, 0) for y in outputs]
        rows = [
            tuple(moveaxis(each, axis, 0) for each in stacked)
            for stacked in (before, xs, [cotangents[i] for i in self.floats])
        ]
        owed = tuple(zeros(row.shape[1:], row.dtype) for row in rows[2])
        start = (owed, tuple(zeros_like(tensor) for tensor in self.summed))
        given = (*rows, self._begins())
        (_, sums), found = scan(self._step, start, given, reverse=not reverse)
        result = {
            i: respelled(moveaxis(each, 0, axis), self.inputs[i].shape)
            for i, each in zip(self.floats, found, strict=True)
        }
        return result | dict(zip(self.summed.values(), sums, strict=True))

    def _begins(self) -> Tensor:
        """Where the forward scan begins."""
        length = self.inputs[0].shape[self.op.axis]
        return call("equal", iota((length,)), dim_size(length - 1) if self.op.reverse else 0)

    def _step(self, carry: Any, row: Any) -> Any:
        (owed, sums), (before, x, given, begins) = carry, row
        total = tuple(call("add", a, b) for a, b in zip(owed, given, strict=True))
        nothing = tuple(zeros_like(each) for each in (*total, *sums))

        def first() -> tuple[Tensor, ...]:
            return (*nothing[: len(total)], *total, *nothing[len(total) :])

        found = cond(begins, first, lambda: self._pulled(before, x, total))
        left, behind = len(total), 2 * len(total)
        added = tuple(call("add", a, b) for a, b in zip(sums, found[behind:], strict=True))
        return (found[:left], added), found[left:behind]

    def _pulled(self, before: Tensors, x: Tensors, total: Tensors) -> tuple[Tensor, ...]:
        """The cotangents of y[t - 1], of x[t] and of captured values, for that of y[t]."""
        axis = self.op.axis
        first, second, seeds = (
            [expand_dims(each, axis) for each in group] for group in (before, x, total)
        )
        floor = next_serial()
        outputs = inline(self.body, (*first, *second, *self.captured))
        pairs = [*(first[i] for i in self.floats), *(second[i] for i in self.floats)]
        wrt = [*pairs, *self.summed]
        found = pullback([outputs[i] for i in self.floats], seeds, wrt, floor, cut=True)
        filled = [
            zeros_like(tensor) if each is None else each
            for tensor, each in zip(wrt, found, strict=True)
        ]
        count = len(pairs)
        return (*(squeeze(each, axis) for each in filled[:count]), *filled[count:])
