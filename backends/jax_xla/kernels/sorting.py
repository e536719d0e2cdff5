"""Order and search."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import sorting as ops

from ..kernel import kernel


@kernel(ops.ArgSort)
def argsort(op: ops.ArgSort, x: jax.Array) -> jax.Array:
    return jnp.argsort(x, op.axis, stable=True).astype(jnp.int32)


@kernel(ops.SearchSorted)
def searchsorted(op: ops.SearchSorted, ascending: jax.Array, values: jax.Array) -> jax.Array:
    return jnp.searchsorted(ascending, values, side=op.side).astype(jnp.int32)
