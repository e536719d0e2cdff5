"""Which nodes are shown, in which box each, and which become words in the box of their user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from asg.core.errors import OperandError
from asg.describe.schema import PARTS, Document, EdgeEntry, NodeEntry, Part

from .detail import Detail, detail_of, is_seed
from .view import Key

Shown = Literal["both", "forward", "gradient"]
SHOWN: dict[str, tuple[Part, ...]] = {
    "both": PARTS,
    "forward": ("forward",),
    "gradient": ("gradient",),
}
OUTSIDE = "outside"
"""Role of a node that is shown only because another part uses it."""


class Result(NamedTuple):
    """A named tensor that leaves the graph; ``variable`` is what it is the next value of, or ""."""

    name: str
    serial: int
    output: int
    variable: str


@dataclass(frozen=True)
class Folded:
    """A document with every visible node assigned to a box.

    Attributes:
        nodes: those shown, by serial.
        key_of: the box of each; nodes that become words have none.
        operands: the edges into each node.
        results: what leaves the part that is shown.
        inlined: the plain numbers, which stand in the title of their user.
        text_names: what the printed graph calls each node, also of those not shown.
    """

    nodes: Mapping[int, NodeEntry]
    key_of: Mapping[int, Key]
    operands: Mapping[int, Sequence[EdgeEntry]]
    results: Sequence[Result]
    inlined: Mapping[int, str]
    text_names: Mapping[int, str]


def fold_nodes(document: Document, part: str, depth: int | None, fold: bool | None) -> Folded:
    """Choose what is shown and at which level of detail.

    Raises:
        OperandError: an option has no such value.
    """
    if part not in SHOWN:
        raise OperandError(f"part={part!r}; choose one of {', '.join(map(repr, SHOWN))}")
    every = _present(document)
    nodes = {serial: node for serial, node in every.items() if node["part"] in SHOWN[part]}
    detail = detail_of(depth, fold, list(nodes.values()))
    results = [each for each in _results(document) if each.serial in nodes]
    if part == "gradient":
        results += _handed_over(document, every)
        nodes |= _used_again(document, every, detail)
    returned = {result.serial for result in results}
    inlined = {
        serial: node["scalar"]
        for serial, node in nodes.items()
        if node["scalar"] and serial not in returned and not is_seed(node)
    }
    operands: dict[int, list[EdgeEntry]] = {}
    for edge in document["edges"]:
        if edge["target"] in nodes and nodes[edge["target"]]["operands"]:
            operands.setdefault(edge["target"], []).append(edge)
    key_of = {s: detail.key(node) for s, node in nodes.items() if s not in inlined}
    text_names = {serial: node["text_name"] for serial, node in every.items()}
    return Folded(nodes, key_of, operands, results, inlined, text_names)


def _present(document: Document) -> dict[int, NodeEntry]:
    present = set(document["present"])
    return {node["serial"]: node for node in document["nodes"] if node["serial"] in present}


def _results(document: Document) -> Iterator[Result]:
    """The outputs of the last graph."""
    variables = {
        slot["output"]["name"]: slot["name"]
        for slot in document["state"]
        if slot["output"] is not None
    }
    for port in document["outputs"]:
        yield Result(port["name"], port["serial"], port["output"], variables.get(port["name"], ""))


def _handed_over(document: Document, nodes: Mapping[int, NodeEntry]) -> list[Result]:
    """The gradients of parameters, where the update that takes them is not shown."""
    found: dict[str, Result] = {}
    for edge in document["edges"]:
        source, target = nodes.get(edge["source"]), nodes.get(edge["target"])
        if source is None or target is None:
            continue
        if source["part"] == "gradient" and target["part"] == "update" and source["parameter"]:
            name = f"∇ {source['parameter']}"
            found.setdefault(name, Result(name, source["serial"], edge["output"], ""))
    return list(found.values())


def _used_again(
    document: Document, nodes: Mapping[int, NodeEntry], detail: Detail
) -> dict[int, NodeEntry]:
    """The forward values that the gradient uses, as leaves beside their first user."""
    found: dict[int, NodeEntry] = {}
    for edge in document["edges"]:
        source, target = nodes.get(edge["source"]), nodes.get(edge["target"])
        if source is None or target is None or source["serial"] in found:
            continue
        if source["part"] == "forward" and target["part"] == "gradient" and not source["scalar"]:
            found[source["serial"]] = _as_leaf(source, detail.path(target))
    return found


def _as_leaf(node: NodeEntry, path: tuple[str, ...]) -> NodeEntry:
    """A forward node as it looks from the gradient, inside the clusters ``path``."""
    return {
        **node,
        "part": "gradient",
        "role": OUTSIDE,
        "name": node["name"] or "/".join(filter(None, [node["scope"], node["op"]])),
        "operands": [],
        "derived": [],
        "scope": "/".join(path),
    }
