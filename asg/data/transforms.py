"""Changes of batches on the host, to be given to `Examples.map` or ``DataLoader(transform=...)``.

Each function here makes a transform for the named array of a batch and leaves the others as they
are. Transforms can be sent to other processes. Those that draw random numbers go to a loader only.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_count, require_labels, require_number
from asg.data.draws import Batch, Draw, RandomTransform, Transform, apply
from asg.data.order import Array

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of the red, green and blue of ImageNet's images in [0, 1]; what most published nets expect."""
IMAGENET_STD = (0.229, 0.224, 0.225)
"""The standard deviations that go with `IMAGENET_MEAN`."""


@dataclass(frozen=True)
class OneArray:
    """A transform of one named array of a batch."""

    name: str

    def __call__(self, batch: Batch) -> Batch:
        """The batch with the array changed.

        Raises:
            OperandError: the batch has no such array.
        """
        return {**batch, self.name: self.change(array_of(batch, self.name))}

    @abstractmethod
    def change(self, array: Array) -> Array:
        """The array's new value."""


@dataclass(frozen=True)
class RandomArray(RandomTransform):
    """A random transform of one named array of a batch."""

    name: str

    def __call__(self, batch: Batch, draw: Draw) -> Batch:
        """The batch with the array changed.

        Raises:
            OperandError: the batch has no such array.
        """
        return {**batch, self.name: self.change(array_of(batch, self.name), draw)}

    @abstractmethod
    def change(self, array: Array, draw: Draw) -> Array:
        """The array's new value."""


def array_of(batch: Batch, name: str) -> Array:
    """The named array, else OperandError."""
    if name not in batch:
        raise OperandError(f"no array named {name!r}; there are {', '.join(batch)}")
    return np.asarray(batch[name])


def as_float(array: Array) -> Array:
    """Floats as they are, other numbers as float32."""
    return array if array.dtype.kind == "f" else array.astype(np.float32)


@dataclass(frozen=True)
class _Function(OneArray):
    function: Callable[[Array], Array]

    def change(self, array: Array) -> Array:
        return self.function(array)


def to_float(name: str) -> OneArray:
    """uint8 values 0...255 (pixels) as float32 in [0, 1].

    Raises:
        OperandError: when used: another dtype.

    >>> to_float("x")({"x": np.array([0, 51, 255], np.uint8)})["x"]
    array([0. , 0.2, 1. ], dtype=float32)
    """
    return _Function(name, _to_float)


def _to_float(array: Array) -> Array:
    if array.dtype != np.uint8:
        raise OperandError(f"to_float takes uint8, given {array.dtype}")
    return array.astype(np.float32) / np.float32(255.0)


def flatten(name: str) -> OneArray:
    """``[examples, ...]`` as ``[examples, numbers of each]``.

    >>> flatten("x")({"x": np.zeros((5, 1, 8, 8))})["x"].shape
    (5, 64)
    """
    return _Function(name, _flatten)


def _flatten(array: Array) -> Array:
    return array.reshape(len(array), int(np.prod(array.shape[1:])))


@dataclass(frozen=True)
class _Normalize(OneArray):
    mean: tuple[float, ...]
    std: tuple[float, ...]
    axis: int

    def change(self, array: Array) -> Array:
        given = as_float(array)
        mean, std = (self._along(given, values) for values in (self.mean, self.std))
        return (given - mean) / std

    def _along(self, array: Array, values: tuple[float, ...]) -> Array:
        if len(values) == 1:
            return np.array(values[0], array.dtype)
        axes = array.ndim
        if not 1 <= self.axis % max(axes, 1) < axes or array.shape[self.axis] != len(values):
            raise OperandError(
                f"normalize: {self.name!r} is {list(array.shape)}, which has not "
                f"{len(values)} channels along axis {self.axis}"
            )
        shape = [1] * axes
        shape[self.axis] = len(values)
        return np.array(values, array.dtype).reshape(shape)


def normalize(name: str, mean: Any, std: Any, axis: int = 1) -> OneArray:
    """``(x - mean) / std``.

    Args:
        name: of the array.
        mean: a number, or one for each channel.
        std: a positive number, or one for each channel.
        axis: of the channels in the batch: 1 for ``[batch, channels, ...]``, -1 for the last.

    Raises:
        OperandError: a number that is not finite, a ``std`` that is not positive, different counts
            of both; when used: another number of channels.

    >>> batch = {"x": np.array([[1.0, 4.0], [3.0, 8.0]])}
    >>> normalize("x", mean=[1.0, 4.0], std=[1.0, 2.0])(batch)["x"].tolist()
    [[0.0, 0.0], [2.0, 2.0]]
    """
    means, stds = np.atleast_1d(np.asarray(mean)), np.atleast_1d(np.asarray(std))
    if means.ndim != 1 or stds.ndim != 1 or (len(means) != len(stds) and len(stds) != 1):
        raise OperandError(f"mean={mean!r} and std={std!r} must be numbers, as many of each")
    values = [require_number("mean", each) for each in means.tolist()]
    widths = [require_number("std", each) for each in stds.tolist()]
    if min(widths) <= 0.0:
        raise OperandError(f"std={std!r} must be positive")
    return _Normalize(name, tuple(values), tuple(widths), axis)


