"""Examples: what a data set is, in memory or not; views of others, changed or chosen when read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_indices, require_labels
from asg.data.draws import Batch, RandomTransform
from asg.data.order import Array, permutation, stratified_order
from asg.data.shares import cut

SPLIT_STREAM = 0  # epochs are streams 1, 2, ...: a split never repeats the order of an epoch
CHUNK = 1024  # examples read at a time by checks


class Examples(ABC):
    """A number of examples, each a dict of arrays; batches are read when they are asked for.

    Attributes:
        name: what the user selects the data set by; "" for data of one's own.
        source: where the numbers come from, for reports.
    """

    name: str = ""
    source: str = ""

    @abstractmethod
    def __len__(self) -> int:
        """Number of examples."""

    @abstractmethod
    def take(self, indices: Array) -> Batch:
        """The examples at int64 positions [count], by name, each array [count, ...]."""

    def example(self, index: int) -> Batch:
        """One example, without the axis that counts them."""
        return {key: array[0, ...] for key, array in self.take(np.array([index])).items()}

    def __getitem__(self, index: Any) -> Batch:
        """The examples at an int, a slice, an array of positions or a mask, by name.

        Raises:
            IndexError: an int beyond the end, as of a list.
            OperandError: a position in an array does not exist.
        """
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        if not isinstance(index, bool) and isinstance(index, int | np.integer):
            if not -len(self) <= index < len(self):
                raise IndexError(f"example {index} of {len(self)}")
            return self.example(int(index) % len(self))
        return self.take(require_indices(index, len(self)))

    def __iter__(self) -> Iterator[Batch]:
        """One example after the other."""
        return (self[index] for index in range(len(self)))

    def map(self, function: Callable[[Batch], Batch]) -> Examples:
        """A view of the data set whose batches go through a function when they are read.

        The function gets whole batches (dicts of arrays [count, ...]), so that it can be
        vectorised, and must treat the examples of a batch independently of each other: a single
        example is a batch of one.

        Raises:
            OperandError: the transform draws random numbers, which only a `DataLoader` can repeat;
                later: the function returned something else than a batch of as many examples.

        >>> from asg.data import Dataset
        >>> data = Dataset({"x": np.arange(4)}).map(lambda batch: {"x": batch["x"] * 10})
        >>> data[1]["x"].item(), data[2:]["x"].tolist()
        (10, [20, 30])
        """
        if isinstance(function, RandomTransform):
            raise OperandError(
                f"{type(function).__name__} draws random numbers; give it to the loader: "
                "DataLoader(..., transform=...)"
            )
        if not callable(function):
            raise OperandError(f"map takes a function of a batch, given {function!r}")
        return Mapped(self, function)

    def subset(self, indices: Any) -> Examples:
        """The examples at these positions (or where a mask is True), in this order.

        >>> from asg.data import Dataset
        >>> Dataset({"x": np.arange(5)}).subset([4, 0]).arrays["x"].tolist()
        [4, 0]
        """
        return Subset(self, require_indices(indices, len(self)))

    @overload
    def split(
        self, fraction: float, seed: int = 0, stratify: str | None = None
    ) -> tuple[Examples, Examples]: ...
    @overload
    def split(
        self, fraction: Sequence[float], seed: int = 0, stratify: str | None = None
    ) -> tuple[Examples, ...]: ...
    def split(
        self, fraction: float | Sequence[float], seed: int = 0, stratify: str | None = None
    ) -> tuple[Examples, ...]:
        """Data sets without common examples, drawn at random; the same for the same seed.

        Args:
            fraction: of the examples that the first of two gets, rounded down; 0 < fraction < 1.
                Or one fraction for each part, with the sum 1.
            seed: a non-negative int.
            stratify: the array of class numbers whose shares every part shall have.

        Raises:
            OperandError: a fraction is out of range or leaves a part empty; the sum is not 1;
                no array of this name.

        >>> from asg.data import Dataset
        >>> whole = Dataset({"x": np.arange(10), "y": np.arange(10) % 2})
        >>> train, test = whole.split(0.8, seed=0)
        >>> len(train), len(test)
        (8, 2)
        >>> [part.arrays["y"].sum().item() for part in whole.split((0.6, 0.2, 0.2), stratify="y")]
        [3, 1, 1]
        """
        ends = cut(fraction, len(self))
        if stratify is None:
            order = permutation(len(self), seed, SPLIT_STREAM)
        else:
            order = stratified_order(self._labels(stratify), seed, SPLIT_STREAM)
        return tuple(self.subset(part) for part in np.split(order, ends))

    def _labels(self, name: str) -> Array:
        chunks = [self._column(name, start) for start in range(0, len(self), CHUNK)]
        return require_labels(np.concatenate(chunks), name=name)

    def _column(self, name: str, start: int) -> Array:
        batch = self[start : start + CHUNK]
        if name not in batch:
            raise OperandError(f"no array named {name!r}; there are {', '.join(batch)}")
        return batch[name]

    def check_finite(self) -> None:
        """Read all examples and refuse NaN and infinities.

        Raises:
            OperandError: names the array and the first place.

        >>> from asg.data import Dataset
        >>> Dataset({"x": np.array([[1.0, 2.0], [3.0, np.nan]])}).check_finite()
        Traceback (most recent call last):
        asg.core.errors.OperandError: array 'x' holds nan at [1, 1] (not finite: 1 of 4)
        """
        first: dict[str, tuple[list[int], Any]] = {}
        bad: dict[str, int] = {}
        total: dict[str, int] = {}
        for start in range(0, len(self), CHUNK):
            for name, array in self[start : start + CHUNK].items():
                floats = array.dtype.kind in "fc"
                wrong = np.argwhere(~np.isfinite(array)).tolist() if floats else []
                bad[name] = bad.get(name, 0) + len(wrong)
                total[name] = total.get(name, 0) + array.size
                if len(wrong) and name not in first:
                    row, *rest = wrong[0]
                    first[name] = ([row + start, *rest], array[row, *rest])
        for name, (where, value) in first.items():
            raise OperandError(
                f"array {name!r} holds {value} at {where} "
                f"(not finite: {bad[name]} of {total[name]})"
            )

    def __repr__(self) -> str:
        """``<mapped digits: 1797 examples>``."""
        return f"<{type(self).__name__.lower()} {self.name or 'unnamed'}: {len(self)} examples>"


class Mapped(Examples):
    """A data set seen through a function of batches; `Examples.map` makes it."""

    def __init__(self, examples: Examples, function: Callable[[Batch], Batch]) -> None:
        """See `Examples.map`."""
        self._examples, self._function = examples, function
        self.name, self.source = examples.name, examples.source

    def __len__(self) -> int:
        """Number of examples."""
        return len(self._examples)

    def take(self, indices: Array) -> Batch:
        """The function's result for these examples."""
        return self._mapped(self._examples.take(indices), len(indices))

    def example(self, index: int) -> Batch:
        """By a batch of one."""
        batch = {key: np.asarray(value)[None] for key, value in self._examples[index].items()}
        return {key: array[0, ...] for key, array in self._mapped(batch, 1).items()}

    def _mapped(self, batch: Batch, count: int) -> Batch:
        return checked_batch(self._function(batch), count, f"map({_name(self._function)})")


