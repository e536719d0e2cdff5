"""Patterns: the "before" part of a rule, traced with holes, and matched against tensors."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.core.tensor import Tensor, TensorMethods
from asg.ops.leaf import Constant, Full

Binding = dict["Hole", Any]
Number = bool | int | float
Kind = type[Op] | Number
"""Of an operand, as far as rules are chosen by it: the class of its op, or the number it is."""
HOLD_NUMBERS = frozenset((Full, Constant))
"""The ops of which the kind of an operand is a number."""


class Hole(TensorMethods):
    """A gap in a pattern, filled by a tensor (as operand) or a value (as attribute)."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        """``name`` is the rule's parameter."""
        self.name = name

    def __asg_pattern__(self, op: Op, operands: tuple[Any, ...]) -> PatternNode:
        return PatternNode(op, operands)

    def __repr__(self) -> str:
        return f"?{self.name}"


class PatternNode(TensorMethods):
    """An op applied to holes, numbers and other pattern nodes; has no type."""

    __slots__ = ("flat", "op", "operands")

    def __init__(self, op: Op, operands: tuple[Any, ...]) -> None:
        """Made by `Op.apply` when an operand is a hole; ``flat`` when none is a pattern node."""
        self.op = op
        self.operands = operands
        self.flat = not any(isinstance(operand, PatternNode) for operand in operands)

    def __asg_pattern__(self, op: Op, operands: tuple[Any, ...]) -> PatternNode:
        return PatternNode(op, operands)

    def __repr__(self) -> str:
        return f"{self.op.name}({', '.join(map(repr, self.operands))})"


def matches(pattern: Any, value: Tensor, binding: Binding) -> Iterator[Binding]:
    """Every way to fill the holes of ``pattern`` so that it equals ``value``.

    Commutative ops are tried in both orders. Depth is that of the pattern, not of the graph.
    """
    if isinstance(pattern, Hole):
        filled = _fill(pattern, value, binding)
        if filled is not None:
            yield filled
    elif isinstance(pattern, PatternNode):
        yield from _match_node(pattern, value, binding)
    elif uniform_value(value) == pattern:
        yield binding


def _match_node(pattern: PatternNode, value: Tensor, binding: Binding) -> Iterator[Binding]:
    node = value.node
    if type(node.op) is not type(pattern.op) or len(node.inputs) != len(pattern.operands):
        return
    attributes = _match_attributes(pattern.op, node.op, binding)
    if attributes is None:
        return
    orders = [node.inputs]
    if node.op.commutative:
        orders.append((node.inputs[1], node.inputs[0], *node.inputs[2:]))
    for operands in orders:
        if not pattern.flat:
            yield from _match_operands(pattern.operands, operands, attributes)
        elif (filled := _filled(pattern.operands, operands, attributes)) is not None:
            yield filled


def _filled(patterns: Sequence[Any], values: Sequence[Tensor], binding: Binding) -> Binding | None:
    """The only way in which holes and numbers can equal values, of which most fail at once."""
    filled = dict(binding)
    for pattern, value in zip(patterns, values, strict=True):
        if isinstance(pattern, Hole):
            if filled.setdefault(pattern, value) is not value:
                return None
        elif uniform_value(value) != pattern:
            return None
    return filled


def _match_operands(
    patterns: Sequence[Any], values: Sequence[Tensor], binding: Binding
) -> Iterator[Binding]:
    if not patterns:
        yield binding
        return
    for first in matches(patterns[0], values[0], binding):
        yield from _match_operands(patterns[1:], values[1:], first)


def _match_attributes(pattern: Op, op: Op, binding: Binding) -> Binding | None:
    for name in pattern.field_names:
        wanted, found = getattr(pattern, name), getattr(op, name)
        if isinstance(wanted, Hole):
            filled = _fill(wanted, found, binding)
            if filled is None:
                return None
            binding = filled
        elif wanted != found:
            return None
    return binding


def _fill(hole: Hole, value: Any, binding: Binding) -> Binding | None:
    if hole not in binding:
        return {**binding, hole: value}
    known = binding[hole]
    same = known is value if isinstance(value, Tensor) else known == value
    return binding if same else None


def kind_of(tensor: Tensor, numbers: Collection[Number]) -> Kind:
    """The kind of an operand; numbers that are not among ``numbers`` are `Full`."""
    op: Any = tensor.node.op
    kind: type[Op] = type(op)
    if kind is Full:
        number: Number = op.value
    elif kind is Constant and op.data.array.ndim == 0:
        number = op.data.array.item()
    else:
        return kind
    return number if number in numbers else Full


def may_stand_for(pattern: Any, kind: Kind) -> bool:
    """False when no operand of this kind matches a part of a pattern."""
    if isinstance(pattern, Hole):
        return True
    if isinstance(pattern, PatternNode):
        return kind is type(pattern.op)
    return kind is Constant or kind == pattern


def uniform_value(tensor: Tensor) -> bool | int | float | None:
    """The number that every element of a constant equals; None when it is not such a constant."""
    op = tensor.node.op
    if isinstance(op, Full):
        return op.value
    if not isinstance(op, Constant):
        return None
    array = op.data.array
    if array.ndim == 0:
        scalar: bool | int | float = array.item()
        return scalar
    if array.size == 0 or not np.all(array == array.flat[0]):
        return None
    value: bool | int | float = array.flat[0].item()
    return value
