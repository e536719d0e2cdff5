"""Values of many layers as rows of one tensor: which are there already, and which have to be made.

What one loop has stacked is what the next one takes, row for row; and the weights that several
loops read stand in one stack, of which each takes its part.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asg.core.tensor import Tensor
from asg.ops.join import Concat, Flip
from asg.ops.rows import StackRows, UnstackRows
from asg.ops.shape import Reshape
from asg.ops.slicing import Select, Slice

Rows = tuple[Tensor, ...]


@dataclass
class _Piece:
    """Rows that follow each other in a stack, or, without one, in nothing."""

    whole: Tensor | None
    places: list[int]
    rows: list[Tensor]

    def takes(self, whole: Tensor | None, place: int) -> bool:
        """Whether another row goes on with the piece."""
        if whole is not self.whole:
            return False
        step = place - self.places[-1]
        if whole is None or len(self.places) == 1:
            return whole is None or abs(step) == 1
        return step == self.places[1] - self.places[0]

    def tensor(self) -> Tensor:
        """The rows as one tensor."""
        if self.whole is None:
            return _stack(self.rows)
        low, high = min(self.places), max(self.places) + 1
        whole = self.whole
        if (low, high) != (0, whole.shape[0]):
            whole = Slice.along(0, low, high, whole)
        return Flip((0,))(whole) if self.places[-1] < self.places[0] else whole


class Stacks:
    """The stacks of a graph, and where values stand in them that are not taken from one."""

    def __init__(self) -> None:
        """No stack yet."""
        self._homes: dict[Tensor, tuple[Tensor, int]] = {}
        self._chains: dict[Tensor, list[Tensor]] = {}
        self._made: dict[Rows, Tensor] = {}

    def expect(self, rows: Rows) -> None:
        """Inputs that are going to be asked for as a stack: the longest chain becomes one."""
        if len(set(rows)) < len(rows) or not all(row.node.op.is_placeholder for row in rows):
            return
        chains = {id(self._chains[row]): self._chains[row] for row in rows if row in self._chains}
        if len(chains) > 1:
            return
        old = next(iter(chains.values()), [])
        joined = next(filter(None, (_joined(old, each) for each in (rows, rows[::-1]))), None)
        if joined is not None:
            self._chains |= dict.fromkeys(joined, joined)

    def stacked(self, rows: Rows) -> Tensor:
        """A tensor of these rows, made of the stacks that they stand in."""
        if rows not in self._made:
            parts = [piece.tensor() for piece in self._pieces(rows)]
            self._made[rows] = parts[0] if len(parts) == 1 else Concat(0)(*parts)
        return self._made[rows]

    def are_backwards(self, rows: Sequence[Rows]) -> bool:
        """Whether most of the stacks that hold such rows hold them the other way round."""
        steps = [self._step(each) for each in rows]
        return steps.count(-1) > steps.count(1)

    def _step(self, rows: Rows) -> int:
        """From the middle of the rows on, where every stack has its own."""
        middle = len(rows) // 2
        (one, before), (other, after) = map(self._home, rows[middle - 1 : middle + 1])
        return after - before if one is not None and one is other else 0

    def _home(self, row: Tensor) -> tuple[Tensor | None, int]:
        if row not in self._homes and row in self._chains:
            chain = self._chains[row]
            whole = _stack(chain)
            self._homes |= {each: (whole, place) for place, each in enumerate(chain)}
        return self._homes.get(row) or taken_from(row) or (None, 0)

    def _pieces(self, rows: Rows) -> Iterator[_Piece]:
        piece: _Piece | None = None
        for row in rows:
            whole, place = self._home(row)
            if piece is None or not piece.takes(whole, place):
                if piece is not None:
                    yield piece
                piece = _Piece(whole, [], [])
            piece.places.append(place)
            piece.rows.append(row)
        if piece is not None:
            yield piece


def rows_of(whole: Tensor) -> Rows:
    """The rows of a stack, for whoever reads them one by one."""
    count = whole.shape[0]
    assert isinstance(count, int)  # passes make stacks of so many layers
    return UnstackRows(count).apply(whole)


def taken_from(row: Tensor) -> tuple[Tensor, int] | None:
    """The tensor that a value is taken from as a row, and its place; None for other values."""
    op = row.node.op
    if isinstance(op, UnstackRows):
        return row.node.inputs[0], row.index
    if isinstance(op, Select) and op.axes == (0,) and isinstance(op.places[0], int):
        return row.node.inputs[0], op.places[0]
    return None


def _stack(rows: Sequence[Tensor]) -> Tensor:
    if len(rows) == 1:
        return Reshape((1, *rows[0].shape))(rows[0])
    return StackRows()(*rows)


def _joined(chain: list[Tensor], rows: Rows) -> list[Tensor] | None:
    """Two lists as one in which both stand in a row; None where they do not fit so."""
    places = {tensor: place for place, tensor in enumerate(rows)}
    shared = [tensor for tensor in chain if tensor in places]
    if not shared:
        return [*chain, *rows] if not chain else None
    first, last = places[shared[0]], places[shared[-1]]
    begin = chain.index(shared[0])
    if list(rows[first : last + 1]) != shared or chain[begin : begin + len(shared)] != shared:
        return None
    before, after = list(rows[:first]), list(rows[last + 1 :])
    if (before and begin > 0) or (after and begin + len(shared) < len(chain)):
        return None
    return [*(before or chain[:begin]), *shared, *(after or chain[begin + len(shared) :])]
