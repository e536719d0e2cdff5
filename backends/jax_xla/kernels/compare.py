"""Comparisons, tests of floats, logic and bits."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from asg.core.dtype import as_dtype
from asg.core.op import Op
from asg.ops import compare as ops

from ..kernel import kernel

FUNCTIONS: dict[type[Op], Callable[..., jax.Array]] = {
    ops.Equal: jnp.equal,
    ops.NotEqual: jnp.not_equal,
    ops.Less: jnp.less,
    ops.LessEqual: jnp.less_equal,
    ops.Greater: jnp.greater,
    ops.GreaterEqual: jnp.greater_equal,
    ops.IsNan: jnp.isnan,
    ops.IsInf: jnp.isinf,
    ops.IsFinite: jnp.isfinite,
    ops.LogicalAnd: jnp.logical_and,
    ops.LogicalOr: jnp.logical_or,
    ops.LogicalXor: jnp.logical_xor,
    ops.LogicalNot: jnp.logical_not,
    ops.BitwiseAnd: jnp.bitwise_and,
    ops.BitwiseOr: jnp.bitwise_or,
    ops.BitwiseXor: jnp.bitwise_xor,
    ops.BitwiseInvert: jnp.bitwise_not,
}


@kernel(*FUNCTIONS)
def question(op: Op, *operands: jax.Array) -> jax.Array:
    return FUNCTIONS[type(op)](*operands)


@kernel(ops.BitwiseLeftShift)
def left_shift(op: ops.BitwiseLeftShift, x: jax.Array, y: jax.Array) -> jax.Array:
    x, y = jnp.broadcast_arrays(x, y)
    inside = (y >= 0) & (y < as_dtype(x.dtype).bits)
    return jnp.where(inside, lax.shift_left(x, y), jnp.zeros_like(x))


@kernel(ops.BitwiseRightShift)
def right_shift(op: ops.BitwiseRightShift, x: jax.Array, y: jax.Array) -> jax.Array:
    x, y = jnp.broadcast_arrays(x, y)
    last = as_dtype(x.dtype).bits - 1  # leaves nothing but the sign
    places = jnp.where((y < 0) | (y > last), last, y)
    if jnp.issubdtype(x.dtype, jnp.signedinteger):
        return lax.shift_right_arithmetic(x, places)
    return jnp.where(y > last, jnp.zeros_like(x), lax.shift_right_logical(x, places))
