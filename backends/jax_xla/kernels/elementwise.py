"""Arithmetic of two or three operands."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from asg.core.dtype import as_dtype
from asg.ops import elementwise as ops

from ..aligned import aligned, chosen
from ..kernel import kernel


@kernel(ops.Add)
def add(op: ops.Add, x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.add(*aligned(x, y))


@kernel(ops.Subtract)
def subtract(op: ops.Subtract, x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.sub(*aligned(x, y))


@kernel(ops.Multiply)
def multiply(op: ops.Multiply, x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.mul(*aligned(x, y))


@kernel(ops.Divide)
def divide(op: ops.Divide, x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.div(*aligned(x, y))


@kernel(ops.FloorDivide)
def floor_divide(op: ops.FloorDivide, x: jax.Array, y: jax.Array) -> jax.Array:
    x, y = jnp.broadcast_arrays(x, y)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return _floor_divide_floats(x, y)
    return jnp.where(y == 0, jnp.zeros_like(x), jnp.floor_divide(x, jnp.where(y == 0, 1, y)))


@kernel(ops.Remainder)
def remainder(op: ops.Remainder, x: jax.Array, y: jax.Array) -> jax.Array:
    x, y = jnp.broadcast_arrays(x, y)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return _remainder_of_floats(x, y)
    return jnp.where(y == 0, jnp.zeros_like(x), jnp.remainder(x, jnp.where(y == 0, 1, y)))


def _remainder_of_floats(x: jax.Array, y: jax.Array) -> jax.Array:
    rest = lax.rem(x, y)
    other_side = (rest != 0) & ((rest < 0) != (y < 0))
    return jnp.where(other_side, rest + y, rest)


def _floor_divide_floats(x: jax.Array, y: jax.Array) -> jax.Array:
    """The quotient without the remainder is whole but for rounding; so no step is skipped."""
    rest = lax.rem(x, y)
    quotient = (x - rest) / y
    quotient = jnp.where((rest != 0) & ((rest < 0) != (y < 0)), quotient - 1, quotient)
    return jnp.where(y == 0, x / y, jnp.round(quotient))


@kernel(ops.Pow)
def pow(op: ops.Pow, x: jax.Array, y: jax.Array) -> jax.Array:
    if jnp.issubdtype(x.dtype, jnp.floating):
        return jnp.power(x, y)
    return _integer_power(*jnp.broadcast_arrays(x, y))


def _integer_power(x: jax.Array, y: jax.Array) -> jax.Array:
    """By squaring, over all bits of the exponent, so that overflow wraps around."""
    one = jnp.ones_like(x)

    def step(_: int, state: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        power, base, rest = state
        power = jnp.where(rest & 1 != 0, power * base, power)
        return power, base * base, rest >> 1

    power: jax.Array
    power, _, _ = lax.fori_loop(0, as_dtype(x.dtype).bits, step, (one, x, jnp.maximum(y, 0)))
    if not jnp.issubdtype(x.dtype, jnp.signedinteger):
        return power
    truncated = jnp.where(x == 1, one, jnp.where(x == -1, 1 - 2 * (y & 1), 0))
    return jnp.where(y < 0, truncated, power)


@kernel(ops.Maximum)
def maximum(op: ops.Maximum, x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.max(*aligned(x, y))


@kernel(ops.Minimum)
def minimum(op: ops.Minimum, x: jax.Array, y: jax.Array) -> jax.Array:
    return lax.min(*aligned(x, y))


@kernel(ops.LogAddExp)
def logaddexp(op: ops.LogAddExp, x: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.logaddexp(x, y)


@kernel(ops.Where)
def where(op: ops.Where, condition: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
    return chosen(condition, x, y)


@kernel(ops.Clip)
def clip(op: ops.Clip, x: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    return lax.min(*aligned(lax.max(*aligned(x, low)), high))
