"""Cholesky and QR, of positive diagonals."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.lax import linalg

from asg.ops import decompositions as ops

from ..kernel import kernel
from .solvers import nan_where


@kernel(ops.Cholesky)
def cholesky(op: ops.Cholesky, x: jax.Array) -> jax.Array:
    if x.size == 0:
        return x
    half = (x + jnp.swapaxes(x, -2, -1)) * jnp.asarray(0.5, x.dtype)
    factor = linalg.cholesky(half, symmetrize_input=False)
    return jnp.tril(nan_where(jnp.isnan(factor[..., -1, -1]), factor))


@kernel(ops.Qr)
def qr(op: ops.Qr, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    columns = x.shape[-1]
    if x.size == 0:
        return x, jnp.zeros((*x.shape[:-2], columns, columns), x.dtype)
    q, r = linalg.qr(x, full_matrices=False)
    signs = jnp.where(jnp.diagonal(r, 0, -2, -1) < 0, -1, 1).astype(x.dtype)
    return q * signs[..., None, :], r * signs[..., :, None]
