"""Samples of eigenvalues and singular values; the answers are by rotations of Jacobi."""

from __future__ import annotations

import numpy as np

from asg.ops.spectra import Eigh, Svd
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.solvers import numbers

_SWEEPS = 12


def _with_values(values: Array, *shape: int) -> Array:
    """Matrices that have these singular values, between random rotations."""
    left = np.linalg.qr(numbers(*shape[:-1], shape[-2]))[0][..., :, : values.shape[-1]]
    right = np.linalg.qr(numbers(*shape[:-2], shape[-1], shape[-1]))[0][..., : values.shape[-1], :]
    return np.asarray(left * values @ right)


def _almost_symmetric(*shape: int) -> Array:
    """Distinct eigenvalues, and a skew part that does not count."""
    x = numbers(*shape)
    skew = 0.1 * (x - np.swapaxes(x, -1, -2))
    return np.asarray(0.3 * (x + np.swapaxes(x, -1, -2)) + skew + np.diag(np.arange(shape[-1])))


def _one_sided(x: Array) -> tuple[Array, Array, Array]:
    """Singular values of one matrix, as many rows as columns or more, by Hestenes' rotations."""
    work, v = np.array(x), np.eye(x.shape[-1])
    pairs = [(i, j) for j in range(x.shape[-1]) for i in range(j)]
    for i, j in pairs * _SWEEPS:
        a, b = work[:, i], work[:, j]
        angle = 0.5 * np.arctan2(2.0 * (a @ b), a @ a - b @ b)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        work[:, [i, j]], v[:, [i, j]] = work[:, [i, j]] @ turn, v[:, [i, j]] @ turn
    s = np.sqrt((work * work).sum(0))
    order = np.argsort(-s)
    return (work / s)[:, order], s[order], v[:, order].T


def _signs(column: Array) -> float:
    leading = column[np.abs(column) > 0.9 * np.abs(column).max()][0]
    return -1.0 if leading < 0 else 1.0


def _svd(x: Array) -> tuple[Array, Array, Array]:
    rows, columns = x.shape[-2:]
    count, batch = min(rows, columns), x.shape[:-2]
    u, s = np.zeros((*batch, rows, count)), np.zeros((*batch, count))
    vh = np.zeros((*batch, count, columns))
    for place in np.ndindex(batch if count else (0,)):
        if rows >= columns:
            u[place], s[place], vh[place] = _one_sided(x[place])
        else:
            right, s[place], left = _one_sided(x[place].T)
            u[place], vh[place] = left.T, right.T
        signs = np.array([_signs(column) for column in u[place].T])
        u[place], vh[place] = u[place] * signs, vh[place] * signs[:, None]
    return u, s, vh


def _eigh(x: Array) -> tuple[Array, Array]:
    """Singular vectors of a matrix shifted to be positive definite."""
    half = (x + np.swapaxes(x, -1, -2)) / 2
    shift = 10.0 * np.eye(x.shape[-1])
    u, s, _ = _svd(half + shift)
    return s[..., ::-1] - 10.0, u[..., ::-1]


register_samples(
    [
        Sample(Eigh(), (_almost_symmetric(3, 3),), _eigh, (("n", "n"),)),
        Sample(Eigh(), (_almost_symmetric(2, 2, 2),), _eigh, (("b", "m", "n"),)),
        Sample(Eigh(), (np.array([[-4.0]]),), _eigh, None),
        Sample(Eigh(), (np.zeros((0, 2, 2)),), _eigh, None),
        Sample(Eigh(), (np.zeros((0, 0)),), _eigh, None),
        Sample(Eigh(), (np.array([[1.0, 0.5], [0.5, 1.0]]),), _eigh, None,
               label="elements of equal magnitude"),
        Sample(Svd(), (_with_values(np.array([3.0, 2.0, 0.9]), 3, 3),), _svd, (("n", "n"),)),
        Sample(Svd(), (_with_values(np.array([2.0, 1.1]), 2, 3, 2),), _svd, (("b", "m", "n"),)),
        Sample(Svd(), (_with_values(np.array([2.0, 1.1]), 2, 3),), _svd, (("m", "n"),)),
        Sample(Svd(), (np.array([[-4.0]]),), _svd, None),
        Sample(Svd(), (np.zeros((0, 2, 3)),), _svd, None),
        Sample(Svd(), (np.zeros((2, 0)),), _svd, None),
    ]
)  # fmt: skip
