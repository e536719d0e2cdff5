"""Reductions. The dtype is always given: with 64-bit types on, JAX would widen integers.

Given a dtype, however, JAX adds sixteen-bit floats up in sixteen bits; they are widened first.
"""

from __future__ import annotations

from functools import partial
from math import prod as product

import jax
import jax.numpy as jnp
from jax import lax

from asg.ops import reduce as ops

from ..kernel import kernel


@kernel(ops.Sum)
def sum(op: ops.Sum, x: jax.Array) -> jax.Array:
    total = lax.reduce_sum(_widened(x), op.axis)
    return _kept(op, lax.convert_element_type(total, x.dtype))


@kernel(ops.Prod)
def prod(op: ops.Prod, x: jax.Array) -> jax.Array:
    wide = _widened(x)
    return jnp.prod(wide, op.axis, dtype=wide.dtype, keepdims=op.keepdims).astype(x.dtype)


def _kept(op: ops.Sum | ops.Max | ops.Min, result: jax.Array) -> jax.Array:
    """With the axes of size 1 that are to be kept."""
    return lax.expand_dims(result, op.axis) if op.keepdims else result


def _widened(x: jax.Array) -> jax.Array:
    half = jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize == 2
    return x.astype(jnp.float32) if half else x


@kernel(ops.Max)
def max(op: ops.Max, x: jax.Array) -> jax.Array:
    return _kept(op, lax.reduce_max(x, op.axis))


@kernel(ops.Min)
def min(op: ops.Min, x: jax.Array) -> jax.Array:
    return _kept(op, lax.reduce_min(x, op.axis))


@kernel(ops.TieShare)
def tie_share(op: ops.TieShare, x: jax.Array, y: jax.Array) -> jax.Array:
    """XLA may compute x anew for every use, each time rounded differently (fused or not).

    So x is not compared with y. Indices are what they are, and operands of a conditional are
    computed once: within a branch, all uses of them agree.
    """
    if x.size == 0:
        return x
    kept = [axis for axis in range(x.ndim) if axis not in op.axis]
    order = (*kept, *op.axis)
    count = product(x.shape[axis] for axis in op.axis)
    rows = x.transpose(order).reshape(*(x.shape[axis] for axis in kept), count)
    place = jnp.argmin if op.smallest else jnp.argmax
    first, last = place(rows, -1), count - 1 - place(jnp.flip(rows, -1), -1)
    alone = jnp.all(first == last) & ~jnp.any(jnp.isnan(y))
    even = partial(_even_shares, op.smallest)
    shares: jax.Array = lax.cond(alone, _one_hot, even, rows, first)
    back = sorted(range(x.ndim), key=order.__getitem__)
    return shares.reshape([x.shape[axis] for axis in order]).transpose(back)


def _one_hot(rows: jax.Array, place: jax.Array) -> jax.Array:
    places = lax.broadcasted_iota(place.dtype, rows.shape, rows.ndim - 1)
    return (places == place[..., None]).astype(rows.dtype)


def _even_shares(smallest: bool, rows: jax.Array, place: jax.Array) -> jax.Array:
    extreme = (jnp.min if smallest else jnp.max)(rows, -1, keepdims=True)
    ties = (rows == extreme).astype(rows.dtype)
    shares = ties / jnp.sum(ties, -1, dtype=rows.dtype, keepdims=True)
    return jnp.where(jnp.isnan(extreme), extreme, shares)  # XLA takes 0 / 0 of a bool for 0


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
