"""Joining copies every operand once; padding writes every element once."""

from __future__ import annotations

import numpy as np

from asg.ops import join as ops

from ..kernel import Array, Call, Scratch, kernel, static_shape, view


@kernel(ops.Concat, order="follows")
def concat(
    op: ops.Concat, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(np.concatenate, (tuple(inputs), op.axis, outputs[0]))]


@view(ops.Flip)
def flip(op: ops.Flip, x: Array) -> Array:
    return np.flip(x, op.axes) if op.axes else x  # of a scalar it would make a copy


@kernel(ops.Pad, order="follows")
def pad(op: ops.Pad, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x,), (inner,) = inputs, outputs
    calls: list[Call] = []
    widths = zip(static_shape(op.before), static_shape(op.after), strict=True)
    for axis, (low, high) in enumerate(widths):
        end = inner.shape[axis] - high
        for start, stop in ((0, low), (end, end + high)):
            if start < stop:
                calls.append((_along(inner, axis, start, stop).fill, (op.value,)))
        inner = _along(inner, axis, low, end)
    return [*calls, (np.copyto, (inner, x))]


def _along(x: Array, axis: int, start: int, stop: int) -> Array:
    return x[(slice(None),) * axis + (slice(start, stop),)]
