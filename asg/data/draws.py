"""Random numbers of one batch: equal whenever the batch is made again, wherever it is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from asg.data.order import Array, permutation, uniform

Batch = dict[str, Array]
_STEP = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


@dataclass(frozen=True)
class Draw:
    """Where a batch stands, and the random numbers that follow from it.

    The numbers of an example depend on (seed, epoch, its place in the epoch) alone, so neither the
    size of the batches nor the number of workers changes them; and an example that a sampler gives
    twice gets other numbers the second time.

    Attributes:
        seed: of the loader.
        epoch: counted from 0.
        batch: its number in the epoch, from 0.
        places: of its examples in the order of the epoch, int64 [examples].
        stream: which transform draws; each of a chain has its own.
    """

    seed: int
    epoch: int
    batch: int
    places: Array
    stream: tuple[int, ...] = ()

    @classmethod
    def first(cls, examples: int, seed: int = 0) -> Draw:
        """Of the first batch of the first epoch: to try a transform by hand."""
        return cls(seed, 0, 0, np.arange(examples))

    def __len__(self) -> int:
        """Examples in the batch."""
        return len(self.places)

    def fork(self, position: int) -> Draw:
        """The same place with other numbers."""
        return replace(self, stream=(*self.stream, position))

    def uniform(self, *shape: int) -> Array:
        """float64 [examples, *shape] in (0, 1), neither end included.

        Source of the bits: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
        generators", https://doi.org/10.1145/2660193.2660195), as a hash of a counter.

        >>> few, many = Draw.first(2).uniform(3), Draw.first(5).uniform(3)
        >>> few.shape, bool((few == many[:2]).all())
        ((2, 3), True)
        """
        start = np.array(uniform(1, self.seed, self.epoch, *self.stream) * 2.0**63, np.uint64)
        example = _mix(start + self.places.astype(np.uint64) * _STEP)
        count = int(np.prod(shape, dtype=np.int64))
        numbers = np.arange(1, count + 1, dtype=np.uint64) * _STEP
        bits = _mix(example[:, None] + numbers) >> np.uint64(11)
        return ((bits + 0.5) * 2.0**-53).reshape(len(self), *shape)

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers, float64 [examples, *shape] (Box and Muller)."""
        radius = np.sqrt(-2.0 * np.log(self.fork(0).uniform(*shape)))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.fork(1).uniform(*shape)))

    def one(self) -> float:
        """One number in (0, 1) for the whole batch."""
        return float(uniform(1, self.seed, self.epoch, *self.stream, 1, self.batch)[0])

    def partners(self) -> Array:
        """A random order of the batch's own examples, int64 [examples]."""
        key = int(uniform(1, self.seed, self.epoch, *self.stream, 2)[0] * 2**53)
        return permutation(len(self), key, self.batch)


class RandomTransform(ABC):
    """A change of batches that draws random numbers; `DataLoader(transform=...)` supplies them."""

    @abstractmethod
    def __call__(self, batch: Batch, draw: Draw) -> Batch:
        """The changed batch; the given one stays as it is."""


Transform = RandomTransform | Callable[[Batch], Batch]


def apply(transform: Transform, batch: Batch, draw: Draw) -> Batch:
    """The transform's result, with random numbers if it takes them."""
    if isinstance(transform, RandomTransform):
        return transform(batch, draw)
    return transform(batch)


def _mix(state: Any) -> Array:
    state = (state ^ (state >> np.uint64(30))) * _FIRST
    state = (state ^ (state >> np.uint64(27))) * _SECOND
    return np.asarray(state ^ (state >> np.uint64(31)))
