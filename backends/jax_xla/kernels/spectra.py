"""Eigenvalues and singular values, with signs by the rule of `asg.ops.spectra`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.lax import linalg

from asg.ops import spectra as ops

from ..kernel import kernel
from .solvers import nan_where

_LEADING = 0.9


def leading_signs(vectors: jax.Array) -> jax.Array:
    """1 or -1 for each column: the sign of its first element above 0.9 of the largest."""
    magnitude = jnp.abs(vectors)
    largest = jnp.max(magnitude, -2, keepdims=True)
    place = jnp.argmax(magnitude > jnp.asarray(_LEADING, vectors.dtype) * largest, -2)
    leading = jnp.take_along_axis(vectors, place[..., None, :], -2)
    return jnp.where(leading < 0, -1, 1).astype(vectors.dtype)


def without_infinite(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """``x`` with zeros for matrices that have NaN or infinities, and which they are.

    LAPACK must not see them: its iterations may then never end.
    """
    bad = ~jnp.all(jnp.isfinite(x), (-2, -1))
    return jnp.where(bad[..., None, None], jnp.zeros((), x.dtype), x), bad


@kernel(ops.Eigh)
def eigh(op: ops.Eigh, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    if x.size == 0:
        return jnp.zeros(x.shape[:-1], x.dtype), x
    half = (x + jnp.swapaxes(x, -2, -1)) * jnp.asarray(0.5, x.dtype)
    finite, bad = without_infinite(half)
    vectors, values = linalg.eigh(finite, symmetrize_input=False)
    return nan_where(bad, values), nan_where(bad, vectors * leading_signs(vectors))


@kernel(ops.Svd)
def svd(op: ops.Svd, x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    batch, (rows, columns) = x.shape[:-2], x.shape[-2:]
    if x.size == 0:
        shapes = (rows, min(rows, columns)), (min(rows, columns),), (min(rows, columns), columns)
        left, values, right = (jnp.zeros((*batch, *each), x.dtype) for each in shapes)
        return left, values, right
    finite, bad = without_infinite(x)
    u, s, vh = linalg.svd(finite, full_matrices=False)
    signs = leading_signs(u)
    right = vh * jnp.swapaxes(signs, -2, -1)
    return nan_where(bad, u * signs), nan_where(bad, s), nan_where(bad, right)
