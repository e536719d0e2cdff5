"""Concatenations that cost nothing: their operands are written where the result has them.

When nothing stands in the way, the memory of a concatenation is that of its operands, one behind
the other. Updates of many small parameters run as one that way, on one piece of memory for all
parameters, one for all gradients, and so on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.join import Concat

from .kernel import static_shape
from .layout import Layouts, nbytes_of


def gather(graph: Graph, layouts: Layouts, variables: Collection[Tensor]) -> Layouts:
    """The layouts, with operands of concatenations moved into the memory of the result.

    Args:
        graph: what is planned.
        layouts: where every value would lie otherwise.
        variables: the leaves that keep their memory from step to step; the operands of a
            concatenation are all such leaves, or all computed.
    """
    moved: dict[Tensor, tuple[Tensor, int]] = {}
    parts: dict[Tensor, tuple[Tensor, ...]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Concat) and _is_in_a_row(node.op, node.output):
            owners = _owners(node, layouts)
            if _movable(owners, moved, parts, variables):
                parts[node.output] = owners
                moved.update(_places(node.output, owners))
    if not parts:
        return layouts
    found: Layouts = {}
    for tensor, layout in layouts.items():
        whole, start = moved.get(layout.owner, (layout.owner, 0))
        if whole is not layout.owner:
            placed = layout.owner is tensor
            layout = layout._replace(
                owner=whole, whole=False, offset=layout.offset + start, placed=placed
            )
        found[tensor] = layout._replace(parts=parts[tensor]) if tensor in parts else layout
    return found


def _is_in_a_row(op: Concat, result: Tensor) -> bool:
    """True when the operands lie one behind the other in the result."""
    return prod(static_shape(result.shape)[: op.axis]) == 1


def _owners(node: Node, layouts: Layouts) -> tuple[Tensor, ...]:
    """Whose memory the operands are, whole; nothing if that is not so of one."""
    found = [layouts[tensor] for tensor in node.inputs]
    if not all(each.whole and each.constant is None for each in found):
        return ()
    return tuple(each.owner for each in found)


def _movable(
    owners: Sequence[Tensor],
    moved: dict[Tensor, tuple[Tensor, int]],
    parts: dict[Tensor, tuple[Tensor, ...]],
    variables: Collection[Tensor],
) -> bool:
    if not owners or len(set(owners)) < len(owners):
        return False
    if any(owner in moved or owner in parts for owner in owners):
        return False
    if all(owner in variables for owner in owners):
        return True
    return not any(owner.node.op.is_placeholder for owner in owners)


def _places(whole: Tensor, owners: Sequence[Tensor]) -> dict[Tensor, tuple[Tensor, int]]:
    places, start = {}, 0
    for owner in owners:
        places[owner] = whole, start
        start += nbytes_of(owner)
    return places
