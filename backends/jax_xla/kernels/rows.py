"""Stacks of rows."""

from __future__ import annotations

import jax
from jax import lax

from asg.ops import rows as ops

from ..kernel import kernel


@kernel(ops.StackRows)
def stack(op: ops.StackRows, *rows: jax.Array) -> jax.Array:
    return lax.concatenate([lax.expand_dims(row, (0,)) for row in rows], 0)


@kernel(ops.UnstackRows)
def unstack(op: ops.UnstackRows, x: jax.Array) -> tuple[jax.Array, ...]:
    return tuple([lax.index_in_dim(x, row, keepdims=False) for row in range(op.count)])
