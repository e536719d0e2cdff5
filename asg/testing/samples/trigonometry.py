"""Samples of trigonometry, against Python's own math: inside the domain, at its edges, far out."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.trigonometry import (
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atan2,
    Atanh,
    Cosh,
    Hypot,
    Sinh,
    Tan,
)
from asg.testing.sample import Array, Sample, register_samples

INFINITY, NAN = np.inf, np.nan
ANY = np.array([[0.3, -1.2, 2.4], [-0.6, 1.1, -2.9]])
INSIDE = np.array([[0.3, -0.7, 0.9], [-0.15, 0.5, 0.05]])
ABOVE_ONE = np.array([[1.3, 2.7, 1.9], [4.5, 30.0, 1.05]])
SPECIAL = np.array([NAN, INFINITY, -INFINITY, 0.0, -0.0, 1.0, -1.0, 1.5, -2.0])


def _each(function: Callable[..., float]) -> Callable[..., Array]:
    """Python's own function of floats; NaN where it finds no value."""

    def total(*numbers: float) -> float:
        try:
            return function(*numbers)
        except ValueError:
            return NAN

    return np.vectorize(total, otypes=[float])


def _atanh(x: float) -> float:
    return math.copysign(INFINITY, x) if abs(x) == 1 else math.atanh(x)


def one(op: Op, function: Callable[..., float], matrix: Array = ANY) -> list[Sample]:
    """A matrix, a scalar, nothing, and values at the edges and beyond."""
    oracle = _each(function)
    return [
        Sample(op, (matrix,), oracle, (("batch", "n"),)),
        Sample(op, (np.array(matrix[0, 2]),), oracle, ((),)),
        Sample(op, (matrix[:0],), oracle, (("batch", 3),), label="no elements"),
        Sample(op, (SPECIAL,), oracle, (("n",),), differentiate=(), label="edges"),
    ]


def two(op: Op, oracle: Callable[..., Any], x: Array, y: Array) -> list[Sample]:
    """Matrices, a stretched row, scalars, nothing."""
    return [
        Sample(op, (x, y), oracle, (("batch", "n"), ("batch", "n"))),
        Sample(op, (x[:, :1], y[0]), oracle, (("batch", 1), ("n",)), label="both stretched"),
        Sample(op, (np.array(x[0, 0]), np.array(y[0, 1])), oracle, ((), ())),
        Sample(op, (x[:0], y[0]), oracle, (("batch", 3), (3,)), label="no elements"),
    ]


Y = np.array([[1.2, 0.7, -0.8], [-1.9, 2.3, 0.4]])
HEIGHTS = np.array([0.0, -0.0, 0.0, -0.0, INFINITY, -INFINITY, 1.0, NAN, 1e300])
WIDTHS = np.array([1.0, 1.0, -1.0, -1.0, INFINITY, -INFINITY, -INFINITY, 1.0, 1e300])

register_samples([
    *one(Tan(), math.tan),
    *one(Asin(), math.asin, INSIDE),
    *one(Acos(), math.acos, INSIDE),
    *one(Atan(), math.atan),
    *one(Sinh(), math.sinh),
    *one(Cosh(), math.cosh),
    *one(Asinh(), math.asinh),
    Sample(Asinh(), (np.array([1e-9, -1e200]),), _each(math.asinh), (("n",),),
           differentiate=(), label="small and far"),
    *one(Acosh(), math.acosh, ABOVE_ONE),
    *one(Atanh(), _atanh, INSIDE),
    *two(Hypot(), lambda x, y: np.abs(x + 1j * y), ANY, Y),
    Sample(Hypot(), (HEIGHTS, WIDTHS), _each(math.hypot), (("n",), ("n",)), differentiate=(),
           label="edges"),
    Sample(Hypot(), (np.array([0.0, -3.0]), np.array([0.0, 0.0])), _each(math.hypot),
           (("n",), ("n",)), kink=(np.array([0.0, -1.0]), np.array([0.0, 0.0]))),
    *two(Atan2(), _each(lambda x, y: cmath.phase(complex(y, x))), ANY, Y),
    Sample(Atan2(), (HEIGHTS, WIDTHS), _each(math.atan2), (("n",), ("n",)), differentiate=(),
           label="edges"),
])  # fmt: skip
