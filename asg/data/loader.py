"""DataLoader: a data set in batches, in a new order every epoch, and resumable at any batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple
from weakref import finalize

import numpy as np

from asg.core.errors import OperandError
from asg.data.background import Workers, in_thread
from asg.data.checks import require_count
from asg.data.draws import Batch, Draw, Transform, apply
from asg.data.examples import Examples, checked_batch
from asg.data.order import Array, require_seed
from asg.data.samplers import RandomSampler, Sampler, SequentialSampler

Collate = Callable[[Sequence[Batch]], Batch]


class DataLoader:
    """Iterate over it once per epoch; every batch is a dict of C-contiguous arrays.

    The order of epoch ``n`` is a function of (seed, n) alone, and so are the random numbers of the
    transforms: a run can be repeated and continued exactly, whatever makes the batches. A loop that
    was left early is over: the next loop is the next epoch.

    Attributes:
        dataset: what the batches are taken from.
        batch_size: examples per batch; the last batch of an epoch may have fewer.
        sampler: gives the order of each epoch.
        epoch: epochs finished or left; also the number of the next one.

    Raises:
        OperandError: an argument out of range, or no batch at all.

    >>> from asg.data import Dataset
    >>> data = Dataset({"x": np.arange(5, dtype=np.float32)})
    >>> loader = DataLoader(data, batch_size=2)
    >>> [batch["x"].tolist() for batch in loader]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> len(loader), len(DataLoader(data, batch_size=2, drop_last=True))
    (3, 2)
    """

    def __init__(
        self,
        dataset: Examples,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        *,
        sampler: Sampler | None = None,
        transform: Transform | None = None,
        collate: Collate | None = None,
        prefetch: int = 0,
        workers: int = 0,
    ) -> None:
        """See the class.

        Args:
            dataset: the examples.
            batch_size: a positive int.
            shuffle: a new random order every epoch.
            seed: of the order and of the transform's random numbers; a non-negative int.
            drop_last: leave out a last batch that is smaller than the others.
            sampler: another order (then ``shuffle`` is not).
            transform: a function of a batch, or one of `asg.data.transforms`, applied to each.
            collate: makes a batch of a list of single examples, `pad_batch` for instance; without
                it the data set is asked for whole batches, which is quicker.
            prefetch: batches made ahead of the loop, by a thread.
            workers: processes that make batches, for slow Python functions; ``prefetch`` then is
                the number of batches ahead of all of them (default: two for each). They are
                started by the first loop and end with `close`, a ``with`` block, or the loader.
        """
        self.dataset, self.batch_size = dataset, require_count("batch_size", batch_size)
        self.shuffle, self.seed, self.drop_last = bool(shuffle), require_seed(seed), bool(drop_last)
        if not len(dataset):
            raise OperandError(f"0 examples give no batch of {batch_size}")
        self._custom = sampler is not None
        self.sampler = self._default_sampler() if sampler is None else self._checked(sampler)
        self._maker = _Maker(dataset, transform, collate, self.seed)
        self.workers = require_count("workers", workers, 0)
        self.prefetch = require_count("prefetch", prefetch, 0) or 2 * self.workers
        self._pool: Workers | None = None
        self.epoch = 0
        self._batch = 0  # the next one of the epoch
        self._resuming = False  # the next loop begins at _batch
        if not len(self):
            raise OperandError(
                f"{len(self.sampler)} examples give no batch of {batch_size}"
                + (" with drop_last=True" if drop_last else "")
            )

    def _default_sampler(self) -> Sampler:
        length = len(self.dataset)
        return RandomSampler(length, self.seed) if self.shuffle else SequentialSampler(length)

    def _checked(self, sampler: Sampler) -> Sampler:
        if not isinstance(sampler, Sampler):
            raise OperandError(f"sampler={sampler!r} is no asg.data.Sampler")
        if self.shuffle:
            raise OperandError("shuffle=True and a sampler: the sampler gives the order")
        if (largest := int(sampler.indices(0).max(initial=0))) >= len(self.dataset):
            raise OperandError(
                f"the sampler gives example {largest}, the data set has {len(self.dataset)}"
            )
        return sampler

    def __len__(self) -> int:
        """Batches per epoch."""
        whole, rest = divmod(len(self.sampler), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[Batch]:
        """The batches of the next epoch, or those left of the one `set_state` returned to."""
        if self._batch and not self._resuming:
            self._next_epoch()
        self._resuming = False
        made = self._made(self._tasks())
        try:
            for number, batch in enumerate(made, self._batch + 1):
                self._batch = number  # what the loop has, not what was made ahead
                yield batch
        finally:
            made.close()
        self._next_epoch()

    def peek(self) -> Batch:
        """The first batch of the epoch, as the loop gives it; the loader stands where it did.

        >>> from asg.data import Dataset
        >>> DataLoader(Dataset({"x": np.arange(5)}), batch_size=2).peek()["x"].tolist()
        [0, 1]
        """
        indices = self.sampler.batches(self.epoch, self.batch_size)[0]
        return self._maker(_Task(self.epoch, 0, 0, indices))

    def _tasks(self) -> Iterator[_Task]:
        """What is left of the epoch."""
        epoch, place, skipped = self.epoch, 0, self._batch
        batches = self.sampler.batches(epoch, self.batch_size)[: len(self)]
        for number, indices in enumerate(batches):
            if number >= skipped:
                yield _Task(epoch, number, place, indices)
            place += len(indices)

    def _made(self, tasks: Iterator[_Task]) -> Any:
        if self.workers:
            if self._pool is None:
                self._pool = Workers(self.workers, self._maker)
                finalize(self, self._pool.close)
            return self._pool.run(tasks, self.prefetch)
        if self.prefetch:
            return in_thread(self._maker, tasks, self.prefetch)
        return (self._maker(task) for task in tasks)

    def _next_epoch(self) -> None:
        self.epoch, self._batch = self.epoch + 1, 0

    def close(self) -> None:
        """End the worker processes; the next loop starts new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> DataLoader:
        """The loader itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """`close`."""
        self.close()

    def get_state(self) -> dict[str, int]:
        """Where the loader stands, as plain ints: the position, and the settings it belongs to."""
        return {"epoch": self.epoch, "batch": self._batch, **self._settings()}

    def _settings(self) -> dict[str, int]:
        settings = {
            "examples": len(self.dataset),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": int(self.shuffle),
            "drop_last": int(self.drop_last),
        }
        return settings | ({"sampler": self.sampler.fingerprint()} if self._custom else {})

    def set_state(self, state: Mapping[str, int]) -> None:
        """Go to a position that `get_state` returned; the next loop gives the batches after it.

        Raises:
            OperandError: the state belongs to a loader with other settings, whose batches differ.
        """
        wanted = {"epoch", "batch", *self._settings()}
        if state.keys() != wanted:
            raise OperandError(f"a loader state has {sorted(wanted)}, given {sorted(state)}")
        for key, value in self._settings().items():
            if state[key] != value:
                raise OperandError(f"the state is of {key}={state[key]}, the loader has {value}")
        if state["epoch"] < 0 or not 0 <= state["batch"] <= len(self):
            raise OperandError(f"no batch {state['batch']} of epoch {state['epoch']}")
        self.epoch, self._batch = state["epoch"], state["batch"]
        self._resuming = self._batch < len(self)


class _Task(NamedTuple):
    """One batch to be made: its number, its first place in the epoch, and its examples."""

    epoch: int
    batch: int
    place: int
    indices: Array


@dataclass(frozen=True)
class _Maker:
    """Makes batches; what a thread or a process needs for it, and nothing else."""

    dataset: Examples
    transform: Transform | None
    collate: Collate | None
    seed: int

    def __call__(self, task: _Task) -> Batch:
        """The batch."""
        batch = self._read(task.indices)
        if self.transform is None:
            return batch
        places = task.place + np.arange(len(task.indices))
        changed = apply(self.transform, batch, Draw(self.seed, task.epoch, task.batch, places))
        return checked_batch(changed, None, "transform")

    def _read(self, indices: Array) -> Batch:
        if self.collate is None:
            return {k: np.asarray(a, order="C") for k, a in self.dataset[indices].items()}
        examples = [self.dataset[int(index)] for index in indices]
        return checked_batch(self.collate(examples), None, "collate")
