"""Well-formedness of a graph; a violation names the culprit and shows its neighbourhood."""

from __future__ import annotations

from collections.abc import Callable

from asg.core.errors import AsgError, GraphError
from asg.core.graph import Graph, is_state
from asg.core.node import Node
from asg.core.region import bodies_of
from asg.core.types import take_checks

Level = Callable[[Node], str | None]

_NEIGHBOURS = 4


def verify(graph: Graph, level: Level | None = None, stage: str = "") -> Graph:
    """Check every invariant and return the graph.

    Checked: operands precede users; every reached placeholder is a graph input, once; each output
    type is what `infer` says now; state slots pair equal types; and ``level(node)`` (for instance
    "the backend supports it") gives no complaint. Bodies of
    loops and branches are checked alike.

    Raises:
        GraphError: with the nodes around the culprit; ``stage`` names the pass that made it.
    """
    _check_placeholders(graph, stage)
    _check_state(graph, stage)
    # Bodies of what is verified are verified as well.
    for node in [node for node in graph.nodes if level is not None or not node.verified]:
        complaint = None if node.verified else _complaint(node)
        complaint = complaint or (level(node) if level else None)
        if complaint:
            raise GraphError(_message(graph, node, complaint, stage))
        for body in bodies_of(node.op):
            verify(body, level, stage)
        node.verified = True
    return graph


def _check_placeholders(graph: Graph, stage: str) -> None:
    listed = set(graph.inputs)
    if len(listed) != len(graph.inputs):
        raise GraphError(f"{_after(stage)}graph {graph.name!r} lists an input twice")
    for node in [node for node in graph.nodes if not node.inputs and node.op.is_placeholder]:
        if node.output not in listed:
            raise GraphError(f"{_after(stage)}{node.op.leaf_label()} is reached but not an input")


def _check_state(graph: Graph, stage: str) -> None:
    for slot in graph.state:
        leaf = graph.inputs[slot.input]
        if not is_state(leaf):
            raise GraphError(f"{_after(stage)}state slot {slot} points at {leaf!r}")
        if slot.output is not None and graph.outputs[slot.output].type != leaf.type:
            raise GraphError(
                f"{_after(stage)}variable {graph.input_names[slot.input]!r} is {leaf.type} but its "
                f"next value is {graph.outputs[slot.output].type}"
            )


def _complaint(node: Node) -> str | None:
    for tensor in node.inputs:
        if tensor.node.serial >= node.serial:
            return f"operand {tensor!r} is newer than its user"
    try:
        inferred = node.op.infer(*[tensor.type for tensor in node.inputs])
    except AsgError as error:
        return f"infer refuses: {error}"
    finally:
        take_checks()
    types = inferred if isinstance(inferred, tuple) else (inferred,)
    stored = tuple(output.type for output in node.outputs)
    if types != stored:
        return f"stored types {_list(stored)} but infer says {_list(types)}"
    return None


def _list(types: tuple[object, ...]) -> str:
    return ", ".join(map(str, types))


def _after(stage: str) -> str:
    return f"after {stage}: " if stage else ""


def _message(graph: Graph, node: Node, complaint: str, stage: str) -> str:
    position = graph.nodes.index(node)
    start = max(0, position - _NEIGHBOURS)
    around = graph.nodes[start : position + _NEIGHBOURS + 1]
    lines = [f"{_after(stage)}graph {graph.name!r}, node {node.serial} ({node.op}): {complaint}"]
    for other in around:
        operands = ", ".join(f"%{t.node.serial}" for t in other.inputs)
        types = _list(tuple(output.type for output in other.outputs))
        mark = ">>" if other is node else "  "
        lines.append(f"{mark} %{other.serial} = {other.op}({operands}) : {types}")
    return "\n".join(lines)
