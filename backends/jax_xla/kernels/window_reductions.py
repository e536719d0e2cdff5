"""Reductions over windows by strided slices, which XLA fuses; its own windows are far slower.

Sums and maxima go axis by axis. A window too long to be written out is XLA's ``reduce_window``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from asg.core.dtype import as_dtype, iinfo
from asg.ops import window_reductions as ops
from asg.ops.windows import Axis, taps

from ..kernel import ORDERED, kernel

WRITTEN_OUT = 16

Spatial = Sequence[int]
F = TypeVar("F", bound=Callable[..., jax.Array])


def ordered(op_class: type[ops.WindowOp]) -> Callable[[F], F]:
    """Register ``function(op, spatial, *arrays)`` in both tables: in order, spatial is 2, 3, ..."""

    def register(function: F) -> F:
        ORDERED[op_class] = function
        kernel(op_class)(lambda op, *arrays: function(op, range(2, arrays[0].ndim), *arrays))
        return function

    return register


@ordered(ops.WindowSum)
def window_sum(op: ops.WindowSum, spatial: Spatial, x: jax.Array) -> jax.Array:
    wide = _widened(x)
    return _axis_by_axis(jax.lax.add, 0, op.axes(), spatial, wide).astype(x.dtype)


@ordered(ops.MaxPool)
def max_pool(op: ops.MaxPool, spatial: Spatial, x: jax.Array) -> jax.Array:
    return _axis_by_axis(jax.lax.max, _lowest(x), op.axes(), spatial, x)


def _widened(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _lowest(x: jax.Array) -> int | float:
    dtype = as_dtype(x.dtype)
    return -np.inf if dtype.is_float else iinfo(dtype).min


def _sizes(x: jax.Array, spatial: Spatial) -> tuple[int, ...]:
    return tuple(x.shape[place] for place in spatial)


def _axis_by_axis(
    combine: Callable[..., Any],
    initial: float,
    axes: Sequence[Axis],
    spatial: Spatial,
    x: jax.Array,
) -> jax.Array:
    counts = [axis.places(n) for axis, n in zip(axes, _sizes(x, spatial), strict=True)]
    x = _padded(x, axes, spatial, initial)
    for place, axis, count in zip(spatial, axes, counts, strict=True):
        x = _along(combine, initial, axis, place, int(count), x)
    return x


def _along(
    combine: Callable[..., Any], initial: float, axis: Axis, place: int, count: int, x: jax.Array
) -> jax.Array:
    window = int(axis.window)
    if window <= WRITTEN_OUT:
        return reduce(combine, [_slice(x, axis, place, count, k) for k in range(window)])
    every = [1] * x.ndim
    size, stride, apart = (list(every) for _ in range(3))
    size[place], stride[place], apart[place] = window, axis.stride, axis.dilation
    start = jnp.asarray(initial, x.dtype)
    reduced: jax.Array = jax.lax.reduce_window(
        x, start, combine, size, stride, "VALID", window_dilation=apart
    )
    return reduced


def _slice(x: jax.Array, axis: Axis, place: int, count: int, k: int) -> jax.Array:
    first = k * axis.dilation
    last = first + (count - 1) * axis.stride + 1
    return jax.lax.slice_in_dim(x, first, last, axis.stride, place)


def _padded(x: jax.Array, axes: Sequence[Axis], spatial: Spatial, value: float) -> jax.Array:
    widths = [(0, 0, 0)] * x.ndim
    for place, axis in zip(spatial, axes, strict=True):
        widths[place] = (int(axis.padding[0]), int(axis.padding[1]), axis.input_dilation - 1)
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), widths)


def _elements(
    op: ops.WindowOp, spatial: Spatial, x: jax.Array, counts: tuple[int, ...]
) -> Iterator[tuple[int, jax.Array]]:
    """Of each window element: its number and what all windows have there."""
    axes = op.axes()
    padded = _padded(x, axes, spatial, 0)
    for number, index in enumerate(np.ndindex(op.window)):
        part = padded
        for along, k in enumerate(index):
            part = _slice(part, axes[along], spatial[along], counts[along], k)
        yield number, part


@ordered(ops.WindowFind)
def window_find(op: ops.WindowFind, spatial: Spatial, x: jax.Array, y: jax.Array) -> jax.Array:
    dtype = ops.number_dtype(op.window).numpy
    found = jnp.full(y.shape, ops.none_of(op.window), dtype)
    counts = _sizes(y, spatial)
    meetings = [to for _, to, _ in taps(op.axes(), _sizes(x, spatial))]
    for number, part in reversed(list(_elements(op, spatial, x, counts))):
        hit = part == y
        if jnp.issubdtype(x.dtype, jnp.floating):
            hit |= part != part
        inside = np.zeros(counts, np.bool_)
        inside[meetings[number]] = True
        if not inside.all():
            hit &= jax.lax.broadcast_in_dim(inside, y.shape, tuple(spatial))
        found = jnp.where(hit, jnp.asarray(number, dtype), found)
    return found


@ordered(ops.WindowSelect)
def window_select(
    op: ops.WindowSelect, spatial: Spatial, x: jax.Array, chosen: jax.Array
) -> jax.Array:
    selected = jnp.zeros(chosen.shape, x.dtype)
    for number, part in _elements(op, spatial, x, _sizes(chosen, spatial)):
        selected = jnp.where(chosen == number, part, selected)
    return selected


@ordered(ops.WindowPlace)
def window_place(
    op: ops.WindowPlace, spatial: Spatial, y: jax.Array, chosen: jax.Array
) -> jax.Array:
    wide = _widened(y)
    zero = jnp.zeros((), wide.dtype)
    sizes = dict(zip(spatial, map(int, op.sizes), strict=True))
    total = jnp.zeros([sizes.get(i, n) for i, n in enumerate(y.shape)], wide.dtype)
    if y.size == 0:
        return total.astype(y.dtype)
    for number, index in enumerate(np.ndindex(op.window)):
        widths = [(0, 0, 0)] * y.ndim
        for place, axis, k in zip(spatial, op.axes(), index, strict=True):
            widths[place] = _around(axis, k, y.shape[place], sizes[place])
        part = jnp.where(chosen == number, wide, zero)
        total = total + jax.lax.pad(part, zero, widths)
    return total.astype(y.dtype)


def _around(axis: Axis, k: int, count: int, size: int) -> tuple[int, int, int]:
    """Zeros before, behind and between what lies at window element k of every window."""
    first = k * axis.dilation - int(axis.padding[0])
    return first, size - (first + (count - 1) * axis.stride + 1), axis.stride - 1
