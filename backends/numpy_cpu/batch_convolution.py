"""Convolutions, and their gradients by a weight, over operands that have the batch innermost.

The columns come from batch_columns.py. Sums of narrow floats are float32, as the op has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import convolution as ops

from .batch_columns import (
    Sliding,
    contiguous,
    cost_of_columns,
    cost_of_scattering,
    goes_by_rows,
    in_order_of_columns,
    pieces_of,
    rows_of,
    scattered,
)
from .kernel import Array, Call, Scratch
from .order import batch_innermost
from .products import run_together
from .threads import Part, threads_here

MOST_PARTIAL_BYTES = 1 << 22
"""Of products of single rows, which are added up."""

LEAST_SHARED = 4e5
"""Nanoseconds of estimated work, from which on threads share it."""


def by_windows(op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch) -> list[Call]:
    """``out [batch, outs, *places]`` from ``x [batch, ins, *sizes]``."""
    back = batch_innermost(x.ndim)
    wide = _wide(out)
    total = out.transpose(back)
    direct = total.dtype == wide and total.flags.c_contiguous
    if not direct:
        total = scratch(total.shape, wide)
    split = weight.reshape(op.groups, -1, *weight.shape[1:])
    source = x.transpose(back).reshape(op.groups, -1, *x.shape[2:], x.shape[0])
    target = total.reshape(op.groups, -1, *total.shape[1:])
    sliding = Sliding(source, op.axes(weight), tuple(out.shape[2:]), wide, scratch)  # type: ignore[arg-type]
    calls = _convolved(sliding, split, target)
    return calls if direct else [*calls, (_copy, (out.transpose(back), total))]


def _convolved(sliding: Sliding, weight: Array, out: Array) -> list[Call]:
    groups, outs = weight.shape[:2]
    if cost_of_scattering(sliding, outs) < cost_of_columns(sliding, outs):
        copies, x = contiguous(sliding.x, sliding)
        return [*copies, *scattered(sliding._replace(x=x), weight, out)]
    calls, rows = contiguous(in_order_of_columns(weight, sliding), sliding)
    matrix = rows.reshape(groups, outs, -1)
    parts: list[Part] = []
    for some in _shares(sliding, outs):
        part: list[Call] = []
        for piece in pieces_of(sliding, some):
            part += [*piece.calls, (np.matmul, (matrix, piece.columns, rows_of(out, piece)))]
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
    axes = op.axes(weight)  # type: ignore[arg-type]
    forth = [axis.exchanged(size) for axis, size in zip(axes, x.shape[2:], strict=True)]
    places = tuple(weight.shape[2:])
    sliding = Sliding(np.moveaxis(x, 1, -1)[None], forth, places, _wide(out), scratch)
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
    most = max(MOST_PARTIAL_BYTES // total.nbytes, 1)
    most = min(most, max(len(piece.columns) for piece in pieces))
    later = sliding.scratch(total.shape, sliding.dtype)
    partial = sliding.scratch((most, *total.shape), sliding.dtype)
    calls: list[Call] = []
    target = total
    for piece in pieces:
        calls += piece.calls
        columns, others = piece.columns[:, 0], rows_of(cotangents, piece)[:, 0].swapaxes(1, 2)
        for start in range(0, len(columns), most):
            some = slice(start, start + most)
            products = partial[: len(columns[some])]
            calls.append((np.matmul, (columns[some], others[some], products)))
            calls.append((np.add.reduce, (products, 0, None, target)))
            calls += [(np.add, (total, later, total))] if target is later else []
            target = later
    return calls


def _wide(out: Array) -> np.dtype[np.generic]:
    """What products are summed in."""
    narrow = out.dtype.itemsize == 2 and as_dtype(out.dtype).is_float
    return np.dtype(np.float32) if narrow else out.dtype


def _copy(target: Array, source: Array) -> None:
    np.copyto(target, source, casting="unsafe")
