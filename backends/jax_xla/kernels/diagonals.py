"""Diagonals."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops.diagonals import Diagonal

from ..kernel import kernel


@kernel(Diagonal)
def diagonal(op: Diagonal, x: jax.Array) -> jax.Array:
    result: jax.Array = jnp.diagonal(x, 0, -2, -1)
    return result
