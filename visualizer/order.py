"""Which arrows decide heights: the forward part runs down, gradient and update run up.

Graphviz is only given constraints that can all hold. Boxes of one row share a height; an arrow
that would close a cycle then (two scopes that use each other, say) is drawn but decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from .view import Arrow, Key, View

Heights = Mapping[Arrow, tuple[Key, Key]]


def heights_of(view: View) -> Heights:
    """(upper, lower) box of every arrow within a column that decides heights."""
    row_of = {key: row[0] for row in view.rows for key in row}
    wanted = {
        arrow: upper_and_lower(view, arrow)
        for arrow in view.arrows
        if not crosses(view, arrow) and not is_level(row_of, arrow)
    }
    rows = list(dict.fromkeys(row_of.get(key, key) for key in view.boxes))
    place = positions(rows, [(row_of.get(u, u), row_of.get(v, v)) for u, v in wanted.values()])
    return {
        arrow: (upper, lower)
        for arrow, (upper, lower) in wanted.items()
        if place[row_of.get(upper, upper)] < place[row_of.get(lower, lower)]
    }


def is_level(row_of: Mapping[Key, Key], arrow: Arrow) -> bool:
    """Whether both ends of the arrow stand in one row."""
    return row_of.get(arrow.tail, arrow.tail) == row_of.get(arrow.head, arrow.head)


def crosses(view: View, arrow: Arrow) -> bool:
    """Whether the arrow leads from one column to another."""
    return view.boxes[arrow.tail].part != view.boxes[arrow.head].part


def upper_and_lower(view: View, arrow: Arrow) -> tuple[Key, Key]:
    """Values run down within the forward part and up everywhere else."""
    down = view.boxes[arrow.head].part == "forward"
    return (arrow.tail, arrow.head) if down else (arrow.head, arrow.tail)


def positions(keys: list[Key], pairs: Iterable[tuple[Key, Key]]) -> Mapping[Key, int]:
    """A position for every key, upper before lower where no cycle forbids it.

    Keys whose predecessors are all placed come first, in the given order; when only cycles are
    left, the first key of those that remain is placed regardless.
    """
    rank = {key: i for i, key in enumerate(keys)}
    below: dict[Key, list[Key]] = {}
    waiting = dict.fromkeys(keys, 0)
    for upper, lower in pairs:
        below.setdefault(upper, []).append(lower)
        waiting[lower] += 1
    ready = [rank[key] for key in keys if not waiting[key]]
    heapify(ready)
    left = iter(keys)
    place: dict[Key, int] = {}
    while len(place) < len(keys):
        key = keys[heappop(ready)] if ready else next(left)
        if key in place:
            continue
        place[key] = len(place)
        for lower in below.get(key, ()):
            waiting[lower] -= 1
            if not waiting[lower] and lower not in place:
                heappush(ready, rank[lower])
    return place
