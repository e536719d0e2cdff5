"""What is drawn: boxes, arrows between them, and which boxes stand level with each other.

A view is computed from a document at a chosen level of detail; `dot.py` writes it as text. Nothing
here knows Graphviz, colours or files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asg.describe.schema import Part

Key = tuple[str | int, ...]
"""Identity of a box inside one view."""

BoxKind = Literal["op", "group", "leaf", "output", "seed"]
ArrowKind = Literal["flow", "residual", "turn"]


@dataclass(frozen=True)
class Box:
    """One thing on the page.

    Attributes:
        key: identity.
        kind: an op, a folded group of nodes, a leaf, a named result, or the 1 a gradient starts at.
        part: its column.
        path: names of the clusters around it, outermost first.
        title: the large line.
        details: small lines under it.
        style: row of the style table: an op category, a role, or a kind of box.
        tooltip: everything known, for hovering.
        serials: the nodes it stands for.
        share: of the measured time of all nodes, where there is a profile.
    """

    key: Key
    kind: BoxKind
    part: Part
    path: tuple[str, ...]
    title: str
    details: tuple[str, ...]
    style: str
    tooltip: str
    serials: tuple[int, ...]
    share: float | None = None


@dataclass(frozen=True)
class Arrow:
    """Values that flow from one box to another.

    Attributes:
        tail: where the values are made.
        head: where they are used.
        kind: ``flow`` within a column or to the update, ``residual`` for a forward value that the
            gradient or the update needs again, ``turn`` from the loss to the seed of its gradient.
        label: type of the value, or how many values there are.
        tooltip: the types of all of them.
    """

    tail: Key
    head: Key
    kind: ArrowKind
    label: str
    tooltip: str


@dataclass(frozen=True)
class View:
    """A picture before layout.

    Attributes:
        name: of the graph.
        boxes: by key, in order of creation of their first nodes.
        arrows: at most one of a kind between two boxes.
        rows: boxes to stand level; no box is in two of them.
    """

    name: str
    boxes: dict[Key, Box]
    arrows: tuple[Arrow, ...]
    rows: tuple[tuple[Key, ...], ...]
