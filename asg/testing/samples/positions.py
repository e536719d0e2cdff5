"""Samples of positions: both layouts of rotation, offsets, biases, waves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.core.dtype import bfloat16, float32, float64
from asg.ops.positions import AlibiBias, Rope, SinusoidalPositions
from asg.testing.sample import Array, Sample, register_samples

BLOCK = np.sin(np.arange(36.0) * 1.7 + 0.4).reshape(2, 3, 6)


def _turned(op: Rope) -> Callable[..., Any]:
    """Each pair as a complex number times a unit one."""

    def value(x: Array, positions: Array) -> Any:
        half = x.shape[-1] // 2
        power = np.exp(-2.0 * np.arange(half) / max(x.shape[-1], 1) * np.log(op.base))
        angle = np.asarray(positions, np.float64)[..., None] * power
        unit = np.exp(1j * (-angle if op.inverse else angle))
        first = x[..., 0::2] if op.interleaved else x[..., :half]
        second = x[..., 1::2] if op.interleaved else x[..., half:]
        product = (first + 1j * second) * unit
        parts = np.stack([product.real, product.imag], -1 if op.interleaved else -2)
        return parts.reshape(x.shape).astype(x.dtype)

    return value


def _rope(op: Rope, x: Array, positions: Array, symbolic: Any, **facts: Any) -> Sample:
    return Sample(op, (x, positions), _turned(op), symbolic, **facts)


PLACES = np.array([0, 1, 5], np.int32)

register_samples(
    [
        _rope(Rope(), BLOCK, PLACES, (("batch", "t", 6), ("t",))),
        _rope(Rope(500.0, True), BLOCK, PLACES, (("batch", "t", 6), (3,)), label="spelled apart"),
        _rope(Rope(10000.0, False, True), BLOCK, np.array([[3, 1, 2], [9, 8, 7]], np.uint8),
              (("batch", "t", 6), ("batch", "t"))),
        _rope(Rope(100.0, True, True), BLOCK[0], np.array(4, np.int64), (("t", 6), ())),
        _rope(Rope(), np.empty((0, 3, 6)), PLACES, (("batch", "t", 6), ("t",)), label="no rows"),
    ]
)  # fmt: skip


def _bias(slopes: list[float], queries: int, keys: int, offset: int, dtype: Any) -> Any:
    far = np.abs(np.arange(queries)[:, None] + offset - np.arange(keys))
    return (-np.array(slopes)[:, None, None] * far).astype(dtype)


THREE = [2.0**-4, 2.0**-8, 2.0**-2]

register_samples(
    [
        Sample(AlibiBias(4, 3, 5), (), lambda: _bias([1 / 4, 1 / 16, 1 / 64, 1 / 256], 3, 5, 0,
               np.float32), (), AlibiBias(4, as_dim("l"), as_dim("s"))),
        Sample(AlibiBias(3, 2, 4, 2, float64), (), lambda: _bias(THREE, 2, 4, 2, np.float64), ()),
        Sample(AlibiBias(1, 2, 2, 0, bfloat16), (),
               lambda: _bias([2.0**-8], 2, 2, 0, bfloat16.numpy), None),
    ]
)  # fmt: skip


def _waves(length: int, features: int, base: float, offset: int, dtype: Any) -> Any:
    result = np.empty((length, features))
    for t in range(length):
        for i in range(features // 2):
            angle = (t + offset) / base ** (2 * i / features)
            result[t, 2 * i], result[t, 2 * i + 1] = np.sin(angle), np.cos(angle)
    return result.astype(dtype)


register_samples(
    [
        Sample(SinusoidalPositions(3, 4, 10000.0, 0, float64), (),
               lambda: _waves(3, 4, 1e4, 0, np.float64), (),
               SinusoidalPositions(as_dim("t"), 4, 10000.0, 0, float64)),
        Sample(SinusoidalPositions(2, 6, 100.0, 5, float32), (),
               lambda: _waves(2, 6, 100.0, 5, np.float32), ()),
        Sample(SinusoidalPositions(0, 2), (), lambda: np.empty((0, 2), np.float32), None),
    ]
)  # fmt: skip
