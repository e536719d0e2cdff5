"""View to Graphviz text. Boxes are numbered from 0, so equal views give equal text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from .order import crosses, heights_of, is_level
from .style import DETAIL_SIZE, FONT, HEAT_FROM, LABEL_SIZE, TITLE_SIZE, Look, Theme, look_of
from .view import Arrow, Box, Key, View

COLUMN_TITLES = {"forward": "forward ↓", "gradient": "∇ gradient ↑", "update": "update ↑"}

Ids = Mapping[Key, str]


@dataclass(frozen=True)
class Line:
    """An arrow as written: from one box to another, with its attributes."""

    tail: str
    head: str
    facts: Mapping[str, str]

    def text(self, **more: str) -> str:
        """A line of the dot language."""
        return f"  {self.tail} -> {self.head}{attributes(**self.facts, **more)};\n"


@dataclass(frozen=True)
class Program:
    """A picture as text of the dot language, in two halves.

    Graphviz puts columns that nothing connects side by side in the order given, and mixes them up
    as soon as an arrow leads across. So the columns are laid out first, and the arrows between
    them are routed once everything has its place.

    Attributes:
        columns: the whole but for the arrows from column to column, and the closing brace.
        crossing: those arrows.
    """

    columns: str
    crossing: tuple[Line, ...]

    @property
    def first(self) -> str:
        """What is laid out first."""
        return f"{self.columns}}}\n"

    @property
    def text(self) -> str:
        """All of it, as one program for ``dot``."""
        return f"{self.columns}{''.join(line.text() for line in self.crossing)}}}\n"


def program_of(view: View, theme: Theme) -> Program:
    """The text of a view."""
    ids = {key: f"n{number}" for number, key in enumerate(view.boxes)}
    inner, crossing = _arrows(view, ids, theme)
    columns = [
        f"digraph {quoted(view.name)} {{",
        *_defaults(theme),
        *_clusters(view, ids, theme),
        *_rows(view, ids),
    ]
    text = "".join(f"{line}\n" for line in columns) + "".join(line.text() for line in inner)
    return Program(text, tuple(crossing))


def quoted(text: str) -> str:
    """A string of the dot language; line ends stay line ends."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Markup(str):
    """Text of Graphviz' HTML-like kind, with its own escapes."""

    __slots__ = ()


def attributes(**facts: str | int | float) -> str:
    """``[a="1", b="2"]``; empty values are left out."""
    given = [
        f"{key}=<{value}>" if isinstance(value, Markup) else f"{key}={quoted(str(value))}"
        for key, value in facts.items()
        if value != ""
    ]
    return f" [{', '.join(given)}]" if given else ""


def _defaults(theme: Theme) -> list[str]:
    """`newrank` lets rows cross clusters; boxes are drawn over arrows."""
    page = attributes(
        rankdir="TB", newrank="true", outputorder="edgesfirst", bgcolor=theme.page, fontname=FONT,
        fontsize=TITLE_SIZE, fontcolor=theme.faded, nodesep=0.28, ranksep=0.32, pad=0.2,
        tooltip=" ",
    )  # fmt: skip
    node = attributes(fontname=FONT, fontsize=TITLE_SIZE, fontcolor=theme.ink, margin="0.12,0.06",
                      height=0.36, width=0.6)  # fmt: skip
    edge = attributes(fontname=FONT, fontsize=LABEL_SIZE, fontcolor=theme.faded, arrowsize=0.65,
                      penwidth=1.2)  # fmt: skip
    return [f"  graph{page};", f"  node{node};", f"  edge{edge};"]


# -- boxes in clusters -----------------------------------------------------------------------


def _clusters(view: View, ids: Ids, theme: Theme) -> Iterator[str]:
    """Boxes inside nested clusters: the column first (if there are several), then the scopes."""
    columns = {box.part for box in view.boxes.values()}
    paths = {
        key: ((box.part,) if len(columns) > 1 else ()) + box.path for key, box in view.boxes.items()
    }
    numbers: dict[tuple[str, ...], int] = {}
    for path in paths.values():
        for length in range(len(path) + 1):
            numbers.setdefault(path[:length], len(numbers))
    ordered = sorted(view.boxes, key=lambda key: _place(paths[key], numbers))
    opened: tuple[str, ...] = ()
    for key in ordered:
        path = paths[key]
        shared = _shared_length(opened, path)
        yield from ("  " * (depth + 1) + "}" for depth in reversed(range(shared, len(opened))))
        for length in range(shared + 1, len(path) + 1):
            yield from _cluster_head(view.boxes[key], path[:length], numbers, theme)
        opened = path
        yield "  " * (len(path) + 1) + _box(view.boxes[key], ids[key], theme)
    yield from ("  " * (depth + 1) + "}" for depth in reversed(range(len(opened))))


