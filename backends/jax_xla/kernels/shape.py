"""Another shape of the same elements; XLA decides whether anything moves."""

from __future__ import annotations

import jax

from asg.ops import shape as ops

from ..aligned import stretched
from ..kernel import kernel


@kernel(ops.Reshape)
def reshape(op: ops.Reshape, x: jax.Array) -> jax.Array:
    return jax.lax.reshape(x, op.shape)


@kernel(ops.AssumeShape)
def assume_shape(op: ops.AssumeShape, x: jax.Array) -> jax.Array:
    return x


@kernel(ops.PermuteDims)
def permute_dims(op: ops.PermuteDims, x: jax.Array) -> jax.Array:
    return jax.lax.transpose(x, op.axes)


@kernel(ops.BroadcastTo)
def broadcast_to(op: ops.BroadcastTo, x: jax.Array) -> jax.Array:
    return stretched(x, op.shape)


@kernel(ops.ExpandDims)
def expand_dims(op: ops.ExpandDims, x: jax.Array) -> jax.Array:
    return jax.lax.expand_dims(x, op.axes)


@kernel(ops.Squeeze)
def squeeze(op: ops.Squeeze, x: jax.Array) -> jax.Array:
    return jax.lax.squeeze(x, op.axes)
