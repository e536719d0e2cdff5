"""Comparisons, tests of floats, logic and bits."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from asg.core.dtype import as_dtype
from asg.core.op import Op
from asg.ops import compare as ops

from ..aligned import each_aligned
from ..kernel import kernel

FUNCTIONS: dict[type[Op], Callable[..., jax.Array]] = {
    ops.Equal: each_aligned(lax.eq),
    ops.NotEqual: each_aligned(lax.ne),
    ops.Less: each_aligned(lax.lt),
    ops.LessEqual: each_aligned(lax.le),
    ops.Greater: each_aligned(lax.gt),
    ops.GreaterEqual: each_aligned(lax.ge),
    ops.IsNan: jnp.isnan,
    ops.IsInf: jnp.isinf,
    ops.IsFinite: jnp.isfinite,
    ops.LogicalAnd: each_aligned(lax.bitwise_and),
    ops.LogicalOr: each_aligned(lax.bitwise_or),
    ops.LogicalXor: each_aligned(lax.bitwise_xor),
    ops.LogicalNot: lax.bitwise_not,
    ops.BitwiseAnd: each_aligned(lax.bitwise_and),
    ops.BitwiseOr: each_aligned(lax.bitwise_or),
    ops.BitwiseXor: each_aligned(lax.bitwise_xor),
    ops.BitwiseInvert: lax.bitwise_not,
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
