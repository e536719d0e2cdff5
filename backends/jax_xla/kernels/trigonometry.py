"""Trigonometry: JAX has a function for each."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from asg.core.op import Op
from asg.ops import trigonometry as ops

from ..kernel import kernel

FUNCTIONS: dict[type[Op], Callable[..., jax.Array]] = {
    ops.Tan: jnp.tan,
    ops.Asin: jnp.arcsin,
    ops.Acos: jnp.arccos,
    ops.Atan: jnp.arctan,
    ops.Sinh: jnp.sinh,
    ops.Cosh: jnp.cosh,
    ops.Asinh: jnp.arcsinh,
    ops.Acosh: jnp.arccosh,
    ops.Atanh: jnp.arctanh,
    ops.Hypot: jnp.hypot,
    ops.Atan2: jnp.arctan2,
}


@kernel(*FUNCTIONS)
def elementwise(op: Op, *operands: jax.Array) -> jax.Array:
    return FUNCTIONS[type(op)](*operands)
