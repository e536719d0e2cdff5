"""Constants, and arrays made from nothing. Placeholders need no kernel: they are arguments."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import leaf as ops

from ..aligned import filled
from ..kernel import kernel


@kernel(ops.Constant)
def constant(op: ops.Constant) -> jax.Array:
    return jnp.asarray(op.data.array)


@kernel(ops.Full)
def full(op: ops.Full) -> jax.Array:
    return filled(op.value, op.dtype.numpy, op.shape)


@kernel(ops.Iota)
def iota(op: ops.Iota) -> jax.Array:
    return jax.lax.broadcasted_iota(op.dtype.numpy, op.shape, op.axis)


@kernel(ops.DimSize)
def dim_size(op: ops.DimSize) -> jax.Array:
    return jnp.asarray(op.dim, jnp.int32)
