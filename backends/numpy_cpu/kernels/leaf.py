"""Leaves without inputs: constants of the program. They take no step time, and little memory."""

from __future__ import annotations

import numpy as np

from asg.ops.leaf import Constant, DimSize, Full, Iota

from ..kernel import Array, static_shape, view


@view(Constant)
def constant(op: Constant) -> Array:
    return op.data.array


@view(Full)
def full(op: Full) -> Array:
    # One element, repeated by strides of zero: ufuncs read it as fast as a scalar.
    return np.broadcast_to(np.array(op.value, op.dtype.numpy), static_shape(op.shape))


@view(Iota)
def iota(op: Iota) -> Array:
    shape = static_shape(op.shape)
    counts = np.arange(shape[op.axis]).astype(op.dtype.numpy)
    beside = [1] * len(shape)
    beside[op.axis] = -1
    return np.broadcast_to(counts.reshape(beside), shape)


@view(DimSize)
def dim_size(op: DimSize) -> Array:
    return np.array(op.dim, np.int32)
