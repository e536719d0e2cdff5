"""Samples of arithmetic with two or three operands: by broadcasting, at ties, out of range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.elementwise import (
    Add,
    Clip,
    Divide,
    FloorDivide,
    LogAddExp,
    Maximum,
    Minimum,
    Multiply,
    Pow,
    Remainder,
    Subtract,
    Where,
)
from asg.testing.sample import Array, Sample, register_samples

INFINITY, NAN = np.inf, np.nan
X = np.array([[0.3, -1.7, 2.5], [-0.6, 1.1, -2.9]])
Y = np.array([[1.2, 0.7, -0.8], [-1.9, 2.3, 0.4]])


def _int32(*numbers: int) -> Array:
    return np.array(numbers, np.int32)


def _vector(*numbers: float) -> Array:
    return np.array(numbers, np.float64)


def _shapes_of_two(op: Op, oracle: Callable[..., Any], x: Array = X, y: Array = Y) -> list[Sample]:
    """A matrix with a matrix, a row, a column and a scalar; scalars; nothing."""
    empty = np.zeros((0, 3))
    return [
        Sample(op, (x, y), oracle, (("batch", "n"), ("batch", "n"))),
        Sample(op, (x, y[0]), oracle, (("batch", 3), (3,))),
        Sample(op, (x[:, :1], y[0]), oracle, (("batch", 1), ("n",)), label="both stretched"),
        Sample(op, (np.array(x[0, 0]), y), oracle, ((), ("batch", "n")), label="scalar first"),
        Sample(op, (np.array(x[0, 2]), np.array(y[0, 0])), oracle, ((), ())),
        Sample(op, (empty, y[0]), oracle, (("batch", 3), (3,)), label="no elements"),
    ]


def _integers(op: Op, oracle: Callable[..., Any], x: Array, y: Array, label: str = "") -> Sample:
    return Sample(op, (x, y), oracle, (("n",), ("n",)), label=label or str(x.dtype))


def _kink(
    op: Op, oracle: Callable[..., Any], operands: tuple[Array, ...], *expected: Array | None
) -> Sample:
    shapes = tuple(("n",) * each.ndim for each in operands)
    return Sample(op, operands, oracle, shapes, kink=expected, label="kink")


def _values_only(op: Op, oracle: Callable[..., Any], *operands: Array, label: str) -> Sample:
    """Not finite, or narrow: no derivatives."""
    shapes = tuple(("n",) * each.ndim for each in operands)
    return Sample(op, operands, oracle, shapes, differentiate=(), label=label)


BYTES = np.array([-128, -7, -1, 0, 1, 7, 100, 127], np.int8)
OTHER_BYTES = np.array([-1, 2, 3, 0, -3, -2, 100, 7], np.int8)
NATURALS = np.array([0, 1, 7, 200, 255], np.uint8)
OTHER_NATURALS = np.array([3, 0, 2, 100, 255], np.uint8)
SPECIAL = _vector(NAN, INFINITY, -INFINITY, 0.0, 1.0, INFINITY, -INFINITY, -2.0)
OTHER_SPECIAL = _vector(1.0, INFINITY, -INFINITY, 0.0, NAN, -INFINITY, 3.0, INFINITY)


def _divided(x: Array, y: Array) -> Array:
    """Integer quotients by Python's own division; 0 for a divisor of 0."""
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    return np.array([a // b if b else 0 for a, b in pairs]).astype(x.dtype)


def _modulo(x: Array, y: Array) -> Array:
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    return np.array([a % b if b else 0 for a, b in pairs]).astype(x.dtype)


def _power(x: Array, y: Array) -> Array:
    """Integer powers by Python's own arithmetic, then the low bits; truncated for y < 0."""
    bits = 8 * x.dtype.itemsize
    unsigned = [
        pow(a, b, 2**bits) if b >= 0 else (a ** (-b % 2) if a in (1, -1) else 0) % 2**bits
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
    return np.array(unsigned, f"u{x.dtype.itemsize}").view(x.dtype)


def _float_quotient(x: Array, y: Array) -> Array:
    """Python's ``//`` of two floats, which rounds once; an infinity or NaN for a divisor of 0."""
    quotient = np.vectorize(lambda a, b: a // b if b else np.float64(a) / b, otypes=[float])
    return np.asarray(quotient(x, y))


def _float_remainder(x: Array, y: Array) -> Array:
    return np.asarray(np.vectorize(lambda a, b: a % b if b else NAN, otypes=[float])(x, y))


register_samples([
    *_shapes_of_two(Add(), lambda x, y: x + y),
    _integers(Add(), np.add, BYTES, OTHER_BYTES, "int8, wraps around"),
    _values_only(Add(), np.add, SPECIAL, OTHER_SPECIAL, label="not finite"),
    *_shapes_of_two(Subtract(), lambda x, y: x - y),
    _integers(Subtract(), np.subtract, NATURALS, OTHER_NATURALS, "uint8, wraps around"),
    *_shapes_of_two(Multiply(), lambda x, y: x * y),
    _integers(Multiply(), np.multiply, BYTES, OTHER_BYTES, "int8, wraps around"),
    *_shapes_of_two(Divide(), lambda x, y: x / y),
    _values_only(Divide(), np.divide, _vector(1, -1, 0, 5), _vector(0, 0, 0, -0.0),
                 label="by zero"),
    *_shapes_of_two(FloorDivide(), _float_quotient),
    _integers(FloorDivide(), _divided, BYTES, OTHER_BYTES),
    _integers(FloorDivide(), _divided, NATURALS, OTHER_NATURALS),
    _integers(FloorDivide(), _divided, _int32(7, -7, 7, -7, 5), _int32(2, 2, -2, -2, 0)),
    Sample(FloorDivide(), (_vector(1, 6, -1, 1, -1, 0), _vector(0.1, 0.1, 0.1, 0, 0, 0)),
           _float_quotient, None, label="tenths and by zero"),
    *_shapes_of_two(Remainder(), _float_remainder),
    _integers(Remainder(), _modulo, BYTES, OTHER_BYTES),
    _integers(Remainder(), _modulo, NATURALS, OTHER_NATURALS),
    _integers(Remainder(), _modulo, _int32(7, -7, 7, -7, 5), _int32(2, 2, -2, -2, 0)),
    _values_only(Remainder(), _float_remainder, _vector(1, -1, 4, 4), _vector(0.1, 0.1, 0, -3),
                 label="tenths and by zero"),
    *_shapes_of_two(Pow(), lambda x, y: x**y, np.abs(X)),
    *[Sample(Pow(), (X, np.array(exponent)), np.power, (("batch", "n"), ()), differentiate=(0,),
             label=f"negative base to {exponent}") for exponent in (3.0, 2.0, 1.0, -2.0)],
    Sample(Pow(), (_vector(2, 3, 0.5), _vector(0, 1, 0)), np.power, (("n",), ("n",)),
           label="powers 0 and 1"),
    _kink(Pow(), np.power, (_vector(0, 0, 0, 2, -2), _vector(0, 1, 2, 0, 0)),
          _vector(0, 1, 0, 0, 0), _vector(0, 0, 0, np.log(2), NAN)),
    _values_only(Pow(), np.power, SPECIAL, OTHER_SPECIAL, label="not finite"),
    _integers(Pow(), _power, BYTES, np.array([3, -3, -3, 0, -1, 5, 3, 9], np.int8)),
    _integers(Pow(), _power, NATURALS, OTHER_NATURALS),
    _integers(Pow(), _power, _int32(2, 3, -5, -1, 1, 0, 7), _int32(31, 40, 70, 65, -2, -1, 5)),
    *_shapes_of_two(Maximum(), lambda x, y: np.where(x > y, x, y)),
    _kink(Maximum(), np.maximum, (_vector(1, 2, 3), np.array(2.0)),
          _vector(0, 0.5, 1), np.array(1.5)),
    _integers(Maximum(), np.maximum, BYTES, OTHER_BYTES),
    _values_only(Maximum(), np.maximum, SPECIAL, OTHER_SPECIAL, label="not finite"),
    *_shapes_of_two(Minimum(), lambda x, y: np.where(x < y, x, y)),
    _kink(Minimum(), np.minimum, (_vector(1, 2, 3), np.array(2.0)),
          _vector(1, 0.5, 0), np.array(1.5)),
    _integers(Minimum(), np.minimum, NATURALS, OTHER_NATURALS),
    _values_only(Minimum(), np.minimum, SPECIAL, OTHER_SPECIAL, label="not finite"),
    *_shapes_of_two(LogAddExp(), lambda x, y: np.log(np.exp(x) + np.exp(y)), X + 1.0),
    Sample(LogAddExp(), (_vector(1.5, -2.0), _vector(1.5, -2.0)),
           lambda x, y: x + np.log(2), (("n",), ("n",)), label="ties"),
    Sample(LogAddExp(), (_vector(1000, -1000, 0), _vector(0, -1000, 800)),
           lambda x, y: _vector(1000, -1000 + np.log(2), 800), (("n",), ("n",)), label="far"),
    _kink(LogAddExp(), np.logaddexp,
          (_vector(-INFINITY, -INFINITY, INFINITY, 1), _vector(-INFINITY, 0, 0, INFINITY)),
          _vector(0.5, 0, 1, 0), _vector(0.5, 1, 0, 1)),
])  # fmt: skip

CONDITION = np.array([[True, False, True], [False, False, True]])

register_samples([
    Sample(Where(), (CONDITION, X, Y), np.where, (("b", "n"), ("b", "n"), ("b", "n"))),
    Sample(Where(), (CONDITION[0], X, np.array(0.0)), np.where, (("n",), ("b", "n"), ())),
    Sample(Where(), (CONDITION[:, :1], X[0], Y[:, :1]), np.where, (("b", 1), ("n",), ("b", 1))),
    Sample(Where(), (np.array(True), np.array(1.5), np.array(2.5)), np.where, ((), (), ())),
    Sample(Where(), (CONDITION[:0], X[:0], Y[0]), np.where, (("b", 3), ("b", 3), (3,))),
    Sample(Where(), (CONDITION[0], _int32(1, 2, 3), _int32(-1, -2, -3)), np.where,
           (("n",), ("n",), ("n",))),
    Sample(Where(), (CONDITION[0], ~CONDITION[0], CONDITION[1]), np.where,
           (("n",), ("n",), ("n",)), label="bool"),
    _kink(Where(), np.where, (CONDITION[0], _vector(NAN, NAN, 1), _vector(1, 2, INFINITY)),
          None, _vector(1, 0, 1), _vector(0, 1, 0)),
])  # fmt: skip


def _clipped(x: Array, low: Array, high: Array) -> Array:
    return np.minimum(np.maximum(x, low), high)


LOW, HIGH = np.array(-1.0), np.array(1.5)

register_samples([
    Sample(Clip(), (X, LOW, HIGH), _clipped, (("batch", "n"), (), ())),
    Sample(Clip(), (X[:, :1], Y[0] - 2, Y[0] + 2), _clipped, (("batch", 1), ("n",), ("n",))),
    Sample(Clip(), (np.array(2.0), LOW, HIGH), _clipped, ((), (), ())),
    Sample(Clip(), (X[:0], LOW, HIGH), _clipped, (("batch", 3), (), ())),
    Sample(Clip(), (X, HIGH, LOW), _clipped, (("batch", "n"), (), ()), label="crossed bounds"),
    Sample(Clip(), (BYTES, np.array(-5, np.int8), np.array(50, np.int8)), _clipped,
           (("n",), (), ())),
    _kink(Clip(), _clipped, (_vector(-2, -1, 0, 1.5, 2), LOW, HIGH),
          _vector(0, 1, 1, 1, 0), np.array(1.0), np.array(1.0)),
    _kink(Clip(), _clipped, (_vector(-2, 1, 3), np.array(1.0), np.array(1.0)),
          _vector(0, 1, 0), np.array(1.0), np.array(1.0)),
    _values_only(Clip(), _clipped, SPECIAL, LOW, np.array(INFINITY), label="not finite"),
])  # fmt: skip
