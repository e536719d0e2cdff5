"""Another shape of the same elements: views wherever strides can say it."""

from __future__ import annotations

import numpy as np

from asg.ops import shape as ops

from ..kernel import Array, Call, Scratch, kernel, reshaped_view, static_shape, view


@view(ops.Reshape)
def reshape_view(op: ops.Reshape, x: Array) -> Array | None:
    return reshaped_view(x, static_shape(op.shape))


@kernel(ops.Reshape)
def reshape(
    op: ops.Reshape, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x,), (out,) = inputs, outputs
    return [(np.copyto, (out.reshape(x.shape), x))]


@view(ops.AssumeShape)
def assume_shape(op: ops.AssumeShape, x: Array) -> Array:
    return x


@view(ops.PermuteDims)
def permute_dims(op: ops.PermuteDims, x: Array) -> Array:
    return x.transpose(op.axes)


@view(ops.BroadcastTo)
def broadcast_to(op: ops.BroadcastTo, x: Array) -> Array:
    return np.broadcast_to(x, static_shape(op.shape))


@view(ops.ExpandDims)
def expand_dims(op: ops.ExpandDims, x: Array) -> Array:
    return np.expand_dims(x, op.axes)


@view(ops.Squeeze)
def squeeze(op: ops.Squeeze, x: Array) -> Array:
    return np.squeeze(x, op.axes)
