"""Convolutions as one product of matrices, where XLA's own are slow on a CPU.

They are where few channels are summed (the first layer of a network) and where few images meet
a window as large as they are (the gradient of that layer's weight). What meets the window at every
place is written side by side, then multiplied: on two cores of a Xeon about half of the time for
128 images of 32 x 32 x 3 with 32 filters of 3 x 3, and for the gradient. It is done axis by axis:
five parts and five make the columns of a window of 5 x 5, where all at once are 25, each of which
XLA compiles for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from asg.ops.windows import Axis

Order = tuple[int, ...]
Way = Callable[[Sequence[Axis], jax.Array, jax.Array, Order], jax.Array]
"""From x, axes in order, and a weight with its axes in an order, to ``[batch, *places, out]``."""

FEW = 4
"""Channels or images: with more, XLA's convolution is as fast."""

LONGEST = 64
"""Elements or places side by side."""


def way_of(op: Any, axes: Sequence[Axis], sizes: Sequence[int], dtype: np.dtype[Any]) -> Way | None:
    """How to convolve x of these ``sizes``, [batch, channels, *spatial]; None: as XLA does."""
    plain = op.groups == 1 and all(axis.input_dilation == 1 for axis in axes)
    plain = plain and all(isinstance(size, int) for size in sizes)  # else traced for export
    if not plain or jax.default_backend() != "cpu" or dtype.itemsize < 4:
        return None
    windows, counts = map(prod, _geometry(axes, sizes[2:]))
    if sizes[1] <= FEW and 1 < windows <= LONGEST:
        return _by_elements
    if sizes[0] <= FEW and counts <= min(LONGEST, windows):
        return _by_places
    return None


def _geometry(axes: Sequence[Axis], sizes: Sequence[int]) -> tuple[list[int], list[int]]:
    """Along each axis, elements of the window and places."""
    counts = [int(axis.places(size)) for axis, size in zip(axes, sizes, strict=True)]
    return [int(axis.window) for axis in axes], counts


def _by_elements(axes: Sequence[Axis], x: jax.Array, weight: jax.Array, order: Order) -> jax.Array:
    """Side by side, for each element of the window, what all places have there."""
    windows, counts = _geometry(axes, x.shape[2:])
    last = tuple(range(2, x.ndim))
    columns = _padded(axes, x).transpose(0, *last, 1)
    behind = 1 + len(axes)
    for number, axis in reversed(list(enumerate(axes))):
        offsets = range(0, windows[number] * axis.dilation, axis.dilation)
        columns = _along(columns, 1 + number, offsets, counts[number], axis.stride, behind)
    filters = weight.transpose([order.index(axis) for axis in (*last, 1, 0)])
    return _product(columns, filters, (x.shape[0], *counts))


def _by_places(axes: Sequence[Axis], x: jax.Array, weight: jax.Array, order: Order) -> jax.Array:
    """Side by side, for each place, what its whole window has; the weight stays as it lies."""
    windows, counts = _geometry(axes, x.shape[2:])
    summed = [axis for axis in order if axis]
    columns = _padded(axes, x).transpose(0, *summed)
    for done, (number, axis) in enumerate(reversed(list(enumerate(axes)))):
        place = 1 + done + summed.index(2 + number)
        offsets = range(0, counts[number] * axis.stride, axis.stride)
        columns = _along(columns, place, offsets, windows[number], axis.dilation, 1)
    return _product(columns, jnp.moveaxis(weight, order.index(0), -1), (x.shape[0], *counts))


def _along(
    x: jax.Array, place: int, offsets: Sequence[int], count: int, step: int, at: int
) -> jax.Array:
    """Side by side at a new axis, from each offset, ``count`` elements that lie ``step`` apart."""
    reach = (count - 1) * step + 1
    parts = [lax.slice_in_dim(x, first, first + reach, step, place) for first in offsets]
    return lax.concatenate([lax.expand_dims(part, (at,)) for part in parts], at)


def _product(columns: jax.Array, filters: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Whatever each output sums, times the filters, whose last axis is that of the outputs."""
    outs = filters.shape[-1]
    matrix = filters.reshape(-1, outs)
    return (columns.reshape(-1, matrix.shape[0]) @ matrix).reshape(*shape, outs)


def _padded(axes: Sequence[Axis], x: jax.Array) -> jax.Array:
    widths = [(int(axis.padding[0]), int(axis.padding[1]), 0) for axis in axes]
    return jax.lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), (0, 0, 0), *widths])
