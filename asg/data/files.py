"""FileDataset: arrays in files that may be larger than the memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from asg.core.errors import FileError, OperandError
from asg.data.examples import Examples
from asg.data.order import Array


class FileDataset(Examples):
    """Arrays by name in ``.npy`` files, mapped into memory: a batch reads its own rows only.

    `subset`, `split` and `map` are views; ``Dataset.from_examples`` reads everything. Sent to
    another process, it opens the files anew there.

    Attributes:
        files: their paths by name.

    Raises:
        FileError: a file is missing, is no ``.npy`` file, is cut off, or holds Python objects.
        OperandError: no file; arrays that differ in length; an array in Fortran order.

    >>> np.save("x.npy", np.arange(6).reshape(3, 2))
    >>> data = FileDataset({"x": "x.npy"})
    >>> len(data), data[[2, 0]]["x"].tolist()
    (3, [[4, 5], [0, 1]])
    """

    def __init__(self, files: Mapping[str, Any], name: str = "") -> None:
        """See the class."""
        self.files = {key: Path(file) for key, file in files.items()}
        self.name, self.source = name, ", ".join(str(file) for file in self.files.values())
        if not self.files:
            raise OperandError("a data set needs at least one file")
        self._arrays = {key: _opened(file) for key, file in self.files.items()}
        lengths = {key: len(array) for key, array in self._arrays.items()}
        if len(set(lengths.values())) != 1:
            listed = ", ".join(f"{key} {length}" for key, length in lengths.items())
            raise OperandError(f"the arrays differ in length: {listed}")

    def __len__(self) -> int:
        """Number of examples."""
        return len(next(iter(self._arrays.values())))

    def take(self, indices: Array) -> dict[str, Array]:
        """Copies of the rows."""
        return {key: np.array(array[indices]) for key, array in self._arrays.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        """Paths travel, arrays do not."""
        return type(self), (self.files, self.name)


def _opened(file: Path) -> Array:
    try:
        array = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise FileError(f"{file} cannot be read as a .npy array: {error}") from None
    if not isinstance(array, np.ndarray):
        raise FileError(f"{file} is an archive of arrays; asg.data.read_npz reads it")
    if array.ndim == 0:
        raise OperandError(f"{file} holds a scalar, which has no axis of examples")
    if not array.flags.c_contiguous:
        raise OperandError(
            f"{file} is stored in Fortran order, so that rows are scattered over the file\n"
            "  repair: np.save(file, np.ascontiguousarray(array))"
        )
    return array