def _place(path: tuple[str, ...], numbers: Mapping[tuple[str, ...], int]) -> tuple[int, ...]:
    return tuple(numbers[path[:length]] for length in range(1, len(path) + 1))


def _shared_length(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    length = 0
    while length < min(len(first), len(second)) and first[length] == second[length]:
        length += 1
    return length


def _cluster_head(
    box: Box, path: tuple[str, ...], numbers: Mapping[tuple[str, ...], int], theme: Theme
) -> Iterator[str]:
    indent = "  " * len(path)
    is_column = len(path) == 1 and path[0] == box.part
    label = COLUMN_TITLES[path[0]] if is_column else path[-1]
    if not is_column and box.part == "gradient":
        label = f"∇ {label}"
    look = (
        {"bgcolor": theme.column[box.part], "pencolor": theme.column[box.part]}
        if is_column
        else {"pencolor": theme.border["plain"], "style": "rounded"}
    )
    yield f"{indent}subgraph cluster_{numbers[path]} {{"
    yield f"{indent}  graph{attributes(label=label, labeljust='l', **look)};"


def _box(box: Box, name: str, theme: Theme) -> str:
    look = look_of(box.style)
    facts = _look(look, theme) | _special(box) | _heat(box, theme)
    return name + attributes(label=_label(box, theme), tooltip=box.tooltip, **facts) + ";"


def _look(look: Look, theme: Theme) -> dict[str, str]:
    return {
        "shape": look.shape,
        "style": look.style,
        "color": theme.border[look.hue],
        "fillcolor": theme.fill[look.hue],
    }


def _heat(box: Box, theme: Theme) -> dict[str, str]:
    """Where time was measured, its share fills the box, and colours mean nothing else."""
    if box.share is None:
        return {}
    return {"fillcolor": theme.heat[sum(box.share >= least for least in HEAT_FROM)]}


def _special(box: Box) -> dict[str, str]:
    """Small round seeds, narrow leaves."""
    if box.kind == "seed":
        return {"width": "0.3", "height": "0.3", "margin": "0.02"}
    return {"margin": "0.04,0.02"} if box.kind in ("leaf", "output") else {}


def _label(box: Box, theme: Theme) -> Markup:
    """A large line and small ones."""
    title = escape(box.title)
    if box.kind == "group":
        title = f"<b>{title}</b>"
    small = f'<font point-size="{DETAIL_SIZE}" color="{theme.faded}">'
    lines = "".join(f"<br/>{small}{escape(line)}</font>" for line in box.details)
    return Markup(f"{title}{lines}")


# -- rows and arrows -------------------------------------------------------------------------


def _rows(view: View, ids: Ids) -> Iterator[str]:
    for row in view.rows:
        yield "  {rank=same; " + "; ".join(ids[key] for key in row) + ";}"


def _arrows(view: View, ids: Ids, theme: Theme) -> tuple[list[Line], list[Line]]:
    """Arrows within columns, and those from column to column."""
    row_of = {key: row[0] for row in view.rows for key in row}
    heights = heights_of(view)
    halves: tuple[list[Line], list[Line]] = ([], [])
    labelled: set[tuple[Key, str]] = set()
    for arrow in view.arrows:
        crossing = crosses(view, arrow)
        upper, lower = heights.get(arrow, (arrow.tail, arrow.head))
        facts = _line(arrow, view, theme)
        if upper != arrow.tail:  # what is written runs down, so an arrow up is drawn backwards
            facts["dir"] = "back"
        if not (arrow in heights or is_level(row_of, arrow)):
            facts["constraint"] = "false"
        if arrow in heights and (arrow.tail, arrow.label) not in labelled:
            labelled.add((arrow.tail, arrow.label))
            facts["label"] = _type_label(arrow, view)
        halves[crossing].append(Line(ids[upper], ids[lower], facts))
    return halves


def _line(arrow: Arrow, view: View, theme: Theme) -> dict[str, str]:
    """Colour by what flows; values that are only read again are thin and dashed."""
    part = "residual" if arrow.kind == "residual" else view.boxes[arrow.tail].part
    facts = {"color": theme.arrow[part], "tooltip": arrow.tooltip or arrow.label}
    if arrow.kind == "residual":
        facts |= {"style": "dashed", "penwidth": "0.9"}
    return facts | ({"style": "dotted"} if arrow.kind == "turn" else {})


def _type_label(arrow: Arrow, view: View) -> str:
    """The type of the value, unless the box the arrow starts at says it already."""
    return "" if view.boxes[arrow.tail].kind == "leaf" else f" {arrow.label} "
