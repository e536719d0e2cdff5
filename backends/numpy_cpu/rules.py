"""Rules for the NumPy backend alone, on lowered graphs."""

from __future__ import annotations

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.cast import StopGradient
from asg.ops.elementwise import Multiply
from asg.ops.elementwise_unary import Negative, Sigmoid
from asg.passes.shape_rules import REASSOCIATING_SHAPE_RULES
from asg.rewrite.rule import Rule, node_rule


@node_rule(StopGradient)
def no_more_gradients(node: Node) -> Tensor:
    """stop_gradient(x) -> x: all gradients are taken by now, and fusion sees through it"""
    return node.inputs[0]


@node_rule(Multiply, numerics="reassociating", beside=(Sigmoid,))
def slope_of_sigmoid(node: Node) -> Tensor | None:
    """sigmoid(x) * sigmoid(-x) -> y * (1 - y), y = sigmoid(x): half of the exponentials

    1 - y has lost digits where x is large, by no more than the rounding of y itself.
    """
    for y, other in (node.inputs, node.inputs[::-1]):
        if isinstance(y.node.op, Sigmoid) and isinstance(other.node.op, Sigmoid):
            opposite = other.node.inputs[0].node
            if isinstance(opposite.op, Negative) and opposite.inputs == y.node.inputs:
                return y * (1.0 - y)
    return None


RULES: tuple[Rule, ...] = (no_more_gradients, slope_of_sigmoid, *REASSOCIATING_SHAPE_RULES)
