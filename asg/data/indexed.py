"""Data sets of other libraries, by what they can do and not by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.draws import Batch
from asg.data.examples import Examples, checked_batch
from asg.data.named import named_example, stacked
from asg.data.order import Array


def as_dataset(source: Any, names: Sequence[str] = ()) -> Examples:
    """A view of anything with ``len(source)`` and ``source[index]``; nothing is read ahead.

    - A list or a PyTorch-style data set gives one example per index: a dict, a tuple or a value;
      examples of different shapes need ``DataLoader(collate=...)``. One with ``__getitems__`` is
      asked for a whole batch at once.
    - A Hugging Face data set (one with ``with_format``) gives NumPy arrays for many indices.

    Args:
        source: the object.
        names: of the entries of tuples; or which entries of dicts to read (default: all).

    Raises:
        OperandError: the object lacks one of the two methods; later: an example of another form.

    >>> data = as_dataset([(0.5, 1), (1.5, 0)], names=("x", "y"))
    >>> data[:]["x"].tolist(), data[1]["y"].item()
    ([0.5, 1.5], 0)
    """
    if isinstance(source, Examples):
        return source
    if isinstance(source, dict) or not (
        hasattr(source, "__len__") and hasattr(source, "__getitem__")
    ):
        raise OperandError(
            f"as_dataset takes an object with len() and [index], given {type(source).__name__}"
            + (": use Dataset(arrays)" if isinstance(source, dict) else "")
        )
    if isinstance(names, str):
        raise OperandError(f"names={names!r} must be a sequence of names: ({names!r},)")
    if callable(getattr(source, "with_format", None)):
        return Columns(source.with_format("numpy"), names)
    return Indexed(source, names)


class Indexed(Examples):
    """Examples that an object gives one by one."""

    def __init__(self, source: Any, names: Sequence[str]) -> None:
        """See `as_dataset`."""
        self._source, self._names = source, tuple(names)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self._source)

    def example(self, index: int) -> Batch:
        """What the object gives, as a dict of arrays."""
        return named_example(self._source[index], self._names)

    def take(self, indices: Array) -> Batch:
        """Examples of equal shapes, stacked."""
        return stacked([named_example(each, self._names) for each in self._many(indices.tolist())])

    def _many(self, indices: list[int]) -> Any:
        if callable(getattr(self._source, "__getitems__", None)):
            return self._source.__getitems__(indices)
        return [self._source[index] for index in indices]


class Columns(Examples):
    """Examples that an object gives many at a time, as a dict of arrays."""

    def __init__(self, source: Any, names: Sequence[str]) -> None:
        """See `as_dataset`."""
        self._source, self._names = source, tuple(names)

    def __len__(self) -> int:
        """Number of examples."""
        return len(self._source)

    def example(self, index: int) -> Batch:
        """One row."""
        return named_example(self._source[index], self._names)

    def take(self, indices: Array) -> Batch:
        """The rows, as the object gives them."""
        given = self._source[indices.tolist()]
        batch = {name: given[name] for name in self._names or given}
        for name, column in batch.items():
            if np.asarray(column).dtype == object:
                raise OperandError(
                    f"{name}: no array of numbers of one shape; choose others: names=(...), "
                    "or pad: DataLoader(..., collate=asg.data.pad_batch)"
                )
        return checked_batch(batch, len(indices), type(self._source).__name__)
