"""Convolutions, and their gradients by a weight, over operands that have the batch innermost.

The columns come from batch_columns.py. Sums of narrow floats are float32, as the op has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from math import isfinite, prod

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import convolution as ops

from .batch_columns import (
    BY_PLACES,
    BY_ROWS,
    Sliding,
    contiguous,
    cost_of_columns,
    cost_of_scattering,
    goes_by_rows,
    in_order_of_columns,
    may_go_by_rows,
    pieces_of,
    rows_of,
    scattered,
)
from .kernel import Array, Call, Scratch
from .order import batch_innermost
from .products import most_parts_of_sum, parts_of_sum, products_of, run_together
from .threads import Part, threads_here
from .tuning import Way, chosen

SCATTERING = "scattering"

MOST_PARTIAL_BYTES = 1 << 18
"""Of products of single rows, which are added up; they stay in the cache until then."""

LEAST_SHARED = 4e5
"""Nanoseconds of estimated work, from which on threads share it."""


def by_windows(op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch) -> list[Call]:
    """``out [batch, outs, *places]`` from ``x [batch, ins, *sizes]``."""
    sliding, outs = _sliding(op, x, weight, out, scratch)

    def usual() -> str:
        if cost_of_scattering(sliding, outs) < cost_of_columns(sliding, outs):
            return SCATTERING
        return BY_ROWS if goes_by_rows(sliding) else BY_PLACES

    names = [BY_PLACES]
    names += [BY_ROWS] if may_go_by_rows(sliding) else []
    names += [SCATTERING] if isfinite(cost_of_scattering(sliding, outs)) else []
    ways: dict[str, Way] = {name: partial(_by_windows, name) for name in names}
    return chosen(op, (x, weight, out), ways, usual)(op, x, weight, out, scratch)


def _sliding(
    op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch, way: str | None = None
) -> tuple[Sliding, int]:
    """The windows over x, and the output channels of a group."""
    source = x.transpose(batch_innermost(x.ndim)).reshape(op.groups, -1, *x.shape[2:], x.shape[0])
    axes = op.axes(weight)  # type: ignore[arg-type]
    sliding = Sliding(source, axes, tuple(out.shape[2:]), _wide(out), scratch, way)
    return sliding, out.shape[1] // op.groups


def _by_windows(
    way: str, op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch
) -> list[Call]:
    back = batch_innermost(x.ndim)
    wide = _wide(out)
    total = out.transpose(back)
    direct = total.dtype == wide and total.flags.c_contiguous
    if not direct:
        total = scratch(total.shape, wide)
    split = weight.reshape(op.groups, -1, *weight.shape[1:])
    target = total.reshape(op.groups, -1, *total.shape[1:])
    sliding, _ = _sliding(op, x, weight, out, scratch, None if way == SCATTERING else way)
    convolved = _scattered if way == SCATTERING else _convolved
    calls = convolved(sliding, split, target)
    return calls if direct else [*calls, (_copy, (out.transpose(back), total))]


def _scattered(sliding: Sliding, weight: Array, out: Array) -> list[Call]:
    copies, x = contiguous(sliding.x, sliding)
    return [*copies, *scattered(sliding._replace(x=x), weight, out)]


def _convolved(sliding: Sliding, weight: Array, out: Array) -> list[Call]:
    groups, outs = weight.shape[:2]
    calls, rows = contiguous(in_order_of_columns(weight, sliding), sliding)
    matrix = rows.reshape(groups, outs, -1)
    parts: list[Part] = []
    shares = _shares(sliding, outs)
    for some in shares:
        part: list[Call] = []
        for piece in pieces_of(sliding, some):
            target = rows_of(out, piece)
            part += [*piece.calls, *products_of(matrix, piece.columns, target, len(shares) > 1)]
        parts.append(part)
    return [*calls, *_together(parts)]


def _shares(sliding: Sliding, outs: int) -> list[slice]:
    """The rows of places that each thread takes; all of them are one's when it is little work."""
    count, rows = threads_here(), sliding.places[0]
    if cost_of_columns(sliding, outs) < LEAST_SHARED or rows < count:
        count = 1
    edges = [rows * number // count for number in range(count + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


def _together(parts: Sequence[Part]) -> list[Call]:
    """Each thread gathers and multiplies its own."""
    return list(parts[0]) if len(parts) == 1 else [(run_together, (parts,))]


def by_weight(op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch) -> list[Call]:
    """The gradient by a weight: ``out [ins, outs, *window]`` from ``x [ins, batch, *sizes]`` and
    ``weight [outs, batch, *places]``, the cotangents; each sum goes over places and batch."""
    sliding = _over_channels(op, x, weight, out, scratch)
    names = [BY_PLACES, BY_ROWS] if may_go_by_rows(sliding) else [BY_PLACES]
    ways: dict[str, Way] = {name: partial(_by_weight, name) for name in names}
    usual = BY_ROWS if goes_by_rows(sliding) else BY_PLACES
    return chosen(op, (x, weight, out), ways, lambda: usual)(op, x, weight, out, scratch)


def _over_channels(
    op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch, way: str | None = None
) -> Sliding:
    """The windows of the convolution whose gradient it is, over x with its channels first."""
    axes = op.axes(weight)  # type: ignore[arg-type]
    forth = [axis.exchanged(size) for axis, size in zip(axes, x.shape[2:], strict=True)]
    source = np.moveaxis(x, 1, -1)[None]
    return Sliding(source, forth, tuple(weight.shape[2:]), _wide(out), scratch, way)


def _by_weight(
    way: str, op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch
) -> list[Call]:
    sliding = _over_channels(op, x, weight, out, scratch, way)
    copies, cotangents = contiguous(np.moveaxis(weight, 1, -1)[None], sliding)
    calls, total = _products(sliding, cotangents)
    channels, (first, *others) = x.shape[0], sliding.elements
    if goes_by_rows(sliding):
        window = total.reshape(first, channels, *others, -1).swapaxes(0, 1)
    else:
        window = total.reshape(channels, first, *others, -1)
    return [*copies, *calls, (_copy, (out, np.moveaxis(window, -1, 1)))]


def _products(sliding: Sliding, cotangents: Array) -> tuple[list[Call], Array]:
    """``[depth, outs]``, the sum over all columns, and the calls that make it."""
    shares = _shares(sliding, cotangents.shape[1])
    shape = (sliding.channels * prod(sliding.elements), cotangents.shape[1])
    totals = sliding.scratch((len(shares), *shape), sliding.dtype)
    parts = [
        _products_of(sliding, cotangents, rows, total)
        for rows, total in zip(shares, totals, strict=True)
    ]
    added: list[Call] = [(np.add, (totals[0], other, totals[0])) for other in totals[1:]]
    return [*_together(parts), *added], totals[0]


def _products_of(sliding: Sliding, cotangents: Array, rows: slice, total: Array) -> list[Call]:
    """The calls that write the sum over some rows of places into ``total``."""
    pieces = list(pieces_of(sliding, rows))
    depth, outs = total.shape
    # Not as many as a piece has rows: that goes up and down with the batch.
    most = max(rows.stop - rows.start, most_parts_of_sum(depth, outs))
    most = min(most, max(MOST_PARTIAL_BYTES // total.nbytes, 1))
    later = sliding.scratch(total.shape, sliding.dtype)
    partial = sliding.scratch((most, *total.shape), sliding.dtype)
    calls: list[Call] = []
    target = total
    for piece in pieces:
        calls += piece.calls
        cuts = parts_of_sum(depth, piece.columns.shape[-1], outs, total.dtype)
        columns = _cut(piece.columns[:, 0], cuts)
        others = _cut(rows_of(cotangents, piece)[:, 0], cuts).swapaxes(2, 3)
        for start in range(0, len(columns), most // cuts):
            some = slice(start, start + most // cuts)
            products = partial[: len(columns[some]) * cuts]
            each = products.reshape(-1, cuts, *total.shape)
            calls.append((np.matmul, (columns[some], others[some], each)))
            calls.append((np.add.reduce, (products, 0, None, target)))
            calls += [(np.add, (total, later, total))] if target is later else []
            target = later
    return calls


def _cut(matrices: Array, count: int) -> Array:
    """``[pieces, count, rows, columns]``: the columns of every matrix in equal parts."""
    pieces, rows, columns = matrices.shape
    return matrices.reshape(pieces, rows, count, columns // count).swapaxes(1, 2)


def _wide(out: Array) -> np.dtype[np.generic]:
    """What products are summed in."""
    narrow = out.dtype.itemsize == 2 and as_dtype(out.dtype).is_float
    return np.dtype(np.float32) if narrow else out.dtype


def _copy(target: Array, source: Array) -> None:
    np.copyto(target, source, casting="unsafe")