class Subset(Examples):
    """Some examples of a data set, in an order; `Examples.subset` makes it."""

    def __init__(self, examples: Examples, indices: Array) -> None:
        """``indices`` are checked positions."""
        self._examples, self._indices = examples, indices
        self.name, self.source = examples.name, examples.source

    def __len__(self) -> int:
        """Number of examples."""
        return len(self._indices)

    def take(self, indices: Array) -> Batch:
        """Those of the whole data set."""
        return self._examples.take(self._indices[indices])

    def example(self, index: int) -> Batch:
        """That of the whole data set."""
        return self._examples[int(self._indices[index])]


class Joined(Examples):
    """Data sets one after the other; `concat` makes it."""

    def __init__(self, parts: Sequence[Examples]) -> None:
        """``parts`` hold arrays of the same names."""
        self._parts = list(parts)
        self._ends = np.cumsum([len(part) for part in self._parts])
        self.name, self.source = parts[0].name, parts[0].source

    def __len__(self) -> int:
        """Number of examples of all."""
        return int(self._ends[-1])

    def take(self, indices: Array) -> Batch:
        """From every part what is its own, put back into order.

        Raises:
            OperandError: the parts' arrays differ in names, dtypes or shapes.
        """
        owners = np.searchsorted(self._ends, indices, side="right")
        used = np.unique(owners)
        batches = [
            self._parts[owner].take(self._local(indices[owners == owner], owner)) for owner in used
        ]
        kinds = [{k: (a.dtype, a.shape[1:]) for k, a in batch.items()} for batch in batches]
        for owner, kind in zip(used[1:], kinds[1:], strict=True):
            if kind != kinds[0]:
                raise OperandError(f"part {owner} holds {kind}, part {used[0]} holds {kinds[0]}")
        order = np.argsort(np.concatenate([np.flatnonzero(owners == owner) for owner in used]))
        return {k: np.concatenate([batch[k] for batch in batches])[order] for k in batches[0]}

    def example(self, index: int) -> Batch:
        """That of its part."""
        owner = int(np.searchsorted(self._ends, index, side="right"))
        return self._parts[owner][int(self._local(np.array([index]), owner)[0])]

    def _local(self, indices: Array, owner: int) -> Array:
        return np.asarray(indices - (self._ends[owner] - len(self._parts[owner])))


def checked_batch(batch: Any, count: int | None, who: str) -> Batch:
    """``batch`` as C-contiguous arrays, if it is a dict of ``count`` examples in every array.

    Raises:
        OperandError: it is something else; ``who`` made it.
    """
    if not isinstance(batch, dict) or not batch:
        raise OperandError(f"{who} returned {type(batch).__name__}, a dict of arrays is needed")
    arrays = {key: np.asarray(value, order="C") for key, value in batch.items()}
    for key, array in arrays.items():
        if array.ndim == 0 or (count is not None and len(array) != count):
            raise OperandError(
                f"{who} returned {key!r} of shape {list(array.shape)} for {count} examples"
            )
    return arrays


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
