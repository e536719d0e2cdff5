"""Which axes of the operands of an op run along with which axes of its results.

Every axis gets a label. Elements that differ in the place along a label do not touch each other, so
that an op may be computed for some places of the label alone; an axis along which elements do meet
(what a softmax, a sort or a running total runs over) has no label. A label that is summed up is
missing in the result: the sum over some places is a part of the whole sum. Ops that are neither
elementwise nor in the table promise nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any, NamedTuple

from asg.core.node import Node
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.activation import AlongAxis
from asg.ops.cast import StopGradient
from asg.ops.convolution import Conv
from asg.ops.index import ScatterAdd, Take, TakeAlongAxis
from asg.ops.join import Concat, Flip, Pad
from asg.ops.leaf import Constant, Full
from asg.ops.linalg import Matmul
from asg.ops.loss import CrossEntropy, CrossEntropyAndSlope
from asg.ops.reduce import (
    AllTrue,
    AnyTrue,
    ArgExtreme,
    Extreme,
    Prod,
    ProductOfOthers,
    Sum,
    TieShare,
)
from asg.ops.scans import LinearRecurrence
from asg.ops.scans import Scan as RunningTotal
from asg.ops.shape import (
    AssumeShape,
    BroadcastTo,
    ExpandDims,
    PermuteDims,
    Reshape,
    Squeeze,
)
from asg.ops.slicing import Select, Slice, Unslice
from asg.ops.sorting import ArgSort, Sort
from asg.ops.window_reductions import WindowOp

Labels = tuple[Hashable, ...]


class Axes(NamedTuple):
    """Labels of every axis, None for an axis that must stay in one piece.

    No label stands twice in one operand or result. An operand without a label is the same for all
    places along it. ``others`` are those of further results, of ops that sum nothing.
    """

    operands: tuple[Labels, ...]
    result: Labels
    summed: frozenset[Hashable] = frozenset()
    others: tuple[Labels, ...] = ()


Rule = Callable[[Any, Node], Axes]
RULES: dict[type[Op], Rule] = {}


def axes_of(node: Node) -> Axes | None:
    """The labels of a node; None when nothing is known about its op.

    >>> import asg
    >>> x, w = asg.input("x", (8, 3)), asg.input("w", (3, 2))
    >>> axes_of((x @ w).node)
    Axes(operands=(('i', 'k'), ('k', 'j')), result=('i', 'j'), summed=frozenset({'k'}), others=())
    """
    if node.op.broadcasts:
        return _elementwise(node.op, node)
    for each in type(node.op).__mro__:
        if each in RULES:
            return RULES[each](node.op, node)
    return None


def rule(*classes: type[Op]) -> Callable[[Rule], Rule]:
    """Register the labels of ops, subclasses included."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(classes, function))
        return function

    return register


def is_zero(tensor: Tensor) -> bool:
    """True for constants that are zero throughout, and for views of them."""
    while isinstance(tensor.node.op, BroadcastTo | Reshape | ExpandDims | Squeeze):
        tensor = tensor.node.inputs[0]
    op = tensor.node.op
    if isinstance(op, Full):
        return op.value == 0
    return isinstance(op, Constant) and not op.data.array.any()


# -- element by element -----------------------------------------------------------------------


@rule(StopGradient)
def _elementwise(op: Op, node: Node) -> Axes:
    out = node.output.shape
    return Axes(tuple(_stretched(t.shape, out) for t in node.inputs), tuple(range(len(out))))


def _stretched(shape: Shape, out: Shape) -> Labels:
    """The axes of ``out`` that an operand has, which are aligned at the end."""
    first = len(out) - len(shape)
    return tuple(
        None if size == 1 and out[first + i] != 1 else first + i for i, size in enumerate(shape)
    )


def _kept(ndim: int, locked: Sequence[int]) -> Labels:
    """Every axis with its own label, but those in ``locked``."""
    return tuple(None if axis in locked else axis for axis in range(ndim))


@rule(AlongAxis, LinearRecurrence, RunningTotal, ProductOfOthers, Sort, ArgSort, TakeAlongAxis)
def _along_one_axis(op: Any, node: Node) -> Axes:
    labels = _kept(node.output.ndim, (op.axis,))
    return Axes((labels,) * len(node.inputs), labels)


@rule(Flip)
def _flip(op: Flip, node: Node) -> Axes:
    labels = _kept(node.output.ndim, op.axes)
    return Axes((labels,), labels)


@rule(TieShare)
def _tie_share(op: TieShare, node: Node) -> Axes:
    labels = _kept(node.output.ndim, op.axis)
    return Axes((labels, labels), labels)


@rule(CrossEntropy, CrossEntropyAndSlope)
def _loss(op: Any, node: Node) -> Axes:
    labels = _kept(node.inputs[0].ndim, (op.axis,))
    rows = tuple(axis for axis in labels if axis is not None)
    return Axes((labels, rows), rows, others=(labels,) * (len(node.outputs) - 1))


# -- reductions and products --------------------------------------------------------------------


@rule(Extreme, Prod, AllTrue, AnyTrue, Sum)
def _reduction(op: Any, node: Node) -> Axes:
    return _reduced(node, op.axis, op.keepdims, isinstance(op, Sum))


