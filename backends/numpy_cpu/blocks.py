"""Cutting arrays into blocks that stay in the cache, whatever their shapes and strides.

Arrays of one shape (or that broadcast to it) are seen over as few axes as their strides allow:
one, when all of them lie in memory in the same order. Blocks are cut along these axes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .kernel import Array, Scratch

Part = int | slice
Index = tuple[Part, ...]


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
    whole = [np.broadcast_to(array, like.shape) for array in arrays]
    axes = [axis for axis in range(like.ndim) if like.shape[axis] > 1]
    axes.sort(key=lambda axis: -abs(like.strides[axis]))
    groups: list[list[int]] = []
    for axis in axes:
        if groups and all(_continues(array, groups[-1][-1], axis) for array in whole):
            groups[-1].append(axis)
        else:
            groups.append([axis])
    sizes = tuple(prod(like.shape[axis] for axis in group) for group in groups)
    inner = [group[-1] for group in groups]
    return sizes, [_spread(array, given, sizes, inner)
                   for array, given in zip(whole, arrays, strict=True)]  # fmt: skip


def _continues(array: Array, outer: int, inner: int) -> bool:
    return bool(array.strides[outer] == array.strides[inner] * array.shape[inner])


def _spread(array: Array, given: Array, sizes: tuple[int, ...], inner: Sequence[int]) -> Spread:
    strides = tuple(array.strides[axis] for axis in inner)
    seen = as_strided(given, sizes, strides)  # the broadcast one could not be written to
    return Spread(seen, tuple(stride == 0 for stride in strides))


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