@dataclass(frozen=True)
class _OneHot(OneArray):
    classes: int

    def change(self, array: Array) -> Array:
        labels = require_labels(array, self.classes, self.name)
        return np.eye(self.classes, dtype=np.float32)[labels]


def one_hot(name: str, classes: int) -> OneArray:
    """Class numbers [examples] as float32 [examples, classes]: 1 at the class, else 0.

    Raises:
        OperandError: when used: a label that is not one of 0...classes - 1, with its position.

    >>> one_hot("y", 3)({"y": np.array([2, 0])})["y"].tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return _OneHot(name, require_count("classes", classes))


@dataclass(frozen=True)
class _Clip(OneArray):
    low: float | None
    high: float | None

    def change(self, array: Array) -> Array:
        return np.clip(array, self.low, self.high)


def clip(name: str, low: float | None = None, high: float | None = None) -> OneArray:
    """Values below ``low`` become ``low``, those above ``high`` become ``high``.

    >>> clip("x", 0.0, 1.0)({"x": np.array([-1.0, 0.5, 7.0])})["x"].tolist()
    [0.0, 0.5, 1.0]
    """
    bounds = [
        None if b is None else require_number(n, b) for n, b in (("low", low), ("high", high))
    ]
    first, last = bounds
    if first is None and last is None:
        raise OperandError("clip needs low, high, or both")
    if first is not None and last is not None and first > last:
        raise OperandError(f"low={low} is above high={high}")
    return _Clip(name, first, last)


@dataclass(frozen=True)
class _Log(OneArray):
    offset: float

    def change(self, array: Array) -> Array:
        given = as_float(array) + as_float(array).dtype.type(self.offset)
        wrong = np.argwhere(~(given > 0.0))
        if len(wrong):
            place = tuple(int(i) for i in wrong[0])
            raise OperandError(
                f"log: {self.name!r} + {self.offset:g} is {given[place]} at {list(place)}"
            )
        return np.asarray(np.log(given))


def log(name: str, offset: float = 0.0) -> OneArray:
    """``log(x + offset)``; ``offset=1`` for counts.

    Raises:
        OperandError: when used: a value that is not positive, with its place in the batch.

    >>> log("x", offset=1.0)({"x": np.array([0.0, np.e - 1.0])})["x"].tolist()
    [0.0, 1.0]
    """
    return _Log(name, require_number("offset", offset))


@dataclass(frozen=True)
class _Noise(RandomArray):
    std: float

    def change(self, array: Array, draw: Draw) -> Array:
        given = as_float(array)
        noise = draw.normal(*given.shape[1:]) * self.std
        return np.asarray(given + noise.astype(given.dtype))


def noise(name: str, std: float) -> RandomArray:
    """``x`` plus independent normal numbers of mean 0 and standard deviation ``std``.

    >>> noise("x", 0.5)({"x": np.zeros((2, 3))}, Draw.first(2))["x"].shape
    (2, 3)
    """
    return _Noise(name, require_number("std", std, 0.0))


@dataclass(frozen=True)
class _Chain:
    steps: tuple[Callable[[Batch], Batch], ...]

    def __call__(self, batch: Batch) -> Batch:
        for step in self.steps:
            batch = step(batch)
        return batch


@dataclass(frozen=True)
class _RandomChain(RandomTransform):
    steps: tuple[Transform, ...]

    def __call__(self, batch: Batch, draw: Draw) -> Batch:
        for position, step in enumerate(self.steps):
            batch = apply(step, batch, draw.fork(position))
        return batch


def compose(*steps: Transform) -> Any:
    """One transform after the other; random if one of them is. Each draws its own numbers.

    >>> both = compose(to_float("x"), flatten("x"))
    >>> both({"x": np.full((2, 3, 3), 255, np.uint8)})["x"].sum()
    np.float32(18.0)
    """
    for step in steps:
        if not callable(step):
            raise OperandError(f"compose takes transforms, given {step!r}")
    if any(isinstance(step, RandomTransform) for step in steps):
        return _RandomChain(steps)
    return _Chain(steps)  # type: ignore[arg-type]
