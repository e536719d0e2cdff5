"""Kernels of several calls keep what they promise: right in place, and no memory of their own."""

import tracemalloc
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import kernels as kernels  # fills the table
from asg.backends.numpy_cpu.kernel import KERNELS, Call, constant_number

from asg.core.dtype import int32
from asg.core.op import Op
from asg.ops.cast import Cast
from asg.ops.elementwise import Clip, Maximum, Minimum, Pow, Where
from asg.ops.elementwise_unary import Erf, Reciprocal, Rsqrt, Sigmoid

Array = np.ndarray[Any, Any]


def bound(op: Op, inputs: list[Array], out: Array) -> list[Call]:
    calls: list[Call] = KERNELS[type(op)].bind(op, inputs, [out], np.empty)
    return calls


def run(calls: list[Call]) -> None:
    with np.errstate(all="ignore"):
        for function, args in calls:
            function(*args)


GENERATOR = np.random.default_rng(0)
X = GENERATOR.standard_normal(1000)
Y = GENERATOR.standard_normal(1000)
POSITIVE = np.abs(X) + 0.1
INTEGERS = GENERATOR.integers(-3, 4, 1000).astype(np.int32)
POWERS = GENERATOR.integers(-9, 10, 1000).astype(np.int32)
CASES: list[tuple[Op, list[Array]]] = [
    (Where(), [X > 0, X, Y]),
    (Where(), [X[:100] > 0, X[:100], Y[:100]]),
    (Clip(), [X, Y - 1.0, Y + 1.0]),
    (Pow(), [POSITIVE, Y]),
    (Pow(), [INTEGERS, POWERS]),
    (Maximum(), [X, Y]),
    (Minimum(), [X, Y]),
    (Reciprocal(), [X]),
    (Rsqrt(), [POSITIVE]),
    (Sigmoid(), [X]),
    (Erf(), [X]),
]


@pytest.mark.parametrize(("op", "operands"), CASES, ids=lambda each: str(each)[:12])
def test_the_output_may_be_the_promised_operand(op: Op, operands: list[Array]) -> None:
    out = np.empty_like(operands[-1])
    run(bound(op, operands, out))
    for position, operand in enumerate(operands):
        if operand.dtype != out.dtype or not KERNELS[type(op)].may_overwrite(0, position, 1):
            continue
        copies = [each.copy() for each in operands]
        run(bound(op, copies, copies[position]))
        np.testing.assert_array_equal(copies[position], out)


@pytest.mark.parametrize(
    ("op", "operands", "dtype"),
    [*[(op, operands, operands[-1].dtype) for op, operands in CASES],
     (Cast(int32), [X], np.dtype(np.int32))],
    ids=lambda each: str(each)[:12],
)  # fmt: skip
def test_a_step_allocates_nothing(op: Op, operands: list[Array], dtype: np.dtype[Any]) -> None:
    large = [np.tile(each, 100) for each in operands]
    calls = bound(op, large, np.empty(large[-1].shape, dtype))
    run(calls)
    tracemalloc.start()
    run(calls)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000  # less than half a byte per element: NumPy's buffers, no arrays


def number(value: float) -> Array:
    """A constant as kernels get it."""
    return np.broadcast_to(np.array(value, X.dtype), X.shape)


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_a_number_bounds_from_either_side(value: float) -> None:
    bounds = number(value)
    cases: list[tuple[Op, list[Array], Array]] = [
        (Maximum(), [X, bounds], np.maximum(X, bounds)),
        (Minimum(), [bounds, X], np.minimum(bounds, X)),
        (Clip(), [X, bounds, Y + 2.0], np.clip(X, bounds, Y + 2.0)),
    ]
    for op, inputs, expected in cases:
        out = np.empty_like(X)
        run(bound(op, inputs, out))
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("value", [0.0, -0.0, 1.0, np.nan])
@pytest.mark.parametrize("size", [100, 1000])
def test_where_chooses_between_a_value_and_a_number(value: float, size: int) -> None:
    x, constant = X.copy()[:size], number(value)[:size]
    x[:4] = [np.nan, np.inf, -0.0, 0.0]
    for inputs in ([Y[:size] > 0, x, constant], [Y[:size] > 0, constant, x]):
        out = np.full(size, 7.0)
        run(bound(Where(), inputs, out))
        assert out.tobytes() == np.where(*inputs).tobytes()
        same = inputs[1].copy()
        run(bound(Where(), [inputs[0], same, inputs[2]], same))
        assert same.tobytes() == out.tobytes()


def test_a_constant_is_known_by_being_read_only() -> None:
    assert constant_number(number(2.0)) == 2.0 and constant_number(number(2.0)[:1]) == 2.0
    assert constant_number(np.zeros(1)) is None
    frozen = np.arange(3.0)
    frozen.flags.writeable = False
    assert constant_number(frozen) is None and constant_number(frozen[1:2]) == 1.0
    assert constant_number(number(2.0)[:0]) is None


def test_where_with_zero_takes_two_calls() -> None:
    condition = X > 0
    assert len(bound(Where(), [condition, X, number(0.0)], np.empty_like(X))) == 2
    assert len(bound(Where(), [condition, number(0.0), X], np.empty_like(X))) == 2
    assert len(bound(Where(), [condition, X, number(-0.0)], np.empty_like(X))) == 4
