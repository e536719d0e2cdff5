"""Large matrix products, a piece for each thread of the team.

OpenBLAS has threads of its own, which wait for the next product in a loop that keeps their core
busy: whatever runs next on the team would share it with them, and on a busy machine each product
waits until all of them have had their turn. So steps with large products keep OpenBLAS on the
thread that calls it, and divide such products themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

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
        factors = (a, b[:, piece], out[:, piece]) if axis else (a[piece], b, out[piece])
        parts.append([(np.matmul, factors)])
    return [(run_together, (parts,))] if len(parts) > 1 else None


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
