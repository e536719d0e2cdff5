"""Diagonals are views."""

from __future__ import annotations

from asg.ops.diagonals import Diagonal

from ..kernel import Array, view


@view(Diagonal)
def diagonal(op: Diagonal, x: Array) -> Array:
    return x.diagonal(0, -2, -1)
