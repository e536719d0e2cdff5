"""Samplers: which examples an epoch gives, in which order. All are functions of (seed, epoch)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from zlib import crc32

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_count, require_labels
from asg.data.order import Array, permutation, require_seed, stratified_order, uniform


class Sampler(ABC):
    """An order of examples for every epoch; ``DataLoader(sampler=...)`` cuts it into batches.

    A sampler of your own defines `indices` and `__len__`; it has to give the same order whenever
    it is asked for the same epoch, since a resumed run asks again.
    """

    @abstractmethod
    def __len__(self) -> int:
        """Examples per epoch."""

    @abstractmethod
    def indices(self, epoch: int) -> Array:
        """Positions of the examples of an epoch (from 0), int64 [len(self)]."""

    def batches(self, epoch: int, batch_size: int) -> list[Array]:
        """The order of the epoch, cut; the last batch may be smaller."""
        order = self.indices(epoch)
        return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]

    def fingerprint(self) -> int:
        """A number that differs for samplers that give other orders: of the first epoch's."""
        return crc32(np.ascontiguousarray(self.indices(0), dtype="<i8").tobytes())


class SequentialSampler(Sampler):
    """0, 1, 2, ... in every epoch.

    >>> SequentialSampler(3).indices(epoch=7).tolist()
    [0, 1, 2]
    """

    def __init__(self, length: int) -> None:
        """``length`` examples."""
        self.length = require_count("length", length)

    def __len__(self) -> int:
        """Examples per epoch."""
        return self.length

    def indices(self, epoch: int) -> Array:
        """The natural order."""
        return np.arange(self.length)


class RandomSampler(SequentialSampler):
    """Every example once, in a new random order every epoch: that of ``shuffle=True``.

    >>> sampler = RandomSampler(4, seed=0)
    >>> sorted(sampler.indices(0).tolist()), (sampler.indices(1) == sampler.indices(1)).all()
    ([0, 1, 2, 3], np.True_)
    """

    def __init__(self, length: int, seed: int = 0) -> None:
        """``length`` examples; ``seed`` is a non-negative int."""
        super().__init__(length)
        self.seed = require_seed(seed)

    def indices(self, epoch: int) -> Array:
        """A permutation."""
        return permutation(self.length, self.seed, epoch + 1)


class WeightedSampler(Sampler):
    """Examples drawn with probabilities proportional to their weights.

    With replacement every draw is independent of the others. Without, an example is drawn once at
    most, each draw being weighted among those that are left.

    Source: without replacement, Efraimidis and Spirakis, "Weighted random sampling with a
    reservoir", https://doi.org/10.1016/j.ipl.2005.11.003 (the largest ``log(u) / weight``).

    Raises:
        OperandError: a weight is negative or not finite, all are 0; or without replacement, fewer
            examples of positive weight than draws.

    >>> sampler = WeightedSampler([0.0, 1.0, 3.0], count=1000, seed=0)
    >>> np.bincount(sampler.indices(0)).tolist()
    [0, 246, 754]
    >>> sorted(WeightedSampler([0.0, 1.0, 3.0], 2, replacement=False).indices(0).tolist())
    [1, 2]
    """

    def __init__(
        self, weights: Any, count: int | None = None, replacement: bool = True, seed: int = 0
    ) -> None:
        """``count`` draws per epoch (default: one for each weight)."""
        self.weights = np.asarray(weights, np.float64)
        if self.weights.ndim != 1 or not len(self.weights):
            raise OperandError(f"weights are [examples], given {list(self.weights.shape)}")
        wrong = np.flatnonzero(~(np.isfinite(self.weights) & (self.weights >= 0.0)))
        if len(wrong):
            raise OperandError(f"weights[{wrong[0]}]={self.weights[wrong[0]]} is not a number >= 0")
        self.count = len(self.weights) if count is None else require_count("count", count)
        self.replacement, self.seed = bool(replacement), require_seed(seed)
        usable = int(np.count_nonzero(self.weights))
        if not usable or (not replacement and usable < self.count):
            raise OperandError(f"{usable} positive weights do not allow {self.count} draws")

    def __len__(self) -> int:
        """Draws per epoch."""
        return self.count

    def indices(self, epoch: int) -> Array:
        """The draws."""
        if self.replacement:
            ends = np.cumsum(self.weights)
            draws = uniform(self.count, self.seed, epoch + 1) * ends[-1]
            last = np.flatnonzero(self.weights)[-1]  # if rounding takes a draw to the very end
            return np.asarray(np.minimum(np.searchsorted(ends, draws, side="right"), last))
        usable = np.flatnonzero(self.weights)
        numbers = uniform(len(self.weights), self.seed, epoch + 1)[usable]
        keys = np.log(numbers) / self.weights[usable]
        return usable[np.argsort(-keys, kind="stable")[: self.count]]


