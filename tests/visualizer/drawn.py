"""Read a drawn SVG back: where boxes are, how arrows look."""

import re
import shutil
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import pytest
from asg.visualizer.dot import program_of
from asg.visualizer.engine import draw
from asg.visualizer.group import view_of
from asg.visualizer.style import theme_of

from asg.describe import describe

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program `dot` is missing")


@dataclass(frozen=True)
class Rectangle:
    """Bounds of a box; y grows downwards, as in every SVG."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def y(self) -> float:
        return (self.top + self.bottom) / 2

    def overlaps(self, other: "Rectangle") -> bool:
        apart = self.right <= other.left or other.right <= self.left
        return not (apart or self.bottom <= other.top or other.bottom <= self.top)


@dataclass(frozen=True)
class Picture:
    """A view, and where its boxes were drawn."""

    view: Any
    boxes: dict[Any, Rectangle]
    dashed: set[tuple[Any, Any]]
    titles: list[str]


def picture_of(graph: Any, engine: str = "dot", **options: Any) -> Picture:
    view = view_of(describe(graph), **options)
    svg = draw(program_of(view, theme_of("light")), "svg", engine).data
    root = ElementTree.fromstring(svg)
    keys = {f"n{number}": key for number, key in enumerate(view.boxes)}
    found: dict[Any, Rectangle] = {}
    dashed: set[tuple[Any, Any]] = set()
    titles = []
    for group in root.iter(f"{SVG}g"):
        title = group.findtext(f"{SVG}title") or ""
        titles.append(title)
        if group.get("class") == "node":
            found[keys[title]] = _bounds(group)
        elif group.get("class") == "edge" and _is_dashed(group):
            first, second = title.split("->")
            dashed.add((keys[first], keys[second]))
    return Picture(view, found, dashed, titles)


def _bounds(group: ElementTree.Element) -> Rectangle:
    xs: list[float] = []
    ys: list[float] = []
    for shape in group.iter():
        text = shape.get("points") or shape.get("d") or ""
        numbers = [float(each) for each in NUMBER.findall(text)]
        xs += numbers[0::2]
        ys += numbers[1::2]
        if shape.tag == f"{SVG}ellipse":
            cx, cy, rx, ry = (float(shape.get(key) or 0) for key in ("cx", "cy", "rx", "ry"))
            xs += [cx - rx, cx + rx]
            ys += [cy - ry, cy + ry]
    return Rectangle(min(xs), min(ys), max(xs), max(ys))


def _is_dashed(group: ElementTree.Element) -> bool:
    paths = group.iter(f"{SVG}path")
    return any((path.get("stroke-dasharray") or "").startswith("5") for path in paths)
