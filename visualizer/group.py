"""Document to view: fold nodes into boxes, write plain numbers into labels, join the arrows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from asg.describe.schema import Document, EdgeEntry, NodeEntry

from . import labels
from .detail import is_seed, path_of
from .fold import OUTSIDE, Folded, Shown, fold_nodes
from .rows import rows_of, turns_of
from .view import Arrow, ArrowKind, Box, BoxKind, Key, View


def view_of(
    document: Document, part: Shown = "both", depth: int | None = None, fold: bool | None = None
) -> View:
    """What to draw of a document.

    Args:
        document: see `asg.describe`.
        part: "both" columns and the update, or only the "forward" or the "gradient" nodes.
        depth: scopes this deep are one box each; None opens as much as stays readable.
        fold: draw every decomposition, and the gradient of every op, as one box; None does so
            when the picture has too many boxes otherwise.

    Raises:
        OperandError: an option has no such value.
    """
    folded = fold_nodes(document, part, depth, fold)
    boxes = {box.key: box for box in _boxes(folded)}
    boxes = _timed(boxes, document)
    boxes |= {box.key: box for box in _results(folded)}
    arrows = list(_arrows(folded, boxes))
    arrows += turns_of(folded.nodes, boxes, arrows)
    ordered = dict(sorted(boxes.items(), key=lambda item: item[1].serials))
    rows = rows_of(folded.nodes, folded.key_of, ordered, arrows)
    return View(document["name"], ordered, tuple(arrows), rows)


# -- boxes -----------------------------------------------------------------------------------


def _boxes(folded: Folded) -> Iterator[Box]:
    members: dict[Key, list[NodeEntry]] = {}
    for serial, key in folded.key_of.items():
        members.setdefault(key, []).append(folded.nodes[serial])
    for key, nodes in members.items():
        yield _single(nodes[0], folded) if key[0] == "node" else _group(key, nodes)


def _single(node: NodeEntry, folded: Folded) -> Box:
    operands = folded.operands.get(node["serial"], ())
    kind: BoxKind = "seed" if is_seed(node) else "op" if node["operands"] else "leaf"
    style = "seed" if kind == "seed" else node["role"] or node["category"]
    if kind == "op":
        scalars = {
            edge["operand"]: folded.inlined[edge["source"]]
            for edge in operands
            if edge["source"] in folded.inlined
        }
        title, details = labels.op_title(node, scalars), labels.op_details(node)
    else:
        title, details = labels.leaf_title(node, path_of(node)), _leaf_details(node, kind)
    return Box(
        ("node", node["serial"]), kind, node["part"], _enclosing(node, kind), title, details,
        style, labels.op_tooltip(node, _operand_names(folded, operands)), (node["serial"],),
    )  # fmt: skip


def _operand_names(folded: Folded, edges: Iterable[EdgeEntry]) -> Iterator[tuple[str, str]]:
    for edge in edges:
        yield edge["name"], folded.text_names[edge["source"]]


def _leaf_details(node: NodeEntry, kind: BoxKind) -> tuple[str, ...]:
    return () if kind == "seed" else (labels.type_text(node["outputs"][0]),)


def _enclosing(node: NodeEntry, kind: BoxKind) -> tuple[str, ...]:
    return () if kind == "seed" or node["role"] == "input" else path_of(node)


def _group(key: Key, nodes: Sequence[NodeEntry]) -> Box:
    kind, part = key[0], nodes[0]["part"]
    path = tuple(str(each) for each in key[2:-1]) if kind == "group" else path_of(nodes[0])
    title = labels.group_title(key, nodes)
    return Box(
        key, "group", part, path, title, labels.group_details(title, nodes),
        _group_style(key, nodes), labels.group_tooltip(nodes),
        tuple(node["serial"] for node in nodes),
    )  # fmt: skip


def _group_style(key: Key, nodes: Sequence[NodeEntry]) -> str:
    """Composites look like the op they are, scopes like folders."""
    for step in nodes[0]["derived"]:
        if step["kind"] == key[0] and step["category"]:
            return step["category"]
    return "module"


def _timed(boxes: dict[Key, Box], document: Document) -> dict[Key, Box]:
    """The boxes with their share of the measured time, if there is a profile.

    What is inside of an op, in the shards it stands for, is part of its time.
    """
    own_seconds = {entry["serial"]: entry["seconds"] for entry in document["profile"]}
    total = sum(own_seconds.values())
    if not total:
        return boxes
    seconds = {
        serial: sum(own_seconds.get(each, 0.0) for each in (serial, *inside))
        for serial, inside in _insides(document).items()
    }
    found = {}
    for key, box in boxes.items():
        own = sum(seconds.get(serial, 0.0) for serial in box.serials)
        if own:
            details = (*box.details, labels.share_text(own, total))
            box = replace(box, share=own / total, details=details)
        found[key] = box
    return found


def _insides(document: Document) -> dict[int, list[int]]:
    """The serials of the nodes in the bodies of each node, at any depth."""
    bodies_of = {node["serial"]: [*node["bodies"].values()] for node in document["nodes"]}
    found: dict[int, list[int]] = {}
    for serial, bodies in bodies_of.items():
        inside, pending = found.setdefault(serial, []), [*bodies]
        while pending:
            nodes = document["bodies"][pending.pop()]["nodes"]
            inside += nodes
            pending += [body for node in nodes for body in bodies_of[node]]
    return found


def _results(folded: Folded) -> Iterator[Box]:
    """A box for every result; next values of variables only where the op that makes it is open."""
    for result in folded.results:
        node = folded.nodes[result.serial]
        path: tuple[str, ...] = ()
        title, style = result.name, "output"
        if result.variable:
            if folded.key_of[result.serial][0] != "node":
                continue
            path = path_of(node)
            title, style = labels.next_title(result.variable, node, path), "next"
        yield Box(
            ("output", result.name), "output", node["part"], path,
            labels.shortened(title, labels.LONGEST_TITLE),
            (labels.type_text(node["outputs"][result.output]),),
            style, f"result {result.name}", (result.serial,),
        )  # fmt: skip


# -- arrows ----------------------------------------------------------------------------------


def _arrows(folded: Folded, boxes: Mapping[Key, Box]) -> Iterator[Arrow]:
    joined: dict[tuple[Key, Key], list[str]] = {}
    seen: set[tuple[Key, Key, int, int]] = set()
    for tail, head, type, value in _links(folded, boxes):
        if (tail, head, *value) not in seen:
            seen.add((tail, head, *value))
            joined.setdefault((tail, head), []).append(type)
    for (tail, head), types in joined.items():
        label = types[0] if len(types) == 1 else labels.counted(len(types), "value")
        kind: ArrowKind = "flow"
        if boxes[tail].style == OUTSIDE or boxes[tail].part == "forward" != boxes[head].part:
            kind = "residual"
        yield Arrow(tail, head, kind, label, ", ".join(types))


def _links(
    folded: Folded, boxes: Mapping[Key, Box]
) -> Iterator[tuple[Key, Key, str, tuple[int, int]]]:
    """Every value between two boxes: who makes it, who uses it, its type, and which it is."""
    for serial, head in folded.key_of.items():
        for edge in folded.operands.get(serial, ()):
            tail = folded.key_of.get(edge["source"])
            if tail is not None and tail != head and not _is_own(edge, head, folded):
                value = (edge["source"], edge["output"])
                yield tail, head, _type_of(folded, *value), value
    for result in folded.results:
        head = ("output", result.name)
        if head in boxes:
            value = (result.serial, result.output)
            yield folded.key_of[result.serial], head, _type_of(folded, *value), value


def _is_own(edge: EdgeEntry, head: Key, folded: Folded) -> bool:
    """A folded update reads the very parameter it is named after: that goes without an arrow."""
    source, target = folded.nodes[edge["source"]], folded.nodes[edge["target"]]
    updates = target["part"] == "update" and head[0] == "group"
    return updates and bool(source["name"]) and source["name"] == target["parameter"]


def _type_of(folded: Folded, serial: int, output: int) -> str:
    return labels.type_text(folded.nodes[serial]["outputs"][output])
