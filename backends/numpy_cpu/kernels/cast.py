"""Conversion between dtypes, and identities."""

from __future__ import annotations

import numpy as np

from asg.core.dtype import as_dtype, iinfo
from asg.ops import cast as ops

from ..kernel import Array, Call, Scratch, kernel, view


@kernel(ops.Cast, order="elementwise")
def cast(op: ops.Cast, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x,), (out,) = inputs, outputs
    if op.dtype.is_bool:
        return [(np.not_equal, (x, 0, out))]
    convert: Call = (np.copyto, (out, x, "unsafe"))
    source = as_dtype(x.dtype)
    if source.is_float and op.dtype.is_integer:
        limits = iinfo(op.dtype)
        chosen = scratch(x.shape, np.bool_)
        return [convert, (_limit, (x, out, chosen, op.range_of(source), (limits.min, limits.max)))]
    return [convert]


def _limit(
    x: Array,
    out: Array,
    chosen: Array,
    edges: tuple[float, float],
    limits: tuple[int, int],
) -> None:
    """What the hardware makes of NaN and of numbers out of range replaced by 0 and the limits."""
    np.less(x, edges[0], out=chosen)
    np.copyto(out, limits[0], where=chosen)
    np.greater_equal(x, edges[1], out=chosen)
    np.copyto(out, limits[1], where=chosen)
    np.isnan(x, out=chosen)
    np.copyto(out, 0, where=chosen)


@view(ops.StopGradient)
def stop_gradient(op: ops.StopGradient, x: Array) -> Array:
    return x
