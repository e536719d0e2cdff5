"""Determinants."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import determinants as ops

from ..kernel import kernel


@kernel(ops.SlogDet)
def slogdet(op: ops.SlogDet, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    if x.shape[-1] == 0:
        return jnp.ones(x.shape[:-2], x.dtype), jnp.zeros(x.shape[:-2], x.dtype)
    sign, logarithm = jnp.linalg.slogdet(x)
    return sign, logarithm


@kernel(ops.Det)
def det(op: ops.Det, x: jax.Array) -> jax.Array:
    if x.shape[-1] == 0:
        return jnp.ones(x.shape[:-2], x.dtype)
    result: jax.Array = jnp.linalg.det(x)
    return result
