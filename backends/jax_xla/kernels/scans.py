"""Running totals. Sixteen-bit floats are accumulated in float32 and rounded once."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from asg.core.op import Op
from asg.ops import scans as ops

from ..kernel import kernel

FUNCTIONS: dict[type[Op], Callable[..., jax.Array]] = {
    ops.CumSum: lax.cumsum,
    ops.CumProd: lax.cumprod,
    ops.CumMax: lax.cummax,
    ops.CumMin: lax.cummin,
    ops.LogCumSumExp: lax.cumlogsumexp,
}


def _widened(x: jax.Array) -> jax.Array:
    half = jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize == 2
    return x.astype(jnp.float32) if half else x


@kernel(*FUNCTIONS)
def scan(op: ops.Scan, x: jax.Array) -> jax.Array:
    return FUNCTIONS[type(op)](_widened(x), axis=op.axis, reverse=op.reverse).astype(x.dtype)


@kernel(ops.LinearRecurrence)
def linear_recurrence(op: ops.LinearRecurrence, a: jax.Array, b: jax.Array) -> jax.Array:
    """Step by step: an associative scan multiplies factors first, and these may overflow."""
    if not b.size:
        return b
    factors, terms = (jnp.moveaxis(_widened(each), op.axis, 0) for each in (a, b))

    def step(total: jax.Array, row: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        total = row[0] * total + row[1]
        return total, total

    first = terms[-1 if op.reverse else 0]
    rest = slice(0, -1) if op.reverse else slice(1, None)
    _, totals = lax.scan(step, first, (factors[rest], terms[rest]), reverse=op.reverse)
    pieces = [totals, first[None]] if op.reverse else [first[None], totals]
    return jnp.moveaxis(jnp.concatenate(pieces), 0, op.axis).astype(b.dtype)