@rule(ArgExtreme)
def _place(op: ArgExtreme, node: Node) -> Axes:
    return _reduced(node, (op.axis,), op.keepdims, summed=False)


def _reduced(node: Node, axes: Sequence[int], keepdims: bool, summed: bool) -> Axes:
    every = tuple(range(node.inputs[0].ndim))
    labels = every if summed else _kept(len(every), axes)
    if keepdims:
        result = _kept(len(every), axes)
    else:
        result = tuple(axis for axis in every if axis not in axes)
    return Axes((labels,), result, frozenset(axes) if summed else frozenset())


@rule(Matmul)
def _matmul(op: Matmul, node: Node) -> Axes:
    (a, b), out = (t.shape for t in node.inputs), node.output.shape
    rows, columns = ("i",) if len(a) > 1 else (), ("j",) if len(b) > 1 else ()
    lead = out[: len(out) - len(rows) - len(columns)]
    return Axes(
        (
            (*_stretched(a[:-2], lead), *rows, "k"),
            (*_stretched(b[:-2], lead), "k", *columns),
        ),
        (*range(len(lead)), *rows, *columns),
        frozenset("k"),
    )


@rule(Conv)
def _conv(op: Conv, node: Node) -> Axes:
    space = (None,) * (node.output.ndim - 2)
    if op.groups != 1:
        return Axes((("n", None, *space), (None,) * node.output.ndim), ("n", None, *space))
    return Axes((("n", "c", *space), ("o", "c", *space)), ("n", "o", *space), frozenset("c"))


@rule(WindowOp)
def _window(op: WindowOp, node: Node) -> Axes:
    labels = ("n", "c", *[None] * (node.output.ndim - 2))
    return Axes((labels,) * len(node.inputs), labels)


# -- at places that data decide -----------------------------------------------------------------


@rule(Take)
def _take(op: Take, node: Node) -> Axes:
    x, indices = node.inputs
    return Axes(*_indexed(x, indices, op.axis))


def _indexed(x: Tensor, indices: Tensor, axis: int) -> tuple[tuple[Labels, Labels], Labels]:
    """Labels of x and of the indices, and those of what is taken."""
    rows, places = _kept(x.ndim, (axis,)), tuple(f"i{n}" for n in range(indices.ndim))
    return (rows, places), (*rows[:axis], *places, *rows[axis + 1 :])


@rule(ScatterAdd)
def _scatter_add(op: ScatterAdd, node: Node) -> Axes:
    """Only over indices: one that is outside has to spoil the whole result.

    It does so in a sum of floats, where it has added NaN. What is added to must be zero then, or
    every part of the sum would count it.
    """
    x, indices, _ = node.inputs
    places = tuple(f"i{n}" for n in range(indices.ndim))
    locked = (None,) * x.ndim
    updates = (*locked[: op.axis], *places, *locked[op.axis + 1 :])
    summed = frozenset(places) if is_zero(x) and x.dtype.is_float else frozenset()
    return Axes((locked, places, updates), locked, summed)


# -- shapes -------------------------------------------------------------------------------------


@rule(Reshape)
def _reshape(op: Reshape, node: Node) -> Axes:
    """An axis goes on as the one that begins where it does, with any number of places.

    Equal pieces of the one are then equal pieces of the other.
    """
    result = _starts(node.output.shape)
    operand = _starts(node.inputs[0].shape)
    return Axes((operand,), result)


def _starts(shape: Shape) -> Labels:
    """For each axis of more than one place the product of the sizes before it."""
    sizes: Any = shape
    return tuple(prod(sizes[:i]) if size != 1 else None for i, size in enumerate(sizes))


@rule(AssumeShape)
def _assume_shape(op: AssumeShape, node: Node) -> Axes:
    labels = tuple(range(node.output.ndim))
    return Axes((labels,), labels)


@rule(BroadcastTo)
def _broadcast_to(op: BroadcastTo, node: Node) -> Axes:
    out = node.output.shape
    return Axes((_stretched(node.inputs[0].shape, out),), tuple(range(len(out))))


@rule(PermuteDims)
def _permute_dims(op: PermuteDims, node: Node) -> Axes:
    return Axes((tuple(range(node.output.ndim)),), op.axes)


@rule(ExpandDims)
def _expand_dims(op: ExpandDims, node: Node) -> Axes:
    result = _kept(node.output.ndim, op.axes)
    return Axes((tuple(axis for axis in result if axis is not None),), result)


@rule(Squeeze, Select)
def _without_axes(op: Any, node: Node) -> Axes:
    operand = _kept(node.inputs[0].ndim, op.axes)
    return Axes((operand,), tuple(axis for axis in operand if axis is not None))


@rule(Slice, Unslice, Pad)
def _resized(op: Op, node: Node) -> Axes:
    """Axes that go in and out whole."""
    before, after = node.inputs[0].shape, node.output.shape
    backwards = [step < 0 for step in getattr(op, "step", ())]
    locked = [i for i, size in enumerate(before) if size != after[i] or any(backwards[i : i + 1])]
    labels = _kept(len(before), locked)
    return Axes((labels,), labels)


@rule(Concat)
def _concat(op: Concat, node: Node) -> Axes:
    labels = _kept(node.output.ndim, (op.axis,))
    return Axes((labels,) * len(node.inputs), labels)
