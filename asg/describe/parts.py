"""Which part of a training step a node belongs to: forward, gradient, or update.

Pictures put each part into a column of its own. The three questions answered here (which part,
which forward node is a gradient node's twin, which parameter does a node update) look at the
graph as a whole, and each takes one walk over its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from asg.core.graph import Graph, placeholder_name
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.describe.schema import Part
from asg.ops.leaf import State

OPTIMIZER_SCOPE = "optimizer"
SHARED = ""
"""Owner of a node that serves several parameters, such as the step counter."""

Users = Mapping[Node, Sequence[Node]]


class Written(NamedTuple):
    """A variable and the tensor that is its next value."""

    name: str
    role: str
    value: Tensor


def users_of(nodes: Iterable[Node]) -> dict[Node, list[Node]]:
    """The nodes that use each node, in order of creation."""
    users: dict[Node, list[Node]] = {}
    for node in nodes:
        for operand in dict.fromkeys(tensor.node for tensor in node.inputs):
            users.setdefault(operand, []).append(node)
    return users


def parts_of(nodes: Sequence[Node], users: Users) -> dict[Node, Part]:
    """The part of every node; ``nodes`` are in order of creation.

    A node made by the gradient driver is gradient. What the optimizer made, or what needs a
    gradient without being one, is update. A pass may have merged equal nodes of two parts: what an
    older part uses belongs to that part. Leaves without a part of their own (constants, the seed
    of the gradient, a cotangent that is fed) go where all their users are.
    """
    merged = _merged(nodes)
    parts: dict[Node, Part] = {}
    for node in nodes:
        mark = "forward" if node in merged else _mark(node)
        follows = any(parts[tensor.node] != "forward" for tensor in node.inputs)
        parts[node] = "update" if mark == "forward" and follows else mark
    for node in reversed(nodes):
        if not (node.inputs or isinstance(node.op, State) or node.origin.gradient_of is not None):
            places = {parts[user] for user in users.get(node, ())}
            parts[node] = places.pop() if len(places) == 1 else parts[node]
    return parts


def _merged(nodes: Sequence[Node]) -> set[Node]:
    """Nodes marked as gradient or update that stand for an equal forward node as well."""
    merged: set[Node] = set()
    for node in reversed(nodes):
        if node not in merged and _mark(node) != "forward":
            continue
        for tensor in node.inputs:
            younger = node in merged or _birth(tensor.node) > _birth(node)
            if (
                younger
                and _mark(tensor.node) != "forward"
                and not isinstance(tensor.node.op, State)
            ):
                merged.add(tensor.node)
    return merged


def _birth(node: Node) -> int:
    """When the oldest node that this one descends from by passes was made."""
    return min([node.lineage, *_sources(node)])


def _sources(node: Node) -> Iterator[int]:
    """Serials of the nodes that passes made this one from."""
    for step in node.origin.derived:
        if step.kind != "gradient":
            yield from step.sources


def _mark(node: Node) -> Part:
    """What the origin of a node says."""
    if node.origin.gradient_of is not None:
        return "gradient"
    scope = node.origin.scope
    of_optimizer = scope == OPTIMIZER_SCOPE or scope.startswith(f"{OPTIMIZER_SCOPE}/")
    return "update" if of_optimizer or _role(node) == "optimizer" else "forward"


def _role(node: Node) -> str:
    """The role of a variable's leaf, else ""."""
    return node.op.cell.role if isinstance(node.op, State) else ""


def written_variables(graphs: Iterable[Graph]) -> list[Written]:
    """Every variable that a graph writes, with its next value."""
    return [
        Written(graph.input_names[slot.input], _role(graph.inputs[slot.input].node),
                graph.outputs[slot.output])
        for graph in graphs
        for slot in graph.state
        if slot.output is not None
    ]  # fmt: skip


def owners_of(
    nodes: Sequence[Node], parts: Mapping[Node, Part], written: Iterable[Written]
) -> dict[Node, str]:
    """The parameter that each update node serves, and that each gradient handed over belongs to.

    The next value of ``optimizer.adam.m.fc1.weight`` belongs to ``fc1.weight``; walking back from
    there, a node that all paths lead to one parameter belongs to it, others are shared. A gradient
    node belongs to a parameter when only that parameter's update uses it.
    """
    written = list(written)
    parameters = {each.name for each in written if each.role == "parameter"}
    parameters |= {placeholder_name(n.output) for n in nodes if _role(n) == "parameter"}
    owners: dict[Node, str] = {}
    for each in written:
        if parts.get(each.value.node) != "forward":
            _join(owners, each.value.node, owner_of(each.name, parameters))
    for node in reversed(nodes):
        if parts[node] != "update":
            continue
        owner = owners.setdefault(node, SHARED)
        for tensor in node.inputs:
            if parts[tensor.node] == "update" or (owner and parts[tensor.node] == "gradient"):
                _join(owners, tensor.node, owner)
    return owners


def _join(owners: dict[Node, str], node: Node, owner: str) -> None:
    owners[node] = owner if owners.get(node, owner) == owner else SHARED


def owner_of(variable: str, parameters: set[str]) -> str:
    """The parameter whose name ends the variable's, ``""`` if none.

    >>> owner_of("optimizer.adam.m.fc1.weight", {"weight", "fc1.weight"})
    'fc1.weight'
    """
    rest = variable
    while rest and rest not in parameters:
        rest = rest.partition(".")[2]
    return rest


def twins_of(
    nodes: Sequence[Node], present: Sequence[Node], parts: Mapping[Node, Part]
) -> dict[Node, Node]:
    """For every gradient node, the forward node of the last graph that it belongs to.

    That is the node of the lineage that the gradient step recorded, or, where a pass replaced it,
    the first one derived from it.
    """
    standing = _standing_for([node for node in present if parts[node] == "forward"])
    found: dict[Node, Node] = {}
    for node in nodes:
        serial = node.origin.gradient_of
        if serial is not None and serial in standing:
            found[node] = standing[serial]
    return found


def _standing_for(nodes: Sequence[Node]) -> dict[int, Node]:
    """The node of each serial: of that lineage, else the first one derived from it."""
    found = {node.serial: node for node in nodes} | {node.lineage: node for node in nodes}
    for node in nodes:
        for source in _sources(node):
            found.setdefault(source, node)
    return found
