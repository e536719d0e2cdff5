"""Which boxes stand level: the rungs of the U, from a forward box to its gradient to its update.

A rung also takes what belongs beside it rather than above it: parameters and what is computed from
parameters alone, gradient ops that only reread forward values, and gradients that leave the column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from asg.describe.schema import NodeEntry

from .view import Arrow, Box, Key

MOST_BESIDE = 2
"""Boxes that stand left of one that uses them; more would make the row too wide."""
TURN = "the gradient starts here: d loss / d loss = 1"

Nodes = Mapping[int, NodeEntry]
Keys = Mapping[int, Key]
Boxes = Mapping[Key, Box]


class Rows:
    """Disjoint sets of boxes that stand level."""

    def __init__(self) -> None:
        self._row: dict[Key, list[Key]] = {}

    def join(self, first: Key, second: Key) -> None:
        """Put the rows of two boxes together; the shorter is moved, so this is n log n in all."""
        kept, moved = (self._row.setdefault(key, [key]) for key in (first, second))
        if kept is moved:
            return
        if len(kept) < len(moved):
            kept, moved = moved, kept
        kept += moved
        for key in moved:
            self._row[key] = kept

    def placed(self, key: Key) -> bool:
        """Whether the box stands level with any other."""
        return key in self._row

    def all(self, boxes: Boxes) -> tuple[tuple[Key, ...], ...]:
        """Every row, boxes in the order of the view."""
        place = {key: i for i, key in enumerate(boxes)}
        distinct = {id(row): row for row in self._row.values()}
        return tuple(
            tuple(sorted(row, key=place.__getitem__)) for row in distinct.values() if len(row) > 1
        )


def rows_of(
    nodes: Nodes, key_of: Keys, boxes: Boxes, arrows: Sequence[Arrow]
) -> tuple[tuple[Key, ...], ...]:
    """All rows of a view; every box stands in one at most."""
    rows = Rows()
    fed = [key for key, box in boxes.items() if is_fed(box)]
    for key in fed[1:]:
        rows.join(fed[0], key)
    for first, second in _twins(nodes, key_of, boxes, arrows):
        rows.join(first, second)
    inner = [arrow for arrow in arrows if boxes[arrow.tail].part == boxes[arrow.head].part]
    main = _main(boxes, inner)
    for first, second in _sides(boxes, inner, main):
        rows.join(first, second)
    for first, second in [*_exits(boxes, inner), *_handovers(nodes, boxes, arrows)]:
        if not (rows.placed(first) and rows.placed(second)):
            rows.join(first, second)
    for arrow in arrows:
        if arrow.kind == "turn" and not (rows.placed(arrow.tail) or rows.placed(arrow.head)):
            rows.join(arrow.tail, arrow.head)
    return rows.all(boxes)


def is_fed(box: Box) -> bool:
    """An input of the forward part: these stand on top."""
    return box.style == "input" and box.part == "forward"


# -- twins -----------------------------------------------------------------------------------


def _twins(
    nodes: Nodes, key_of: Keys, boxes: Boxes, arrows: Iterable[Arrow]
) -> Iterator[tuple[Key, Key]]:
    """Pairs of a forward box and the gradient box level with it, each box in one pair at most.

    Where the gradient of a forward box is several boxes, it is the one in which it arrives.
    """
    twin_of: dict[Key, Key] = {}
    for key, box in boxes.items():
        twin = _twin_of(box, nodes, key_of, boxes)
        if box.part == "gradient" and twin is not None:
            twin_of[key] = twin
    entered = {
        arrow.head
        for arrow in arrows
        if boxes[arrow.tail].part == "gradient"
        and twin_of.get(arrow.tail) != twin_of.get(arrow.head)
    }
    candidates: dict[Key, list[Key]] = {}
    for gradient, forward in twin_of.items():
        candidates.setdefault(forward, []).append(gradient)
    for forward, gradients in candidates.items():
        yield forward, next((key for key in gradients if key in entered), gradients[0])


def _twin_of(box: Box, nodes: Nodes, key_of: Keys, boxes: Boxes) -> Key | None:
    """The forward box that a gradient box belongs to: of the same scope, else of its first node."""
    if box.kind not in ("op", "group"):
        return None
    if box.key[0] == "group":
        same = ("group", "forward", *box.key[2:])
        if same in boxes:
            return same
    twins = (key_of.get(twin) for s in box.serials if (twin := nodes[s]["twin"]) is not None)
    return next((key for key in twins if key and boxes[key].part == "forward"), None)


# -- beside a rung ---------------------------------------------------------------------------


def _main(boxes: Boxes, inner: Iterable[Arrow]) -> set[Key]:
    """Boxes that what is fed, or the seed of the gradient, flows through within its column."""
    after: dict[Key, list[Key]] = {}
    for arrow in inner:
        after.setdefault(arrow.tail, []).append(arrow.head)
    pending = [key for key, box in boxes.items() if box.style in ("input", "seed")]
    found = set(pending)
    while pending:
        for head in after.get(pending.pop(), ()):
            if head not in found:
                found.add(head)
                pending.append(head)
    return found


def _sides(boxes: Boxes, inner: Iterable[Arrow], main: set[Key]) -> Iterator[tuple[Key, Key]]:
    """What stands left of its first user: leaves, and ops whose result joins the main stream."""
    users: dict[Key, list[Key]] = {}
    for arrow in inner:
        if boxes[arrow.head].kind != "output":
            users.setdefault(arrow.tail, []).append(arrow.head)
    place = {key: i for i, key in enumerate(boxes)}
    beside = Counter[Key]()
    for tail, heads in users.items():
        if boxes[tail].style in ("input", "seed") or tail in main:
            continue
        head = min(heads, key=place.__getitem__)
        fits = boxes[tail].path == boxes[head].path and beside[head] < MOST_BESIDE
        if fits and (boxes[tail].kind == "leaf" or head in main):
            beside[head] += 1
            yield tail, head


def _exits(boxes: Boxes, inner: Iterable[Arrow]) -> Iterator[tuple[Key, Key]]:
    """Gradient boxes that nothing in their column uses stand right of the last one they use."""
    inner = [arrow for arrow in inner if boxes[arrow.tail].part == "gradient"]
    used = {arrow.tail for arrow in inner}
    place = {key: i for i, key in enumerate(boxes)}
    sources: dict[Key, list[Key]] = {}
    for arrow in inner:
        if arrow.head not in used and boxes[arrow.tail].kind != "seed":
            sources.setdefault(arrow.head, []).append(arrow.tail)
    taken: set[Key] = set()
    for head, tails in sources.items():
        tail = max(tails, key=place.__getitem__)
        if boxes[tail].path == boxes[head].path and tail not in taken:
            taken.add(tail)
            yield tail, head


def _handovers(nodes: Nodes, boxes: Boxes, arrows: Iterable[Arrow]) -> Iterator[tuple[Key, Key]]:
    """An update is level with the box that hands it the gradient; of open updates the first op.

    What serves several parameters (a norm of all gradients, say) has no level of its own, unless
    nothing is known to serve a single one.
    """
    owned = {key for key, box in boxes.items() if _is_owned(box, nodes)}
    taken: set[Key] = set()
    for arrow in arrows:
        tail, head = boxes[arrow.tail], boxes[arrow.head]
        if tail.part != "gradient" or head.part != "update" or head.kind == "output":
            continue
        if owned and arrow.head not in owned:
            continue
        if head.kind == "group" or arrow.tail not in taken:
            taken.add(arrow.tail)
            yield arrow.tail, arrow.head


def _is_owned(box: Box, nodes: Nodes) -> bool:
    return box.part == "update" and any(nodes[serial]["parameter"] for serial in box.serials)


def turns_of(nodes: Nodes, boxes: Boxes, arrows: Iterable[Arrow]) -> Iterator[Arrow]:
    """From the loss to the seed of its gradient: the bottom of the U.

    The loss is the result that a node makes whose gradient is the first to use the seed.
    """
    results: dict[int, Key] = {}
    for key, box in boxes.items():
        if box.kind == "output" and box.part == "forward":
            results |= dict.fromkeys(_ancestors(nodes[box.serials[0]]), key)
    losses: dict[Key, set[Key]] = {}
    for arrow in arrows:
        if boxes[arrow.tail].kind == "seed":
            started = {nodes[serial]["gradient_of"] for serial in boxes[arrow.head].serials}
            found = {results[serial] for serial in started if serial in results}
            losses.setdefault(arrow.tail, set()).update(found)
    for seed, found in losses.items():
        if len(found) == 1:
            yield Arrow(found.pop(), seed, "turn", "", TURN)


def _ancestors(node: NodeEntry) -> Iterator[int]:
    """The node and those that passes made it from."""
    yield node["lineage"]
    for step in node["derived"]:
        if step["kind"] != "gradient":
            yield from step["sources"]
