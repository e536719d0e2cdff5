"""The document that describes graphs to pictures, pages and other programs: plain JSON data.

A document holds the facts of every node once, by its serial number. Graphs and passes are lists of
serials over these facts, so that the difference of two passes is exact and a document of many
passes is hardly larger than one of a single graph. A node that a pass only gave other operands is
a new node of the same lineage.

========== =====================================================================================
key        meaning
========== =====================================================================================
format     always ``"asg-graph"``
version    of this schema; a reader refuses versions it does not know
name       of the graph
nodes      `NodeEntry` for every node of any stage and any body, in order of creation
edges      `EdgeEntry`, one for every operand of every node
present    serials of the nodes of the last graph
inputs     `PortEntry` of the last graph: what the caller feeds, and the variables
outputs    `PortEntry` of the last graph: results, then next values of variables
state      `SlotEntry`: the variables, with where their next values come from
checks     equalities of sizes that are verified before a run, as text
bodies     `BodyEntry`: graphs inside control-flow nodes, which refer to them by position
timeline   `StageEntry`: the first graph, then one entry per pass; a single graph has one stage
values     `ValueEntry`, when arrays were given: a summary of each
profile    `ProfileEntry`, when timings were given: seconds per node
========== =====================================================================================

Sizes, costs and attribute values are text (``"2*batch*784"``), because they may be symbolic.
"""

from __future__ import annotations

import json
from typing import Any, Literal, TypedDict, cast

from asg.core.errors import FileError

FORMAT = "asg-graph"
VERSION = 1

Part = Literal["forward", "gradient", "update"]
"""Which column a node belongs to: the computation itself, its gradient, or what follows that."""
PARTS: tuple[Part, ...] = ("forward", "gradient", "update")


class TypeEntry(TypedDict):
    """Type of a value: dtype by name, sizes as text, and both in the usual short form."""

    dtype: str
    shape: list[str]
    text: str


class LocationEntry(TypedDict):
    """A line of the user's program; the path is relative where it lies in the current folder."""

    file: str
    line: int
    function: str


class StepEntry(TypedDict):
    """One derivation: how a node came from the nodes ``sources`` (which may be gone)."""

    kind: str
    name: str
    category: str  # of the op `name` where the step names an op, else ""
    sources: list[int]


class NodeEntry(TypedDict):
    """Everything known about one node."""

    serial: int
    lineage: int  # serial of the first node of this application; the same through all passes
    text_name: str  # how the printed text of the last graph names it ("%3", "x"); else ""
    op: str
    category: str
    attributes: dict[str, str]
    operands: list[str]  # names of the operands, as the op calls them
    outputs: list[TypeEntry]
    role: str  # of a leaf: "input", "constant" or the role of a variable; else ""
    name: str  # of an input or a variable; else ""
    scalar: str  # the one value of a constant, whatever its shape; else ""
    scope: str  # path such as "encoder/0/attention"
    location: LocationEntry | None
    derived: list[StepEntry]
    part: Part
    gradient_of: int | None  # serial of the forward node whose gradient this belongs to
    twin: int | None  # the node that stands for that forward node in the last graph
    parameter: str  # the variable this node updates, or is the gradient of; else ""
    flops: str
    bytes: str  # of the outputs
    bodies: dict[str, int]  # attribute -> position in the document's "bodies"


class EdgeEntry(TypedDict):
    """Output ``output`` of ``source`` is operand ``operand``, called ``name``, of ``target``."""

    source: int
    output: int
    target: int
    operand: int
    name: str


class PortEntry(TypedDict):
    """An input or output of a graph: its name and the tensor (node and output index)."""

    name: str
    serial: int
    output: int


class SlotEntry(TypedDict):
    """A variable: its leaf, and the tensor that is its next value (None: it is only read)."""

    name: str
    role: str
    input: int
    output: PortEntry | None


class BodyEntry(TypedDict):
    """A graph inside a node."""

    name: str
    nodes: list[int]
    inputs: list[PortEntry]
    outputs: list[PortEntry]


class HitEntry(TypedDict):
    """A rule that fired."""

    rule: str
    old: int
    new: list[int]


class RewiredEntry(TypedDict):
    """A node that stands for another of the same lineage, on other operands."""

    old: int
    new: int


class StageEntry(TypedDict):
    """What one pass did; the first stage is the graph the passes started from."""

    name: str
    added: list[int]
    removed: list[int]
    rewired: list[RewiredEntry]
    hits: list[HitEntry]
    seconds: float
    inputs: list[PortEntry] | None  # None: as in the stage before
    outputs: list[PortEntry] | None


class ValueEntry(TypedDict):
    """Summary of an array that a tensor took; numbers as text, since JSON has no infinity."""

    serial: int
    output: int
    shape: list[int]
    min: str
    max: str
    mean: str
    nonfinite: int


class ProfileEntry(TypedDict):
    """Measured time of a node."""

    serial: int
    seconds: float


class Document(TypedDict):
    """See the table at the top of this module."""

    format: str
    version: int
    name: str
    nodes: list[NodeEntry]
    edges: list[EdgeEntry]
    present: list[int]
    inputs: list[PortEntry]
    outputs: list[PortEntry]
    state: list[SlotEntry]
    checks: list[str]
    bodies: list[BodyEntry]
    timeline: list[StageEntry]
    values: list[ValueEntry]
    profile: list[ProfileEntry]


def to_json(document: Document) -> str:
    """The document as JSON text; equal documents give equal text."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str | bytes) -> Document:
    """Read `to_json` back.

    Raises:
        FileError: not JSON, not a document, or of another version.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise FileError(f"this is not the document of a graph: {error}") from None
    return as_document(data)


def as_document(data: Any) -> Document:
    """``data`` once it is known to be a document this version reads.

    Raises:
        FileError: it is something else.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FileError(
            f"expected the document of a graph (format {FORMAT!r}), got {_kind(data)}; "
            "asg.describe.describe(graph) makes one"
        )
    if data.get("version") != VERSION:
        raise FileError(
            f"the document has version {data.get('version')!r}, this asg reads {VERSION}; "
            "describe the graph again, or use the asg that wrote it"
        )
    missing = sorted(Document.__required_keys__ - data.keys())
    if missing:
        raise FileError(f"the document lacks {', '.join(missing)}; it is damaged")
    return cast("Document", data)


def _kind(data: Any) -> str:
    if isinstance(data, dict):
        return f"a dict with {', '.join(map(repr, list(data)[:4])) or 'no keys'}"
    return type(data).__name__
