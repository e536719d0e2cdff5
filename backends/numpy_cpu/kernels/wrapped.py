"""A barrier costs nothing: calls run in the order of the graph."""

from __future__ import annotations

from asg.ops import wrapped as ops

from ..kernel import Array, view


@view(ops.Barrier)
def barrier(op: ops.Barrier, x: Array, *after: Array) -> Array:
    return x
