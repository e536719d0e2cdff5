"""Passes for the JAX backend alone, in order; they see lowered graphs without symbolic sizes."""

from __future__ import annotations

from functools import partial
from math import inf

from asg.passes.join_products import join_products
from asg.passes.pipeline import FunctionPass, Pipeline
from asg.passes.roll import roll

FEWEST_REPEATS = 16
"""Layers from which they are worth a loop, unless all that repeats shall be rolled."""

LARGEST_MEAN = 1 << 14
"""Bytes of the values of such layers, on average: a call of XLA takes as long as these."""

FEWEST_NODES = 1000
"""Nodes that loops save at least: XLA takes 1 to 2 ms to compile each."""


def passes_for(rolled: bool | None) -> Pipeline:
    """The passes.

    Args:
        rolled: whether layers that repeat are rolled into loops; None: many small ones only.
    """
    joining = FunctionPass("join_products", join_products)
    if rolled is False:
        return (joining,)
    every = (2, 1, inf)
    repeats, nodes, size = every if rolled else (FEWEST_REPEATS, FEWEST_NODES, LARGEST_MEAN)
    function = partial(roll, repeats=repeats, nodes=nodes, mean_bytes=size)
    return (joining, FunctionPass("roll", function, "exact"))
