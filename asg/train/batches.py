"""What users train on, as batches of arrays in the dtypes of the graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from asg.core.dtype import DType
from asg.core.errors import FeedError, OperandError
from asg.data import DataLoader, Dataset, Examples

Array = np.ndarray[Any, Any]
Batch = Mapping[str, Array]


@runtime_checkable
class Batches(Protocol):
    """One loop over it is one epoch; batches are mappings or tuples of arrays."""

    def __iter__(self) -> Iterator[Any]:
        """The batches of the next epoch."""

    def __len__(self) -> int:
        """How many there are in an epoch."""


def as_dataset(data: Any, fallback: DType) -> Examples:
    """Examples by name, in order, the target last; arrays in memory in the dtypes of graphs.

    Args:
        data: `Examples`, which stay as they are when they are no arrays in memory (their batches
            are converted), a mapping of arrays, a tuple or list of arrays, or one array.
        fallback: the floating dtype of the model; wider floats are converted to it.

    Raises:
        OperandError: something else.
    """
    if isinstance(data, Dataset):
        arrays = dict(data.arrays)
    elif isinstance(data, Examples):
        return data
    else:
        arrays = dict(data) if isinstance(data, Mapping) else named(data)
    return Dataset({name: converted(array, fallback) for name, array in arrays.items()})


def named(values: Any) -> dict[str, Any]:
    """``x, y`` for two arrays; ``x0, x1, ..., y`` for more; ``x`` for one."""
    if isinstance(values, np.ndarray) or not isinstance(values, Sequence):
        return {"x": values}
    *inputs, target = values
    if not inputs:
        return {"x": target}
    names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]
    return dict(zip([*names, "y"], values, strict=True))


def converted(array: Any, fallback: DType) -> Array:
    """Floats in the model's dtype, int64 as int32 where it fits; everything else as it is.

    Raises:
        OperandError: integers too large for int32.
    """
    found = np.asarray(array)
    if found.dtype.kind == "f" and found.dtype != fallback.numpy and found.dtype.itemsize > 2:
        return found.astype(fallback.numpy)
    if found.dtype == np.int64:
        narrow = found.astype(np.int32)
        if not np.array_equal(narrow, found):
            raise OperandError("the data has integers that do not fit into int32")
        return narrow
    if found.dtype.kind not in "fiub" and found.dtype.name != "bfloat16":
        raise OperandError(f"the data has an array of dtype {found.dtype}; numbers are needed")
    return found


def as_loader(
    data: Any, batch_size: int, shuffle: bool, seed: int, fallback: DType
) -> DataLoader | Batches:
    """A loader of what the user gave; a loader of the user's stays as it is."""
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, list) and data and isinstance(data[0], tuple | Mapping):
        return data  # a list of batches, as any iterable with a length
    is_data = isinstance(data, Examples | Mapping | Sequence) or hasattr(data, "__array__")
    if not is_data and isinstance(data, Batches):
        return data
    if not is_data:
        raise OperandError(
            f"cannot train on {type(data).__name__}: give a Dataset, a DataLoader, a mapping or "
            "tuple of arrays (the target last), or an iterable of batches with a length"
        )
    return DataLoader(as_dataset(data, fallback), batch_size, shuffle=shuffle, seed=seed)


def arrays_of(batch: Any, names: Sequence[str], fallback: DType) -> list[Array]:
    """The arrays of a batch in the order of the graph's inputs.

    Raises:
        FeedError: another number of arrays, or other names.
    """
    given = batch if isinstance(batch, Mapping) else named(batch)
    if len(given) != len(names):
        raise FeedError(
            f"a batch has {len(given)} arrays ({', '.join(given)}), the model takes {len(names)}: "
            f"{', '.join(names)}"
        )
    # Data may call things otherwise than the data the model was built for; order decides then.
    ordered = [given[name] for name in names] if given.keys() == set(names) else given.values()
    return [converted(array, fallback) for array in ordered]


def first_batch(loader: Iterable[Any]) -> Any:
    """One batch to build the step for, without moving a resumable loader on.

    Raises:
        OperandError: there is none.
    """
    if isinstance(loader, DataLoader):
        return loader.peek()
    for batch in loader:
        return batch
    raise OperandError("the data has no batch")


def size_of(arrays: Sequence[Array]) -> int:
    """Examples of a batch."""
    return int(arrays[0].shape[0])
