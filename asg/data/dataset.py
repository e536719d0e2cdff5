"""Dataset: arrays of equal length by name."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.order import permutation

Array = np.ndarray[Any, Any]
SPLIT_STREAM = 0  # epochs are streams 1, 2, ...: a split never repeats the order of an epoch


class Dataset:
    """Arrays by name whose first axis counts the examples.

    Every array is made C-contiguous once, so that batches can be fed as they are.

    Attributes:
        arrays: by name, in order.
        name: what the user selects the data set by; "" for data of one's own.
        source: where the numbers come from, for reports.

    Raises:
        OperandError: no array, a scalar among them, or lengths that differ.

    >>> data = Dataset({"x": np.zeros((3, 2), np.float32), "y": np.array([0, 1, 2], np.int32)})
    >>> len(data), data[1]["y"].item(), data[:2]["x"].shape
    (3, 1, (2, 2))
    """

    def __init__(self, arrays: Mapping[str, Any], name: str = "", source: str = "") -> None:
        """See the class."""
        self.arrays = {key: np.asarray(array, order="C") for key, array in arrays.items()}
        self.name, self.source = name, source
        if not self.arrays:
            raise OperandError("a data set needs at least one array")
        scalars = [key for key, array in self.arrays.items() if array.ndim == 0]
        if scalars:
            raise OperandError(f"{', '.join(scalars)}: a scalar has no axis of examples")
        lengths = {key: len(array) for key, array in self.arrays.items()}
        if len(set(lengths.values())) != 1:
            listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
            raise OperandError(f"the arrays differ in length: {listed}")

    def __len__(self) -> int:
        """Number of examples."""
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: Any) -> dict[str, Array]:
        """The examples at an int, a slice or an array of indices, by name, C-contiguous."""
        return {key: np.asarray(array[index], order="C") for key, array in self.arrays.items()}

    def split(self, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two data sets without common examples, drawn at random; the same for the same seed.

        Args:
            fraction: of the examples that the first one gets, rounded down; 0 < fraction < 1.
            seed: a non-negative int.

        Raises:
            OperandError: the fraction is out of range or leaves one side empty.

        >>> whole = Dataset({"x": np.arange(10)})
        >>> train, test = whole.split(0.8, seed=0)
        >>> len(train), len(test)
        (8, 2)
        """
        if isinstance(fraction, bool) or not isinstance(fraction, int | float | np.floating):
            raise OperandError(f"fraction={fraction!r} is not a number")
        if not 0.0 < fraction < 1.0:
            raise OperandError(f"fraction={fraction} is not between 0 and 1")
        # The tolerance: 0.29 * 100 is 28.999999999999996, and 29 is meant.
        first = floor(float(fraction) * len(self) + 1e-9)
        if first in (0, len(self)):
            raise OperandError(
                f"fraction={fraction} of {len(self)} examples leaves one side of the split empty"
            )
        order = permutation(len(self), seed, SPLIT_STREAM)
        return self._part(order[:first]), self._part(order[first:])

    def _part(self, index: Array) -> Dataset:
        return Dataset(self[index], self.name, self.source)

    def __repr__(self) -> str:
        """``<dataset digits: 1797 x images float32[64], labels int32[]>``."""
        kinds = ", ".join(f"{k} {a.dtype}{list(a.shape[1:])}" for k, a in self.arrays.items())
        return f"<dataset {self.name or 'unnamed'}: {len(self)} x {kinds}>"
