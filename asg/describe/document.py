"""describe(graph): the document of a graph, or of the passes it went through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.core.errors import GraphError, OperandError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.text import namer
from asg.describe.entries import (
    bodies_of,
    edge_entries,
    input_entries,
    node_entry,
    output_entries,
    slot_entries,
)
from asg.describe.parts import owners_of, parts_of, twins_of, users_of, written_variables
from asg.describe.schema import (
    FORMAT,
    VERSION,
    BodyEntry,
    Document,
    HitEntry,
    NodeEntry,
    PortEntry,
    ProfileEntry,
    RewiredEntry,
    StageEntry,
    ValueEntry,
)
from asg.passes.record import PassRecord

if TYPE_CHECKING:
    from asg.compiler.profile import Profile

START = "trace"
"""Name of the stage before the first pass."""


def describe(
    source: Graph | Sequence[PassRecord] | Profile,
    *,
    values: Mapping[Tensor, Any] | None = None,
    profile: Mapping[int, float] | None = None,
) -> Document:
    """The document of a graph, or of a list of passes in the order in which they ran.

    The same graph gives the same document. Time and size are linear in the number of nodes, plus,
    for passes, the size of every graph between them.

    Args:
        source: a graph, the records of passes (``asg.compile(...).records``), or a profile, which
            is its graph with its timings.
        values: arrays that tensors of the graph took; each is summarised.
        profile: seconds by serial of the node.

    Raises:
        OperandError: ``source`` is neither, or the list is empty.
        GraphError: a value or timing is of a node that is not in the graphs.

    >>> import asg
    >>> x = asg.input("x", ("batch", 3))
    >>> document = describe(asg.Graph(same=x))
    >>> document["nodes"][0]["outputs"][0]["shape"]
    ['batch', '3']
    """
    from asg.compiler.profile import Profile  # not needed by `import asg`

    if isinstance(source, Profile):
        profile = source.by_serial() if profile is None else profile
        source = source.graph
    records = _records(source)
    graphs = _stages(source, records)
    last = graphs[-1]
    bodies = _bodies(graphs)
    nodes = _union([*graphs, *bodies.values()])
    document: Document = {
        "format": FORMAT,
        "version": VERSION,
        "name": last.name,
        "nodes": _node_entries(nodes, graphs, {key: i for i, key in enumerate(bodies)}),
        "edges": list(edge_entries(nodes)),
        "present": [node.serial for node in last.nodes],
        "inputs": input_entries(last),
        "outputs": output_entries(last),
        "state": slot_entries(last),
        "checks": [f"{c.left} {c.relation} {c.right} ({c.reason})" for c in last.checks],
        "bodies": [_body_entry(body) for body in bodies.values()],
        "timeline": _timeline(graphs, records),
        "values": [_value_entry(tensor, array) for tensor, array in (values or {}).items()],
        "profile": [_profile_entry(*item) for item in sorted((profile or {}).items())],
    }
    _refuse_strangers(document)
    return document


def _records(source: Any) -> list[PassRecord]:
    if isinstance(source, Graph):
        return []
    if isinstance(source, list | tuple) and all(isinstance(each, PassRecord) for each in source):
        if source:
            return list(source)
        raise OperandError("no pass ran; describe the graph itself")
    raise OperandError(
        f"expected a graph or a list of pass records, got {type(source).__name__}; "
        "asg.Graph(loss=loss) makes a graph of tensors"
    )


def _stages(source: Any, records: Sequence[PassRecord]) -> list[Graph]:
    """The graph before the first pass, then the one after each."""
    if not records:
        return [source]
    return [records[0].before, *(record.after for record in records)]


def _bodies(graphs: Iterable[Graph]) -> dict[int, Graph]:
    """Every graph inside a node, at any depth, in order of discovery, each once."""
    found: dict[int, Graph] = {}
    pending = list(graphs)
    for graph in pending:
        for node in graph.nodes:
            for body in bodies_of(node).values():
                if id(body) not in found:
                    found[id(body)] = body
                    pending.append(body)
    return found


def _union(graphs: Iterable[Graph]) -> list[Node]:
    """Every node of every graph, in order of creation."""
    found = {node.serial: node for graph in graphs for node in graph.nodes}
    return [found[serial] for serial in sorted(found)]


def _node_entries(
    nodes: Sequence[Node], graphs: Sequence[Graph], places: Mapping[int, int]
) -> list[NodeEntry]:
    parts = parts_of(nodes, users_of(nodes))
    owners = owners_of(nodes, parts, written_variables(graphs))
    twins = twins_of(nodes, graphs[-1].nodes, parts)
    named = _text_names(graphs[-1])
    entries = []
    for node in nodes:
        entry = node_entry(node)
        entry["text_name"] = named.get(node.serial, "")
        entry["part"] = parts[node]
        entry["parameter"] = owners.get(node, "")
        entry["twin"] = twins[node].serial if node in twins else None
        entry["bodies"] = {key: places[id(body)] for key, body in bodies_of(node).items()}
        entries.append(entry)
    return entries


def _text_names(graph: Graph) -> dict[int, str]:
    """``%3`` for the node whose outputs the text of the graph calls ``%3.0`` and ``%3.1``."""
    name_of = namer(graph)
    names = {node.serial: name_of(node.outputs[0]) for node in graph.nodes}
    return {s: n.partition(".")[0] if n.startswith("%") else n for s, n in names.items()}


def _body_entry(body: Graph) -> BodyEntry:
    return {
        "name": body.name,
        "nodes": [node.serial for node in body.nodes],
        "inputs": input_entries(body),
        "outputs": output_entries(body),
    }


def _timeline(graphs: Sequence[Graph], records: Sequence[PassRecord]) -> list[StageEntry]:
    """Differences between successive graphs."""
    first = graphs[0]
    timeline: list[StageEntry] = [
        {
            "name": START,
            "added": [node.serial for node in first.nodes],
            "removed": [],
            "rewired": [],
            "hits": [],
            "seconds": 0.0,
            "inputs": input_entries(first),
            "outputs": output_entries(first),
        }
    ]
    for before, record in zip(graphs, records, strict=False):
        timeline.append(_stage_entry(before, record))
    return timeline


def _stage_entry(before: Graph, record: PassRecord) -> StageEntry:
    after = record.after
    removed, added, rewired = _change(before, after)
    hits: list[HitEntry] = [
        {"rule": hit.rule, "old": hit.old, "new": list(hit.new)} for hit in record.hits
    ]
    return {
        "name": record.name,
        "added": added,
        "removed": removed,
        "rewired": rewired,
        "hits": hits,
        "seconds": record.seconds,
        "inputs": _if_changed(input_entries(before), input_entries(after)),
        "outputs": _if_changed(output_entries(before), output_entries(after)),
    }


def _change(before: Graph, after: Graph) -> tuple[list[int], list[int], list[RewiredEntry]]:
    """Serials only in the first graph, only in the second, and pairs of one lineage in both."""
    old, new = set(before.nodes), set(after.nodes)
    gone: dict[int, list[int]] = {}
    for node in reversed(before.nodes):
        if node not in new:
            gone.setdefault(node.lineage, []).append(node.serial)
    added: list[int] = []
    rewired: list[RewiredEntry] = []
    for node in after.nodes:
        if node in old:
            continue
        if gone.get(node.lineage):
            rewired.append({"old": gone[node.lineage].pop(), "new": node.serial})
        else:
            added.append(node.serial)
    return sorted(serial for left in gone.values() for serial in left), added, rewired


def _if_changed(before: list[PortEntry], after: list[PortEntry]) -> list[PortEntry] | None:
    return None if before == after else after


def _value_entry(tensor: Tensor, value: Any) -> ValueEntry:
    array = np.asarray(value)
    finite = np.isfinite(array)
    sample = array[finite].astype(np.float64)
    shown = (np.min(sample), np.max(sample), np.mean(sample)) if sample.size else ()
    low, high, mean = [f"{number:.6g}" for number in shown] or [""] * 3
    return {
        "serial": tensor.node.serial,
        "output": tensor.index,
        "shape": list(array.shape),
        "min": low,
        "max": high,
        "mean": mean,
        "nonfinite": int(array.size - np.count_nonzero(finite)),
    }


def _profile_entry(serial: int, seconds: float) -> ProfileEntry:
    return {"serial": serial, "seconds": float(seconds)}


def _refuse_strangers(document: Document) -> None:
    known = {entry["serial"] for entry in document["nodes"]}
    given = [e["serial"] for e in document["values"]] + [e["serial"] for e in document["profile"]]
    strangers = sorted(set(given) - known)
    if strangers:
        raise GraphError(
            f"values or timings are given for nodes {', '.join(map(str, strangers))}, which are "
            f"not part of graph {document['name']!r}"
        )
