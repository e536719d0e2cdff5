"""Where a graph does the same again and again: runs of repeats, such as the layers of a network.

Nodes stand in the order in which the outputs need them (`needed_order`), so that the layers of a
network follow each other, and so do their gradients and their updates. A run is a stretch of that
order in which every node does what the node one period before it did, with operands that stand in
the same places: in the same repeat, in the one before, or outside of the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from asg.analysis.memory import known_bytes
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.region import needed_order
from asg.core.tensor import Tensor
from asg.passes.stacks import taken_from

WINDOWS = (512, 128, 32, 8)
"""Nodes in a row by which repeats are told: as many as are the same from one to the next."""

_PRIME, _BASE = (1 << 61) - 1, 1_000_003  # of the codes of windows

OUTSIDE = -1
"""The place of what has no place in the order: inputs and their rows, variables, constants."""


@dataclass(frozen=True)
class Run:
    """``count`` repeats of ``period`` nodes each, one behind the other.

    Attributes:
        start: the place of its first node in the order.
    """

    start: int
    period: int
    count: int

    @property
    def stop(self) -> int:
        """The place behind its last node."""
        return self.start + self.period * self.count


class Order:
    """The nodes of a graph that compute, as its outputs need them, with what tells them apart."""

    def __init__(self, graph: Graph) -> None:
        """Number the nodes, and the kinds of nodes."""
        needed = needed_order(graph)
        self.nodes = [node for node in needed if node.inputs and not _is_row_of_input(node)]
        self.places = {node: place for place, node in enumerate(self.nodes)}
        kinds: dict[object, int] = {}
        self.kinds = [kinds.setdefault(_kind(node), len(kinds)) for node in self.nodes]

    def place(self, tensor: Tensor) -> int:
        """Of the node that computes a value."""
        return self.places.get(tensor.node, OUTSIDE)

    def runs(self, repeats: int) -> list[Run]:
        """The runs of so many repeats or more, from first to last; no two of them overlap.

        Long ones come before short ones: what repeats within a layer is no run of its own where
        the layers repeat.
        """
        found: list[Run] = []
        free = bytearray(b"\1" * len(self.nodes))
        for window in WINDOWS:
            for start, stop, period in self._stretches(window, free):
                run = self._cut(start, stop, period)
                if run is not None and run.count >= repeats:
                    free[run.start : run.stop] = bytes(run.stop - run.start)
                    found.append(run)
        return sorted(found, key=lambda run: run.start)

    def _stretches(self, window: int, free: bytearray) -> Iterator[tuple[int, int, int]]:
        """Where so many nodes in a row are like those of a period before: start, stop, period.

        What was found to repeat at a period is not looked at again for that one.
        """
        seen: dict[int, int] = {}
        looked_at: dict[int, int] = {}
        for place, code in self._windows(window):
            before = seen.get(code, OUTSIDE)
            seen[code] = place
            period = place - before
            first = before - window + 1
            least = looked_at.get(period, 0)
            if before != OUTSIDE and first >= least and free.find(0, first, place + 1) < 0:
                start = self._first_alike(first, period, free, least)
                stop = self._last_alike(start, period, free)
                looked_at[period] = stop - period + 1
                yield start, stop, period

    def _windows(self, size: int) -> Iterator[tuple[int, int]]:
        """The last place of so many nodes in a row, and a code that tells their kinds."""
        code, gone = 0, pow(_BASE, size, _PRIME)
        for place, kind in enumerate(self.kinds):
            code = (code * _BASE + kind + 1) % _PRIME
            if place >= size:
                code = (code - (self.kinds[place - size] + 1) * gone) % _PRIME
            if place >= size - 1:
                yield place, code

    # -- how far a period reaches ---------------------------------------------------------------

    def _first_alike(self, start: int, period: int, free: bytearray, least: int) -> int:
        kinds = self.kinds
        while start > least and free[start - 1] and kinds[start - 1] == kinds[start - 1 + period]:
            start -= 1
        return start

    def _last_alike(self, start: int, period: int, free: bytearray) -> int:
        """The place behind the last node that repeats what was one period before."""
        place = start + period
        while place < len(free) and free[place] and self._repeats(place, period, start):
            place += 1
        return place

    def _repeats(self, place: int, period: int, start: int) -> bool:
        if self.kinds[place] != self.kinds[place - period]:
            return False
        pairs = zip(self.nodes[place].inputs, self.nodes[place - period].inputs, strict=True)
        second = place < start + 2 * period
        return all(self._follows(*pair, period, start, second) for pair in pairs)

    def _follows(
        self, operand: Tensor, earlier: Tensor, period: int, start: int, second: bool
    ) -> bool:
        """Whether an operand stands to its node as the one a period before stood to its own.

        In the ``second`` repeat it may come from the first one, where that one's comes from
        outside: so what is carried begins.
        """
        here, there = self.place(operand), self.place(earlier)
        if there < start:
            return here < start or (second and here < start + period)
        return here - there == period and operand.index == earlier.index

    # -- where a period is cut ------------------------------------------------------------------

    def _cut(self, start: int, stop: int, period: int) -> Run | None:
        """The run cut where the fewest bytes go from one repeat to the next; None if it has none.

        Nodes before the first cut and behind the last one stay as they are.
        """
        if stop - start < 3 * period:
            return None
        carried = self._carried(start, stop, period)
        if carried is None:
            return None
        counts = [(stop - start - phase) // period for phase in range(period)]
        phase = min(range(period), key=lambda at: (carried[at], -counts[at], at))
        return Run(start + phase, period, counts[phase])

    def _carried(self, start: int, stop: int, period: int) -> list[float] | None:
        """The bytes that cross a cut before every node of a period.

        Infinite where a value would reach over two repeats; None if so everywhere.
        """
        second = range(start + period, start + 2 * period)
        last: dict[Tensor, int] = {}  # by values made in the second repeat, who reads them last
        for place in range(second.start, min(stop, start + 4 * period)):
            last |= {t: place for t in self.nodes[place].inputs if self.place(t) in second}
        carried: list[float] = [0] * period
        for tensor, place in last.items():
            made = self.place(tensor)
            if place - made >= 2 * period:
                return None
            for cut in range(made + 1, place + 1):
                twice = cut - made > period
                carried[(cut - start) % period] += inf if twice else known_bytes(tensor.type)
        return None if min(carried) == inf else carried


def _is_row_of_input(node: Node) -> bool:
    """``x[3]`` of an input: no computation of a repeat, but what it is given, a row in each."""
    taken = taken_from(node.outputs[0])
    return taken is not None and not taken[0].node.inputs


def _kind(node: Node) -> object:
    """What two nodes share that do the same with values of the same types."""
    operands = tuple([tensor.type for tensor in node.inputs])
    return node.op, operands, tuple([tensor.type for tensor in node.outputs])
