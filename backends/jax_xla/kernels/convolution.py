"""Convolutions; their precision is JAX's default (asg.conv2d documents it)."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from asg.ops import convolution as ops

from ..kernel import kernel


@kernel(ops.Conv)
def conv(op: ops.Conv, x: jax.Array, weight: jax.Array) -> jax.Array:
    axes = op.axes(weight)  # type: ignore[arg-type]
    places = [axis.places(size) for axis, size in zip(axes, x.shape[2:], strict=True)]
    if x.size == 0 or weight.size == 0:  # which XLA does not know as a convolution
        return jnp.zeros((x.shape[0], weight.shape[0], *places), x.dtype)
    wide = jnp.float32 if x.dtype in (jnp.float16, jnp.bfloat16) else x.dtype
    return jax.lax.conv_general_dilated(
        x, weight, op.stride, [(int(low), int(high)) for low, high in op.padding],
        op.input_dilation, op.dilation,
        feature_group_count=op.groups, preferred_element_type=wide,
    ).astype(x.dtype)  # fmt: skip
