"""Matrix products; their precision is JAX's default (asg.matmul documents it)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import linalg as ops

from ..kernel import kernel


@kernel(ops.Matmul)
def matmul(op: ops.Matmul, a: jax.Array, b: jax.Array) -> jax.Array:
    wide = jnp.float32 if a.dtype in (jnp.float16, jnp.bfloat16) else a.dtype
    if a.ndim > 2 and b.ndim == 2:
        # One product of two matrices: with leading axes the gradient takes XLA 1.4 times as long.
        rows = jnp.matmul(a.reshape(-1, a.shape[-1]), b, preferred_element_type=wide)
        return rows.reshape(*a.shape[:-1], b.shape[1]).astype(a.dtype)
    return jnp.matmul(a, b, preferred_element_type=wide).astype(a.dtype)
