"""Conversion between dtypes, and identities."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from asg.core.dtype import as_dtype, iinfo
from asg.ops import cast as ops

from ..kernel import kernel


@kernel(ops.Cast)
def cast(op: ops.Cast, x: jax.Array) -> jax.Array:
    if op.dtype.is_bool:
        return x != 0
    if as_dtype(x.dtype).is_float and op.dtype.is_integer:
        return _float_to_integer(op, x)
    return lax.convert_element_type(x, op.dtype.numpy)


def _float_to_integer(op: ops.Cast, x: jax.Array) -> jax.Array:
    """Said in full: what a conversion does with NaN and out of range differs between machines."""
    limits = iinfo(op.dtype)
    low, high = op.range_of(as_dtype(x.dtype))
    below, above = x < low, x >= high
    inside = jnp.where(above | below | jnp.isnan(x), jnp.zeros_like(x), x)
    whole = lax.convert_element_type(inside, op.dtype.numpy)
    least, largest = (np.array(each, op.dtype.numpy) for each in (limits.min, limits.max))
    return jnp.where(above, largest, jnp.where(below, least, whole))


@kernel(ops.StopGradient)
def stop_gradient(op: ops.StopGradient, x: jax.Array) -> jax.Array:
    return x
