"""Samples of smooth activations: ordinary points, far out, joints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.curves import CELU, SELU, Mish, Softmin, Softsign, Tanhshrink
from asg.testing.sample import Array, Sample, register_samples

MATRIX = np.array([[0.3, -1.7, 2.4, 7.9], [-0.6, 1.1, -3.9, 0.2]])
BLOCK = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0
FAR = np.array([-1000.0, 1000.0, np.nan])
ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805


def _mish(x: Array) -> Any:
    return x * np.tanh(np.logaddexp(0.0, x))


ELEMENTWISE: list[tuple[Op, Callable[[Array], Any]]] = [
    (SELU(), lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0)))),
    (CELU(), lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
    (CELU(1.7), lambda x: np.where(x > 0, x, 1.7 * np.expm1(np.minimum(x, 0) / 1.7))),
    (Mish(), _mish),
    (Softsign(), lambda x: x / (1 + np.abs(x))),
    (Tanhshrink(), lambda x: x - np.tanh(x)),
]


def _elementwise(op: Op, oracle: Callable[[Array], Any]) -> list[Sample]:
    def value(x: Array) -> Any:
        return np.asarray(oracle(x), x.dtype)

    return [
        Sample(op, (MATRIX,), value, (("batch", 4),)),
        Sample(op, (np.array(-0.7),), value, ((),), label="scalar"),
        Sample(op, (np.empty((0, 3)),), value, (("batch", 3),), label="no rows"),
        Sample(op, (FAR,), value, (("n",),), differentiate=(), label="far out"),
    ]


def _at_zero(op: Op, slope: float, other: float) -> Sample:
    x = np.array([0.0, 2.0])
    return Sample(op, (x,), None, (("n",),), kink=(np.array([slope, other]),), label="at 0")


register_samples(sample for op, oracle in ELEMENTWISE for sample in _elementwise(op, oracle))
register_samples(
    [
        _at_zero(SELU(), SCALE * ALPHA, SCALE),
        _at_zero(CELU(1.7), 1.0, 1.0),
        _at_zero(Softsign(), 1.0, 1.0 / 9.0),
    ]
)


def _softmin(axis: int) -> Callable[[Array], Any]:
    def value(x: Array) -> Any:
        raised = np.exp(-x)
        return raised / raised.sum(axis, keepdims=True)

    return value


register_samples(
    [
        Sample(Softmin(1), (MATRIX,), _softmin(1), (("batch", "n"),)),
        Sample(Softmin(1), (BLOCK,), _softmin(1), (("batch", 3, "n"),)),
        Sample(Softmin(1), (np.empty((0, 4)),), _softmin(1), (("batch", 4),), label="no rows"),
        Sample(Softmin(0), (np.array([1e4, -1e4, 0.0]),), lambda x: np.array([0.0, 1.0, 0.0]),
               (("n",),), differentiate=(), label="extreme"),
    ]
)  # fmt: skip
