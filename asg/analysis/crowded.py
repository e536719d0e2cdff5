"""What an arena must hold as a formula: the blocks of its most crowded moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from asg.analysis.memory import ALIGNMENT, Block, aligned
from asg.analysis.polynomial import Polynomial
from asg.core.dim import Dim, SymbolicDim, ceil_div, dim_max

Crowd = tuple[int, ...]
"""Positions of blocks that exist at one moment."""


@dataclass(frozen=True)
class Crowds:
    """Blocks that exist at moments which are the most crowded ones at some numbers.

    Attributes:
        sizes: of every block of the arena, a polynomial in the number; None where there is none.
        crowds: which blocks exist at each of the moments, all of them with a polynomial.
    """

    sizes: tuple[Polynomial | None, ...]
    crowds: tuple[Crowd, ...]

    def nbytes(self, number: int) -> int:
        """Bytes of the largest crowd."""
        return max((_bytes(self.sizes, crowd, number) for crowd in self.crowds), default=0)

    def dim(self, size: SymbolicDim) -> Dim:
        """`nbytes` at a size."""
        total: Dim = 0
        for crowd in self.crowds:
            height: Dim = 0
            for i in crowd:
                height = height + ceil_div(_known(self.sizes[i]).dim(size), ALIGNMENT) * ALIGNMENT
            total = dim_max(total, height)
        return total


def crowds(sizes: tuple[Polynomial | None, ...], planned: Mapping[int, Sequence[Block]]) -> Crowds:
    """The crowds that are the largest ones of numbers whose blocks are given.

    >>> from asg.analysis.liveness import Lifetime
    >>> blocks = {n: [Block(64 * n, Lifetime(0, 1)), Block(640, Lifetime(1, 2))] for n in (1, 2)}
    >>> sizes = Polynomial(1, 1, (64, 64)), Polynomial(1, 1, (640,))
    >>> crowds(sizes, blocks).crowds
    ((0, 1),)
    """
    found: dict[Crowd, None] = {}
    for blocks in planned.values():
        crowd = _largest(blocks)
        if all(sizes[i] is not None for i in crowd):
            found[crowd] = None
    return Crowds(sizes, tuple(found))


def _largest(blocks: Sequence[Block]) -> Crowd:
    """The blocks of the moment with most bytes."""
    changes: dict[int, int] = {}
    for nbytes, life in blocks:
        changes[life.first] = changes.get(life.first, 0) + aligned(nbytes)
        changes[life.last + 1] = changes.get(life.last + 1, 0) - aligned(nbytes)
    moments = sorted(changes)
    live = list(accumulate(changes[moment] for moment in moments))
    if not live:
        return ()
    _, moment = max(zip(live, (-moment for moment in moments), strict=True))
    return tuple(
        i for i, (nbytes, life) in enumerate(blocks)
        if nbytes and life.first <= -moment <= life.last
    )  # fmt: skip


def _bytes(sizes: Sequence[Polynomial | None], crowd: Crowd, number: int) -> int:
    return sum(aligned(_known(sizes[i]).at(number)) for i in crowd)


def _known(size: Polynomial | None) -> Polynomial:
    assert size is not None, "crowds are made of blocks that have a polynomial"
    return size
