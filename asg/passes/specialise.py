"""Substitute numbers for symbolic sizes: the last step before a backend sees the graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asg.core.array_data import ArrayData
from asg.core.dim import Dim, SymbolicDim, substitute
from asg.core.dtype import int32
from asg.core.graph import PLAIN, Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.ops.leaf import Constant, DimSize


def substitute_value(value: Any, binding: Mapping[str, Dim]) -> Any:
    """``value`` with sizes replaced, inside tuples and body graphs too."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, SymbolicDim):
        return substitute(value, binding)
    if isinstance(value, tuple):
        changed = tuple(substitute_value(item, binding) for item in value)
        return value if all(a is b for a, b in zip(changed, value, strict=True)) else changed
    if isinstance(value, Graph):
        body = specialise(value, binding)
        return value if body.outputs == value.outputs and body.inputs == value.inputs else body
    return value


def substitute_op(op: Op, binding: Mapping[str, Dim]) -> Op:
    """The op with sizes in its attributes replaced; the same object when it has none."""
    if not op.field_names:
        return op
    changes: dict[str, Any] = {}
    own = op.own_sizes()
    if own:
        binding = {name: size for name, size in binding.items() if name not in own}
    for name, value in op.attributes().items():
        changed = substitute_value(value, binding)
        if changed is not value:
            changes[name] = changed
    return replace(op, **changes) if changes else op  # type: ignore[type-var]


@public
def specialise(graph: Graph, binding: Mapping[str, Dim]) -> Graph:
    """The graph for one binding of its sizes; shares nothing that a size touches.

    `infer` runs again on every node, so a size that does not fit is found here at the latest.
    """
    mapped: dict[Tensor, Tensor] = {}  # only what is replaced
    for node in graph.nodes:
        inputs = node.inputs
        if not mapped.keys().isdisjoint(inputs):
            inputs = tuple([mapped.get(tensor, tensor) for tensor in inputs])
        outputs = _specialised(node, inputs, binding)
        if outputs is not node.outputs:
            mapped |= zip(node.outputs, outputs, strict=True)
    return type(graph).of(
        [mapped.get(tensor, tensor) for tensor in graph.inputs],
        [mapped.get(tensor, tensor) for tensor in graph.outputs],
        graph.output_names, graph.state, graph.name, graph.input_names, (),
    )  # fmt: skip


def _specialised(
    node: Node, inputs: tuple[Tensor, ...], binding: Mapping[str, Dim]
) -> tuple[Tensor, ...]:
    op = _as_constant(substitute_op(node.op, binding))
    if op.settles():
        with derive("decompose", op.name, (node.lineage,), node.origin):
            settled = op.settle(*inputs)
        if settled is not None:
            return settled
    if op is node.op and inputs is node.inputs:
        return node.outputs
    return op.applied(inputs, node.origin).outputs


def _as_constant(op: Op) -> Op:
    if isinstance(op, DimSize) and isinstance(op.dim, int):
        return Constant(ArrayData(int32.numpy.type(op.dim).reshape(())))
    return op
