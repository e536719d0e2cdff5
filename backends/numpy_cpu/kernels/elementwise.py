"""Arithmetic of two or three operands."""

from __future__ import annotations

import numpy as np

from asg.ops import elementwise as ops

from ..extremes import bounded_calls
from ..kernel import (
    Array,
    Call,
    Scratch,
    constant_number,
    kernel,
    register_ufunc,
    ufunc_call,
    without_repeats,
)

register_ufunc(ops.Add, np.add)
register_ufunc(ops.Subtract, np.subtract)
register_ufunc(ops.Multiply, np.multiply)
register_ufunc(ops.Divide, np.divide)
register_ufunc(ops.FloorDivide, np.floor_divide)
register_ufunc(ops.Remainder, np.remainder)
register_ufunc(ops.LogAddExp, np.logaddexp)


def _register_extreme(op_class: type[ops.Binary], ufunc: np.ufunc) -> None:
    @kernel(op_class, inplace=True, order="elementwise")
    def bind(
        op: ops.Binary, inputs: list[Array], outputs: list[Array], scratch: Scratch
    ) -> list[Call]:
        x, y = map(without_repeats, inputs)
        if x.shape != outputs[0].shape:
            x, y = y, x
        return bounded_calls(ufunc, x, y, outputs[0])


_register_extreme(ops.Maximum, np.maximum)
_register_extreme(ops.Minimum, np.minimum)


@kernel(ops.Pow, inplace=True, order="elementwise")
def pow(op: ops.Pow, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x, y), (out,) = inputs, outputs
    if y.dtype.kind != "i":
        return [(np.power, (x, y, out))]
    # NumPy refuses negative powers of integers. Their values are ready before out is written.
    exponent, negative = scratch(y.shape, y.dtype), scratch(y.shape, np.bool_)
    truncated, unit = scratch(out.shape, out.dtype), scratch(x.shape, np.bool_)
    return [
        (_truncated_reciprocals, (x, y, exponent, unit, truncated)),
        (np.less, (y, 0, negative)),
        ufunc_call(np.maximum, y, 0, out=exponent),
        (np.power, (x, exponent, out)),
        (np.copyto, (out, truncated, "no", negative)),
    ]


def _truncated_reciprocals(x: Array, y: Array, parity: Array, unit: Array, out: Array) -> None:
    """1 for x = 1, 1 or -1 for x = -1 by the parity of y, else 0."""
    np.bitwise_and(y, 1, out=parity)
    np.multiply(parity, -2, out=parity)
    np.add(parity, 1, out=parity)
    np.equal(x, -1, out=unit)
    np.multiply(unit, parity, out=out)
    np.equal(x, 1, out=unit)
    np.add(out, unit, out=out)


FEW = 128
"""Elements. For fewer, two calls that copy element by element are quicker than four on bits."""


@kernel(ops.Where, inplace=((0, 1),), order="elementwise")
def where(op: ops.Where, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    """y ^ ((x ^ y) & mask) on the bits of the elements, with a mask of all ones or none.

    Without a branch: copying under a mask takes eight times as long when the mask is irregular.
    Where one side is 0, the mask alone does it.
    """
    (condition, given, other), (result,) = inputs, outputs
    if result.size <= FEW:
        if not np.may_share_memory(result, given):
            return [(np.copyto, (result, other)), (np.copyto, (result, given, "no", condition))]
        denied = scratch(condition.shape, np.bool_)
        start: list[Call] = [] if _same(result, given) else [(np.copyto, (result, given))]
        replaced: Call = (np.copyto, (result, other, "no", denied))
        return [*start, (np.logical_not, (condition, denied)), replaced]
    bits = np.dtype(f"i{result.dtype.itemsize}")
    x, y, out = (each.view(bits) for each in (given, other, result))
    mask = scratch(condition.shape, bits)
    if constant_number(y) == 0:
        return [(np.negative, (condition.view(np.int8), mask)), (np.bitwise_and, (x, mask, out))]
    if constant_number(x) == 0:
        return [(np.subtract, (condition.view(np.int8), 1, mask)), (np.bitwise_and, (y, mask, out))]
    return [
        (np.negative, (condition.view(np.int8), mask)),
        (np.bitwise_xor, (x, y, out)),
        (np.bitwise_and, (out, mask, out)),
        (np.bitwise_xor, (out, y, out)),
    ]


def _same(one: Array, other: Array) -> bool:
    return one.ctypes.data == other.ctypes.data and one.strides == other.strides


@kernel(ops.Clip, inplace=((0, 0), (0, 1)), order="elementwise")
def clip(op: ops.Clip, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x, low, high), (out,) = inputs, outputs
    raised = bounded_calls(np.maximum, x, without_repeats(low), out)
    return [*raised, *bounded_calls(np.minimum, out, without_repeats(high), out)]
