"""Reductions. The dtype is always given: with 64-bit types on, JAX would widen integers."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import reduce as ops

from ..kernel import kernel


@kernel(ops.Sum)
def sum(op: ops.Sum, x: jax.Array) -> jax.Array:
    return jnp.sum(x, op.axis, dtype=x.dtype, keepdims=op.keepdims)


@kernel(ops.Prod)
def prod(op: ops.Prod, x: jax.Array) -> jax.Array:
    return jnp.prod(x, op.axis, dtype=x.dtype, keepdims=op.keepdims)


@kernel(ops.Max)
def max(op: ops.Max, x: jax.Array) -> jax.Array:
    return jnp.max(x, op.axis, keepdims=op.keepdims)


@kernel(ops.Min)
def min(op: ops.Min, x: jax.Array) -> jax.Array:
    return jnp.min(x, op.axis, keepdims=op.keepdims)


@kernel(ops.AllTrue)
def all(op: ops.AllTrue, x: jax.Array) -> jax.Array:
    return jnp.all(x, op.axis, keepdims=op.keepdims)


@kernel(ops.AnyTrue)
def any(op: ops.AnyTrue, x: jax.Array) -> jax.Array:
    return jnp.any(x, op.axis, keepdims=op.keepdims)


@kernel(ops.ArgMax)
def argmax(op: ops.ArgMax, x: jax.Array) -> jax.Array:
    return jnp.argmax(x, op.axis, keepdims=op.keepdims).astype(jnp.int32)


@kernel(ops.ArgMin)
def argmin(op: ops.ArgMin, x: jax.Array) -> jax.Array:
    return jnp.argmin(x, op.axis, keepdims=op.keepdims).astype(jnp.int32)


@kernel(ops.ProductOfOthers)
def product_of_others(op: ops.ProductOfOthers, x: jax.Array) -> jax.Array:
    ones = jnp.ones_like(jax.lax.slice_in_dim(x, 0, 1, axis=op.axis))
    return _exclusive(x, ones, op.axis, False) * _exclusive(x, ones, op.axis, True)


def _exclusive(x: jax.Array, ones: jax.Array, axis: int, reverse: bool) -> jax.Array:
    """Products of what comes before (or, reversed, after) each element."""
    size = x.shape[axis]
    if reverse:
        rest = jax.lax.slice_in_dim(x, 1, size, axis=axis)
        return jnp.concatenate([jax.lax.cumprod(rest, axis, reverse=True), ones], axis)
    rest = jax.lax.slice_in_dim(x, 0, size - 1, axis=axis)
    return jnp.concatenate([ones, jax.lax.cumprod(rest, axis)], axis)
