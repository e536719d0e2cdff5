"""Samples of piecewise activations: ordinary points, far out, and every joint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.piecewise import (
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    PReLU,
    ReLU6,
    Softshrink,
    Threshold,
)
from asg.testing.sample import Array, Sample, register_samples

MATRIX = np.array([[0.3, -1.7, 2.4, 7.9], [-0.6, 1.1, -3.9, 0.2]])
FAR = np.array([-np.inf, -1000.0, 1000.0, np.nan, np.inf])

ELEMENTWISE: list[tuple[Op, Callable[[Array], Any], Array, Array]] = [
    (ReLU6(), lambda x: np.clip(x, 0, 6), np.array([0.0, 6.0, 3.0]), np.array([0.0, 0.0, 1.0])),
    (Hardtanh(), lambda x: np.clip(x, -1, 1), np.array([-1.0, 1.0, 0.5]), np.array([0.0, 0, 1])),
    (Hardtanh(-0.5, 2.0), lambda x: np.clip(x, -0.5, 2), np.array([-0.5, 2.0]), np.zeros(2)),
    (Hardsigmoid(), lambda x: np.clip(x / 6 + 0.5, 0, 1), np.array([-3.0, 3.0]), np.zeros(2)),
    (Hardswish(), lambda x: np.where(x < -3, 0.0, x) * np.clip(x / 6 + 0.5, 0, 1),
     np.array([-3.0, 0.0, 3.0]), np.array([0.0, 0.5, 1.0])),
    (Threshold(0.25, -2.0), lambda x: np.where(x > 0.25, x, np.where(np.isnan(x), x, -2.0)),
     np.array([0.25, 1.0]), np.array([0.0, 1.0])),
    (Hardshrink(0.5), lambda x: x * ~(np.abs(x) <= 0.5), np.array([-0.5, 0.5]), np.zeros(2)),
    (Softshrink(0.5), lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
     np.array([-0.5, 0.5, 2.0]), np.array([0.0, 0.0, 1.0])),
]  # fmt: skip


def _elementwise(op: Op, oracle: Callable[[Array], Any], joints: Array, slopes: Array) -> Any:
    def value(x: Array) -> Any:
        return np.asarray(oracle(x), x.dtype)

    return [
        Sample(op, (MATRIX,), value, (("batch", 4),)),
        Sample(op, (np.array(0.7),), value, ((),), label="scalar"),
        Sample(op, (np.empty((0, 3)),), value, (("batch", 3),), label="no rows"),
        Sample(op, (FAR,), value, (("n",),), differentiate=(), label="far out"),
        Sample(op, (joints,), value, (("n",),), kink=(slopes,), label="joints"),
    ]


register_samples(sample for case in ELEMENTWISE for sample in _elementwise(*case))


def _prelu(x: Array, weight: Array) -> Any:
    shaped = weight if weight.size == 1 else weight.reshape(-1, *[1] * (x.ndim - 2))
    return np.where(x > 0, x, shaped * np.where(x > 0, 0, x))


BLOCK = np.sin(np.arange(24.0) * 1.7 + 0.5).reshape(2, 3, 4) * 2.0
SLOPES = np.array([0.2, -0.3, 1.7])

register_samples(
    [
        Sample(PReLU(), (MATRIX, np.array(0.3)), _prelu, (("batch", 4), ())),
        Sample(PReLU(), (MATRIX[0], np.array([0.3])), _prelu, (("n",), (1,))),
        Sample(PReLU(), (BLOCK, SLOPES), _prelu, (("batch", "c", "w"), ("c",))),
        Sample(PReLU(), (BLOCK, SLOPES), _prelu, (("batch", 3, 4), ("c",)), label="spelled apart"),
        Sample(PReLU(), (BLOCK[0], np.array([0.2, 0.1, 0.5, 0.9])), _prelu, (("b", 4), (4,))),
        Sample(PReLU(), (np.empty((0, 3)), SLOPES), _prelu, (("batch", 3), (3,)), label="no rows"),
        Sample(PReLU(), (np.array([0.0, 2.0, np.inf]), np.array(0.3)), _prelu, (("n",), ()),
               kink=(np.array([0.3, 1.0, 1.0]), np.array(0.0)), label="joint"),
    ]
)  # fmt: skip
