"""Samples of Cholesky and QR; the answers are of elimination by hand, not of LAPACK."""

from __future__ import annotations

import numpy as np

from asg.ops.decompositions import Cholesky, Qr
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.solvers import numbers


def _positive(*shape: int) -> Array:
    """Matrices with a positive definite symmetric part, but not quite symmetric."""
    root = numbers(*shape)
    skew = 0.1 * (root - np.swapaxes(root, -1, -2))
    return np.asarray(root @ np.swapaxes(root, -1, -2) + np.eye(shape[-1]) + skew)


def _cholesky(x: Array) -> Array:
    """Column by column; NaN below and on the diagonal where a pivot is not positive."""
    rest = np.array((x + np.swapaxes(x, -1, -2)) / 2)
    out = np.zeros_like(rest)
    for i in range(x.shape[-1]):
        out[..., i:, i] = rest[..., i:, i] / np.sqrt(rest[..., i, i])[..., None]
        rest = rest - out[..., :, i, None] * out[..., None, :, i]
    wrong = np.isnan(out).any((-1, -2), keepdims=True)
    return np.asarray(np.tril(np.where(wrong, np.nan, out)).astype(x.dtype))


def _qr(x: Array) -> tuple[Array, Array]:
    """Gram and Schmidt's way, twice for accuracy."""
    count = x.shape[-1]
    q, r = np.array(x), np.broadcast_to(np.eye(count), (*x.shape[:-2], count, count)).copy()
    for _ in range(2):
        step = np.zeros_like(r)
        for j in range(count):
            column = q[..., :, j].copy()
            for i in range(j):
                step[..., i, j] = (q[..., :, i] * column).sum(-1)
                column = column - step[..., i, j, None] * q[..., :, i]
            step[..., j, j] = np.sqrt((column * column).sum(-1))
            q[..., :, j] = column / step[..., j, j, None]
        r = step @ r
    return q, r


_INDEFINITE = np.stack([np.array([[1.0, 2.0], [2.0, 1.0]]), np.diag([4.0, 9.0])])


register_samples(
    [
        Sample(Cholesky(), (_positive(3, 3),), _cholesky, (("n", "n"),)),
        Sample(Cholesky(), (_positive(2, 2, 2),), _cholesky, (("b", "m", "n"),)),
        Sample(Cholesky(), (np.array([[4.0]]),), _cholesky, None),
        Sample(Cholesky(), (np.zeros((0, 2, 2)),), _cholesky, None),
        Sample(Cholesky(), (_INDEFINITE,), _cholesky, None, differentiate=(),
               label="one is not positive definite"),
        Sample(Qr(), (numbers(3, 3),), _qr, (("n", "n"),)),
        Sample(Qr(), (numbers(2, 4, 2),), _qr, (("b", "m", "n"),)),
        Sample(Qr(), (np.array([[-2.0]]),), _qr, None),
        Sample(Qr(), (np.zeros((0, 3, 2)),), _qr, None),
        Sample(Qr(), (np.zeros((3, 0)),), _qr, (("m", "n"),)),
    ]
)  # fmt: skip
