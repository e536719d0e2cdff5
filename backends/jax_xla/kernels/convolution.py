"""Convolutions; their precision is JAX's default (asg.conv2d documents it)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from asg.ops import convolution as ops

from ..kernel import ORDERED, kernel
from .columns import way_of

Order = tuple[int, ...]


@kernel(ops.Conv)
def conv(op: ops.Conv, x: jax.Array, weight: jax.Array) -> jax.Array:
    plain = tuple(range(x.ndim))
    return conv_ordered(op, weight, (x, plain), (weight, plain), plain)


def conv_ordered(
    op: Any, weight: Any, x: tuple[jax.Array, Order], filters: tuple[jax.Array, Order], out: Order
) -> jax.Array:
    """The convolution of arrays whose axes lie in these orders, its result in the order ``out``.

    ``weight`` tells the shape of the filters by its axes in order.
    """
    (array, order), (kernels, kernel_order) = x, filters
    sizes = [array.shape[order.index(axis)] for axis in range(array.ndim)]
    axes = op.axes(weight)
    if array.size == 0 or kernels.size == 0:  # which XLA does not know as a convolution
        places = [axis.places(size) for axis, size in zip(axes, sizes[2:], strict=True)]
        shape = (sizes[0], weight.shape[0], *places)
        return jnp.zeros([shape[axis] for axis in out], array.dtype)
    way = way_of(op, axes, sizes, array.dtype)
    if way is not None:
        plain = array.transpose([order.index(axis) for axis in range(array.ndim)])
        columns = way(axes, plain, kernels, kernel_order)
        last = (0, *range(2, array.ndim), 1)
        return columns.transpose([last.index(axis) for axis in out])
    wide = jnp.float32 if array.dtype in (jnp.float16, jnp.bfloat16) else array.dtype
    return jax.lax.conv_general_dilated(
        array, kernels, op.stride, [(int(low), int(high)) for low, high in op.padding],
        op.input_dilation, op.dilation, _spec(order, kernel_order, out),
        feature_group_count=op.groups, preferred_element_type=wide,
    ).astype(array.dtype)  # fmt: skip


def _spec(x: Order, weight: Order, out: Order) -> jax.lax.ConvDimensionNumbers:
    """Where each axis in order, [batch, channels, *spatial] or [out, in, *window], is found."""
    found = ([order.index(axis) for axis in range(len(order))] for order in (x, weight, out))
    return jax.lax.ConvDimensionNumbers(*map(tuple, found))


ORDERED[ops.Conv] = conv_ordered
