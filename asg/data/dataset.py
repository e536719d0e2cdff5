"""Dataset: arrays of equal length by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast, overload

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_indices
from asg.data.examples import Examples, Joined
from asg.data.files import FileDataset
from asg.data.named import named_example, stacked
from asg.data.order import Array


class Dataset(Examples):
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

    @classmethod
    def from_examples(cls, examples: Examples) -> Dataset:
        """All examples of a lazy data set (mapped, joined, in files), held in memory.

        >>> lazy = Dataset({"x": np.arange(3)}).map(lambda batch: {"x": batch["x"] + 1})
        >>> Dataset.from_examples(lazy)
        <dataset unnamed: 3 x x int64[]>
        """
        if not isinstance(examples, Examples):
            raise OperandError(f"from_examples takes a data set, given {type(examples).__name__}")
        return cls(examples.take(np.arange(len(examples))), examples.name, examples.source)

    @classmethod
    def from_iterable(cls, iterable: Iterable[Any], names: Sequence[str] = ()) -> Dataset:
        """Everything an iterable (a generator, say) gives, read once and held in memory.

        Args:
            iterable: of examples: dicts of arrays or numbers, or, with ``names``, tuples or values.
            names: of the entries of each tuple.

        Raises:
            OperandError: no example; names or shapes that differ between examples.

        >>> Dataset.from_iterable(((i, i % 2) for i in range(4)), names=("x", "y"))
        <dataset unnamed: 4 x x int64[], y int64[]>
        """
        return cls(stacked([named_example(each, names) for each in iterable]))

    @classmethod
    def from_files(cls, files: Mapping[str, Any], name: str = "") -> FileDataset:
        """Arrays in ``.npy`` files, which may be larger than the memory: batches read their rows.

        See `FileDataset`.
        """
        return FileDataset(files, name)

    def __len__(self) -> int:
        """Number of examples."""
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, index: Any) -> dict[str, Array]:
        """The examples at an int, a slice or an array of indices, by name, C-contiguous."""
        return {key: np.asarray(array[index], order="C") for key, array in self.arrays.items()}

    def take(self, indices: Array) -> dict[str, Array]:
        """The examples at positions, by name."""
        return self[indices]

    def subset(self, indices: Any) -> Dataset:
        """The examples at these positions (or where a mask is True), copied."""
        return Dataset(self[require_indices(indices, len(self))], self.name, self.source)

    @overload
    def split(
        self, fraction: float, seed: int = 0, stratify: str | None = None
    ) -> tuple[Dataset, Dataset]: ...
    @overload
    def split(
        self, fraction: Sequence[float], seed: int = 0, stratify: str | None = None
    ) -> tuple[Dataset, ...]: ...
    def split(
        self, fraction: float | Sequence[float], seed: int = 0, stratify: str | None = None
    ) -> tuple[Dataset, ...]:
        """See `Examples.split`; the parts are copies."""
        parts: Any = super().split(fraction, seed, stratify)
        return cast("tuple[Dataset, ...]", parts)

    def __repr__(self) -> str:
        """``<dataset digits: 1797 x images float32[64], labels int32[]>``."""
        kinds = ", ".join(f"{k} {a.dtype}{list(a.shape[1:])}" for k, a in self.arrays.items())
        return f"<dataset {self.name or 'unnamed'}: {len(self)} x {kinds}>"


def concat(parts: Sequence[Examples]) -> Examples:
    """Data sets one after the other: in memory if all are, else a view that reads from each.

    Raises:
        OperandError: no part; parts whose arrays differ in names (also in shapes and dtypes, for
            those in files as soon as a batch meets both).

    >>> concat([Dataset({"x": np.arange(2)}), Dataset({"x": np.arange(3)})])
    <dataset unnamed: 5 x x int64[]>
    """
    if not parts:
        raise OperandError("concat needs at least one data set")
    for part in parts:
        if not isinstance(part, Examples):
            raise OperandError(f"concat takes data sets, given {type(part).__name__}")
    joined = Joined(parts)
    return Dataset.from_examples(joined) if all(isinstance(p, Dataset) for p in parts) else joined
