"""Replace every op the backend lacks by its decomposition, until none is left."""

from __future__ import annotations

from typing import Protocol

from asg.core.errors import UnsupportedOp
from asg.core.explain import made_by
from asg.core.graph import Graph, reachable_nodes, rebuild
from asg.core.node import Node, next_serial
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.rewrite.watch import may_replace, note_replacement


class Target(Protocol):
    """What lowering asks of a backend."""

    @property
    def name(self) -> str:
        """For messages."""

    def supports(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """True when the backend can run ``op`` on operands of these types."""


def lower(graph: Graph, backend: Target) -> Graph:
    """The graph in ops that ``backend`` supports.

    New nodes carry the step ``("decompose", op, serial)``, so a viewer can fold them again.

    Raises:
        UnsupportedOp: a primitive without kernel; names op, place and the path of decompositions.
    """

    def expand(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if supported(node, backend) or not may_replace():
            return None
        outputs = decomposed(node, inputs, backend)
        note_replacement(f"lower {node.op.name}", node, inputs, outputs, "reassociating")
        return outputs

    lowered = rebuild(graph, expand)
    return map_bodies(lowered, lambda body: lower(body, backend))


def supported(node: Node, backend: Target) -> bool:
    """True when the backend can run the node as it is, or never gets to see it."""
    if backend.supports(node.op, tuple([tensor.type for tensor in node.inputs])):
        return True
    return node.op.is_placeholder or node.op.settles()


def decomposed(node: Node, inputs: tuple[Tensor, ...], backend: Target) -> tuple[Tensor, ...]:
    """The outputs of ``node`` in supported ops; goes as deep as composites nest."""
    if not node.op.has_decomposition():
        path = " <- ".join(step.name for step in reversed(node.origin.derived))
        advice = node.op.without_kernel
        raise UnsupportedOp(
            f"backend {backend.name!r} has no kernel for {node.op.name if advice else node.op} "
            f"({made_by(node.outputs[0])})"
            + (f", reached through {path}" if path else "")
            + (f"\n  repair: {advice}" if advice else
               "; it is a primitive, so a kernel must be registered for it")
        )
    floor = next_serial()
    with derive("decompose", node.op.name, (node.lineage,), node.origin):
        result = node.op.decompose(*inputs)
        outputs = result if isinstance(result, tuple) else (result,)
        mapped: dict[Tensor, Tensor] = {}
        for inner in reachable_nodes(outputs, floor):
            operands = tuple(mapped.get(tensor, tensor) for tensor in inner.inputs)
            for old, new in zip(inner.outputs, _lowered(inner, operands, backend), strict=True):
                mapped[old] = new
    return tuple(mapped.get(tensor, tensor) for tensor in outputs)


def _lowered(node: Node, operands: tuple[Tensor, ...], backend: Target) -> tuple[Tensor, ...]:
    if not supported(node, backend):
        return decomposed(node, operands, backend)
    return node.outputs if operands == node.inputs else node.with_inputs(operands).outputs
