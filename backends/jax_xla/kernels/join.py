"""Joining, padding, mirroring."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from asg.ops import join as ops

from ..kernel import kernel


@kernel(ops.Concat)
def concat(op: ops.Concat, *arrays: jax.Array) -> jax.Array:
    return jax.lax.concatenate(arrays, op.axis)


@kernel(ops.Pad)
def pad(op: Any, x: jax.Array) -> jax.Array:
    widths = [(low, high, 0) for low, high in zip(op.before, op.after, strict=True)]
    return jax.lax.pad(x, jnp.asarray(op.value, x.dtype), widths)


@kernel(ops.Flip)
def flip(op: ops.Flip, x: jax.Array) -> jax.Array:
    return jax.lax.rev(x, op.axes)
