"""Cholesky and QR by LAPACK."""

from __future__ import annotations

import numpy as np

from asg.ops import decompositions as ops

from ..kernel import Array, Call, Scratch, kernel
from .solvers import each_matrix


@kernel(ops.Cholesky)
def cholesky(
    op: ops.Cholesky, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_cholesky, (outputs[0], inputs[0]))] if outputs[0].size else []


def _cholesky(out: Array, x: Array) -> None:
    half = (x + np.swapaxes(x, -2, -1)) * x.dtype.type(0.5)
    each_matrix(lambda matrix: [np.linalg.cholesky(matrix)], [out], [half])
    wrong = np.isnan(out[..., -1, -1])
    if wrong.any():
        out[wrong] = np.tril(np.full(out.shape[-2:], np.nan, out.dtype))


@kernel(ops.Qr)
def qr(op: ops.Qr, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    return [(_qr, (*outputs, inputs[0]))] if outputs[0].size else []


def _qr(q: Array, r: Array, x: Array) -> None:
    columns, rows = np.linalg.qr(x)
    diagonal = np.einsum("...ii->...i", rows)
    signs = np.where(diagonal < 0.0, -1.0, 1.0).astype(x.dtype)
    np.multiply(columns, signs[..., None, :], out=q)
    np.multiply(rows, signs[..., :, None], out=r)
