"""Linear equations by LAPACK; triangular ones by blocks, so that BLAS does most of the work.

NumPy's functions allocate their results, which are then copied to where they belong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops import solvers as ops

from ..kernel import Array, Call, Scratch, kernel

_BLOCK = 64


def each_matrix(function: Callable[..., Any], outputs: list[Array], inputs: list[Array]) -> None:
    """``function(*inputs)`` into ``outputs``; where LAPACK refuses a matrix, NaN for that one.

    The leading axes of all arrays are the same. `LinAlgError` is raised for a whole batch, so
    only after it each matrix is tried alone.
    """
    try:
        _store(outputs, function(*inputs))
    except np.linalg.LinAlgError:
        for place in np.ndindex(inputs[0].shape[:-2]):
            parts = [out[(*place, ...)] for out in outputs]
            try:
                _store(parts, function(*(x[place] for x in inputs)))
            except np.linalg.LinAlgError:
                for part in parts:
                    part[...] = np.nan


def _store(outputs: list[Array], results: Any) -> None:
    for out, result in zip(outputs, results, strict=True):
        out[...] = result


def _broadcast(arrays: list[Array], out: Array) -> list[Array]:
    """The operands with the leading axes of the result."""
    return [np.broadcast_to(each, out.shape[:-2] + each.shape[-2:]) for each in arrays]


@kernel(ops.Solve)
def solve(op: ops.Solve, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    if outputs[0].size == 0:
        return []
    return [(each_matrix, (_solved, outputs, _broadcast(inputs, outputs[0])))]


def _solved(a: Array, b: Array) -> list[Array]:
    return [np.linalg.solve(a, b)]


@kernel(ops.SolveTriangular)
def solve_triangular(
    op: ops.SolveTriangular, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    """Block after block: subtract what is known from the right side, solve the diagonal block."""
    out = outputs[0]
    if out.size == 0:
        return []
    a, b = _broadcast(inputs, out)
    a = np.swapaxes(a, -2, -1) if op.transpose else a
    forward = op.lower != op.transpose
    size = out.shape[-2]
    rest = scratch((*out.shape[:-2], min(_BLOCK, size), out.shape[-1]), out.dtype)
    starts = range(0, size, _BLOCK)
    calls: list[Call] = []
    for start in starts if forward else reversed(starts):
        rows = slice(start, min(start + _BLOCK, size))
        done = slice(0, start) if forward else slice(rows.stop, size)
        right = rest[..., : rows.stop - start, :]
        calls.append((np.copyto, (right, b[..., rows, :])))
        if done.start < done.stop:
            known = a[..., rows, done], out[..., done, :]
            calls.append((_subtract_product, (right, *known)))
        block = a[..., rows, rows]
        calls.append((_substitute, (out[..., rows, :], block, right, forward, op.unit_diagonal)))
    if not op.unit_diagonal:
        calls.append((_mark_singular, (out, a)))
    return calls


def _subtract_product(right: Array, block: Array, known: Array) -> None:
    right -= np.matmul(block, known)


def _substitute(out: Array, block: Array, right: Array, lower: bool, unit: bool) -> None:
    """One diagonal block.

    Elimination of an upper triangular matrix exchanges no rows and changes nothing, so that
    `np.linalg.solve` is back substitution there. A lower one is upper when read backwards.
    """
    turn = slice(None, None, -1 if lower else 1)
    triangle = np.triu(block[..., turn, turn], 1 if unit else 0)
    diagonal = np.einsum("...ii->...i", triangle)  # a view
    if unit:
        diagonal[...] = 1.0
    else:
        diagonal[diagonal == 0.0] = 1.0  # singular: marked in the end
    out[...] = np.linalg.solve(triangle, right[..., turn, :])[..., turn, :]


def _mark_singular(out: Array, a: Array) -> None:
    singular = (np.einsum("...ii->...i", a) == 0.0).any(-1)
    if singular.any():
        out[singular] = np.nan
