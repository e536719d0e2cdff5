"""Slices are views; their transpose writes zeros and one block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asg.ops import slicing as ops

from ..kernel import Array, Call, Scratch, kernel, static_shape, view


@view(ops.Slice)
def slice_(op: ops.Slice, x: Array) -> Array:
    return _part(op, x)


@kernel(ops.Unslice, order="follows")
def unslice(
    op: ops.Unslice, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x,), (out,) = inputs, outputs
    copy: Call = (np.copyto, (_part(op, out), x))
    return [copy] if x.size == out.size else [(out.fill, (0,)), copy]


@view(ops.Select)
def select(op: ops.Select, x: Array) -> Array:
    key: list[Any] = [slice(None)] * x.ndim
    for axis, place in zip(op.axes, static_shape(op.places), strict=True):
        key[axis] = place
    return _at(x, key)


def _part(op: ops.Slice | ops.Unslice, x: Array) -> Array:
    start, stop = static_shape(op.start), static_shape(op.stop)
    return _at(x, ops.python_slices(x.shape, start, stop, op.step))


def _at(x: Array, key: Sequence[Any]) -> Array:
    """``x[key]``; the dots keep an array without axes an array."""
    dotted: Any = (..., *key)
    part: Array = x[dotted]
    return part
