"""Random changes of images on the host: float batches [images, channels, height, width].

All take the name of the array and draw for each image by itself; `asg.nn` has the same set as
layers, which run inside the training step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.errors import OperandError
from asg.data.checks import require_count, require_number
from asg.data.draws import Draw
from asg.data.order import Array
from asg.data.transforms import RandomArray

# How bright the eye finds red, green and blue: ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class _RandomImages(RandomArray):
    """A random transform of images."""

    def change(self, array: Array, draw: Draw) -> Array:
        return self.images(require_images(self.name, array), draw)

    def images(self, x: Array, draw: Draw) -> Array:
        """The changed images."""
        raise NotImplementedError(type(self).__name__)


def require_images(name: str, array: Array) -> Array:
    """A float array [images, channels, height, width], else OperandError."""
    if array.ndim != 4 or array.dtype.kind != "f":
        raise OperandError(
            f"{name!r} is {array.dtype}{list(array.shape)}; images are float "
            "[images, channels, height, width] (to_float makes floats of bytes)"
        )
    return array


@dataclass(frozen=True)
class _RandomCrop(_RandomImages):
    size: tuple[int, int] | None
    padding: int
    fill: float

    def images(self, x: Array, draw: Draw) -> Array:
        height, width = self.size or x.shape[2:]
        spare = [x.shape[2] + 2 * self.padding - height, x.shape[3] + 2 * self.padding - width]
        if min(spare) < 0:
            raise OperandError(
                f"random_crop: {height}x{width} is larger than images of {x.shape[2]}x{x.shape[3]} "
                f"with a padding of {self.padding}"
            )
        edge = (self.padding, self.padding)
        padded = np.pad(x, ((0, 0), (0, 0), edge, edge), constant_values=self.fill)
        corner = np.floor(draw.uniform(2) * (np.array(spare) + 1)).astype(np.int64)
        rows = corner[:, 0, None] + np.arange(height)
        columns = corner[:, 1, None] + np.arange(width)
        one = np.arange(len(x))[:, None, None]
        taken = padded.transpose(0, 2, 3, 1)[one, rows[:, :, None], columns[:, None, :]]
        return np.ascontiguousarray(taken.transpose(0, 3, 1, 2))


def random_crop(
    name: str, size: tuple[int, int] | None = None, padding: int = 0, fill: float = 0.0
) -> RandomArray:
    """A random part of each image, after ``padding`` pixels of ``fill`` were put on every side.

    Args:
        name: of the images.
        size: height and width of the part (default: those of the image).
        padding: pixels on every side.
        fill: their value.

    >>> random_crop("x", padding=4)({"x": np.ones((2, 3, 8, 8))}, Draw.first(2))["x"].shape
    (2, 3, 8, 8)
    """
    if size is not None:
        height, width = size
        size = require_count("size[0]", height), require_count("size[1]", width)
    padding = require_count("padding", padding, 0)
    return _RandomCrop(name, size, padding, require_number("fill", fill))


@dataclass(frozen=True)
class _Flip(_RandomImages):
    p: float

    def images(self, x: Array, draw: Draw) -> Array:
        return np.where(draw.uniform(1, 1, 1) < self.p, x[..., ::-1], x)


def random_horizontal_flip(name: str, p: float = 0.5) -> RandomArray:
    """Left and right exchanged with probability ``p``.

    >>> random_horizontal_flip("x", 1.0)({"x": np.array([[[[1.0, 2.0]]]])}, Draw.first(1))["x"]
    array([[[[2., 1.]]]])
    """
    return _Flip(name, require_number("p", p, 0.0, 1.0))


@dataclass(frozen=True)
class _Rotation(_RandomImages):
    degrees: float

    def images(self, x: Array, draw: Draw) -> Array:
        return rotated(x, np.deg2rad(self.degrees) * (2.0 * draw.uniform() - 1.0))


def random_rotation(name: str, degrees: float) -> RandomArray:
    """A rotation about the centre by an angle in ``[-degrees, degrees]``, see `rotated`.

    >>> random_rotation("x", 0.0)({"x": np.array([[[[1.0, 2.0]]]])}, Draw.first(1))["x"]
    array([[[[1., 2.]]]])
    """
    return _Rotation(name, require_number("degrees", degrees, 0.0, 360.0))


def rotated(x: Array, angles: Array) -> Array:
    """Images turned counter-clockwise, with linear interpolation and zeros from outside.

    Args:
        x: [images, channels, height, width].
        angles: in radians [images].

    >>> x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> rotated(x, np.array([np.pi / 2])).round(6).tolist()
    [[[[2.0, 4.0], [1.0, 3.0]]]]
    """
    height, width = x.shape[2:]
    down = np.arange(height)[:, None] - (height - 1) / 2
    right = np.arange(width)[None, :] - (width - 1) / 2
    cosine, sine = (f(angles)[:, None, None] for f in (np.cos, np.sin))
    column = cosine * right - sine * down + (width - 1) / 2
    row = sine * right + cosine * down + (height - 1) / 2
    top, left = np.floor(row), np.floor(column)
    result = np.zeros_like(x)
    for y, share_y in ((top, 1 - (row - top)), (top + 1, row - top)):
        for z, share_x in ((left, 1 - (column - left)), (left + 1, column - left)):
            result += _read(x, y, z) * (share_y * share_x)[:, None].astype(x.dtype)
    return result


def _read(x: Array, row: Array, column: Array) -> Array:
    """[images, channels, ...] at places [images, ...], 0 outside."""
    height, width = x.shape[2:]
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    flat = np.where(inside, row * width + column, 0).astype(np.int64).reshape(len(x), 1, -1)
    taken = np.take_along_axis(x.reshape(*x.shape[:2], -1), flat, axis=2).reshape(x.shape)
    return np.where(inside[:, None], taken, 0)


@dataclass(frozen=True)
class _Jitter(_RandomImages):
    brightness: float
    contrast: float
    saturation: float

    def images(self, x: Array, draw: Draw) -> Array:
        strengths = np.array([self.brightness, self.contrast, self.saturation])
        factors = np.maximum(0.0, 1.0 + strengths * (2.0 * draw.uniform(3) - 1.0)).astype(x.dtype)
        bright, contrast, colourful = factors.T[:, :, None, None, None]
        if self.brightness:
            x = np.clip(x * bright, 0, 1)
        if self.contrast:
            x = _blend(x, _grey(self.name, x).mean((1, 2, 3), keepdims=True), contrast)
        if self.saturation:
            x = _blend(x, _grey(self.name, x), colourful)
        return x


def color_jitter(
    name: str, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0
) -> RandomArray:
    """Brightness, contrast and saturation, in this order, times factors in ``[1 - v, 1 + v]``.

    Brightness scales the pixels, contrast blends them with the mean grey of the image, saturation
    with the grey of each pixel; a factor is 0 at least. Pixels are in [0, 1] and clipped to it
    after each change. Grey is by ITU-R BT.601; images of one channel are grey.

    >>> jitter = color_jitter("x", brightness=0.5)
    >>> bool(jitter({"x": np.ones((1, 3, 2, 2))}, Draw.first(1))["x"].max() <= 1.0)
    True
    """
    named = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
    return _Jitter(name, *(require_number(key, value, 0.0) for key, value in named.items()))


def _grey(name: str, x: Array) -> Array:
    if x.shape[1] == 1:
        return x
    if x.shape[1] != 3:
        raise OperandError(f"{name!r} has {x.shape[1]} channels; grey is known of 1 and of 3")
    weights = np.array(LUMA, x.dtype)[:, None, None]
    return np.asarray((x * weights).sum(1, keepdims=True))


def _blend(x: Array, other: Array, factor: Array) -> Array:
    return np.asarray(np.clip(x * factor + other * (1 - factor), 0, 1))


@dataclass(frozen=True)
class _Cutout(_RandomImages):
    size: int
    fill: float

    def images(self, x: Array, draw: Draw) -> Array:
        centre = np.floor(draw.uniform(2) * np.array(x.shape[2:])).astype(np.int64)
        first = centre - self.size // 2
        hidden = box(x.shape, first, first + self.size)
        return np.asarray(np.where(hidden, x.dtype.type(self.fill), x))


def cutout(name: str, size: int, fill: float = 0.0) -> RandomArray:
    """A square of ``size`` pixels around a random pixel set to ``fill``; it may reach outside.

    Source: DeVries and Taylor, https://arxiv.org/abs/1708.04552.

    >>> cutout("x", 8)({"x": np.ones((1, 1, 4, 4))}, Draw.first(1))["x"].sum() < 16
    np.True_
    """
    return _Cutout(name, require_count("size", size), require_number("fill", fill))


def box(shape: Any, first: Array, end: Array) -> Array:
    """Where a pixel lies in the box of its image, bool [images, 1, height, width].

    Args:
        shape: of the images.
        first: row and column of the first corner, int [images, 2].
        end: those behind the last.
    """
    rows = np.arange(shape[2])
    columns = np.arange(shape[3])
    down = (rows >= first[:, :1]) & (rows < end[:, :1])
    right = (columns >= first[:, 1:]) & (columns < end[:, 1:])
    return (down[:, :, None] & right[:, None, :])[:, None]
