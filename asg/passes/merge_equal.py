"""merge_equal: equal ops on equal inputs become one node (common subexpressions)."""

from __future__ import annotations

from collections.abc import Hashable
from math import copysign
from typing import Any

from asg.core.errors import OperandError
from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.op import Op
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.rewrite.watch import may_replace, note_replacement

Key = tuple[object, ...]


def merge_equal(graph: Graph) -> Graph:
    """Every group of equal applications merged into its first member.

    Ops are pure (randomness is an operand), so equal op and inputs mean equal values; forward and
    backward are one graph, so what both compute is computed once.
    """
    graph = map_bodies(graph, merge_equal)
    known: dict[Key, tuple[Tensor, ...]] = {}

    def merge(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if node.op.is_placeholder:
            return None
        key = _key(node, inputs)
        try:
            found = known.get(key)
            if found is not None and not _are_alike(found, node.outputs):
                key = (key, tuple([output.type for output in node.outputs]))
                found = known.get(key)
        except TypeError:
            raise OperandError(
                f"attributes of {node!r} cannot be compared; the fields of an op are numbers, "
                "strings and tuples of them, not lists or dicts"
            ) from None
        if found is None or not may_replace():
            kept = node if inputs is node.inputs else node.with_inputs(inputs)
            known[key] = kept.outputs
            return kept.outputs
        note_replacement("merge_equal", node, inputs, found)
        return found

    return rebuild(graph, merge)


def _key(node: Node, inputs: tuple[Tensor, ...]) -> Key:
    op = node.op
    if op.commutative and inputs[0].node.serial > inputs[1].node.serial:
        inputs = (inputs[1], inputs[0], *inputs[2:])
    return (op_key(op), inputs)


def _are_alike(some: tuple[Tensor, ...], others: tuple[Tensor, ...]) -> bool:
    """Whether the types are the same, as they nearly always are of equal ops on equal inputs."""
    for one, other in zip(some, others, strict=True):
        if one.type is not other.type and one.type != other.type:
            return False
    return True


def op_key(op: Op) -> Hashable:
    """Equal for ops that compute the same to the bit.

    Written once: ops never change, and the nodes of many graphs share one.
    """
    if not op.field_names:
        return (type(op),)
    known: Hashable = op.__dict__.get("_key")
    if known is None:
        values = [_distinct(getattr(op, name)) for name in op.field_names]
        known = op.__dict__["_key"] = (type(op), *values)
    return known


def _distinct(value: Any) -> Hashable:
    """A key that tells 0.0 from -0.0 and 1 from True, which == does not."""
    if isinstance(value, float):
        return (value, copysign(1.0, value))
    if isinstance(value, tuple):
        return tuple(_distinct(item) for item in value)
    return (type(value), value)
