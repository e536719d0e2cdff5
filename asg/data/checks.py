"""Checks of arguments that the parts of `asg.data` share."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.errors import OperandError

Array = np.ndarray[Any, Any]


def require_count(name: str, value: object, least: int = 1) -> int:
    """An int of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        kind = {0: "a non-negative int", 1: "a positive int"}.get(least, f"an int >= {least}")
        raise OperandError(f"{name}={value!r} must be {kind}")
    return int(value)


def require_number(name: str, value: object, least: float = -np.inf, most: float = np.inf) -> float:
    """A finite number in [least, most]."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise OperandError(f"{name}={value!r} is not a number")
    if not np.isfinite(value) or not least <= value <= most:
        raise OperandError(f"{name}={value!r} must be in [{least:g}, {most:g}]")
    return float(value)


def require_indices(index: object, length: int) -> Array:
    """Positions of examples as int64 [count] in 0...length - 1, from ints or a mask.

    Raises:
        OperandError: something else, or the first position that does not exist.
    """
    given = np.asarray(index)
    if given.dtype == np.bool_ and given.shape == (length,):
        return np.flatnonzero(given)
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise OperandError(f"positions are int[count] or bool[{length}], given {_kind(given)}")
    given = given.astype(np.int64)
    wrong = np.flatnonzero((given < -length) | (given >= length))
    if len(wrong):
        raise OperandError(f"position {given[wrong[0]]} does not exist: there are {length}")
    return np.where(given < 0, given + length, given)


def require_labels(labels: object, classes: int | None = None, name: str = "labels") -> Array:
    """Class numbers [count], each in 0...classes - 1 when ``classes`` is given.

    Raises:
        OperandError: other shapes or dtypes; the first label out of range with its position.
    """
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise OperandError(f"{name} are class numbers, int[count]; given {_kind(given)}")
    wrong = np.flatnonzero((given < 0) | (given >= (np.inf if classes is None else classes)))
    if len(wrong):
        bound = "negative" if classes is None else f"not one of 0...{classes - 1}"
        raise OperandError(f"{name}[{wrong[0]}] is {given[wrong[0]]}, {bound}")
    return given


def _kind(array: Array) -> str:
    return f"{array.dtype}{list(array.shape)}"
