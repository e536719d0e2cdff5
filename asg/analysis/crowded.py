"""What an arena must hold as a formula: what exists at its most crowded moments.

Most blocks last from one node to another. Others exist at the moment of one node alone, for its
kernel: such memory comes and goes with the size of caches, and only at a crowded moment does it
matter. Programs that run inside a node have arenas of their own among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asg.analysis.liveness import Lifetime
from asg.analysis.memory import (
    ALIGNMENT,
    Block,
    MemoryPlan,
    aligned,
    peak_live_bytes,
    peak_moment,
)
from asg.analysis.polynomial import Polynomial, interpolated
from asg.core.dim import Dim, SymbolicDim, ceil_div, dim_max


class Arena(NamedTuple):
    """What lies in the arena of a plan.

    Attributes:
        lasting: blocks that exist at several moments.
        brief: by moment, the bytes of blocks that exist then alone.
        nested: by moment, the arenas of programs that run then.
    """

    lasting: tuple[Block, ...]
    brief: Mapping[int, tuple[int, ...]]
    nested: Mapping[int, tuple[Arena, ...]]

    @property
    def structure(self) -> tuple[object, ...]:
        """All that is not told in bytes."""
        nested = [(moment, *(a.structure for a in each)) for moment, each in self.nested.items()]
        return (tuple(block.life for block in self.lasting), tuple(nested))

    def blocks(self) -> list[Block]:
        """All of it; of nested arenas what they cannot do without."""
        found = [Block(aligned(nbytes), life) for nbytes, life in self.lasting]
        for moment, each in self.brief.items():
            found += [Block(aligned(nbytes), Lifetime(moment, moment)) for nbytes in each]
        for moment, arenas in self.nested.items():
            found += [Block(arena.bound(), Lifetime(moment, moment)) for arena in arenas]
        return found

    def bound(self) -> int:
        """Bytes that no arena can do without."""
        return peak_live_bytes(self.blocks())


def arena_of(memory: MemoryPlan) -> Arena:
    """That of a plan."""
    nested = {at: tuple(map(arena_of, plans)) for at, plans in memory.nested.items()}
    theirs = {at: [max(p.arena_bytes, 1) for p in plans] for at, plans in memory.nested.items()}
    lasting: list[Block] = []
    brief: dict[int, list[int]] = {}
    for block in memory.blocks:
        moment = block.life.first
        if block.life.last != moment:
            lasting.append(block)
        elif block.nbytes in theirs.get(moment, ()):
            theirs[moment].remove(block.nbytes)
        else:
            brief.setdefault(moment, []).append(block.nbytes)
    return Arena(tuple(lasting), {at: tuple(each) for at, each in brief.items()}, nested)


class Fitted(NamedTuple):
    """Polynomials of the blocks of an `Arena`; None where there is none.

    Attributes:
        lives: of the blocks that last.
        lasting: their bytes.
        brief: by moment, the bytes of others.
        nested: by moment, the same of programs that run then.
    """

    lives: tuple[Lifetime, ...]
    lasting: tuple[Polynomial | None, ...]
    brief: Mapping[int, tuple[Polynomial, ...] | None]
    nested: Mapping[int, tuple[Fitted, ...]]


def fitted(numbers: Sequence[int], arenas: Sequence[Arena]) -> Fitted:
    """Through the arenas of numbers in equal steps, which have one structure."""
    rows = zip(*(arena.lasting for arena in arenas), strict=True)
    lasting = tuple(interpolated(numbers, [block.nbytes for block in row]) for row in rows)
    moments = dict.fromkeys(moment for arena in arenas for moment in arena.brief)
    brief = {m: _all_fitted(numbers, [arena.brief.get(m, ()) for arena in arenas]) for m in moments}
    nested = {
        m: tuple(fitted(numbers, each) for each in zip(*(a.nested[m] for a in arenas), strict=True))
        for m in arenas[0].nested
    }
    return Fitted(tuple(b.life for b in arenas[0].lasting), lasting, brief, nested)


def _all_fitted(
    numbers: Sequence[int], rows: Sequence[tuple[int, ...]]
) -> tuple[Polynomial, ...] | None:
    if len({len(row) for row in rows}) > 1:
        return None
    found = [interpolated(numbers, column) for column in zip(*rows, strict=True)]
    return tuple(each for each in found if each is not None) if all(found) else None


class Crowd(NamedTuple):
    """What exists at one moment: polynomials of blocks, and crowds of nested programs."""

    blocks: tuple[Polynomial, ...]
    nested: tuple[Crowds, ...]

    def nbytes(self, number: int) -> int:
        """Of all together."""
        own = sum(aligned(block.at(number)) for block in self.blocks)
        return own + sum(each.nbytes(number) for each in self.nested)

    def dim(self, size: SymbolicDim) -> Dim:
        """`nbytes` at a size."""
        total: Dim = 0
        for block in self.blocks:
            total = total + ceil_div(block.dim(size), ALIGNMENT) * ALIGNMENT
        for each in self.nested:
            total = total + each.dim(size)
        return total


class Crowds(NamedTuple):
    """What exists at moments that are the most crowded ones at some numbers."""

    crowds: tuple[Crowd, ...]

    def nbytes(self, number: int) -> int:
        """Bytes of the largest crowd."""
        return max((crowd.nbytes(number) for crowd in self.crowds), default=0)

    def dim(self, size: SymbolicDim) -> Dim:
        """`nbytes` at a size."""
        total: Dim = 0
        for crowd in self.crowds:
            total = dim_max(total, crowd.dim(size))
        return total


def crowds(of: Fitted, planned: Sequence[Arena]) -> Crowds:
    """The crowds that are the largest ones of arenas of some numbers.

    >>> blocks = [(Block(64 * n, Lifetime(0, 1)), Block(640, Lifetime(1, 2))) for n in range(5)]
    >>> arenas = [Arena(each, {}, {}) for each in blocks]
    >>> crowds(fitted(range(5), arenas), arenas[1:]).nbytes(3)
    832
    """
    moments = dict.fromkeys(peak_moment(each.blocks()) for each in planned)
    return Crowds(tuple(crowd for m in moments if (crowd := _crowd(of, m, planned)) is not None))


def _crowd(of: Fitted, moment: int, planned: Sequence[Arena]) -> Crowd | None:
    """What exists at a moment; None unless there are polynomials of all of it."""
    there = [s for s, life in zip(of.lasting, of.lives, strict=True) if life.includes(moment)]
    brief = of.brief.get(moment, ())
    if brief is None or None in there:
        return None
    nested = tuple(
        crowds(each, [arena.nested[moment][place] for arena in planned])
        for place, each in enumerate(of.nested.get(moment, ()))
    )
    return Crowd((*(size for size in there if size is not None), *brief), nested)
