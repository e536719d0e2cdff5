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
    ops.Negative: lax.neg,
    ops.Abs: jnp.abs,
    ops.Sign: lax.sign,
    ops.Square: lax.square,
    ops.Reciprocal: lambda x: lax.integer_pow(x, -1),
    ops.Sqrt: lax.sqrt,
    ops.Rsqrt: lax.rsqrt,
    ops.Exp: lax.exp,
    ops.Expm1: lax.expm1,
    ops.Log: lax.log,
    ops.Log1p: lax.log1p,
    ops.Log2: jnp.log2,
    ops.Sin: lax.sin,
    ops.Cos: lax.cos,
    ops.Tanh: lax.tanh,
    ops.Sigmoid: lax.logistic,
    ops.Erf: lax.erf,
    ops.Floor: lax.floor,
    ops.Ceil: lax.ceil,
    ops.Round: jnp.round,
    ops.Trunc: jnp.trunc,
}


@kernel(*FUNCTIONS)
def unary(op: Op, x: jax.Array) -> jax.Array:
    return FUNCTIONS[type(op)](x)
