"""What masks say: which are causal, which show a key to every query, which are finite.

Every function looks at a few nodes; what it cannot tell is "no".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from asg.core.dim import Dim
from asg.core.dtype import finfo, iinfo
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.cast import Cast
from asg.ops.compare import Equal, Greater, GreaterEqual, Less, LessEqual, LogicalNot, NotEqual
from asg.ops.elementwise import Add, Divide, Multiply, Subtract, Where
from asg.ops.elementwise_unary import Negative
from asg.ops.leaf import Constant, Full, Iota
from asg.ops.shape import BroadcastTo, ExpandDims, PermuteDims, Reshape
from asg.ops.slicing import Slice
from asg.rewrite.pattern import uniform_value

MOST_STEPS = 8
"""Nodes between a mask and what it is made of."""

_MOVES = (BroadcastTo, ExpandDims, PermuteDims, Reshape, Slice)
_ORDERS: dict[type, tuple[bool, int]] = {
    # Whether the left side is the smaller one, and by how much it has to be.
    LessEqual: (True, 0), Less: (True, 1), GreaterEqual: (False, 0), Greater: (False, 1),
}  # fmt: skip


def is_spread_over(sizes: Shape, wanted: Shape) -> bool:
    """Whether sizes that go together are equal or claimed to be: none is a 1 that is stretched."""
    pairs = list(zip(sizes, wanted, strict=False))
    return len(sizes) == len(wanted) and all((a == 1) is (b == 1) for a, b in pairs)


# -- where a mask is true -------------------------------------------------------------------------


def causal_offset(condition: Tensor, wanted: bool, shape: Shape) -> int | None:
    """c, where ``condition == wanted`` says ``column <= row + c`` for matrices of a shape."""
    for _ in range(MOST_STEPS):
        if not is_spread_over(condition.shape[-2:], shape):
            return None
        op = condition.node.op
        if type(op) in _ORDERS:
            return _order(condition, wanted)
        if isinstance(op, Constant | Slice):
            return 0 if _is_lower_triangle(condition, wanted) else None
        inner = _inside(condition)
        if inner is None:
            return None
        condition, same = inner
        wanted = wanted if same else not wanted
    return None


def _inside(condition: Tensor) -> tuple[Tensor, bool] | None:
    """Another tensor that is nonzero where ``condition`` is true, or (False) where it is not."""
    op, inputs = condition.node.op, condition.node.inputs
    if isinstance(op, LogicalNot):
        return inputs[0], False
    if isinstance(op, Cast):
        is_bool = condition.dtype.is_bool or inputs[0].dtype.is_bool
        return (inputs[0], True) if is_bool else None
    if isinstance(op, Equal | NotEqual):
        for x, other in (inputs, inputs[::-1]):
            if uniform_value(other) == 0:
                return x, isinstance(op, NotEqual)
    if isinstance(op, Where):
        known = [uniform_value(each) for each in inputs[1:]]
        if None not in known and bool(known[0]) != bool(known[1]):
            return inputs[0], bool(known[0])
    return None


class _Ramp(NamedTuple):
    """Numbers that count in ones from a start along an axis, which is told from the end."""

    axis: int
    size: Dim
    start: int


def _order(condition: Tensor, wanted: bool) -> int | None:
    """`causal_offset` of a comparison."""
    is_less, gap = _ORDERS[type(condition.node.op)]
    first, second = (_ramp(each) for each in condition.node.inputs)
    if first is None or second is None:
        return None
    small, large = (first, second) if is_less else (second, first)
    if not wanted:  # what is not small + gap <= large is large + (1 - gap) <= small
        small, large, gap = large, small, 1 - gap
    straight = (small.axis, large.axis) == (-1, -2)
    if not straight or not is_spread_over((large.size, small.size), condition.shape[-2:]):
        return None
    return large.start - small.start - gap


def _ramp(tensor: Tensor) -> _Ramp | None:
    """Where and from what a tensor counts upwards in ones."""
    start, behind = 0, 0
    for _ in range(MOST_STEPS):
        op = tensor.node.op
        if isinstance(op, Iota):
            return _Ramp(op.axis - tensor.ndim - behind, op.shape[op.axis], start)
        if isinstance(op, BroadcastTo):
            (tensor,) = tensor.node.inputs
        elif isinstance(op, ExpandDims) and len(op.axes) == tensor.ndim - 1:
            (place,) = set(range(tensor.ndim)) - set(op.axes)
            behind += len(op.axes) - place
            (tensor,) = tensor.node.inputs
        else:
            found = _plus(tensor)
            if found is None:
                return None
            tensor, start = found[0], start + found[1]
    return None


def _plus(tensor: Tensor) -> tuple[Tensor, int] | None:
    """x and c of ``x + c``, and of x times one."""
    op, inputs = tensor.node.op, tensor.node.inputs
    if not isinstance(op, Add | Multiply | Subtract):
        return None
    for x, other in (inputs, inputs[::-1])[: 1 if isinstance(op, Subtract) else 2]:
        number = uniform_value(other)
        if type(number) is int and x.shape == tensor.shape:
            if isinstance(op, Multiply):
                return (x, 0) if number == 1 else None
            return x, -number if isinstance(op, Subtract) else number
    return None


def _is_lower_triangle(tensor: Tensor, wanted: bool) -> bool:
    """Whether a constant, or a corner of it, is nonzero (or zero) just up to the diagonal."""
    op = tensor.node.op
    if isinstance(op, Slice):
        given = op.attributes()
        if {*given["start"][-2:]} != {0} or {*given["step"][-2:]} != {1}:
            return False
        op = tensor.node.inputs[0].node.op
    if not isinstance(op, Constant) or op.data.array.ndim < 2:
        return False
    array = op.data.array != 0
    triangle = np.tri(*array.shape[-2:]) != 0
    return bool(np.all((array == triangle) == wanted))


def shows_every_row(condition: Tensor, wanted: bool) -> bool:
    """Whether a constant condition is as wanted somewhere in every row."""
    op = condition.node.op
    if not isinstance(op, Constant) or not condition.ndim or not condition.type.shape[-1]:
        return False
    return bool(np.all(np.any(op.data.array == wanted, axis=-1)))


# -- how large a mask can be ----------------------------------------------------------------------

Bounds = tuple[float, float]


def is_finite(tensor: Tensor) -> bool:
    """Whether the elements of a floating tensor are sure to be finite, as far as constants tell."""
    return tensor.dtype.is_float and _bounds(tensor, MOST_STEPS) is not None


def _bounds(tensor: Tensor, steps: int) -> Bounds | None:
    """The least and the largest value there may be, if the dtype holds both."""
    op, inputs = tensor.node.op, tensor.node.inputs
    if isinstance(op, Constant | Full):
        return _known_bounds(op)
    if tensor.dtype.is_bool:
        return 0.0, 1.0
    if not steps or not isinstance(op, _BOUNDED):
        return None
    parts = []
    for each in inputs[1:] if isinstance(op, Where) else inputs:
        part = _bounds(each, steps - 1)
        if part is None:
            return None
        parts.append(part)
    found, limits = _combined(op, parts), (finfo if tensor.dtype.is_float else iinfo)(tensor.dtype)
    return found if found is not None and limits.min <= found[0] <= found[1] <= limits.max else None


_BOUNDED = (*_MOVES, Cast, Where, Add, Subtract, Multiply, Divide, Negative)


def _known_bounds(op: Constant | Full) -> Bounds | None:
    array: Any = op.data.array if isinstance(op, Constant) else np.asarray(op.value)
    if not array.size or not np.all(np.isfinite(array.astype(np.float64))):
        return None
    return float(array.min()), float(array.max())


def _combined(op: object, parts: list[Bounds]) -> Bounds | None:
    """The bounds of an op's result from those of its operands."""
    low, high = parts[0]
    if isinstance(op, Negative):
        return -high, -low
    if isinstance(op, Where):
        return min(low, parts[1][0]), max(high, parts[1][1])
    if isinstance(op, Add):
        return low + parts[1][0], high + parts[1][1]
    if isinstance(op, Subtract):
        return low - parts[1][1], high - parts[1][0]
    if isinstance(op, Multiply | Divide):
        if isinstance(op, Divide) and parts[1][0] <= 0.0 <= parts[1][1]:
            return None
        others = [1.0 / each if isinstance(op, Divide) else each for each in parts[1]]
        corners = [a * b for a in (low, high) for b in others]
        return min(corners), max(corners)
    return low, high
