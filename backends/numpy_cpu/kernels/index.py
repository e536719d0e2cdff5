"""Reading and adding at places that data decide.

`np.take` in its checking mode buffers its output, and `np.add.at` is quick only on vectors. So
indices are first brought to places counted from the front, in memory of their own, and additions
go through one flat index.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import index as ops

from ..kernel import Array, Call, Scratch, kernel
from ..products import products_of, shared_product

FEW_ROWS, LEAST_WORK = 128, 32
"""Rows to which additions are one product of matrices; updates, and elements of each."""

Write = Callable[[Array, Array, Array], object]
"""``write(total, index, updates)`` changes the elements of a vector that the index names."""


class Places:
    """Places along an axis, counted from the front, worked out from indices in each step.

    Attributes:
        places: the result, in memory of its own.
        inside: after `resolve`, whether every index names a place.
    """

    def __init__(self, indices: Array, size: int, scratch: Scratch) -> None:
        self.indices, self.size = indices, size
        self.places = scratch(indices.shape, np.intp)
        self.unsigned = self.places.view(np.uintp)  # in which negative numbers are the largest
        self.mask = scratch(indices.shape, np.bool_)
        # Numbers beyond the signed range would turn into negative ones.
        self.narrowed = scratch(indices.shape, np.uint64) if indices.dtype == np.uint64 else None
        self.inside = True

    def resolve(self) -> None:
        places = self.places
        if self.narrowed is None:
            np.copyto(places, self.indices, casting="unsafe")
        else:
            np.minimum(self.indices, np.uint64(self.size), out=self.narrowed)
            np.copyto(places, self.narrowed, casting="unsafe")
        self.inside = True
        if not places.size or np.maximum.reduce(self.unsigned, None) < self.size:
            return
        low, high = int(places.min()), int(places.max())
        if low < 0:
            np.less(places, 0, out=self.mask)
            np.add(places, self.size, out=places, where=self.mask)
        self.inside = -self.size <= low and high < self.size

    def outside(self) -> Array:
        """Where an index names no place."""
        np.less(self.places, 0, out=self.mask)
        return np.logical_or(self.mask, self.places >= self.size, out=self.mask)


@kernel(ops.Take)
def take(op: ops.Take, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x, indices), (out,) = inputs, outputs
    missing = ops.missing_value(as_dtype(out.dtype))
    places = Places(indices, x.shape[op.axis], scratch)
    calls, x = contiguous(x, scratch)
    return [*calls, (places.resolve, ()), (_take, (x, places, op.axis, out, missing))]


def _take(x: Array, places: Places, axis: int, out: Array, missing: Any) -> None:
    if places.size and out.size:
        x.take(places.places, axis, out, "clip")
    if not places.inside:
        out[(slice(None),) * axis + (places.outside(),)] = missing


@kernel(ops.TakeAlongAxis)
def take_along_axis(
    op: ops.TakeAlongAxis, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x, indices), (out,) = inputs, outputs
    missing = ops.missing_value(as_dtype(out.dtype))
    places = Places(indices, x.shape[op.axis], scratch)
    calls, x = contiguous(x, scratch)
    flat = FlatIndex(x.shape, op.axis, places, True, scratch)
    return [
        *calls, (places.resolve, ()), (flat.fill, ()),
        (_take_flat, (x.reshape(-1), places, flat, out, out.reshape(-1), missing)),
    ]  # fmt: skip


def _take_flat(
    x: Array, places: Places, flat: FlatIndex, out: Array, target: Array, missing: Any
) -> None:
    if places.size and out.size:
        x.take(flat.index, None, target, "clip")
    if not places.inside:
        out[places.outside()] = missing


class FlatIndex:
    """The place of every update in an array seen as ``[outer, size, inner]``, flattened.

    ``index[a, k, b] = (a * size + places[a, k, b]) * inner + b``; with ``along`` false the places
    are those of every a and b.
    """

    def __init__(
        self, shape: tuple[int, ...], axis: int, places: Places, along: bool, scratch: Scratch
    ) -> None:
        outer, self.inner = prod(shape[:axis]), prod(shape[axis + 1 :])
        count = places.places.shape[axis] if along else places.places.size
        self.places = places.places.reshape((outer, count, self.inner) if along else (1, count, 1))
        self.row = shape[axis] * self.inner
        self.rows = scratch((outer, 1, 1), np.intp)
        self.columns = scratch((self.inner,), np.intp)
        self.whole = scratch((outer, count, self.inner), np.intp)
        self.index = self.whole.reshape(-1)

    def fill(self) -> None:
        places = self.places
        if self.inner > 1:
            places = np.multiply(places, self.inner, out=self.whole)
        if self.rows.size > 1:
            _count_up(self.rows.reshape(-1), self.row)
            np.add(places, self.rows, out=self.whole)
        elif places is not self.whole:
            np.copyto(self.whole, places)
        if self.columns.size > 1:
            _count_up(self.columns, 1)
            np.add(self.whole, self.columns, out=self.whole)


def _count_up(target: Array, step: int) -> None:
    """0, step, 2 step, ... in memory that others have written to since."""
    target.fill(step)
    target[0] = 0
    np.add.accumulate(target, 0, None, target)


@kernel(ops.ScatterAdd, inplace=((0, 0),))
def scatter_add(
    op: ops.ScatterAdd, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    if op.axis == 0 and _adds_to_few_rows(inputs):
        return _RowSums(inputs, outputs[0], scratch).calls()
    return written(np.add.at, op.axis, False, inputs, outputs[0], scratch)


@kernel(ops.ScatterAddAlongAxis, inplace=((0, 0),))
def scatter_add_along_axis(
    op: ops.ScatterAddAlongAxis, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return written(np.add.at, op.axis, True, inputs, outputs[0], scratch)


def written(
    write: Write, axis: int, along: bool, inputs: list[Array], out: Array, scratch: Scratch
) -> list[Call]:
    """The calls that copy x to ``out`` and write the updates there by ``write``."""
    x, indices, updates = inputs
    places = Places(indices, x.shape[axis], scratch)
    flat = FlatIndex(x.shape, axis, places, along, scratch)
    narrow = out.dtype.itemsize == 2 and as_dtype(out.dtype).is_float
    total = scratch(out.shape, np.float32) if narrow else out  # a sum is rounded once
    calls, updates = contiguous(updates, scratch, total.dtype)
    if not _same_memory(total, x):  # else x is overwritten where it lies
        calls.append((np.copyto, (total, x)))
    calls += [(places.resolve, ()), (flat.fill, ())]
    calls.append((_write_at, (write, total.reshape(-1), places, flat, updates.reshape(-1),
                              ops.missing_value(as_dtype(out.dtype)))))  # fmt: skip
    return [*calls, (_narrow, (out, total))] if narrow else calls


def _adds_to_few_rows(inputs: list[Array]) -> bool:
    x, indices, _ = inputs
    wide = x.dtype in (np.float32, np.float64)
    return wide and 0 < len(x) <= FEW_ROWS and min(indices.size, x.size // len(x)) >= LEAST_WORK


class _RowSums:
    """Additions to few rows: a product by the matrix that has a 1 where an update belongs.

    ``np.add.at`` takes 4 ns an element, a product as long for some 250 rows. What is not finite
    would spoil the rows it does not belong to, so then rows are added one by one.
    """

    def __init__(self, inputs: list[Array], out: Array, scratch: Scratch) -> None:
        x, indices, updates = inputs
        count, rows = indices.size, len(x)
        self.first: list[Call] = [] if _same_memory(out, x) else [(np.copyto, (out, x))]
        copied, updates = contiguous(updates, scratch)
        self.first += copied
        self.places = Places(indices, rows, scratch)
        self.total, self.updates = out.reshape(rows, -1), updates.reshape(count, -1)
        self.sums = scratch(self.total.shape, out.dtype)
        self.belongs = scratch((count, rows), out.dtype)
        self.ones = scratch((count,), np.intp)

    def calls(self) -> list[Call]:
        factors = self.belongs.T, self.updates, self.sums
        product = shared_product(*factors) or products_of(*factors)
        return [*self.first, (self.places.resolve, ()), (self._mark, ()), *product, (self._add, ())]

    def _mark(self) -> None:
        self.belongs.fill(0)
        if self.places.inside:
            _count_up(self.ones, self.belongs.shape[1])
            np.add(self.ones, self.places.places.reshape(-1), out=self.ones)
            self.belongs.reshape(-1).put(self.ones, 1)

    def _add(self) -> None:
        if not self.places.inside:
            self.total.fill(ops.missing_value(as_dtype(self.total.dtype)))
        elif np.isfinite(np.add.reduce(self.sums, None)):
            np.add(self.total, self.sums, self.total)
        else:
            for place, row in zip(self.places.places.reshape(-1), self.updates, strict=True):
                self.total[place] += row


def _same_memory(a: Array, b: Array) -> bool:
    return bool(a.ctypes.data == b.ctypes.data and a.strides == b.strides and a.dtype == b.dtype)


def _write_at(
    write: Write, total: Array, places: Places, flat: FlatIndex, updates: Array, missing: Any
) -> None:
    if places.inside:
        write(total, flat.index, updates)
    else:
        total.fill(missing)


def _narrow(out: Array, total: Array) -> None:
    np.copyto(out, total, casting="unsafe")


def contiguous(x: Array, scratch: Scratch, dtype: Any = None) -> tuple[list[Call], Array]:
    """x in C order and the dtype, with the calls that copy it there if it is not."""
    wanted = np.dtype(dtype or x.dtype)
    if x.flags.c_contiguous and x.dtype == wanted:
        return [], x
    copy = scratch(x.shape, wanted)
    return [(np.copyto, (copy, x))], copy
