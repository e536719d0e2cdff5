"""Samples of functions of one number: inside the domain, at its edges, far out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.elementwise_unary import (
    Abs,
    Ceil,
    Cos,
    Erf,
    Exp,
    Expm1,
    Floor,
    Log,
    Log1p,
    Log2,
    Negative,
    Reciprocal,
    Round,
    Rsqrt,
    Sigmoid,
    Sign,
    Sin,
    Sqrt,
    Square,
    Tanh,
    Trunc,
)
from asg.testing.sample import Array, Sample, register_samples

INFINITY, NAN = np.inf, np.nan
ANY = np.array([[0.3, -1.7, 2.4], [-0.6, 1.1, -2.9]])
POSITIVE = np.array([[0.3, 1.7, 2.4], [5.5, 1.1, 40.0]])
SPECIAL = np.array([NAN, INFINITY, -INFINITY, 0.0, -0.0, 5.0, -5.0])
INTEGERS = np.array([-128, -7, 0, 1, 127], np.int8)
NATURALS = np.array([0, 1, 200, 255], np.uint8)
HALVES = np.array([-2.5, -1.5, -0.5, -0.2, 0.5, 1.5, 2.5, 2.7, 1e15 + 0.5, 2.0**53])


def _cases(op: Op, oracle: Callable[[Array], Any], matrix: Array = ANY) -> list[Sample]:
    """A matrix, a scalar, nothing, and what is not finite."""
    return [
        Sample(op, (matrix,), oracle, (("batch", "n"),)),
        Sample(op, (np.array(matrix[0, 2]),), oracle, ((),)),
        Sample(op, (matrix[:0],), oracle, (("batch", 3),), label="no elements"),
        _values_only(op, oracle, SPECIAL, "not finite"),
    ]


def _values_only(op: Op, oracle: Callable[[Array], Any], x: Array, label: str) -> Sample:
    return Sample(op, (x,), oracle, (("n",),), differentiate=(), label=label)


def _kink(op: Op, oracle: Callable[[Array], Any], x: Array, expected: Array) -> Sample:
    return Sample(op, (x,), oracle, (("n",),), kink=(expected,), label="kink")


def _each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """Python's own function of one float."""
    return np.vectorize(function, otypes=[float])


def _sigmoid(x: float) -> float:
    """By the exponential that does not overflow."""
    if x < 0:
        return math.exp(x) / (1 + math.exp(x))
    return 1 / (1 + math.exp(-x)) if x == x else NAN


def _sign(x: Array) -> Array:
    positive, negative = (x > 0).astype(x.dtype), (x < 0).astype(x.dtype)
    return np.where(np.isnan(x), x, positive - negative)


register_samples([
    *_cases(Negative(), lambda x: 0 - x),
    _values_only(Negative(), lambda x: ~x + np.int8(1), INTEGERS, "int8"),
    _values_only(Negative(), lambda x: ~x + np.uint8(1), NATURALS, "uint8"),
    *_cases(Abs(), lambda x: np.sqrt(x * x)),
    _kink(Abs(), np.abs, np.array([-2.0, 0.0, 3.0]), np.array([-1.0, 0.0, 1.0])),
    _values_only(Abs(), lambda x: np.where(x < 0, -x, x), INTEGERS, "int8"),
    _values_only(Abs(), lambda x: x, NATURALS, "uint8"),
    *_cases(Sign(), _sign),
    _values_only(Sign(), _sign, INTEGERS, "int8"),
    _values_only(Sign(), _sign, NATURALS, "uint8"),
    *_cases(Square(), lambda x: x * x),
    _values_only(Square(), lambda x: x * x, INTEGERS, "int8, wraps around"),
    *_cases(Reciprocal(), lambda x: 1 / x),
    *_cases(Sqrt(), lambda x: x**0.5, POSITIVE),
    _kink(Sqrt(), np.sqrt, np.array([0.0, 4.0]), np.array([INFINITY, 0.25])),
    *_cases(Rsqrt(), lambda x: 1 / np.sqrt(x), POSITIVE),
    *_cases(Exp(), lambda x: np.e**x),
    *_cases(Expm1(), _each(lambda x: INFINITY if x > 700 else math.expm1(x))),
    Sample(Expm1(), (np.array([1e-9, -1e-12]),), _each(math.expm1), (("n",),), label="small"),
    *_cases(Log(), np.log, POSITIVE),
    _values_only(Log(), np.log, np.array([0.0, -0.0, -1.0]), "edge of the domain"),
    *_cases(Log1p(), np.log1p, POSITIVE),
    Sample(Log1p(), (np.array([1e-9, -1e-12]),), _each(math.log1p), (("n",),), label="small"),
    _values_only(Log1p(), np.log1p, np.array([-1.0, -2.0]), "edge of the domain"),
    *_cases(Log2(), lambda x: np.log(x) / np.log(2), POSITIVE),
    *_cases(Sin(), np.sin),
    *_cases(Cos(), np.cos),
    _values_only(Sin(), np.sin, np.array([1e4, -1e4]), "many turns"),
    _values_only(Cos(), np.cos, np.array([1e4, -1e4]), "many turns"),
    *_cases(Tanh(), _each(math.tanh)),
    _values_only(Tanh(), _each(math.tanh), np.array([1e-9, 30.0, -400.0]), "small and far"),
    *_cases(Sigmoid(), _each(_sigmoid)),
    _values_only(Sigmoid(), _each(_sigmoid), np.array([-80.0, -30.0, 40.0, 800.0]), "far"),
    *_cases(Erf(), _each(math.erf)),
    _values_only(Erf(), _each(math.erf), np.array([1e-9, -4.5, 5.8, 6.5, -30.0]), "small and far"),
    *_cases(Floor(), np.floor),
    *_cases(Ceil(), np.ceil),
    *_cases(Round(), np.rint),
    *_cases(Trunc(), np.trunc),
    _values_only(Floor(), _each(lambda x: float(math.floor(x))), HALVES, "halves"),
    _values_only(Ceil(), _each(lambda x: float(math.ceil(x))), HALVES, "halves"),
    _values_only(Round(), _each(lambda x: float(round(x))), HALVES, "halves"),
    _values_only(Trunc(), _each(lambda x: float(math.trunc(x))), HALVES, "halves"),
])  # fmt: skip
