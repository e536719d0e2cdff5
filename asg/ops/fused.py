"""Fused: elementwise work as one op, so that a backend can do it in one pass over memory."""

from __future__ import annotations

from typing import ClassVar

from asg.ops.wrapped import Wrapped


class Fused(Wrapped):
    """The outputs of ``body``, a graph of elementwise ops, and of reductions of their results.

    The values in between are nobody's: a backend that cuts the operands into blocks never writes
    them to memory. The pass `fuse` makes these ops; everything else looks into the body.
    """

    category: ClassVar[str] = "elementwise"