class StratifiedSampler(Sampler):
    """Every example once, so that each batch has the classes' shares of the whole.

    Of a class with the share ``p``, a batch of ``n`` has ``p n`` examples, give or take about one.

    >>> labels = np.array([0] * 90 + [1] * 10)
    >>> orders = StratifiedSampler(labels).batches(epoch=0, batch_size=20)
    >>> [int(labels[batch].sum()) for batch in orders]
    [2, 2, 2, 2, 2]
    """

    def __init__(self, labels: Any, seed: int = 0) -> None:
        """``labels`` are class numbers [examples]."""
        self.labels, self.seed = require_labels(labels), require_seed(seed)
        if not len(self.labels):
            raise OperandError("labels: there is no example")

    def __len__(self) -> int:
        """Examples per epoch."""
        return len(self.labels)

    def indices(self, epoch: int) -> Array:
        """A random order in which the classes alternate by their shares."""
        return stratified_order(self.labels, self.seed, epoch + 1)


class LengthSampler(Sampler):
    """Batches of examples of similar length, for `pad_batch`: random, with little to pad.

    The shuffled examples are taken in pools of ``pool`` batches; each pool is sorted by length and
    cut into batches, and all batches of the epoch are shuffled.

    >>> lengths = np.array([5, 50, 6, 51, 7, 52])
    >>> batches = LengthSampler(lengths).batches(epoch=0, batch_size=3)
    >>> sorted(sorted(lengths[batch].tolist()) for batch in batches)
    [[5, 6, 7], [50, 51, 52]]
    """

    def __init__(self, lengths: Any, pool: int = 100, seed: int = 0) -> None:
        """``lengths`` [examples] are non-negative ints; ``pool`` batches are sorted together."""
        self.lengths = require_labels(lengths, name="lengths")
        self.pool, self.seed = require_count("pool", pool), require_seed(seed)
        if not len(self.lengths):
            raise OperandError("lengths: there is no example")

    def __len__(self) -> int:
        """Examples per epoch."""
        return len(self.lengths)

    def indices(self, epoch: int) -> Array:
        """A random order, which `batches` sorts in part."""
        return permutation(len(self), self.seed, epoch + 1)

    def batches(self, epoch: int, batch_size: int) -> list[Array]:
        """Batches in random order; the smaller one, if any, comes last."""
        order, width = self.indices(epoch), self.pool * batch_size
        pools = [order[start : start + width] for start in range(0, len(order), width)]
        by_length = [pool[np.argsort(self.lengths[pool], kind="stable")] for pool in pools]
        whole, rest = divmod(len(order), batch_size)
        cut = np.split(np.concatenate(by_length), np.arange(1, whole + bool(rest)) * batch_size)
        shuffled = permutation(whole, self.seed, 2**31 + epoch)
        return [cut[place] for place in shuffled] + cut[whole:]

    def fingerprint(self) -> int:
        """Differs also for other lengths and pools."""
        ordered = np.append(self.lengths, self.pool).astype("<i8")
        return crc32(ordered.tobytes(), super().fingerprint())
