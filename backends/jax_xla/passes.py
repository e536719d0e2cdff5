"""Passes for the JAX backend alone, in order; they see lowered graphs without symbolic sizes."""

from __future__ import annotations

from functools import partial

from asg.passes.pipeline import FunctionPass, Pipeline
from asg.passes.roll import roll

FEWEST_REPEATS = 16
"""Layers from which they are worth a loop, unless all that repeats shall be rolled."""

FEWEST_NODES = 1000
"""Nodes that loops save at least: XLA takes 1 to 2 ms to compile each."""


def passes_for(rolled: bool | None) -> Pipeline:
    """The passes.

    Args:
        rolled: whether layers that repeat are rolled into loops; None: where that saves much.
    """
    if rolled is False:
        return ()
    least = (FEWEST_REPEATS, FEWEST_NODES) if rolled is None else (2, 1)
    return (FunctionPass("roll", partial(roll, repeats=least[0], nodes=least[1])),)
