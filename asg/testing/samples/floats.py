"""Samples of signs, neighbours, replacements, powers and logarithms of floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.floats import (
    Cbrt,
    Copysign,
    Exp2,
    Heaviside,
    Lerp,
    Log10,
    LogSigmoid,
    NanToNum,
    Nextafter,
    Signbit,
    Xlogy,
)
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.trigonometry import ANY, INFINITY, NAN, SPECIAL, Y, two

POSITIVE = np.array([[0.3, 1.7, 2.4], [5.5, 1.1, 40.0]])


def _one(op: Op, oracle: Callable[[Array], Any], matrix: Array = ANY) -> list[Sample]:
    """A matrix, a scalar, nothing, and what is not finite."""
    return [
        Sample(op, (matrix,), oracle, (("batch", "n"),)),
        Sample(op, (np.array(matrix[0, 2]),), oracle, ((),)),
        Sample(op, (matrix[:0],), oracle, (("batch", 3),), label="no elements"),
        Sample(op, (SPECIAL,), oracle, (("n",),), differentiate=(), label="not finite"),
    ]


def _log_sigmoid(x: float) -> float:
    return x - math.log1p(math.exp(x)) if x < 0 else -math.log1p(math.exp(-x))


def _cube_root(x: Array) -> Array:
    return np.sign(x) * np.abs(x) ** (1 / 3)


def _replaced(nan: float, high: float | None, low: float | None) -> Callable[[Array], Array]:
    return lambda x: np.nan_to_num(x, nan=nan, posinf=high, neginf=low)


def _xlogy(x: Array, y: Array) -> Any:
    from scipy.special import xlogy

    return xlogy(x, y)


def _vector(*numbers: float) -> Array:
    return np.array(numbers, np.float64)


register_samples([
    *_one(Exp2(), lambda x: 2.0**x),
    *_one(Log10(), np.log10, POSITIVE),
    *_one(Cbrt(), _cube_root),
    *_one(LogSigmoid(), np.vectorize(_log_sigmoid, otypes=[float])),
    Sample(LogSigmoid(), (_vector(-800, -40, 40),), lambda x: _vector(-800, -40, -math.exp(-40)),
           (("n",),), label="far"),
    *_one(Signbit(), lambda x: np.copysign(1.0, x) < 0),
    *two(Copysign(), lambda x, y: np.where(y < 0, -np.abs(x), np.abs(x)), ANY, Y),
    Sample(Copysign(), (SPECIAL, -SPECIAL), np.copysign, (("n",), ("n",)), differentiate=(),
           label="not finite"),
    *two(Nextafter(), np.nextafter, ANY, Y),
    Sample(Nextafter(), (_vector(1, 1, 1, NAN), _vector(2, 0, 1, 1)),
           np.vectorize(math.nextafter, otypes=[float]), (("n",), ("n",)), differentiate=(),
           label="neighbours"),
    *two(Heaviside(), np.heaviside, ANY, Y),
    Sample(Heaviside(), (_vector(0, -0.0, 2), np.array(0.5)), np.heaviside, (("n",), ()),
           kink=(_vector(0, 0, 0), np.array(2.0))),
    Sample(Heaviside(), (SPECIAL, np.array(0.5)), np.heaviside, (("n",), ()),
           differentiate=(), label="not finite"),
    Sample(NanToNum(0.5), (_vector(NAN, 2, -0.0),), _replaced(0.5, None, None), (("n",),),
           differentiate=(), label="limits of the dtype"),
    *_one(NanToNum(-1.0, 2.0, -3.0), _replaced(-1.0, 2.0, -3.0)),
    Sample(NanToNum(0.0, 9.0), (_vector(NAN, 2, INFINITY),), _replaced(0.0, 9.0, None), (("n",),),
           kink=(_vector(0, 1, 0),)),
    *two(Xlogy(), _xlogy, ANY, np.abs(Y)),
    Sample(Xlogy(), (_vector(0, 0, 0, 2), _vector(0, 2, -1, 3)), _xlogy, (("n",), ("n",)),
           kink=(_vector(0, math.log(2), 0, math.log(3)), _vector(0, 0, 0, 2 / 3))),
    Sample(Xlogy(), (_vector(0, 1, NAN, 0), _vector(NAN, 0, 1, INFINITY)), _xlogy,
           (("n",), ("n",)), differentiate=(), label="not finite"),
    Sample(Lerp(), (ANY, Y, np.array([0.2, 0.7, 1.4])), lambda x, y, w: (1 - w) * x + w * y,
           (("b", "n"), ("b", "n"), ("n",))),
    Sample(Lerp(), (ANY[:, :1], Y[0], np.array(0.3)), lambda x, y, w: (1 - w) * x + w * y,
           (("b", 1), ("n",), ())),
    Sample(Lerp(), tuple(map(np.array, (1.5, -2.0, 0.75))), lambda x, y, w: (1 - w) * x + w * y,
           ((), (), ())),
    Sample(Lerp(), (ANY[:0], Y[0], np.array(0.3)), lambda x, y, w: (1 - w) * x + w * y,
           (("b", 3), (3,), ())),
])  # fmt: skip
