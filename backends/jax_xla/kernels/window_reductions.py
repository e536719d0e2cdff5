"""Reductions over windows by strided slices, which XLA fuses; its own windows are far slower.

Sums and maxima go axis by axis. A window too long to be written out is XLA's ``reduce_window``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from asg.core.dtype import as_dtype, iinfo
from asg.ops import window_reductions as ops
from asg.ops.windows import Axis, taps

from ..kernel import kernel

WRITTEN_OUT = 16


@kernel(ops.WindowSum)
def window_sum(op: ops.WindowSum, x: jax.Array) -> jax.Array:
    wide = _widened(x)
    return _axis_by_axis(jax.lax.add, 0, op.axes(), wide).astype(x.dtype)


@kernel(ops.MaxPool)
def max_pool(op: ops.MaxPool, x: jax.Array) -> jax.Array:
    return _axis_by_axis(jax.lax.max, _lowest(x), op.axes(), x)


def _widened(x: jax.Array) -> jax.Array:
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def _lowest(x: jax.Array) -> int | float:
    dtype = as_dtype(x.dtype)
    return -np.inf if dtype.is_float else iinfo(dtype).min


def _axis_by_axis(
    combine: Callable[..., Any], initial: float, axes: Sequence[Axis], x: jax.Array
) -> jax.Array:
    places = [axis.places(size) for axis, size in zip(axes, x.shape[2:], strict=True)]
    x = _padded(x, axes, initial)
    for number, (axis, count) in enumerate(zip(axes, places, strict=True), start=2):
        x = _along(combine, initial, axis, number, int(count), x)
    return x


def _along(
    combine: Callable[..., Any], initial: float, axis: Axis, number: int, count: int, x: jax.Array
) -> jax.Array:
    window = int(axis.window)
    if window <= WRITTEN_OUT:
        return reduce(combine, [_slice(x, axis, number, count, k) for k in range(window)])
    every = [1] * x.ndim
    size, stride, apart = (list(every) for _ in range(3))
    size[number], stride[number], apart[number] = window, axis.stride, axis.dilation
    start = jnp.asarray(initial, x.dtype)
    reduced: jax.Array = jax.lax.reduce_window(
        x, start, combine, size, stride, "VALID", window_dilation=apart
    )
    return reduced


def _slice(x: jax.Array, axis: Axis, number: int, count: int, k: int) -> jax.Array:
    first = k * axis.dilation
    last = first + (count - 1) * axis.stride + 1
    return jax.lax.slice_in_dim(x, first, last, axis.stride, number)


def _padded(x: jax.Array, axes: Sequence[Axis], value: float) -> jax.Array:
    widths = [(int(a.padding[0]), int(a.padding[1]), a.input_dilation - 1) for a in axes]
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), [(0, 0, 0), (0, 0, 0), *widths])


def _elements(
    op: ops.WindowOp, x: jax.Array, places: tuple[int, ...]
) -> Iterator[tuple[int, jax.Array]]:
    """Of each window element: its number and what all windows have there."""
    axes = op.axes()
    padded = _padded(x, axes, 0)
    for number, index in enumerate(np.ndindex(op.window)):
        part = padded
        for along, k in enumerate(index):
            part = _slice(part, axes[along], along + 2, places[along], k)
        yield number, part


@kernel(ops.WindowFind)
def window_find(op: ops.WindowFind, x: jax.Array, y: jax.Array) -> jax.Array:
    dtype = ops.number_dtype(op.window).numpy
    found = jnp.full(y.shape, ops.none_of(op.window), dtype)
    meetings = [to for _, to, _ in taps(op.axes(), x.shape[2:])]
    for number, part in reversed(list(_elements(op, x, y.shape[2:]))):
        hit = part == y
        if jnp.issubdtype(x.dtype, jnp.floating):
            hit |= part != part
        inside = np.zeros(y.shape[2:], np.bool_)
        inside[meetings[number]] = True
        found = jnp.where(hit & inside, jnp.asarray(number, dtype), found)
    return found


@kernel(ops.WindowSelect)
def window_select(op: ops.WindowSelect, x: jax.Array, chosen: jax.Array) -> jax.Array:
    selected = jnp.zeros(chosen.shape, x.dtype)
    for number, part in _elements(op, x, chosen.shape[2:]):
        selected = jnp.where(chosen == number, part, selected)
    return selected


@kernel(ops.WindowPlace)
def window_place(op: ops.WindowPlace, y: jax.Array, chosen: jax.Array) -> jax.Array:
    wide = _widened(y)
    zero = jnp.zeros((), wide.dtype)
    total = jnp.zeros((*y.shape[:2], *op.sizes), wide.dtype)
    if y.size == 0:
        return total.astype(y.dtype)
    for number, index in enumerate(np.ndindex(op.window)):
        widths = [
            _around(axis, k, count, int(size))
            for axis, k, count, size in zip(
                op.axes(), index, y.shape[2:], op.sizes, strict=True
            )
        ]  # fmt: skip
        part = jnp.where(chosen == number, wide, zero)
        total = total + jax.lax.pad(part, zero, [(0, 0, 0), (0, 0, 0), *widths])
    return total.astype(y.dtype)


def _around(axis: Axis, k: int, count: int, size: int) -> tuple[int, int, int]:
    """Zeros before, behind and between what lies at window element k of every window."""
    first = k * axis.dilation - int(axis.padding[0])
    return first, size - (first + (count - 1) * axis.stride + 1), axis.stride - 1
