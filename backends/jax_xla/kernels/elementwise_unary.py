"""Functions of one number."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from asg.core.op import Op
from asg.ops import elementwise_unary as ops

from ..kernel import kernel

FUNCTIONS: dict[type[Op], Callable[[jax.Array], jax.Array]] = {
    ops.Negative: jnp.negative,
    ops.Abs: jnp.abs,
    ops.Sign: jnp.sign,
    ops.Square: jnp.square,
    ops.Reciprocal: jnp.reciprocal,
    ops.Sqrt: jnp.sqrt,
    ops.Rsqrt: lax.rsqrt,
    ops.Exp: jnp.exp,
    ops.Expm1: jnp.expm1,
    ops.Log: jnp.log,
    ops.Log1p: jnp.log1p,
    ops.Log2: jnp.log2,
    ops.Sin: jnp.sin,
    ops.Cos: jnp.cos,
    ops.Tanh: jnp.tanh,
    ops.Sigmoid: jax.nn.sigmoid,
    ops.Erf: lax.erf,
    ops.Floor: jnp.floor,
    ops.Ceil: jnp.ceil,
    ops.Round: jnp.round,
    ops.Trunc: jnp.trunc,
}


@kernel(*FUNCTIONS)
def unary(op: Op, x: jax.Array) -> jax.Array:
    return FUNCTIONS[type(op)](x)
