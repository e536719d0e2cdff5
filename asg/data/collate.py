"""Ways to make a batch of single examples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_count
from asg.data.draws import Batch
from asg.data.order import Array


def pad_batch(
    examples: Sequence[Batch],
    names: Sequence[str] = (),
    fill: Any = 0,
    multiple: int = 1,
    lengths: str = "lengths",
) -> Batch:
    """Examples of different lengths as one batch, filled up behind the end.

    The first axis of the padded arrays gets the length of the longest example, and the entry
    ``lengths`` (int32 [batch]) holds the true ones; all other arrays are stacked.
    ``functools.partial(pad_batch, multiple=64)`` keeps the number of sizes, and so of compiled
    programs, small.

    Args:
        examples: dicts of arrays.
        names: of the arrays to pad (default: all that have an axis).
        fill: the value behind the end.
        multiple: the padded length is rounded up to a multiple of this.
        lengths: the name of the entry with the true lengths.

    Raises:
        OperandError: no example; names, dtypes, or shapes differ where they must not; two padded
            arrays of one example have different lengths; ``lengths`` is a name in use.

    >>> batch = pad_batch([{"x": np.array([1, 2, 3])}, {"x": np.array([4])}], multiple=4)
    >>> batch["x"].tolist(), batch["lengths"].tolist()
    ([[1, 2, 3, 0], [4, 0, 0, 0]], [3, 1])
    """
    require_count("multiple", multiple)
    if not examples:
        raise OperandError("there is no example")
    columns = {name: _column(examples, name) for name in examples[0]}
    padded = list(names) or [name for name, arrays in columns.items() if arrays[0].ndim]
    unknown = [name for name in padded if name not in columns or not columns[name][0].ndim]
    if unknown or not padded:
        raise OperandError(f"{', '.join(unknown) or 'no array'} has no axis to pad")
    if lengths in columns:
        raise OperandError(f"lengths={lengths!r} is the name of an array of the examples")
    sizes = _common_lengths({name: columns[name] for name in padded})
    longest = -(-max(sizes) // multiple) * multiple
    batch = {
        name: _padded(arrays, fill, longest) if name in padded else _stacked(name, arrays)
        for name, arrays in columns.items()
    }
    return {**batch, lengths: np.array(sizes, np.int32)}


def _column(examples: Sequence[Batch], name: str) -> list[Array]:
    arrays = [_entry(example, name, number) for number, example in enumerate(examples)]
    first = (arrays[0].dtype, arrays[0].ndim, arrays[0].shape[1:])
    for number, array in enumerate(arrays):
        if (array.dtype, array.ndim, array.shape[1:]) != first:
            raise OperandError(
                f"{name} of example {number} of the batch is {array.dtype}{list(array.shape)}, "
                f"that of the first is {arrays[0].dtype}{list(arrays[0].shape)}"
            )
    return arrays


def _entry(example: Batch, name: str, number: int) -> Array:
    if name not in example:
        raise OperandError(f"example {number} of the batch has no {name!r}")
    return np.asarray(example[name])


def _common_lengths(columns: dict[str, list[Array]]) -> list[int]:
    found: dict[str, list[int]] = {name: [len(a) for a in c] for name, c in columns.items()}
    (first, sizes), *others = found.items()
    for name, other in others:
        if other != sizes:
            raise OperandError(
                f"{first} has the lengths {sizes}, {name} has {other}; "
                f"say which to pad: pad_batch(..., names=({first!r},))"
            )
    return sizes


def _stacked(name: str, arrays: list[Array]) -> Array:
    if len({array.shape for array in arrays}) > 1:
        raise OperandError(f"{name} differs in length and is not among the names to pad")
    return np.stack(arrays)


def _padded(arrays: list[Array], fill: Any, length: int) -> Array:
    first = arrays[0]
    padded = np.full((len(arrays), length, *first.shape[1:]), fill, first.dtype)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
