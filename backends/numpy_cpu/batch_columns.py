"""Convolutions with the batch innermost: columns of runs that are ``width * batch`` long.

x lies as ``[groups, channels, *sizes, batch]``, an output as
``[groups, channels, *places, batch]``. Three ways to what the windows read (the *columns*, a matrix
with a row for each element that a window multiplies and a column for each place and example):

* `by_rows`: every row of x (along the first spatial axis) is written once for each place of the
  window along the other axes, as ``[row, channel, element]``. The rows that the windows of one row
  of places read then lie next to each other, so that every such block is a matrix as it is: a
  window of 3 x 3 costs three copies of x, not nine.
* `by_places`: every element of the window is a copy, for dilations and for short runs;
* not at all, where windows have one element: x is the matrix.

Where the output has few channels, it is cheaper to multiply first and to add the products up where
they belong (`scattered`). `cost_of_columns` and `cost_of_scattering` decide; in nanoseconds, from
measurements on one Zen 5 core: 0.2 for an element copied, 0.3 for one added, and 0.008 for one
product, of which short sides of a matrix waste a part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from asg.ops.windows import Axis, overlap

from .kernel import Array, Call, Scratch
from .products import products_of

PIECE_BYTES = 1 << 20
"""Of columns that are written and multiplied in turn: about what the second-level cache holds."""

MOST_BYTES = 1 << 25
"""Of rows that are kept until the windows of all places have read them."""

SHORTEST_RUN = 128
"""Elements. Matrices of fewer columns are slow to multiply: one of all places is better."""

BY_ROWS, BY_PLACES = "rows", "places"

COPYING, ADDING, MULTIPLYING = 0.2, 0.3, 0.008

Slices = tuple[slice, ...]


class Sliding(NamedTuple):
    """Windows over x, ``[groups, channels, *sizes, batch]``, for outputs of a dtype."""

    x: Array
    axes: list[Axis]
    places: tuple[int, ...]
    dtype: Any
    scratch: Scratch
    way: str | None = None
    """`BY_ROWS` or `BY_PLACES` where that is not for the shape to decide."""

    @property
    def groups(self) -> int:
        return int(self.x.shape[0])

    @property
    def channels(self) -> int:
        """Of a group."""
        return int(self.x.shape[1])

    @property
    def batch(self) -> int:
        return int(self.x.shape[-1])

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.x.shape[2:-1])

    @property
    def elements(self) -> tuple[int, ...]:
        """Of a window, along each axis."""
        return tuple(int(axis.window) for axis in self.axes)

    @property
    def run(self) -> int:
        """Elements of a row of places."""
        return prod(self.places[1:]) * self.batch


class Piece(NamedTuple):
    """Columns for some rows of places: ``[count, groups, depth, columns]``, and how to get them."""

    calls: list[Call]
    columns: Array
    rows: slice


def reads_each_once(sliding: Sliding) -> bool:
    """A window of one element that visits every element of x in its place."""
    return set(sliding.elements) == {1} and all(
        axis.stride == axis.input_dilation == 1 and axis.padding == (0, 0) for axis in sliding.axes
    )


def goes_by_rows(sliding: Sliding) -> bool:
    """Whether columns are gathered `by_rows`."""
    if sliding.way is not None:
        return sliding.way == BY_ROWS
    return sliding.run >= SHORTEST_RUN and may_go_by_rows(sliding)


def may_go_by_rows(sliding: Sliding) -> bool:
    """Whether rows can be read by the windows of several places."""
    first = sliding.axes[0]
    plain = first.dilation == first.input_dilation == 1 and first.window != 1
    return plain and not reads_each_once(sliding)


def pieces_of(sliding: Sliding, rows: slice) -> Iterator[Piece]:
    """The columns of some rows of places, piece by piece.

    The memory of a piece is used again by later ones.
    """
    if reads_each_once(sliding) and sliding.x.dtype == sliding.dtype:
        part = sliding.x[:, :, rows]
        yield Piece([], part.reshape(1, sliding.groups, sliding.channels, -1), rows)
    elif goes_by_rows(sliding):
        yield from _by_rows(sliding, rows)
    else:
        yield from _by_places(sliding, rows)


def cost_of_columns(sliding: Sliding, outs: int) -> float:
    """Nanoseconds to gather columns and multiply each with ``outs`` rows; see the head."""
    elements, places = prod(sliding.elements), prod(sliding.places) * sliding.batch
    copied = 0 if reads_each_once(sliding) else elements * places
    if goes_by_rows(sliding):
        row = sliding.axes[0]
        height = (sliding.places[0] - 1) * row.stride + int(row.window)
        copied = prod(sliding.elements[1:]) * height * sliding.run
    products = outs * elements * places * _waste(outs)
    return sliding.groups * sliding.channels * (copied * COPYING + products * MULTIPLYING)


def cost_of_scattering(sliding: Sliding, outs: int) -> float:
    """Nanoseconds of `scattered`, which needs strides of 1 (infinite without)."""
    if any(axis.stride != 1 for axis in sliding.axes):
        return inf
    sizes = prod(sliding.sizes) * sliding.batch
    added = sliding.groups * outs * prod(sliding.elements) * sizes
    return added * (ADDING + sliding.channels * MULTIPLYING * _waste(sliding.channels))


def _waste(side: int) -> float:
    """How much longer a product takes when a side of a matrix is short."""
    return 1 + 8 / side


def in_order_of_columns(weight: Array, sliding: Sliding) -> Array:
    """``[groups, outs, channels, *window]`` with the axes behind outs as the columns have them."""
    return weight.swapaxes(2, 3) if goes_by_rows(sliding) else weight


def rows_of(out: Array, piece: Piece) -> Array:
    """The part of ``[groups, outs, *places, batch]`` that belongs to the columns of a piece."""
    count, outs = piece.columns.shape[0], out.shape[:2]
    if count == 1:
        return out[:, :, piece.rows].reshape(1, *outs, -1)
    by_row = out.reshape(*outs, out.shape[2], -1)[:, :, piece.rows]
    return np.moveaxis(by_row, 2, 0)


# -- by rows ---------------------------------------------------------------------------------------


def _by_rows(sliding: Sliding, places: slice) -> Iterator[Piece]:
    row, memory = sliding.axes[0], _row_memory(sliding, places.stop - places.start)
    height, row_bytes = memory.shape[1], memory.nbytes // memory.shape[1]
    most = (height - int(row.window)) // row.stride + 1
    together = max(PIECE_BYTES // (row_bytes * row.stride), 1)
    for block in _ranges(places.start, places.stop, most):
        above = block.start * row.stride
        there = 0
        for rows in _ranges(block.start, block.stop, together):
            needed = (rows.stop - 1) * row.stride + int(row.window) - above
            calls = _written(sliding, memory, above, slice(there, needed))
            there = needed
            yield Piece(calls, _windows(memory, row, rows, above), rows)


def _row_memory(sliding: Sliding, count: int) -> Array:
    """``[groups, rows, channels, elements, *places, batch]`` for the rows of as many windows as
    `MOST_BYTES` allow."""
    row = sliding.axes[0]
    elements = prod(sliding.elements[1:])
    shape = (sliding.channels, elements, *sliding.places[1:], sliding.batch)
    row_bytes = sliding.groups * prod(shape) * np.dtype(sliding.dtype).itemsize
    most = max(MOST_BYTES // row_bytes - int(row.window), 0) // row.stride + 1
    height = (min(most, count) - 1) * row.stride + int(row.window)
    return sliding.scratch((sliding.groups, height, *shape), sliding.dtype)


def _written(sliding: Sliding, memory: Array, above: int, rows: slice) -> list[Call]:
    """Fill some rows of memory, the first of which stands for padded row ``above`` of x."""
    row, others = sliding.axes[0], sliding.axes[1:]
    offset = above + rows.start - int(row.padding[0])
    into, taken = overlap(offset, 1, rows.stop - rows.start, sliding.sizes[0])
    target, source = memory[:, rows], np.moveaxis(sliding.x, 2, 1)
    calls: list[Call] = []
    for number, to, where in _meetings(others, sliding.places[1:], sliding.sizes[1:]):
        part = target[:, :, :, number]
        calls += filled(part, source, (into, _ALL, *to), (taken, _ALL, *where))
    return calls


def _windows(memory: Array, row: Axis, places: slice, above: int) -> Array:
    """``[places, groups, window * channels * elements, run]``: overlapping views of the rows."""
    groups, _, channels, elements = memory.shape[:4]
    depth, run = int(row.window) * channels * elements, prod(memory.shape[4:])
    by_group, by_row = memory.strides[:2]
    return np.ndarray(
        (places.stop - places.start, groups, depth, run),
        memory.dtype,
        memory,
        (places.start * row.stride - above) * by_row,
        (by_row * row.stride, by_group, run * memory.itemsize, memory.itemsize),
    )


# -- by places -------------------------------------------------------------------------------------


def _by_places(sliding: Sliding, places: slice) -> Iterator[Piece]:
    groups, channels, elements = sliding.groups, sliding.channels, prod(sliding.elements)
    item = np.dtype(sliding.dtype).itemsize
    row_bytes = groups * channels * elements * sliding.run * item
    together = min(max(PIECE_BYTES // row_bytes, 1), places.stop - places.start)
    memory = _piece_memory(sliding, row_bytes // item, places.stop - places.start)
    for rows in _ranges(places.start, places.stop, together):
        count = rows.stop - rows.start
        shape = (groups, channels, elements, count, *sliding.places[1:], sliding.batch)
        columns = memory[: prod(shape)].reshape(shape)
        calls: list[Call] = []
        there = (count, *sliding.places[1:])
        for number, to, where in _meetings(sliding.axes, there, sliding.sizes, rows.start):
            calls += filled(columns[:, :, number], sliding.x, (_ALL, *to), (_ALL, *where))
        yield Piece(calls, columns.reshape(1, groups, channels * elements, -1), rows)


# -- products first --------------------------------------------------------------------------------


def scattered(sliding: Sliding, weight: Array, out: Array) -> list[Call]:
    """Write the convolution with ``weight [groups, outs, channels, *window]``, of strides 1.

    Every row of x is multiplied with all of weight, and each product added where it belongs.
    """
    groups, outs, channels = weight.shape[:3]
    elements, x = prod(sliding.elements), sliding.x
    calls, rows = contiguous(np.moveaxis(weight, 2, -1), sliding)
    matrix = rows.reshape(groups, outs * elements, channels)
    run = prod(x.shape[3:])
    row_bytes = groups * outs * elements * run * np.dtype(sliding.dtype).itemsize
    together = min(max(PIECE_BYTES // row_bytes, 1), x.shape[2])
    memory = _piece_memory(sliding, groups * outs * elements * run, x.shape[2])
    calls.append((out.fill, (0,)))
    for taken in _ranges(0, x.shape[2], together):
        shape = (groups, outs, elements, taken.stop - taken.start, *x.shape[3:])
        products = memory[: prod(shape)].reshape(shape)
        target = products.reshape(groups, outs * elements, -1)
        part = x[:, :, taken]
        calls += products_of(matrix, part.reshape(groups, channels, -1), target)
        calls += _added(sliding, products, taken, out)
    return calls


def _added(sliding: Sliding, products: Array, taken: slice, out: Array) -> list[Call]:
    sizes = products.shape[3:-1]
    calls: list[Call] = []
    first = -taken.start * sliding.axes[0].input_dilation
    for number, to, where in _meetings(sliding.axes, sliding.places, sizes, first):
        into = out[(_ALL, _ALL, *to)]
        if into.size:
            key: Any = (_ALL, _ALL, number, *where)
            calls.append((np.add, (into, products[key], into)))
    return calls


# -- shared ----------------------------------------------------------------------------------------

_ALL = slice(None)


def _piece_memory(sliding: Sliding, row: int, count: int) -> Array:
    """For as many rows of so many elements as a piece may have.

    How many fit is not told by its size, so that memory grows with the batch or not at all, and
    plans have formulas.
    """
    most = PIECE_BYTES // np.dtype(sliding.dtype).itemsize
    return sliding.scratch((max(row, min(most, count * row)),), sliding.dtype)


def _ranges(start: int, stop: int, step: int) -> Iterator[slice]:
    for first in range(start, stop, step):
        yield slice(first, min(first + step, stop))


def _meetings(
    axes: Sequence[Axis], places: Sequence[int], sizes: Sequence[int], first: int = 0
) -> Iterator[tuple[int, Slices, Slices]]:
    """`taps` for places from ``first`` on along the first axis, as many as are given."""
    along = []
    for number, (axis, count, size) in enumerate(zip(axes, places, sizes, strict=True)):
        offset = (0 if number else first) * axis.stride - int(axis.padding[0])
        along.append([
            overlap(offset + k * axis.dilation, axis.stride, count, size, axis.input_dilation)
            for k in range(int(axis.window))
        ])  # fmt: skip
    for number, pairs in enumerate(product(*along)):
        yield number, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def filled(target: Array, source: Array, to: Slices, where: Slices) -> list[Call]:
    """Copy ``source[:, *where]`` to ``target[:, *to]``, and zeros to the rest of target."""
    into = target[(_ALL, *to)]
    if into.size == 0 or any(part.step not in (1, None) for part in to):
        calls: list[Call] = [(target.fill, (0,))]
    else:
        calls = [(edge.fill, (0,)) for edge in _edges(target, to)]
    if into.size:
        calls.append((_copy, (into, source[(_ALL, *where)])))
    return calls


def _edges(target: Array, parts: Slices) -> Iterator[Array]:
    """What ``target[:, *parts]`` leaves, in pieces that overlap nowhere."""
    inside: Slices = (_ALL,)
    for part in parts:
        start, stop, _ = part.indices(target.shape[len(inside)])
        for border in (slice(0, start), slice(stop, target.shape[len(inside)])):
            edge = target[(*inside, border)]
            if edge.size:
                yield edge
        inside = (*inside, part)


def contiguous(x: Array, sliding: Sliding) -> tuple[list[Call], Array]:
    """x as it is, if it is contiguous and of the dtype of the sums, else a copy with its call."""
    if x.flags.c_contiguous and x.dtype == sliding.dtype:
        return [], x
    copy = sliding.scratch(x.shape, sliding.dtype)
    return [(_copy, (copy, x))], copy


def _copy(target: Array, source: Array) -> None:
    np.copyto(target, source, casting="unsafe")
