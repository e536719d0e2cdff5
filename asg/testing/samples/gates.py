"""Samples of gated linear units: every axis, symbolic sizes, far out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops.gates import GLU, Gate, GeGLU, SwiGLU
from asg.testing.sample import Array, Sample, register_samples

BLOCK = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0


def _sigmoid(x: Array) -> Any:
    from scipy.special import expit

    return expit(x)


def _normal_cdf(x: Array) -> Any:
    from scipy.special import ndtr

    return ndtr(x)


def _gelu_tanh(x: Array) -> Any:
    return 0.5 * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


FORMS: list[tuple[Callable[[int], Gate], Callable[[Array, Array], Any]]] = [
    (GLU, lambda a, b: a * _sigmoid(b)),
    (SwiGLU, lambda a, b: a * _sigmoid(a) * b),
    (GeGLU, lambda a, b: a * _normal_cdf(a) * b),
    (lambda axis: GeGLU(axis, "tanh"), lambda a, b: a * _gelu_tanh(a) * b),
]


def _samples(make: Callable[[int], Gate], formula: Callable[[Array, Array], Any]) -> list[Sample]:
    def on(axis: int) -> Callable[[Array], Any]:
        return lambda x: formula(*np.split(x, 2, axis))

    return [
        Sample(make(2), (BLOCK,), on(2), (("batch", "t", 4),)),
        Sample(make(0), (BLOCK,), on(0), (("n", 3, "m"),)),
        Sample(make(1), (np.empty((0, 4)),), on(1), (("batch", 4),), label="no rows"),
        Sample(make(0), (np.array([1000.0, -1000.0, 1000.0, -1000.0]),), on(0), (("n",),),
               differentiate=(), label="far out"),
    ]  # fmt: skip


register_samples(sample for make, formula in FORMS for sample in _samples(make, formula))
