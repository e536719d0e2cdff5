"""Samples of casts between all kinds of dtypes, and of stop_gradient."""

from __future__ import annotations

import numpy as np

from asg.core.dtype import (
    DType,
    bfloat16,
    bool_,
    float16,
    float32,
    float64,
    int8,
    int32,
    int64,
    uint8,
    uint64,
)
from asg.ops.cast import Cast, StopGradient
from asg.testing.sample import Array, Sample, register_samples

FLOATS = np.array([-3.7, -0.5, 0.0, 0.5, 2.9, 100.25])
OUTSIDE = np.array([-1e30, -300.0, -129.0, 128.0, 300.0, 3e9, 1e19, 1e30, np.inf, -np.inf, np.nan])
INTEGERS = np.array([-(2**31), -300, -1, 0, 1, 255, 256, 2**31 - 1], np.int32)


def _cast(x: Array, dtype: DType, label: str = "", *, inside: bool = False) -> Sample:
    return Sample(Cast(dtype), (x,), lambda a: _converted(a, dtype), (("n", "m")[: x.ndim],),
                  differentiate=None if inside else (), label=label or str(x.dtype))  # fmt: skip


def _converted(x: Array, dtype: DType) -> Array:
    """Element by element in Python's numbers, which have no width."""
    if dtype.is_float or dtype.is_bool or x.dtype.kind in "biu":
        return x.astype(dtype.numpy)
    limits = np.iinfo(dtype.numpy)
    numbers = [_limited(float(each), int(limits.min), int(limits.max)) for each in x.ravel()]
    return np.array(numbers, dtype.numpy).reshape(x.shape)


def _limited(number: float, least: int, largest: int) -> int:
    if number != number:
        return 0
    if abs(number) == np.inf:
        return largest if number > 0 else least
    return min(max(int(number), least), largest)


register_samples([
    Sample(Cast(float64), (np.array([[0.3, -1.7]]),), lambda x: x, (("a", "b"),), label="same"),
    _cast(np.array([0.5, -2.25, 1024.0]), float32, "exact"),
    _cast(np.array(0.75), float64, "scalar", inside=True),
    _cast(np.zeros((0, 2)), float64, "no elements", inside=True),
    _cast(np.array([0.1, 1e300, -1e300, 1e-300, np.nan, np.inf]), float32, "rounded"),
    _cast(np.array([0.1, 1e5, np.nan, -np.inf]), float16, "rounded"),
    _cast(np.array([0.1, 3.0, np.nan, -np.inf]), bfloat16, "rounded"),
    _cast(np.array([0.1, 3.0, np.nan], float32.numpy).astype(bfloat16.numpy), float32, "bfloat16"),
    *[_cast(FLOATS, dtype) for dtype in (int8, int32, int64)],
    *[_cast(np.abs(FLOATS), dtype) for dtype in (uint8, uint64)],
    *[_cast(OUTSIDE, dtype, "out of range") for dtype in (int8, uint8, int32, int64, uint64)],
    _cast(OUTSIDE.astype(np.float32), int32, "out of range, float32"),
    _cast(np.array([3.7, -500.0, np.nan, np.inf], np.float16), int8, "float16"),
    _cast(np.array([3.7, -500.0, np.nan, np.inf], np.float32).astype(bfloat16.numpy), int8,
          "bfloat16"),
    *[_cast(INTEGERS, dtype) for dtype in (int8, uint8, uint64, int64, float32, float64, bool_)],
    _cast(np.array([True, False]), float64, "bool"),
    _cast(np.array([True, False]), int32, "bool"),
    _cast(np.array([0.0, -0.0, 0.5, np.nan, np.inf]), bool_),
    Sample(StopGradient(), (np.array([[0.3, -1.7]]),), lambda x: x, (("a", "b"),)),
    Sample(StopGradient(), (np.array(0.3),), lambda x: x, ((),)),
    Sample(StopGradient(), (np.zeros((0, 3)),), lambda x: x, (("n", 3),)),
    Sample(StopGradient(), (INTEGERS,), lambda x: x, (("n",),)),
])  # fmt: skip
