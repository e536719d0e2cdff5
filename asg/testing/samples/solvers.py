"""Samples of linear equations; the answers are of LU and QR by SciPy and of Cramer's rule."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from asg.ops.solvers import Inv, MatrixPower, Solve, SolveTriangular
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples


def numbers(*shape: int, seed: int = 0) -> Array:
    """Numbers around zero."""
    return np.asarray(np.random.default_rng(len(shape) + seed).normal(size=shape))


def well_conditioned(*shape: int) -> Array:
    """Square matrices with a dominant diagonal, of both signs."""
    signs = np.where(np.arange(shape[-1]) % 2 == 0, 2.0, -2.5)
    return np.asarray(0.4 * numbers(*shape) + np.eye(shape[-1]) * signs)


def _for_each(function: Callable[..., Any], *arrays: Array) -> Array:
    """``function`` of matrices, for each index of the broadcast leading axes."""
    batch = np.broadcast_shapes(*(each.shape[:-2] for each in arrays))
    stretched = [np.broadcast_to(each, batch + each.shape[-2:]) for each in arrays]
    out = np.zeros(batch + arrays[-1].shape[-2:], arrays[0].dtype)
    for place in np.ndindex(batch):
        out[place] = function(*(each[place] for each in stretched))
    return out


def _solve(a: Array, b: Array) -> Array:
    """By the QR factors, where NumPy's kernel has LU."""

    def by_qr(matrix: Array, columns: Array) -> Array:
        from scipy.linalg import qr, solve_triangular

        q, r = qr(matrix)
        return np.asarray(solve_triangular(r, q.T @ columns))

    return _for_each(by_qr, a, b)


def _solve_triangular(op: SolveTriangular) -> Callable[[Array, Array], Array]:
    def solved(matrix: Array, columns: Array) -> Array:
        from scipy.linalg import solve_triangular

        options = {"trans": int(op.transpose), "lower": op.lower}
        one = op.unit_diagonal
        return np.asarray(solve_triangular(matrix, columns, unit_diagonal=one, **options))

    return lambda a, b: _for_each(solved, a, b)


def _inv(x: Array) -> Array:
    """By pivoted QR."""
    return _solve(x, np.broadcast_to(np.eye(x.shape[-1]), x.shape))


def _power(n: int) -> Callable[[Array], Array]:
    def factors(x: Array) -> Array:
        one = np.broadcast_to(np.eye(x.shape[-1], dtype=x.dtype), x.shape)
        base = x if n >= 0 else _inv(x)
        return np.asarray(reduce(np.matmul, [base] * abs(n), one))

    return factors


def _triangular(
    op: SolveTriangular, *shapes: tuple[int, ...], symbolic: tuple[SymbolicShape, ...] | None
) -> Sample:
    """The triangle that is not read holds numbers, too."""
    operands = (well_conditioned(*shapes[0]), numbers(*shapes[1], seed=5))
    return Sample(op, operands, _solve_triangular(op), symbolic)


def _general(*shapes: tuple[int, ...], symbolic: tuple[SymbolicShape, ...] | None) -> Sample:
    operands = (well_conditioned(*shapes[0]), numbers(*shapes[1], seed=5))
    return Sample(Solve(), operands, _solve, symbolic)


_SINGULAR = np.array([[[1.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [1.0, 1.0]]])
_ZERO_ON_DIAGONAL = np.array([[[0.0, 2.0], [2.0, 4.0]], [[2.0, 0.0], [1.0, 1.0]]])
_MARKED = np.array([[[np.nan], [np.nan]], [[0.5], [0.5]]])


register_samples(
    [
        _triangular(SolveTriangular(), (3, 3), (3, 2), symbolic=(("n", "n"), ("n", "k"))),
        _triangular(SolveTriangular(), (3, 3), (3, 2), symbolic=(("m", "n"), ("l", "k"))),
        _triangular(SolveTriangular(lower=False), (2, 3, 3), (3, 1),
                    symbolic=(("b", "n", "n"), ("n", "k"))),
        _triangular(SolveTriangular(transpose=True), (3, 3), (2, 3, 1), symbolic=None),
        _triangular(SolveTriangular(False, True, True), (3, 3), (3, 2), symbolic=None),
        _triangular(SolveTriangular(unit_diagonal=True), (1, 1), (1, 1), symbolic=None),
        _triangular(SolveTriangular(), (0, 2, 2), (0, 2, 1), symbolic=None),
        Sample(SolveTriangular(), (_ZERO_ON_DIAGONAL, np.ones((2, 2, 1))),
               lambda a, b: _MARKED.astype(a.dtype), None, differentiate=(),
               label="zero on the diagonal"),
        _general((3, 3), (3, 2), symbolic=(("n", "n"), ("n", "k"))),
        _general((3, 3), (3, 2), symbolic=(("m", "n"), ("l", "k"))),
        _general((2, 1, 2, 2), (2, 2, 1), symbolic=(("a", 1, "n", "n"), ("b", "n", "k"))),
        _general((1, 1), (1, 1), symbolic=None),
        _general((0, 2, 2), (2, 1), symbolic=None),
        _general((0, 0), (0, 2), symbolic=None),
        Sample(Solve(), (_SINGULAR, np.ones((2, 2, 1))), lambda a, b: _MARKED.astype(a.dtype),
               None, differentiate=(), label="one is singular"),
        Sample(Inv(), (well_conditioned(2, 3, 3),), _inv, (("b", "n", "n"),)),
        Sample(Inv(), (well_conditioned(3, 3),), _inv, (("m", "n"),)),
        Sample(Inv(), (well_conditioned(1, 1),), _inv, None),
        Sample(Inv(), (well_conditioned(0, 2, 2),), _inv, None),
        Sample(Inv(), (_SINGULAR[0],), lambda x: np.full_like(x, np.nan), None,
               differentiate=(), label="singular"),
        Sample(MatrixPower(5), (0.6 * well_conditioned(2, 2),), _power(5), (("m", "n"),)),
        Sample(MatrixPower(1), (well_conditioned(2, 2, 2),), _power(1), (("b", "n", "n"),)),
        Sample(MatrixPower(0), (well_conditioned(2, 2),), _power(0), (("n", "n"),)),
        Sample(MatrixPower(-2), (well_conditioned(2, 2, 2),), _power(-2), (("b", "n", "n"),)),
        Sample(MatrixPower(3), (np.array([[1, 2], [3, -4]]),), _power(3), None, label="integers"),
    ]
)  # fmt: skip
