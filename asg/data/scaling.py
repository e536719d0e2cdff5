"""Scaler: numbers brought to a common scale, which is learnt on one data set and used on others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_number
from asg.data.examples import CHUNK, Examples
from asg.data.order import Array
from asg.data.transforms import OneArray, array_of, as_float


@dataclass(frozen=True, eq=False)
class Scaler(OneArray):
    """``(x - shift) / scale`` for one array of a batch; `inverse` leads back.

    Made by `standard` or `min_max` from the training examples; constant features get scale 1.

    Attributes:
        name: of the array.
        shift: float64, of the shape of one example (or that of its channels).
        scale: the same shape, positive.

    >>> from asg.data import Dataset
    >>> train = Dataset({"x": np.array([[1.0, 5.0], [3.0, 5.0]])})
    >>> scaler = Scaler.standard(train, "x")
    >>> train.map(scaler)[:]["x"].tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    >>> scaler.inverse(np.array([[0.0, 0.0]])).tolist()
    [[2.0, 5.0]]
    """

    shift: Array
    scale: Array

    @classmethod
    def standard(cls, examples: Examples, name: str, channels: bool = False) -> Scaler:
        """To mean 0 and (population) variance 1, of each feature or of each channel (axis 1).

        Read in pieces and joined as in Chan, Golub and LeVeque, "Updating formulae and a pairwise
        algorithm for computing sample variances", https://doi.org/10.1007/978-3-642-51461-6_3.

        Raises:
            OperandError: no example, no such array, no numbers, or one that is not finite.
        """
        count, mean, squares = 0, np.zeros(()), np.zeros(())
        for piece in _pieces(examples, name, channels):
            more, middle = len(piece), piece.mean(0)
            delta, total = middle - mean, count + len(piece)
            squares = squares + ((piece - middle) ** 2).sum(0) + delta**2 * (count * more / total)
            mean, count = mean + delta * (more / total), total
        return cls(name, *_shaped(mean, np.sqrt(squares / count), examples, name, channels))

    @classmethod
    def min_max(
        cls,
        examples: Examples,
        name: str,
        low: float = 0.0,
        high: float = 1.0,
        channels: bool = False,
    ) -> Scaler:
        """To the range ``low``...``high``, of each feature or of each channel (axis 1).

        Raises:
            OperandError: as `standard`; or ``low`` is not below ``high``.
        """
        if require_number("low", low) >= require_number("high", high):
            raise OperandError(f"low={low} is not below high={high}")
        least, most = np.array(np.inf), np.array(-np.inf)
        for piece in _pieces(examples, name, channels):
            least, most = np.minimum(least, piece.min(0)), np.maximum(most, piece.max(0))
        scale = (most - least) / (high - low)
        scale = np.where(scale == 0.0, 1.0, scale)
        return cls(name, *_shaped(least - low * scale, scale, examples, name, channels))

    def change(self, array: Array) -> Array:
        """The scaled array, float32 or the float dtype it has."""
        given = self._checked(array)
        return np.asarray(((given - self.shift) / self.scale).astype(given.dtype))

    def inverse(self, array: Any) -> Array:
        """The array that `change` made this of."""
        given = self._checked(array)
        return np.asarray((given * self.scale + self.shift).astype(given.dtype))

    def _checked(self, array: Any) -> Array:
        given = as_float(np.asarray(array))
        axes = given.shape[1:]
        fits = len(axes) == self.shift.ndim and all(
            mine in (1, its) for mine, its in zip(self.shift.shape, axes, strict=True)
        )
        if not fits:
            raise OperandError(
                f"{self.name!r} is {list(given.shape)}, the scaler was made for examples of "
                f"{list(self.shift.shape)}"
            )
        return given


def _pieces(examples: Examples, name: str, channels: bool) -> Any:
    if not len(examples):
        raise OperandError("there is no example to learn a scale from")
    for start in range(0, len(examples), CHUNK):
        array = array_of(examples[start : start + CHUNK], name)
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
            raise OperandError(f"{name!r} holds {array.dtype} that are not all finite numbers")
        piece = array.astype(np.float64)
        if channels:
            if piece.ndim < 2:
                raise OperandError(f"{name!r} is {list(array.shape)} and has no channels (axis 1)")
            piece = np.moveaxis(piece, 1, -1).reshape(-1, piece.shape[1])
        yield piece


def _shaped(
    shift: Array, scale: Array, examples: Examples, name: str, channels: bool
) -> tuple[Array, Array]:
    axes = examples[0][name].ndim
    shape = [-1] + [1] * (axes - 1) if channels else list(shift.shape)
    return shift.reshape(shape), np.where(scale == 0.0, 1.0, scale).reshape(shape)
