"""What data sets of labelled images have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from asg.core.errors import FileError, OperandError
from asg.data.checks import require_labels
from asg.data.dataset import Dataset
from asg.data.order import Array


def one_of(name: str, value: object, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices, else OperandError."""
    known = list(choices)
    if not isinstance(value, str) or value not in known:
        raise OperandError(f"{name}={value!r} is not one of {', '.join(known)}")
    return value


def labelled_images(
    name: str,
    files: Sequence[str],
    images: Array,
    labels: Array,
    classes: int,
    first: int = 0,
) -> Dataset:
    """``images`` uint8 [n, channels, height, width] and ``labels`` int32 in 0...classes - 1.

    Args:
        name: of the data set.
        files: of the images and of the labels, for messages.
        images: [n, height, width] or [n, channels, height, width].
        labels: [n].
        classes: how many there are.
        first: the label of the first class in the files.

    Raises:
        FileError: no images, other counts, or a label out of range.
    """
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim != 4 or images.dtype != np.uint8:
        raise FileError(f"{files[0]} holds {images.dtype}{list(images.shape)}, no images of bytes")
    if len(images) != len(labels) or not len(images):
        raise FileError(f"{files[0]} has {len(images)} images, {files[-1]} {len(labels)} labels")
    try:
        numbers = require_labels(labels.astype(np.int64) - first, classes)
    except OperandError as error:
        raise FileError(f"{files[-1]}: {error}") from None
    arrays = {"images": images, "labels": numbers.astype(np.int32)}
    return Dataset(arrays, name, ", ".join(files))


def records(content: bytes, width: int, file: str) -> Array:
    """Equal records of bytes, uint8 [n, width], else FileError."""
    count, rest = divmod(len(content), width)
    if rest or not count:
        raise FileError(f"{file} has {len(content)} bytes, which are no records of {width} bytes")
    return np.frombuffer(content, np.uint8).reshape(count, width)
