"""Compare arrays and say, in one line, how they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype

Array = np.ndarray[Any, np.dtype[Any]]


def difference(
    actual: Array,
    expected: Array,
    relative: float = 0.0,
    absolute: float = 0.0,
    of_largest: float = 0.0,
) -> str:
    """Empty when the arrays agree, else what differs first or most.

    Dtype and shape must be equal; NaN agrees with NaN and an infinity with itself. A finite
    element may be off by ``relative * |expected| + absolute + of_largest * max |expected|``; the
    last is for sums of terms that cancel.

    >>> difference(np.array([1.0, 2.0]), np.array([1.0, 2.5]), relative=0.1)
    'at (1,): 2.0, expected 2.5 (off by 0.5, allowed 0.25)'
    >>> difference(np.array([1.0]), np.array([1.0], np.float32))
    'dtype float64, expected float32'
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.dtype != expected.dtype:
        return f"dtype {actual.dtype}, expected {expected.dtype}"
    if actual.shape != expected.shape:
        return f"shape {actual.shape}, expected {expected.shape}"
    if not as_dtype(actual.dtype).is_float:
        return _first(actual, expected, actual != expected)
    return _float_difference(_wide(actual), _wide(expected), relative, absolute, of_largest)


def differences(
    names: Sequence[str], actual: Sequence[Array], expected: Sequence[Array], **tolerance: float
) -> list[str]:
    """``name: difference`` for every pair that does not agree."""
    if not len(names) == len(actual) == len(expected):
        return [f"{len(actual)} values, expected {len(expected)}: {', '.join(names)}"]
    lines = []
    for name, left, right in zip(names, actual, expected, strict=True):
        found = difference(left, right, **tolerance)
        lines.extend([f"{name}: {found}"] if found else [])
    return lines


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _first(actual: Array, expected: Array, wrong: Array) -> str:
    if not np.any(wrong):
        return ""
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    return f"at {place}: {actual[place]!s}, expected {expected[place]!s}"


def _float_difference(
    actual: Array, expected: Array, relative: float, absolute: float, of_largest: float
) -> str:
    finite = np.isfinite(expected)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    unlike = _first(actual, expected, ~same & ~(finite & np.isfinite(actual)))
    if unlike:
        return unlike
    size = np.where(finite, np.abs(expected), 0.0)
    allowed = relative * size + absolute + of_largest * float(size.max(initial=0.0))
    error = np.where(same, 0.0, np.abs(np.where(same, 0.0, actual) - np.where(same, 0.0, expected)))
    excess = error - allowed
    if not excess.size or excess.max() <= 0.0:
        return ""
    place = tuple(int(index) for index in np.unravel_index(int(excess.argmax()), excess.shape))
    return (
        f"{_first_at(actual, expected, place)} "
        f"(off by {error[place]:.3g}, allowed {allowed[place]:.3g})"
    )


def _first_at(actual: Array, expected: Array, place: tuple[int, ...]) -> str:
    return f"at {place}: {actual[place]!s}, expected {expected[place]!s}"
