"""Reading and adding at places that data decide; `asg.ops.index` says what outside indices do."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.core.dtype import as_dtype, iinfo
from asg.ops import index as ops

from ..kernel import kernel

_LARGEST_INT32 = 2**31 - 1


def places_of(indices: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
    """(places counted from the front, whether each lies inside) for an axis of ``size``."""
    if jnp.issubdtype(indices.dtype, jnp.unsignedinteger):
        largest = min(size, iinfo(as_dtype(indices.dtype)).max)
        indices = jnp.minimum(indices, jnp.asarray(largest, indices.dtype))
    if indices.dtype != jnp.int64:  # narrow ones could not hold what is added next
        indices = indices.astype(jnp.int32 if size <= _LARGEST_INT32 else jnp.int64)
    places = jnp.where(indices < 0, indices + size, indices)
    return places, (places >= 0) & (places < size)


def missing(x: jax.Array) -> bool | int | float:
    return ops.missing_value(as_dtype(x.dtype))


@kernel(ops.Take)
def take(op: ops.Take, x: jax.Array, indices: jax.Array) -> jax.Array:
    places, inside = places_of(indices, x.shape[op.axis])
    shape = (*x.shape[: op.axis], *indices.shape, *x.shape[op.axis + 1 :])
    if x.size == 0:
        return jnp.full(shape, missing(x), x.dtype)
    taken = jnp.take(x, places, op.axis, mode="clip")
    behind = tuple(range(inside.ndim, inside.ndim + x.ndim - op.axis - 1))
    return jnp.where(jnp.expand_dims(inside, behind), taken, jnp.asarray(missing(x), x.dtype))


@kernel(ops.TakeAlongAxis)
def take_along_axis(op: ops.TakeAlongAxis, x: jax.Array, indices: jax.Array) -> jax.Array:
    places, inside = places_of(indices, x.shape[op.axis])
    if x.size == 0:
        return jnp.full(indices.shape, missing(x), x.dtype)
    taken = jnp.take_along_axis(x, places, op.axis, mode="clip")
    return jnp.where(inside, taken, jnp.asarray(missing(x), x.dtype))


@kernel(ops.ScatterAdd)
def scatter_add(
    op: ops.ScatterAdd, x: jax.Array, indices: jax.Array, updates: jax.Array
) -> jax.Array:
    places, inside = places_of(indices, x.shape[op.axis])
    return _added(x, key_along(op.axis, places), updates, inside)


@kernel(ops.ScatterAddAlongAxis)
def scatter_add_along_axis(
    op: ops.ScatterAddAlongAxis, x: jax.Array, indices: jax.Array, updates: jax.Array
) -> jax.Array:
    places, inside = places_of(indices, x.shape[op.axis])
    key = [
        jax.lax.broadcasted_iota(places.dtype, places.shape, axis) for axis in range(places.ndim)
    ]
    key[op.axis] = places
    return _added(x, tuple(key), updates, inside)


def key_along(axis: int, places: jax.Array) -> tuple[object, ...]:
    """What JAX takes for the slices along an axis."""
    return (slice(None),) * axis + (places,)


def _added(
    x: jax.Array, key: tuple[object, ...], updates: jax.Array, inside: jax.Array
) -> jax.Array:
    if x.size == 0:
        return x
    wide = jnp.float32 if x.dtype in (jnp.float16, jnp.bfloat16) else x.dtype
    total = x.astype(wide).at[key].add(updates.astype(wide), mode="drop").astype(x.dtype)
    return jnp.where(inside.all(), total, jnp.asarray(missing(x), x.dtype))
