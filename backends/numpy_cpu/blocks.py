"""Cutting arrays into blocks that stay in the cache, whatever their shapes and strides.

Arrays of one shape (or that broadcast to it) are seen over as few axes as their strides allow:
one, when all of them lie in memory in the same order. Blocks are cut along these axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .kernel import Array, Scratch

Part = int | slice
Index = tuple[Part, ...]
Kind = tuple[tuple[int, ...], tuple[int, ...]]
"""Shape and strides of an array."""


class Spread(NamedTuple):
    """An array over the common axes; along ``repeated`` ones all its elements are the same."""

    array: Array
    repeated: tuple[bool, ...]

    def part(self, index: Index) -> Array:
        """What belongs to a block."""
        piece: Array = self.array[(*index, ...)]
        return piece


class SameMemory:
    """Scratch memory that one block after the other uses; the first takes the most."""

    def __init__(self, scratch: Scratch) -> None:
        """Nothing is taken yet."""
        self._scratch = scratch
        self._held: list[Array] = []
        self._used = 0

    def anew(self) -> Scratch:
        """For the next block: what it asks for lies where that of the block before lay."""
        self._used = 0
        return self

    def __call__(self, shape: Sequence[int], dtype: Any, /) -> Array:
        """`Scratch`."""
        nbytes = prod(shape) * np.dtype(dtype).itemsize
        if self._used == len(self._held):
            self._held.append(self._scratch((nbytes,), np.uint8))
        self._used += 1
        return np.ndarray(tuple(shape), dtype, self._held[self._used - 1])


def common_axes(arrays: Sequence[Array], like: Array) -> tuple[tuple[int, ...], list[Spread]]:
    """The sizes of the common axes, in the order of ``like`` in memory, and the arrays over them.

    >>> x, row = np.zeros((2, 3, 4)), np.zeros((3, 1))
    >>> sizes, (whole, part) = common_axes([x, row], x)
    >>> sizes, part.repeated
    ((2, 3, 4), (True, False, True))
    >>> common_axes([x, x], x)[0]
    (24,)
    """
    kinds = tuple([(array.shape, array.strides) for array in arrays])
    sizes, steps = _common(kinds, (like.shape, like.strides))
    return sizes, [_spread(array, sizes, strides)
                   for array, strides in zip(arrays, steps, strict=True)]  # fmt: skip


@lru_cache(1024)  # the layers of a network repeat a few kinds of operands
def _common(
    kinds: tuple[Kind, ...], like: Kind
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """The sizes of the common axes, and the strides of every array along them."""
    shape, strides = like
    whole = [_broadcast_strides(kind, shape) for kind in kinds]
    axes = [axis for axis in range(len(shape)) if shape[axis] > 1]
    axes.sort(key=lambda axis: -abs(strides[axis]))
    groups: list[list[int]] = []
    for axis in axes:
        last = groups[-1][-1] if groups else axis
        if groups and all(steps[last] == steps[axis] * shape[axis] for steps in whole):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    sizes = tuple(prod(shape[axis] for axis in group) for group in groups)
    return sizes, tuple(tuple(steps[group[-1]] for group in groups) for steps in whole)


def _broadcast_strides(kind: Kind, shape: tuple[int, ...]) -> tuple[int, ...]:
    """As `numpy.broadcast_to` gives them."""
    own, strides = kind
    missing = len(shape) - len(own)
    kept = zip(own, shape[missing:], strides, strict=True)
    return (0,) * missing + tuple(0 if mine != size else step for mine, size, step in kept)


def _spread(given: Array, sizes: tuple[int, ...], strides: tuple[int, ...]) -> Spread:
    if given.flags.c_contiguous:
        seen: Array = np.ndarray(sizes, given.dtype, given, 0, strides)  # what as_strided gives
    else:
        seen = as_strided(given, sizes, strides)
    return Spread(seen, tuple([stride == 0 for stride in strides]))


def cut(sizes: Sequence[int], most: int) -> Iterator[Index]:
    """The blocks of at most ``most`` elements, in order of memory; equal but for the last ones.

    >>> list(cut((3, 4), 8))
    [(slice(0, 2, None), slice(0, 4, None)), (slice(2, 3, None), slice(0, 4, None))]
    >>> [index[0] for index in cut((10,), 4)]
    [slice(0, 4, None), slice(4, 8, None), slice(8, 10, None)]
    """
    if not sizes:
        yield ()
        return
    axis, inner = len(sizes) - 1, 1
    while axis and inner * sizes[axis] <= most:
        inner *= sizes[axis]
        axis -= 1
    count = -(-sizes[axis] // max(most // inner, 1))
    step = max(-(-sizes[axis] // max(count, 1)), 1)
    behind = tuple(slice(0, size) for size in sizes[axis + 1 :])
    for outer in product(*map(range, sizes[:axis])):
        for start in range(0, sizes[axis], step):
            yield (*outer, slice(start, min(start + step, sizes[axis])), *behind)
