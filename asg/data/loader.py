"""DataLoader: a data set in batches, in a new order every epoch, and resumable at any batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from asg.core.errors import OperandError
from asg.data.dataset import Array, Dataset
from asg.data.order import permutation, require_seed


class DataLoader:
    """Iterate over it once per epoch; every batch is a dict of C-contiguous arrays.

    The order of epoch ``n`` is a function of (seed, n) alone, so a run can be repeated and
    continued exactly. A loop that was left early is over: the next loop is the next epoch.

    Attributes:
        dataset: what the batches are taken from.
        batch_size: examples per batch; the last batch of an epoch may have fewer.
        epoch: epochs finished or left; also the number of the next one.

    Raises:
        OperandError: an argument out of range, or no batch at all.

    >>> data = Dataset({"x": np.arange(5, dtype=np.float32)})
    >>> loader = DataLoader(data, batch_size=2)
    >>> [batch["x"].tolist() for batch in loader]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    >>> len(loader), len(DataLoader(data, batch_size=2, drop_last=True))
    (3, 2)
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        """``drop_last`` leaves out a last batch that is smaller than the others."""
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise OperandError(f"batch_size={batch_size!r} must be a positive int")
        self.dataset, self.batch_size = dataset, batch_size
        self.shuffle, self.seed, self.drop_last = bool(shuffle), require_seed(seed), bool(drop_last)
        self.epoch = 0
        self._batch = 0  # the next one of the epoch
        self._resuming = False  # the next loop begins at _batch
        if not len(self):
            raise OperandError(
                f"{len(dataset)} examples give no batch of {batch_size}"
                + (" with drop_last=True" if drop_last else "")
            )

    def __len__(self) -> int:
        """Batches per epoch."""
        whole, rest = divmod(len(self.dataset), self.batch_size)
        return whole + (1 if rest and not self.drop_last else 0)

    def __iter__(self) -> Iterator[dict[str, Array]]:
        """The batches of the next epoch, or those left of the one `set_state` returned to."""
        if self._batch and not self._resuming:
            self._next_epoch()
        self._resuming = False
        order = self._order()
        for batch in range(self._batch, len(self)):
            start = batch * self.batch_size
            self._batch = batch + 1
            yield self.dataset[order[start : start + self.batch_size]]
        self._next_epoch()

    def _next_epoch(self) -> None:
        self.epoch, self._batch = self.epoch + 1, 0

    def _order(self) -> Array:
        if not self.shuffle:
            return np.arange(len(self.dataset))
        return permutation(len(self.dataset), self.seed, self.epoch + 1)

    def get_state(self) -> dict[str, int]:
        """Where the loader stands, as plain ints: the position, and the settings it belongs to."""
        return {"epoch": self.epoch, "batch": self._batch, **self._settings()}

    def _settings(self) -> dict[str, int]:
        return {
            "examples": len(self.dataset),
            "batch_size": self.batch_size,
            "seed": self.seed,
            "shuffle": int(self.shuffle),
            "drop_last": int(self.drop_last),
        }

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
