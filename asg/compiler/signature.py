"""What a program takes and gives."""

from __future__ import annotations

from typing import NamedTuple

from asg.core.graph import Graph
from asg.core.state_slot import StateSlot


class Signature(NamedTuple):
    """Of the optimised graph, which may have lost variables that the given one has.

    Attributes:
        input_names: of feeds and variables, in order.
        state: which inputs are variables, and the outputs that are their next values.
    """

    input_names: tuple[str, ...]
    state: tuple[StateSlot, ...]

    @staticmethod
    def of(graph: Graph) -> Signature:
        """Of a graph."""
        return Signature(graph.input_names, graph.state)
