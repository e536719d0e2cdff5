"""Memory: how much a graph needs at once, and a place for every value in one arena.

Placing intervals of given sizes so that the arena is smallest is dynamic storage allocation,
which is NP-hard; a few good heuristics are tried and the smallest arena wins. What no plan can beat
is the lower bound: the largest sum of sizes that exist at one moment.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import accumulate
from typing import NamedTuple

from asg.analysis.liveness import Lifetime, lifetimes
from asg.core.dim import Dim
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.types import TensorType

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector register there is."""

_BY_WEIGHT_LIMIT = 512  # blocks; placing by weight is quadratic, placing by time is not


class Block(NamedTuple):
    """``nbytes`` of memory needed during a lifetime."""

    nbytes: int
    life: Lifetime


class Placement(NamedTuple):
    """An offset for every block, in the order given, and the size of the arena."""

    offsets: tuple[int, ...]
    nbytes: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where one value lives.

    Attributes:
        memory: "arena" (reused), "state" (kept between steps) or "constant".
        offset: bytes from the start of that memory.
        nbytes: how many bytes from there on hold the value (a broadcast view needs few).
        life: when the memory is taken by this value.
        sharing: "own", "view" (reads the memory of another value), or "in place" (overwrites it).
    """

    memory: str
    offset: int
    nbytes: int
    life: Lifetime
    sharing: str


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """The plan of one specialised program.

    Attributes:
        places: of every value.
        arena_bytes: memory that the values of a step share.
        lower_bound_bytes: most bytes of arena values that exist at one moment; no arena with the
            same sharing of memory is smaller.
        separate_bytes: what the arena would be if every value had memory of its own.
        state_bytes: of variables, kept between steps.
        constant_bytes: of constants, also those of bodies.
        feed_bytes: of the arrays that the caller gives, which are copied into the arena.
        result_bytes: of the arrays that the caller gets, which are copied out of it.
        computed: the nodes that take time: no inputs, views or constants.
        blocks: what was placed in the arena, in the order of placing, kernels' own memory too.
        inside: of nodes that are loops or branches, the plans of their bodies' programs.
        nested: by the moment of a node, the plans of programs that run then with arenas of their
            own in this one: one for every shard.
        held_bytes: what kernels of loops and branches keep for themselves beside these.
    """

    places: Mapping[Tensor, Place]
    arena_bytes: int
    lower_bound_bytes: int
    separate_bytes: int
    state_bytes: int
    constant_bytes: int
    feed_bytes: int = 0
    result_bytes: int = 0
    computed: tuple[Node, ...] = ()
    blocks: tuple[Block, ...] = ()
    inside: Mapping[Node, tuple[MemoryPlan, ...]] = field(default_factory=dict)
    nested: Mapping[int, tuple[MemoryPlan, ...]] = field(default_factory=dict)
    held_bytes: int = 0

    @property
    def body_bytes(self) -> int:
        """Memory beside the arena that loops and branches have for their bodies, at any depth."""
        plans = [plan for plans in self.inside.values() for plan in plans]
        inner = sum(plan.arena_bytes + plan.state_bytes + plan.body_bytes for plan in plans)
        nested = sum(plan.body_bytes for plans in self.nested.values() for plan in plans)
        return inner + nested + self.held_bytes

    @property
    def peak_bytes(self) -> int:
        """All memory the program holds."""
        return self.arena_bytes + self.state_bytes + self.constant_bytes + self.body_bytes


def aligned(nbytes: int) -> int:
    """``nbytes`` rounded up to the next multiple of `ALIGNMENT`.

    >>> aligned(0), aligned(1), aligned(64), aligned(65)
    (0, 64, 64, 128)
    """
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def type_bytes(of: TensorType) -> Dim:
    """Bytes of a value of this type; symbolic like its shape."""
    return of.size * of.dtype.itemsize


def known_bytes(of: TensorType) -> int:
    """The same where its sizes are numbers; else 0."""
    nbytes = of.dtype.itemsize
    for size in of.shape:
        if not isinstance(size, int):
            return 0
        nbytes *= size
    return nbytes


def peak_live_bytes(blocks: Sequence[Block]) -> int:
    """The most bytes that exist at one moment: the lower bound of every placement.

    >>> peak_live_bytes([Block(64, Lifetime(0, 1)), Block(64, Lifetime(1, 2))])
    128
    """
    return max(_live_bytes(blocks).values(), default=0)


def peak_moment(blocks: Sequence[Block]) -> int:
    """The first of the moments at which most bytes exist.

    >>> peak_moment([Block(64, Lifetime(0, 1)), Block(64, Lifetime(1, 2))])
    1
    """
    live = _live_bytes(blocks)
    return max(live, key=live.__getitem__, default=0)


def _live_bytes(blocks: Sequence[Block]) -> dict[int, int]:
    """By moment, in order, how many bytes exist from then on; only where that changes."""
    changes: dict[int, int] = {}
    for nbytes, life in blocks:
        changes[life.first] = changes.get(life.first, 0) + nbytes
        changes[life.last + 1] = changes.get(life.last + 1, 0) - nbytes
    moments = sorted(changes)
    return dict(zip(moments, accumulate(changes[moment] for moment in moments), strict=True))


def graph_peak_bytes(graph: Graph) -> int:
    """Peak of a graph without symbolic sizes if no value shared the memory of another.

    An estimate that knows no backend; a compiled program tells its own plan.

    >>> import asg
    >>> from asg.ops.leaf import input
    >>> graph_peak_bytes(asg.Graph(y=input("x", (8, 8))))
    256
    """
    blocks = []
    for tensor, life in lifetimes(graph).items():
        nbytes = type_bytes(tensor.type)
        assert isinstance(nbytes, int), f"{tensor.type} is symbolic; specialise the graph first"
        blocks.append(Block(nbytes, life))
    return peak_live_bytes(blocks)


def place_blocks(blocks: Sequence[Block]) -> Placement:
    """Offsets such that blocks whose lifetimes overlap do not overlap in memory; all aligned.

    >>> first, second, third = Lifetime(0, 1), Lifetime(1, 2), Lifetime(2, 3)
    >>> place_blocks([Block(64, first), Block(64, second), Block(9, third)])
    Placement(offsets=(0, 64, 0), nbytes=128)
    """
    rounded = [Block(aligned(block.nbytes), block.life) for block in blocks]
    by_time = _placed_by_time(rounded)
    bound = peak_live_bytes(rounded)
    if by_time.nbytes == bound:
        return by_time
    peak = peak_moment(rounded)
    best = min(by_time, _placed_around(rounded, peak), key=lambda each: each.nbytes)
    if len(blocks) > _BY_WEIGHT_LIMIT or best.nbytes == bound:
        return best
    for weight in _WEIGHTS:
        placement = _placed_by_weight(rounded, [weight(block, peak) for block in rounded], bound)
        best = min(best, placement, key=lambda each: each.nbytes)
        if best.nbytes == bound:
            break
    return best


# -- by weight: the heaviest block first, each into the tightest gap between those that overlap ---


def _lasting(block: Block) -> int:
    return block.life.last - block.life.first


# What exists at the most crowded moment has no byte to spare, so that it comes first, and what
# lasts lies lowest: what is over then lies on top, side by side. Where that leaves gaps, size alone
# may not, or size with a say for long lives; which one wins differs from graph to graph.
_WEIGHTS: tuple[Callable[[Block, int], tuple[int, int]], ...] = (
    lambda block, peak: (block.life.includes(peak), _lasting(block) * block.nbytes),
    lambda block, peak: (True, _lasting(block)) if block.life.includes(peak) else (False, 0),
    lambda block, peak: (0, block.nbytes),
    lambda block, peak: (0, block.nbytes**2 * (1 + _lasting(block))),
)
_ROUNDS = 8


def _placed_by_weight(
    blocks: Sequence[Block], weights: Sequence[tuple[int, int]], bound: int
) -> Placement:
    """The heaviest block first; then again, with those first that came to lie too high."""
    keys = [
        (-first, -second, -block.nbytes, block.life.first)
        for (first, second), block in zip(weights, blocks, strict=True)
    ]
    order = sorted(range(len(blocks)), key=keys.__getitem__)
    best = placement = _placed_in_order(blocks, order)
    for _ in range(_ROUNDS):
        if best.nbytes == bound:
            break
        order.sort(key=lambda i: placement.offsets[i] + blocks[i].nbytes <= bound)
        placement = _placed_in_order(blocks, order)
        best = min(best, placement, key=lambda each: each.nbytes)
    return best


def _placed_in_order(blocks: Sequence[Block], order: Sequence[int]) -> Placement:
    placed: list[tuple[int, int, int, int]] = []  # (offset, end, first, last), sorted
    offsets = [0] * len(blocks)
    top = 0
    for index in order:
        nbytes, life = blocks[index]
        if not nbytes:
            continue
        offset = offsets[index] = _tightest_gap(nbytes, life, placed)
        insort(placed, (offset, offset + nbytes, *life))
        top = max(top, offset + nbytes)
    return Placement(tuple(offsets), top)


def _tightest_gap(nbytes: int, life: Lifetime, placed: list[tuple[int, int, int, int]]) -> int:
    born, dies = life
    reached, best, slack = 0, -1, -1
    for offset, end, first, last in placed:
        if first > dies or last < born:
            continue
        gap = offset - reached
        if gap >= nbytes and (best < 0 or gap - nbytes < slack):
            best, slack = reached, gap - nbytes
        if end > reached:
            reached = end
    return reached if best < 0 else best


# -- by time: an allocator with a best-fit free list, run through the program ---------------------


class _FreeList:
    """Gaps below ``top``, found by size, merged with their neighbours when memory comes back."""

    def __init__(self) -> None:
        self.top = 0
        self._by_size: list[tuple[int, int]] = []
        self._end_of: dict[int, int] = {}  # start of a gap -> its end
        self._start_of: dict[int, int] = {}  # end of a gap -> its start

    def take(self, nbytes: int) -> int:
        """The start of ``nbytes`` free bytes."""
        found = bisect_left(self._by_size, (nbytes, -1))
        if found < len(self._by_size):
            size, start = self._by_size[found]
            self._remove(start, start + size)
            if size > nbytes:
                self._add(start + nbytes, start + size)
            return start
        start = self._start_of.get(self.top, self.top)
        if start != self.top:
            self._remove(start, self.top)
        self.top = start + nbytes
        return start

    def give(self, start: int, end: int) -> None:
        """Take back what was given."""
        if start in self._start_of:
            below = self._start_of[start]
            self._remove(below, start)
            start = below
        if end in self._end_of:
            above = self._end_of[end]
            self._remove(end, above)
            end = above
        self._add(start, end)

    def _add(self, start: int, end: int) -> None:
        self._end_of[start], self._start_of[end] = end, start
        insort(self._by_size, (end - start, start))

    def _remove(self, start: int, end: int) -> None:
        del self._end_of[start], self._start_of[end]
        self._by_size.pop(bisect_left(self._by_size, (end - start, start)))


def _placed_by_time(blocks: Sequence[Block]) -> Placement:
    offsets = [0] * len(blocks)
    top = _run(blocks, [block.life for block in blocks], [], range(len(blocks)), offsets)
    return Placement(tuple(offsets), top)


def _placed_around(blocks: Sequence[Block], moment: int) -> Placement:
    """What exists at a moment side by side, what lasts longest lowest; then both ways from there.

    The way back is the way on, with time turned round: what was made last is placed first.
    """
    lives = [block.life for block in blocks]
    turned = [Lifetime(-life.last, -life.first) for life in lives]
    standing = [i for i, life in enumerate(lives) if life.includes(moment)]
    standing.sort(key=lambda i: -_lasting(blocks[i]))
    offsets = [0] * len(blocks)
    top = 0
    for index in standing:
        offsets[index] = top
        top += blocks[index].nbytes
    later = [i for i, life in enumerate(lives) if life.first > moment]
    earlier = [i for i, life in enumerate(lives) if life.last < moment]
    above = _run(blocks, lives, standing, later, offsets)
    below = _run(blocks, turned, standing, earlier, offsets)
    return Placement(tuple(offsets), max(top, above, below))


def _run(
    blocks: Sequence[Block],
    lives: Sequence[Lifetime],
    standing: Sequence[int],
    coming: Iterable[int],
    offsets: list[int],
) -> int:
    """Place the blocks that come, by time, where others have gone; the end of the highest one."""
    free = _FreeList()
    free.top = sum(blocks[i].nbytes for i in standing)
    ending = [(lives[i].last, offsets[i], offsets[i] + blocks[i].nbytes) for i in standing]
    ending = [each for each in ending if each[1] < each[2]]
    heapify(ending)
    for index in sorted(coming, key=lambda i: (lives[i].first, -blocks[i].nbytes)):
        nbytes, life = blocks[index].nbytes, lives[index]
        while ending and ending[0][0] < life.first:
            _, start, end = heappop(ending)
            free.give(start, end)
        if nbytes:
            offsets[index] = free.take(nbytes)
            heappush(ending, (life.last, offsets[index], offsets[index] + nbytes))
    return free.top
