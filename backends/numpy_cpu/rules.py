"""Rules for the NumPy backend alone, on lowered graphs."""

from __future__ import annotations

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.cast import StopGradient
from asg.passes.shape_rules import REASSOCIATING_SHAPE_RULES
from asg.rewrite.rule import Rule, node_rule


@node_rule(StopGradient)
def no_more_gradients(node: Node) -> Tensor:
    """stop_gradient(x) -> x: all gradients are taken by now, and fusion sees through it"""
    return node.inputs[0]


RULES: tuple[Rule, ...] = (no_more_gradients, *REASSOCIATING_SHAPE_RULES)
