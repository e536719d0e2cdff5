"""Extremes: of many short rows, and of every element with a number, in ways that NumPy is quick at.

NumPy takes each row by itself, and a short one is mostly overhead. With the rows as columns it
compares whole vectors: 128 rows of 10 float32 take 2.0 instead of 11.3 microseconds with the copy
that turns them, 2048 rows of 32 take 61 instead of 231. Longer rows take up to half of their time
as parts of one vector (`numpy.ufunc.reduceat`): 512 rows of 128 float32 17.6 instead of 35.4
microseconds, 64 of 1024 still 6.4 instead of 8.1.

With a number as one operand it compares element by element; where the number is written out as a
row, it compares vectors. 65 thousand float32 take 8 instead of 24 microseconds, int8 3 instead of
27, float64 18 instead of 30.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .kernel import Array, Call, Scratch, constant_number, ufunc_call

LONGEST_TURNED, LONGEST_PART = 32, 4096
"""Rows that are turned, and rows that are taken as parts of a vector."""

FEWEST_ROWS = 16

WRITTEN_OUT, FEWEST_BOUNDED = 2048, 128
"""How often a number is written out, and the elements from which that is quicker."""


def extreme_calls(
    ufunc: np.ufunc, x: Array, axis: Sequence[int], target: Array, keepdims: bool, scratch: Scratch
) -> list[Call]:
    """The calls that reduce ``x`` over ``axis`` into the C-contiguous ``target``.

    >>> x, target = np.arange(40.0).reshape(20, 2), np.empty(20)
    >>> for function, arguments in extreme_calls(np.maximum, x, (1,), target, False, np.empty):
    ...     _ = function(*arguments)
    >>> target[:3].tolist()
    [1.0, 3.0, 5.0]
    """
    kept = x.ndim - len(axis)
    if x.flags.c_contiguous and tuple(axis) == tuple(range(kept, x.ndim)):
        rows, columns = math.prod(x.shape[:kept]), math.prod(x.shape[kept:])
        if rows >= FEWEST_ROWS and LONGEST_TURNED < columns <= LONGEST_PART:
            parts = x.reshape(-1), _starts(rows, columns), 0, x.dtype, target.reshape(rows)
            return [(ufunc.reduceat, parts)]
        if rows >= FEWEST_ROWS and 1 < columns <= LONGEST_TURNED:
            turned = scratch((columns, rows), x.dtype)
            return [
                (np.copyto, (turned, x.reshape(rows, columns).T)),
                (ufunc.reduce, (turned, 0, x.dtype, target.reshape(rows))),
            ]
    return [(ufunc.reduce, (x, tuple(axis), target.dtype, target, keepdims))]


@lru_cache(maxsize=64)
def _starts(rows: int, columns: int) -> Array:
    """Where rows begin; shared by all programs, so read-only."""
    starts = np.arange(0, rows * columns, columns, dtype=np.intp)
    starts.flags.writeable = False
    return starts


def bounded_calls(ufunc: np.ufunc, x: Array, bound: Array, out: Array) -> list[Call]:
    """The calls that write ``ufunc(x, bound)``, for `numpy.maximum` or `numpy.minimum`.

    >>> x, zero, out = np.arange(-2000.0, 2000.0), np.zeros(()), np.empty(4000)
    >>> zero.flags.writeable = False  # a constant
    >>> for function, arguments in bounded_calls(np.maximum, x, zero, out):
    ...     _ = function(*arguments)
    >>> out[[0, 1999, 3999]].tolist()
    [0.0, 0.0, 1999.0]
    """
    plain = x.flags.c_contiguous and out.flags.c_contiguous and x.shape == out.shape
    if not plain or x.size < FEWEST_BOUNDED or constant_number(bound) is None:
        return [ufunc_call(ufunc, x, bound, out=out)]
    row = _written_out(bound.dtype, bound[(0,) * bound.ndim].tobytes())
    x, out, whole = x.reshape(-1), out.reshape(-1), x.size // len(row) * len(row)
    rows, rest = slice(0, whole), slice(whole, None)
    calls = [
        ufunc_call(ufunc, x[rows].reshape(-1, len(row)), row, out=out[rows].reshape(-1, len(row))),
        ufunc_call(ufunc, x[rest], row[: x.size - whole], out=out[rest]),
    ]
    return calls[not whole : 2 - (whole == x.size)]


@lru_cache(maxsize=64)
def _written_out(dtype: np.dtype[Any], number: bytes) -> Array:
    """The number with these bytes again and again; shared by all programs, so read-only."""
    row = np.frombuffer(number * WRITTEN_OUT, dtype)
    row.flags.writeable = False
    return row
