"""Reductions. The dtype is always given: with 64-bit types on, JAX would widen integers.

Given a dtype, however, JAX adds sixteen-bit floats up in sixteen bits; they are widened first.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import reduce as ops

from ..kernel import kernel


@kernel(ops.Sum)
def sum(op: ops.Sum, x: jax.Array) -> jax.Array:
    wide = _widened(x)
    return jnp.sum(wide, op.axis, dtype=wide.dtype, keepdims=op.keepdims).astype(x.dtype)


@kernel(ops.Prod)
def prod(op: ops.Prod, x: jax.Array) -> jax.Array:
    wide = _widened(x)
    return jnp.prod(wide, op.axis, dtype=wide.dtype, keepdims=op.keepdims).astype(x.dtype)


def _widened(x: jax.Array) -> jax.Array:
    half = jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize == 2
    return x.astype(jnp.float32) if half else x


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
    if not x.shape[op.axis]:
        return x
    wide = _widened(x)
    ones = jnp.ones_like(jax.lax.slice_in_dim(wide, 0, 1, axis=op.axis))
    before, after = (_exclusive(wide, ones, op.axis, reverse) for reverse in (False, True))
    return (before * after).astype(x.dtype)


def _exclusive(x: jax.Array, ones: jax.Array, axis: int, reverse: bool) -> jax.Array:
    """Products of what comes before (or, reversed, after) each element."""
    size = x.shape[axis]
    if reverse:
        rest = jax.lax.slice_in_dim(x, 1, size, axis=axis)
        return jnp.concatenate([jax.lax.cumprod(rest, axis, reverse=True), ones], axis)
    rest = jax.lax.slice_in_dim(x, 0, size - 1, axis=axis)
    return jnp.concatenate([ones, jax.lax.cumprod(rest, axis)], axis)
