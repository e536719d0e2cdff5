"""Matrix products: large ones have a piece for each thread, slender ones are many small ones.

OpenBLAS has threads of its own, which wait for the next product in a loop that keeps their core
busy: whatever runs next on the team would share it with them, and on a busy machine each product
waits until all of them have had their turn. So steps with large products keep OpenBLAS on the
thread that calls it, and divide such products themselves.

It also copies both factors into an order of its own, unless there is little to multiply: up to
`SMALL` products its kernels for AVX-512 read them as they lie. The copy is lost on results with few
rows or few columns, which use every element a few times only, and which small products add up to.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from asg.analysis.work import known_operations
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.region import with_bodies
from asg.ops.convolution import Conv
from asg.ops.linalg import Matmul

from .blas import kernels, single_threaded
from .kernel import Array, Call
from .threads import TEAM, Part, threads_here

LEAST_SHARED = 1e7
"""Operations of a product, 0.1 ms on one thread, from which on threads share it."""

SMALL = 1_000_000
"""Multiplications of a product that the kernels for AVX-512 do without copies."""

SHORT = {np.dtype(np.float32): 48, np.dtype(np.float64): 24}
"""Rows or columns of a result, up to which small products take less time.

One thread of a Zen 4, how many times as long the whole product takes, float32 by columns:

========= ==== ==== ==== ==== ==== ====
rows      4    8    16   32   48   64
inner 27  3.96 2.64 1.69 1.50 1.43 1.18
inner 128 2.97 2.59 1.76 1.40 1.21 1.12
inner 576 2.19 1.66 1.23 1.08 1.06 -
========= ==== ==== ==== ==== ==== ====

