"""Samples of comparisons, tests of floats, logic and bits."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.compare import (
    BitwiseAnd,
    BitwiseInvert,
    BitwiseLeftShift,
    BitwiseOr,
    BitwiseRightShift,
    BitwiseXor,
    Equal,
    Greater,
    GreaterEqual,
    IsFinite,
    IsInf,
    IsNan,
    Less,
    LessEqual,
    LogicalAnd,
    LogicalNot,
    LogicalOr,
    LogicalXor,
    NotEqual,
)
from asg.testing.sample import Array, Sample, register_samples

X = np.array([[0.5, -1.0, np.nan], [np.inf, -np.inf, 0.0]])
Y = np.array([[0.5, 2.0, np.nan], [np.inf, 3.0, -0.0]])
BYTES = np.array([-128, -7, -1, 0, 1, 7, 100, 127], np.int8)
OTHER_BYTES = np.array([-1, -7, 3, 0, -3, 6, 101, 127], np.int8)
NATURALS = np.array([0, 1, 7, 200, 255], np.uint8)
OTHER_NATURALS = np.array([3, 1, 8, 9, 7], np.uint8)
TRUTH = np.array([[False, False], [True, True]])
OTHER_TRUTH = np.array([[False, True], [False, True]])


def _each(function: Callable[..., Any]) -> Callable[..., Array]:
    """Python's own operator, element by element."""
    return np.vectorize(function, otypes=[bool])


def _of_two(op: Op, oracle: Callable[..., Any], x: Array, y: Array) -> list[Sample]:
    """Matrices, a row, both stretched, scalars, nothing."""
    return [
        Sample(op, (x, y), oracle, (("batch", "n"), ("batch", "n"))),
        Sample(op, (x, y[0]), oracle, (("batch", "n"), ("n",)), label="row"),
        Sample(op, (x[:, :1], y[0]), oracle, (("batch", 1), ("n",)), label="both stretched"),
        Sample(op, (np.array(x[0, 0]), np.array(y[1, 1])), oracle, ((), ())),
        Sample(op, (x[:0], y[:1]), oracle, (("batch", "n"), (1, "n")), label="no elements"),
    ]


def _vectors(op: Op, oracle: Callable[..., Any], *operands: Array, label: str = "") -> Sample:
    return Sample(op, operands, oracle, (("n",),) * len(operands),
                  label=label or str(operands[0].dtype))  # fmt: skip


COMPARISONS: list[tuple[Op, Callable[..., Any]]] = [
    (Equal(), operator.eq),
    (NotEqual(), operator.ne),
    (Less(), operator.lt),
    (LessEqual(), operator.le),
    (Greater(), operator.gt),
    (GreaterEqual(), operator.ge),
]
TESTS: list[tuple[Op, Callable[[Any], bool]]] = [
    (IsNan(), lambda x: x != x),
    (IsInf(), lambda x: x in (np.inf, -np.inf)),
    (IsFinite(), lambda x: x - x == 0),
]
LOGIC: list[tuple[Op, Callable[..., Any]]] = [
    (LogicalAnd(), lambda x, y: x and y),
    (LogicalOr(), lambda x, y: x or y),
    (LogicalXor(), operator.ne),
]
BITS: list[tuple[Op, Callable[..., Any]]] = [
    (BitwiseAnd(), operator.and_),
    (BitwiseOr(), operator.or_),
    (BitwiseXor(), operator.xor),
]

for _op, _function in COMPARISONS:
    register_samples([
        *_of_two(_op, _each(_function), X, Y),
        _vectors(_op, _each(_function), BYTES, OTHER_BYTES),
        _vectors(_op, _each(_function), NATURALS, OTHER_NATURALS),
    ])  # fmt: skip
for _op in (Equal(), NotEqual()):
    _function = operator.eq if isinstance(_op, Equal) else operator.ne
    register_samples([_vectors(_op, _each(_function), TRUTH[0], OTHER_TRUTH[0])])
for _op, _function in TESTS:
    register_samples([
        Sample(_op, (X,), _each(_function), (("batch", "n"),)),
        Sample(_op, (np.array(np.inf),), _each(_function), ((),)),
        Sample(_op, (X[:0],), _each(_function), (("batch", 3),)),
        _vectors(_op, _each(_function), BYTES),
        _vectors(_op, _each(_function), NATURALS),
    ])  # fmt: skip
for _op, _function in LOGIC:
    register_samples(_of_two(_op, _each(_function), TRUTH, OTHER_TRUTH))
register_samples([
    Sample(LogicalNot(), (TRUTH,), _each(operator.not_), (("batch", "n"),)),
    Sample(LogicalNot(), (np.array(True),), _each(operator.not_), ((),)),
    Sample(LogicalNot(), (TRUTH[:0],), _each(operator.not_), (("batch", 2),)),
])  # fmt: skip


def _in_width(function: Callable[..., int]) -> Callable[..., Array]:
    """Python's operator on ints of any length, then the low bits of the dtype."""

    def oracle(*operands: Array) -> Array:
        width = operands[0].dtype.itemsize
        shape = np.broadcast_shapes(*(each.shape for each in operands))
        flat = [np.broadcast_to(each, shape).ravel().tolist() for each in operands]
        low = [function(*numbers) % 2 ** (8 * width) for numbers in zip(*flat, strict=True)]
        return np.array(low, f"u{width}").view(operands[0].dtype).reshape(shape)

    return oracle


def _left(x: int, places: int) -> int:
    return x << places if places >= 0 else 0


def _right(x: int, places: int) -> int:
    return x >> (places if places >= 0 else 1000)


MATRIX = np.array([[-5, 3], [12, 1 << 30]], np.int32)
OTHER_MATRIX = np.array([[6, -1], [1, 3]], np.int32)
PLACES = np.array([-1, 0, 7, 8, 3, 6, 100, 1], np.int8)

for _op, _function in BITS:
    register_samples([
        *_of_two(_op, _each(_function), TRUTH, OTHER_TRUTH),
        *_of_two(_op, _in_width(_function), MATRIX, OTHER_MATRIX),
        _vectors(_op, _in_width(_function), NATURALS, OTHER_NATURALS),
    ])  # fmt: skip
register_samples([
    Sample(BitwiseInvert(), (MATRIX,), _in_width(operator.invert), (("batch", "n"),)),
    Sample(BitwiseInvert(), (np.array(5, np.int32),), _in_width(operator.invert), ((),)),
    Sample(BitwiseInvert(), (MATRIX[:0],), _in_width(operator.invert), (("batch", 2),)),
    _vectors(BitwiseInvert(), _in_width(operator.invert), NATURALS),
    Sample(BitwiseInvert(), (TRUTH,), _each(operator.not_), (("batch", "n"),), label="bool"),
    *_of_two(BitwiseLeftShift(), _in_width(_left), MATRIX, OTHER_MATRIX),
    *_of_two(BitwiseRightShift(), _in_width(_right), MATRIX, OTHER_MATRIX),
    _vectors(BitwiseLeftShift(), _in_width(_left), BYTES, PLACES),
    _vectors(BitwiseRightShift(), _in_width(_right), BYTES, PLACES),
    _vectors(BitwiseLeftShift(), _in_width(_left), NATURALS, OTHER_NATURALS),
    _vectors(BitwiseRightShift(), _in_width(_right), NATURALS, OTHER_NATURALS),
])  # fmt: skip
