"""Routes of the arrows between columns: level out of one box, level into the other.

Boxes are drawn over arrows, so a route may pass behind a box; but along a row it goes below what
stands between. That is quick, where Graphviz' own search for a way around all boxes takes minutes
for a few hundred of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

POINTS_PER_INCH = 72.0
ARROW_LENGTH = 6.5
"""In points; what is left free before the tip."""
DIP = 22.0
"""How far below a row a route runs that goes around boxes of that row, in points."""
BEND = 0.45
"""Share of the way after which a route leaves the level of its start."""


Point = tuple[float, float]


class Place(NamedTuple):
    """Centre and size of a box, in points."""

    x: float
    y: float
    width: float
    height: float


def places_of(plain: str) -> dict[str, Place]:
    """Where boxes are, from Graphviz' output format ``plain``.

    >>> places_of("graph 1 2 2\\nnode n0 1 1.5 0.5 0.25 label solid box black white\\nstop")
    {'n0': Place(x=72.0, y=108.0, width=36.0, height=18.0)}
    """
    found = {}
    for line in plain.splitlines():
        words = line.split(maxsplit=6)
        if words and words[0] == "node":
            numbers = (float(word) * POINTS_PER_INCH for word in words[2:6])
            found[words[1]] = Place(*numbers)
    return found


class Router:
    """Finds routes among boxes that have their places."""

    def __init__(self, places: Mapping[str, Place]) -> None:
        """``places`` by name of the box."""
        self._places = places
        self._levels: dict[int, list[float]] = {}
        for place in places.values():
            self._levels.setdefault(round(place.y), []).append(place.x)

    def route(self, tail: str, head: str) -> str:
        """The curve from a box to another as Graphviz' ``pos``: the tip, then four control points.

        >>> places = {"a": Place(0, 0, 20, 10), "b": Place(100, 50, 20, 10)}
        >>> Router(places).route("a", "b")
        'e,90.00,50.00 10.00,0.00 46.00,0.00 47.50,50.00 83.50,50.00'
        """
        start, end = self._places[tail], self._places[head]
        between = self._levels[round(start.y)]
        left, right = sorted((start.x, end.x))
        if round(start.y) == round(end.y) and any(left < x < right for x in between):
            return _below(start, end)
        return _level(start, end)


def _level(tail: Place, head: Place) -> str:
    """Out of the side that faces the other box, into the side that faces back."""
    right = _direction(tail, head)
    start = tail.x + right * tail.width / 2
    tip = head.x - right * head.width / 2
    end = tip - right * ARROW_LENGTH
    bend = BEND * (tip - start)
    return _curve((tip, head.y), [(start, tail.y), (start + bend, tail.y),
                                  (end - bend, head.y), (end, head.y)])  # fmt: skip


def _below(tail: Place, head: Place) -> str:
    """Around what stands between two boxes of one row: out at the bottom, in from below."""
    right = _direction(tail, head)
    start = tail.x + right * tail.width / 4, tail.y - tail.height / 2
    tip = head.x - right * head.width / 4, head.y - head.height / 2
    depth = min(start[1], tip[1]) - DIP
    bend = BEND * (tip[0] - start[0]) / 2
    return _curve(tip, [start, (start[0] + bend, depth), (tip[0] - bend, depth),
                        (tip[0] - right * ARROW_LENGTH / 2, tip[1] - ARROW_LENGTH)])  # fmt: skip


def _direction(tail: Place, head: Place) -> float:
    return 1.0 if head.x >= tail.x else -1.0


def _curve(tip: Point, points: Sequence[Point]) -> str:
    written = [f"{x:.2f},{y:.2f}" for x, y in (tip, *points)]
    return f"e,{' '.join(written)}"