By rows, and in float64, it is much the same."""

SHORTEST = 16
"""As many that small products on one thread are as fast as the whole on two threads of BLAS."""

SMALL_STEP = 32
"""Pieces are multiples of it: others leave half of a register empty."""

SMALL_LEAST = 64
"""Narrower pieces read memory in snatches."""

LONG = 1024
"""Terms of a sum from which on small products read a transposed right factor fast."""

MOST_PARTS = 16
"""Of a sum."""

STEP = 16
"""Rows or columns that kernels of BLAS take at a time; pieces are multiples of it."""


def shared_product(a: Array, b: Array, out: Array) -> list[Call] | None:
    """The calls of a matrix product shared by threads; None where one thread does it as well.

    The longer axis of the result is cut, so that each thread reads little that others read too.
    """
    if a.ndim != 2 or b.ndim != 2 or 2.0 * out.size * len(b) < LEAST_SHARED:
        return None
    threads = threads_here()
    if threads < 2:
        return None
    if not out.flags.c_contiguous:
        a, b, out = b.T, a.T, out.T
    axis = int(out.shape[1] > out.shape[0])
    parts: list[Part] = []
    for piece in _pieces(out.shape[axis], threads):
        if axis:
            parts.append(products_of(a, b[:, piece], out[:, piece], shared=True))
        else:
            parts.append(products_of(a[piece], b, out[piece], shared=True))
    return [(run_together, (parts,))] if len(parts) > 1 else None


def products_of(a: Array, b: Array, out: Array, shared: bool = False) -> list[Call]:
    """The calls of ``np.matmul(a, b, out)``: one, or small ones where that is faster.

    ``shared``: among the parts of a team, whose BLAS has one thread.
    """
    matrices = a.ndim == b.ndim == out.ndim == 2
    if matrices and not out.flags.c_contiguous and out.strides[0] == out.itemsize:  # it lies turned
        a, b, out = b.T, a.T, out.T
    step = _small_step(a, b, out, shared or threads_here() < 2)
    if step is None:
        return [_product(a, b, out)]
    by_rows = out.shape[-2] > out.shape[-1]
    edge = max(out.shape[-2:]) // step * step
    calls: list[Call] = []
    for piece, count in ((slice(0, edge), edge // step), (slice(edge, None), 1)):
        if by_rows:
            factors = _stacked(a[..., piece, :], count, -2), b[..., None, :, :]
            target = _stacked(out[..., piece, :], count, -2)
        else:
            factors = a[..., None, :, :], _stacked(b[..., piece], count, -1)
            target = _stacked(out[..., piece], count, -1)
        calls += [(np.matmul, (*factors, target))] if target.size else []
    return calls


def _stacked(x: Array, count: int, axis: int) -> Array:
    """A view with equal parts of an axis as matrices of their own, for one call of NumPy."""
    place = x.ndim + axis
    parts = x.reshape(*x.shape[:place], count, x.shape[place] // count, *x.shape[place + 1 :])
    return np.moveaxis(parts, place, x.ndim - 2)


def _small_step(a: Array, b: Array, out: Array, alone: bool) -> int | None:
    """Rows or columns of small products, whichever there are more of; None to leave it whole."""
    if min(a.ndim, b.ndim) < 2 or out.dtype not in SHORT or kernels() != "SkylakeX":
        return None
    short, long = sorted(map(int, out.shape[-2:]))
    inner = int(a.shape[-1])
    if short * long * inner <= SMALL or short > (SHORT[out.dtype] if alone else SHORTEST):
        return None
    if b.strides[-1] != b.itemsize or out.strides[-1] != out.itemsize or inner < SMALL_STEP // 2:
        return None
    most = SMALL // (short * inner) // SMALL_STEP * SMALL_STEP
    if most < SMALL_LEAST:
        return None
    even = (step for step in range(most, most // 2, -SMALL_STEP) if long % step == 0)
    return next(even, most)


def most_parts_of_sum(rows: int, columns: int) -> int:
    """The most that `parts_of_sum` may be, however long the sums are: for plans of memory."""
    return MOST_PARTS if rows * columns * LONG <= SMALL else 1


def parts_of_sum(rows: int, inner: int, columns: int, dtype: np.dtype[Any]) -> int:
    """Into how many equal parts to cut ``inner`` in ``a @ b.T`` for small products; 1: leave it.

    Their results are to be added. One thread of a Zen 4, 27 rows and 32 columns of float32, whose
    sums have 4096 terms: 45 GFLOP/s as a whole, 80 in parts.
    """
    if dtype not in SHORT or kernels() != "SkylakeX":
        return 1
    least = -(-rows * inner * columns // SMALL)
    most = min(inner // LONG, most_parts_of_sum(rows, columns))
    return next((count for count in range(least, most + 1) if inner % count == 0), 1)


def _product(a: Array, b: Array, out: Array) -> Call:
    """`np.dot` costs half the overhead of `np.matmul`, and is the same up to two axes.

    It copies operands that have gaps.
    """
    flat = out.flags.c_contiguous and all(x.ndim <= 2 and x.flags.forc for x in (a, b))
    return (np.dot if flat and out.ndim > 0 and out.dtype.kind == "f" else np.matmul), (a, b, out)


def is_faster_turned(a: Array, b: Array, out: Array) -> bool:
    """Whether ``out.T = b.T @ a.T`` and a copy take less time than ``out = a @ b``.

    OpenBLAS prepares its right factor anew in each product, and a transposed one slowly: with few
    rows beside it that takes longer than the product. One thread of a Xeon with AVX-512, weights
    f32[512, 784], time of the turned product with the copy to that of the other:

    ==== ==== ==== ==== ==== ==== ==== ====
    rows 4    8    16   32   48   64   128
    time 0.53 0.52 0.56 0.62 0.83 0.85 1.02
    ==== ==== ==== ==== ==== ==== ==== ====

    Its kernels for small products are right for less work, those for other processors unmeasured.
    """
    if out.dtype != np.float32 or b.flags.c_contiguous or not b.T.flags.c_contiguous:
        return False
    if a.ndim != 2 or out.ndim != 2 or not out.flags.c_contiguous or kernels() != "SkylakeX":
        return False
    (rows, inner), work = a.shape, b.size * len(a)
    if rows < 8:
        return rows > 1 and work >= 1_000_000
    return work >= 250_000 and b.size >= 1 << 14 and (rows <= 48 or (rows <= 64 and inner >= 512))


def _pieces(size: int, count: int) -> Iterator[slice]:
    blocks = -(-size // STEP)
    edges = [min(blocks * number // count * STEP, size) for number in range(count + 1)]
    return (slice(*pair) for pair in pairwise(edges) if pair[0] < pair[1])


def run_together(parts: list[Part]) -> None:
    """Each part on a thread of the team, where BLAS stays as well."""
    with single_threaded():
        TEAM.run(parts)


def keeps_blas_alone(graph: Graph) -> bool:
    """Whether steps of a graph run with BLAS on one thread: some of their products are shared.

    Decompositions of matrices have no other threads than those of BLAS, and keep them.
    """
    if threads_here() < 2:
        return False
    nodes = list(_nodes_by_blas(graph))
    some_large = any(known_operations(node) >= LEAST_SHARED for node in nodes)
    return some_large and all(type(node.op) in (Matmul, Conv) for node in nodes)


def _nodes_by_blas(graph: Graph) -> Iterator[Node]:
    for each in with_bodies(graph):
        yield from (n for n in each.nodes if n.op.category in ("linalg", "convolution"))
