"""ResidentData: a whole data set on the device; a step is fed the positions of a batch alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.module import Module
from asg.state.variable import Variable


class ResidentData(Module):
    """Arrays that live where the step runs, from which it gathers its batches by position.

    What a loop sends to the device is then some bytes per example. The arrays are variables of role
    "data": every session loads them when it starts, and sessions attached to it share them; they
    are not trained, not written, and in no state dict or checkpoint.

    Attributes:
        length: number of examples.

    Raises:
        OperandError: no array, a scalar, lengths that differ, none at all, or a name that a module
            cannot have.

    >>> import asg
    >>> from asg import nn
    >>> data = nn.ResidentData({"x": np.array([[1.0], [2.0], [3.0]]), "y": np.array([7, 8, 9])})
    >>> indices = asg.input("indices", ("n",), "int32")
    >>> session = asg.compile(asg.Graph(**data(indices))).start()
    >>> {name: array.tolist() for name, array in session(indices=np.array([2, 0], "i4")).items()}
    {'x': [[3.0], [1.0]], 'y': [9, 7]}
    """

    def __init__(self, dataset: Mapping[str, Any] | Any) -> None:
        """``dataset`` is a mapping of arrays, or has one named ``arrays`` (`asg.data.Dataset`)."""
        arrays = dataset if isinstance(dataset, Mapping) else getattr(dataset, "arrays", None)
        if not isinstance(arrays, Mapping) or not arrays:
            _refuse(dataset)
        held = {str(name): np.asarray(array) for name, array in arrays.items()}
        lengths = {name: array.shape[0] if array.ndim else -1 for name, array in held.items()}
        self.length = next(iter(lengths.values()))
        if self.length < 1 or set(lengths.values()) != {self.length}:
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in held.items())
            raise OperandError(f"dataset needs arrays of one length, at least 1; given {shapes}")
        self._names = tuple(held)
        for name, array in held.items():
            if not name.isidentifier() or hasattr(self, name):
                raise OperandError(f"dataset: {name!r} cannot be the name of an array of a module")
            setattr(self, name, Variable(name, array.shape, array, array.dtype, role="data"))

    def forward(self, indices: Tensor) -> dict[str, Tensor]:
        """The examples at the positions, by name.

        Args:
            indices: int ``[n]`` in 0...length - 1 (what is outside, `asg.take` says).
        """
        return {name: call("take", getattr(self, name), indices, 0) for name in self._names}

    def describe(self) -> str:
        types = [getattr(self, name).type for name in self._names]
        return ", ".join(f"{n}: {t}" for n, t in zip(self._names, types, strict=True))


def _refuse(dataset: Any) -> NoReturn:
    raise OperandError(
        f"dataset={type(dataset).__name__} must be a mapping of arrays, or a data set in memory "
        "with one named 'arrays' (Dataset.from_examples holds others in memory)"
    )
