"""Matrix products; their precision is JAX's default (asg.matmul documents it)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from asg.ops import linalg as ops

from ..kernel import kernel


@kernel(ops.Matmul)
def matmul(op: ops.Matmul, a: jax.Array, b: jax.Array) -> jax.Array:
    wide = jnp.float32 if a.dtype in (jnp.float16, jnp.bfloat16) else a.dtype
    if a.ndim > 2 and b.ndim == 2:
        # One product of two matrices: with leading axes the gradient takes XLA 1.4 times as long.
        rows = _product(a.reshape(-1, a.shape[-1]), b, wide)
        return rows.reshape(*a.shape[:-1], b.shape[1]).astype(a.dtype)
    return _product(a, b, wide).astype(a.dtype)


def _product(a: jax.Array, b: jax.Array, dtype: Any) -> jax.Array:
    """Of matrices, or of stacks of as many."""
    if a.ndim < 2 or a.shape[:-2] != b.shape[:-2]:
        return jnp.matmul(a, b, preferred_element_type=dtype)
    stacked = tuple(range(a.ndim - 2))
    summed = ((a.ndim - 1,), (a.ndim - 2,))
    product: jax.Array = jax.lax.dot_general(
        a, b, (summed, (stacked, stacked)), preferred_element_type=dtype
    )
    return product
