"""Order and search."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import sorting as ops

from ..kernel import kernel


@kernel(ops.ArgSort)
def argsort(op: ops.ArgSort, x: jax.Array) -> jax.Array:
    return jnp.argsort(x, op.axis, stable=True).astype(jnp.int32)


@kernel(ops.Sort)
def sort(op: ops.Sort, x: jax.Array) -> jax.Array:
    """Without places; descending as what is turned around, with NaN last."""
    if not op.descending:
        return jnp.sort(x, op.axis)
    turn = jnp.negative if jnp.issubdtype(x.dtype, jnp.floating) else jnp.invert
    return turn(jnp.sort(turn(x), op.axis))


@kernel(ops.SearchSorted)
def searchsorted(op: ops.SearchSorted, ascending: jax.Array, values: jax.Array) -> jax.Array:
    return jnp.searchsorted(ascending, values, side=op.side).astype(jnp.int32)
