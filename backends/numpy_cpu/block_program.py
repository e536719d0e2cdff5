"""The body of a fused op for blocks of one shape: planned once, bound to block after block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.origin import UNKNOWN, fixed_origin
from asg.core.region import body_input
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.leaf import Constant
from asg.ops.reduce import Reduction

from .bind import complete_plan
from .kernel import VIEWS, Array
from .plan import ARENA, Plan

Axes = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class BlockProgram:
    """A body whose operands and results are blocks, and lie outside of the plan's memory.

    Attributes:
        inputs: in terms of the plan, the operands.
        outputs: the results.
    """

    plan: Plan
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def between(self, arena: Array) -> dict[Tensor, Array]:
        """The arrays of all other values, which every block uses again."""
        layouts, storages = self.plan.layouts, self.plan.storages
        inside = {
            t: layouts[t].over(arena, s.offset) for t, s in storages.items() if s.memory == ARENA
        }
        constants = {t: each.constant for t, each in layouts.items() if each.constant is not None}
        return inside | constants


@lru_cache(maxsize=256)  # the layers of a network repeat a few bodies
def block_program(body: Graph, shape: tuple[int, ...], reduced: tuple[Axes, ...]) -> BlockProgram:
    """The program for blocks of a shape.

    Args:
        body: elementwise ops of one shape, numbers, and reductions.
        shape: of the blocks; operands of one element have none.
        reduced: for each reduction among the outputs, the axes of the block it runs over.
    """
    with fixed_origin(UNKNOWN):
        leaves = [_leaf(tensor, shape) for tensor in body.inputs]
        values = dict(zip(body.inputs, leaves, strict=True))
        axes = iter(reduced)
        for node in body.nodes:
            if not node.op.is_placeholder:
                values[node.output] = _for_blocks(node, values, axes)
    outputs = [values[tensor] for tensor in body.outputs]
    names = [f"y{i}" for i in range(len(outputs))]
    graph = Graph.of(leaves, outputs, names, (), body.name, body.input_names, ())
    plan = complete_plan(graph, True, (*leaves, *outputs))
    return BlockProgram(plan, tuple(leaves), tuple(outputs))


def _leaf(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    only = tensor.type.size == 1
    return body_input("x", TensorType(tensor.dtype, () if only else shape))


def _for_blocks(node: Node, values: dict[Tensor, Tensor], axes: Iterator[Axes]) -> Tensor:
    if not node.inputs:
        array = np.array(VIEWS[type(node.op)](node.op)).reshape(())
        return Constant(ArrayData(array))()
    operands = [values[tensor] for tensor in node.inputs]
    if isinstance(node.op, Reduction):
        return replace(node.op, axis=next(axes), keepdims=False)(*operands)
    return node.op(*operands)
