"""Writing at places that data decide; `asg.ops.index` says what outside indices do."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from asg.ops import scatters as ops

from ..kernel import kernel
from .index import key_along, missing, places_of


@kernel(ops.ScatterMul)
def scatter_mul(
    op: ops.ScatterMul, x: jax.Array, indices: jax.Array, updates: jax.Array
) -> jax.Array:
    if x.size == 0:
        return x
    places, inside = places_of(indices, x.shape[op.axis])
    wide = jnp.float32 if x.dtype in (jnp.float16, jnp.bfloat16) else x.dtype
    at = x.astype(wide).at[key_along(op.axis, places)]
    product = at.multiply(updates.astype(wide), mode="drop").astype(x.dtype)
    return jnp.where(inside.all(), product, jnp.asarray(missing(x), x.dtype))


@kernel(ops.ScatterExtreme)
def scatter_extreme(
    op: ops.ScatterExtreme, x: jax.Array, indices: jax.Array, updates: jax.Array
) -> jax.Array:
    if x.size == 0:
        return x
    places, inside = places_of(indices, x.shape[op.axis])
    extreme = _extreme(op, x, places, updates)
    return jnp.where(inside.all(), extreme, jnp.asarray(missing(x), x.dtype))


def _extreme(
    op: ops.ScatterExtreme | ops.ScatterShare, x: jax.Array, places: jax.Array, updates: jax.Array
) -> jax.Array:
    at = x.at[key_along(op.axis, places)]
    return at.min(updates, mode="drop") if op.smallest else at.max(updates, mode="drop")


@kernel(ops.ScatterShare)
def scatter_share(
    op: ops.ScatterShare, x: jax.Array, indices: jax.Array, updates: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Within a branch of a conditional all uses of an operand agree; see `tie_share`."""
    if x.size == 0 or updates.size == 0:  # every update is outside, if there are any
        return jnp.where(jnp.isnan(x), x, jnp.ones_like(x)), jnp.full_like(updates, missing(x))
    places, inside = places_of(indices, x.shape[op.axis])
    ordinary = inside.all() & ~jnp.isnan(x).any() & ~jnp.isnan(updates).any()
    plain, marked = partial(_shares, op), partial(_shares_with_nan, op)
    shares: tuple[jax.Array, jax.Array] = lax.cond(
        ordinary, plain, marked, x, places, inside, updates
    )
    return shares


def _shares(
    op: ops.ScatterShare, x: jax.Array, places: jax.Array, inside: jax.Array, updates: jax.Array
) -> tuple[jax.Array, jax.Array]:
    key = key_along(op.axis, places)
    extreme = _extreme(op, x, places, updates)
    own = (x == extreme).astype(x.dtype)
    given = (updates == extreme[key]).astype(x.dtype)
    count = own.at[key].add(given, mode="drop")
    return own / count, given / count[key]


def _shares_with_nan(
    op: ops.ScatterShare, x: jax.Array, places: jax.Array, inside: jax.Array, updates: jax.Array
) -> tuple[jax.Array, jax.Array]:
    nan = jnp.asarray(jnp.nan, x.dtype)
    extreme = jnp.where(inside.all(), _extreme(op, x, places, updates), nan)
    own, given = _shares(op, x, places, inside, updates)
    unknown = jnp.isnan(extreme)
    return jnp.where(unknown, nan, own), jnp.where(unknown[key_along(op.axis, places)], nan, given)
