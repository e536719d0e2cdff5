"""join_losses: a cross entropy takes its value from where its slope is computed.

The loss of a training step and its gradient read one softmax, which is then computed once.
Numerics: exact.
"""

from __future__ import annotations

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.ops.loss import CrossEntropy, CrossEntropyAndSlope
from asg.rewrite.watch import may_replace, note_replacement

Key = tuple[CrossEntropyAndSlope, tuple[Tensor, ...]]


def join_losses(graph: Graph) -> Graph:
    """The graph without the cross entropies that stand beside their slope; bodies are entered."""
    graph = map_bodies(graph, join_losses)
    both = {(node.op, node.inputs) for node in graph.nodes if type(node.op) is CrossEntropyAndSlope}
    if not both:
        return graph
    made: dict[Key, tuple[Tensor, ...]] = {}

    def join(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        op = node.op
        if not isinstance(op, CrossEntropy | CrossEntropyAndSlope):
            return None
        key = (CrossEntropyAndSlope(op.axis, op.label_smoothing, op.ignore_index), node.inputs)
        if key not in both or not may_replace():
            return None
        if key not in made:
            with derive("pass", "join_losses", (node.lineage,), node.origin):
                made[key] = key[0].apply(*inputs)
        outputs = made[key][: len(node.outputs)]
        note_replacement("join_losses", node, inputs, outputs)
        return outputs

    return rebuild(graph, join)
