"""Reductions: one call each, except where NumPy would allocate.

Sixteen-bit floats are summed and multiplied in float32 and rounded once, as XLA does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import reduce as ops

from ..extremes import extreme_calls
from ..kernel import Array, Call, Scratch, kernel
from ..order import is_innermost
from ..sums import sum_call


def _reduce(
    op: ops.Reduction, ufunc: np.ufunc, source: Array, target: Array, scratch: Scratch
) -> list[Call]:
    axis, keepdims = op.axis, op.keepdims
    if 0 in axis and is_innermost(source, 0):  # the axes that are left keep their sequence
        target = target.reshape([n for i, n in enumerate(source.shape) if i not in axis])
        axis = tuple((i - 1) % source.ndim for i in axis)
        source, keepdims = np.moveaxis(source, 0, -1), False
    axis = tuple(sorted(axis))
    if ufunc is np.add:
        return [sum_call(source, axis, target, keepdims)]
    if ufunc in (np.maximum, np.minimum):
        return extreme_calls(ufunc, source, axis, target, keepdims, scratch)
    # The dtype is given because NumPy would multiply narrow integers in a wider one.
    return [(ufunc.reduce, (source, axis, target.dtype, target, keepdims))]


def _register(op_class: type[ops.Reduction], ufunc: np.ufunc, wide: bool = False) -> None:
    @kernel(op_class)
    def bind(
        op: ops.Reduction, inputs: list[Array], outputs: list[Array], scratch: Scratch
    ) -> list[Call]:
        if not (wide and _is_half(outputs[0])):
            return _reduce(op, ufunc, inputs[0], outputs[0], scratch)
        source = scratch(inputs[0].shape, np.float32)
        target = scratch(outputs[0].shape, np.float32)
        return [
            (np.copyto, (source, inputs[0])),
            *_reduce(op, ufunc, source, target, scratch),
            (np.copyto, (outputs[0], target)),
        ]


_register(ops.Sum, np.add, wide=True)
_register(ops.Prod, np.multiply, wide=True)
_register(ops.Max, np.maximum)
_register(ops.Min, np.minimum)
_register(ops.AllTrue, np.logical_and)
_register(ops.AnyTrue, np.logical_or)


def _register_place(op_class: type[ops.ArgExtreme], function: Callable[..., Any]) -> None:
    @kernel(op_class)
    def bind(
        op: ops.ArgExtreme, inputs: list[Array], outputs: list[Array], scratch: Scratch
    ) -> list[Call]:
        calls: list[Call] = []
        rows = np.moveaxis(inputs[0], op.axis, -1)
        if not rows.flags.c_contiguous:  # NumPy would copy, into memory of its own
            rows, strided = scratch(rows.shape, rows.dtype), rows
            calls.append((np.copyto, (rows, strided)))
        places = scratch(rows.shape[:-1], np.intp)
        calls.append((function, (rows, -1, places)))
        calls.append((np.copyto, (outputs[0].reshape(places.shape), places, "unsafe")))
        return calls


_register_place(ops.ArgMax, np.argmax)
_register_place(ops.ArgMin, np.argmin)


@kernel(ops.ProductOfOthers)
def product_of_others(
    op: ops.ProductOfOthers, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    """Products from the left times products from the right, neither with the element itself."""
    dtype = np.dtype(np.float32) if _is_half(outputs[0]) else outputs[0].dtype
    left, right = scratch(outputs[0].shape, dtype), scratch(outputs[0].shape, dtype)
    return [
        *_exclusive_products(inputs[0], left, op.axis),
        *_exclusive_products(np.flip(inputs[0], op.axis), np.flip(right, op.axis), op.axis),
        (np.multiply, (left, right, left)),
        (np.copyto, (outputs[0], left, "unsafe")),
    ]


def _exclusive_products(source: Array, target: Array, axis: int) -> list[Call]:
    before = (slice(None),) * axis
    start, rest = target[(*before, slice(0, 1))], target[(*before, slice(1, None))]
    factors = source[(*before, slice(0, -1))]
    return [
        (start.fill, (1,)),
        (np.multiply.accumulate, (factors, axis, target.dtype, rest)),
    ]


def _is_half(array: Array) -> bool:
    return as_dtype(array.dtype).is_float and array.dtype.itemsize == 2
