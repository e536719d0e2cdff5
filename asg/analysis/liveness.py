"""Liveness: from which node to which node every value of a graph is needed.

Time is counted in positions of ``graph.nodes``. What the caller gives exists from `BEFORE` the
first node; what the caller gets is needed until after the last one, at ``len(graph.nodes)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from asg.core.graph import Graph
from asg.core.tensor import Tensor

BEFORE = -1
"""The time at which inputs and states arrive."""


class Lifetime(NamedTuple):
    """Positions of the node that makes a value and of the last one that reads it, both included."""

    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """True when there is a moment at which both values exist."""
        return self.first <= other.last and other.first <= self.last

    def includes(self, moment: int) -> bool:
        """True when the value exists then."""
        return self.first <= moment <= self.last


def lifetimes(
    graph: Graph, owners: Mapping[Tensor, Tensor] | None = None
) -> dict[Tensor, Lifetime]:
    """The lifetime of every value, exact for the order of ``graph.nodes``.

    Args:
        graph: any graph; body graphs are the business of their op.
        owners: for values that live in the memory of another value (views), that other value,
            which owns itself. A use of a view is a use of its owner, and only owners are listed.

    >>> import asg
    >>> from asg.ops.leaf import input, zeros
    >>> x = input("x", (3,))
    >>> graph = asg.Graph(y=x, z=zeros((3,)))
    >>> [tuple(life) for life in lifetimes(graph).values()]
    [(-1, 2), (1, 2)]
    """
    owner = {} if owners is None else owners
    first: dict[Tensor, int] = {}
    last: dict[Tensor, int] = {}
    for position, node in enumerate(graph.nodes):
        for tensor in node.inputs:
            last[owner.get(tensor, tensor)] = position
        for tensor in node.outputs:
            if owner.get(tensor, tensor) is tensor:
                first[tensor] = BEFORE if node.op.is_placeholder else position
    end = len(graph.nodes)
    last.update({owner.get(tensor, tensor): end for tensor in graph.outputs})
    return {tensor: Lifetime(start, last.get(tensor, start)) for tensor, start in first.items()}
