"""What a group of fused work computes again instead of reading it from memory.

A value that one group hands to others is written to memory once and read by each of them. Where it
follows in a few simple operations from what readers of its shape read anyway, they compute it
again: the arithmetic is that of blocks in the cache, and the value needs no memory. The slope of a
GELU, say, comes from its argument and its sigmoid, and 1 + 0.04 x^2 from x.

Numerics: exact; the same operations on the same operands.
"""

from __future__ import annotations

from collections.abc import Sequence

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.elementwise import Add, Maximum, Minimum, Multiply, Subtract
from asg.ops.elementwise_unary import Abs, Negative, Square

SIMPLE = (Add, Subtract, Multiply, Maximum, Minimum, Negative, Abs, Square)
"""Less work than a value's way to memory and back."""

MOST_AGAIN = 3
"""Nodes that a group computes again for one value it does not read: with up to 0.25 ns an element
each in the cache, they take what a float32 takes through the third-level cache."""

Again = list[dict[Node, None]]
"""By group: the nodes of others that it computes as well."""


def computed_again(graph: Graph, groups: Sequence[Sequence[Node]]) -> Again:
    """For each group, nodes of other groups that nobody needs to hand to it.

    A value is computed again by all groups that read it or by none, so that it disappears.
    """
    search = _Search(graph, groups)
    for group in groups:
        for node in group:
            search.visit(node)
    return search.again


class _Search:
    """Decides value by value.

    Attributes:
        again: the decisions so far.
        reads: by group, what its own nodes read of others.
        shapes: by group, that of the values which it computes element by element.
    """

    def __init__(self, graph: Graph, groups: Sequence[Sequence[Node]]) -> None:
        self.graph = graph
        self.returned = set(graph.outputs)
        self.group_of = {node: place for place, group in enumerate(groups) for node in group}
        self.again: Again = [{} for _ in groups]
        self.reads = [
            {t for node in group for t in node.inputs if self.group_of.get(t.node) != place}
            for place, group in enumerate(groups)
        ]
        self.shapes = [_shape_of(group) for group in groups]

    def visit(self, node: Node) -> None:
        """Have all readers of the node in other groups compute it again, if they can."""
        output = node.outputs[0]
        if not isinstance(node.op, SIMPLE) or output in self.returned:
            return
        home = self.group_of[node]
        users = {self.group_of.get(user, -1) for user, _ in self.graph.users.get(output, ())}
        readers = users - {home}
        if not readers or -1 in readers:
            return
        found = [(place, self._needed(node, place)) for place in sorted(readers)]
        if all(needed is not None for _, needed in found):
            for place, needed in found:
                self.again[place].update(needed or {})

    def _needed(self, node: Node, place: int) -> dict[Node, None] | None:
        """The nodes from which a group gets the value with what it reads; None for too many.

        None as well for a group whose elements are others: all that it computes has its shape.
        """
        shape = node.outputs[0].shape
        if shape != self.shapes[place]:
            return None
        needed: dict[Node, None] = {}
        waiting = [node]
        while waiting:
            each = waiting.pop()
            if each in needed or each in self.again[place]:
                continue
            needed[each] = None
            if not isinstance(each.op, SIMPLE) or each.outputs[0].shape != shape:
                return None
            if each not in self.group_of or len(needed) > MOST_AGAIN:
                return None
            waiting += [t.node for t in each.inputs if not self._is_there(t, place, node)]
        return needed

    def _is_there(self, tensor: Tensor, place: int, wanted: Node) -> bool:
        """Whether a group has a value without the one that is to be computed again."""
        if tensor.node is wanted:
            return False
        number = tensor.type.size == 1 and not tensor.node.op.is_placeholder
        return number or tensor in self.reads[place]


def _shape_of(group: Sequence[Node]) -> Shape | None:
    """None for a group of nothing but reductions."""
    return next((node.outputs[0].shape for node in group if node.op.broadcasts), None)
