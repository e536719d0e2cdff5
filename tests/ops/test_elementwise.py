"""Arithmetic beyond the samples: dtypes, refusals, gradients that must stay clean."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, ShapeError
from asg.testing.parity import parity_problems


def op_names(tensor: asg.Tensor) -> list[str]:
    return [node.op.name for node in asg.Graph(y=tensor).nodes]


def value(tensor: asg.Tensor) -> Any:
    return asg.run(tensor, {}).tolist()


def gradient(tensor: asg.Tensor, x: asg.Tensor, number: Any) -> Any:
    return asg.run(asg.grad(tensor.sum(), x), {x: np.asarray(number, x.dtype.numpy)}).tolist()


ARITHMETIC = [
    asg.add, asg.subtract, asg.multiply, asg.divide, asg.floor_divide, asg.remainder, asg.pow,
    asg.maximum, asg.minimum,
]  # fmt: skip


@pytest.mark.parametrize("function", ARITHMETIC, ids=lambda f: f.__name__)
def test_bool_is_no_number(function: Any) -> None:
    flag = asg.input("flag", (2,), "bool")
    with pytest.raises(DtypeError, match=f"{function.__name__}: x is bool, a number is needed"):
        function(flag, flag)


@pytest.mark.parametrize("function", ARITHMETIC, ids=lambda f: f.__name__)
def test_bool_beside_a_number_counts(function: Any) -> None:
    flag, number = asg.input("flag", (2,), "bool"), asg.input("number", (2,), "float32")
    assert function(flag, number).dtype is asg.float32


@pytest.mark.parametrize("function", ARITHMETIC, ids=lambda f: f.__name__)
def test_shapes_that_do_not_broadcast_are_refused_with_their_names(function: Any) -> None:
    x, y = asg.input("x", (2, 3)), asg.input("y", (4,))
    with pytest.raises(ShapeError, match="cannot broadcast: axis -1: 3 against 4") as caught:
        function(x, y)
    assert "test_elementwise.py" in str(caught.value)


@pytest.mark.parametrize("function", ARITHMETIC, ids=lambda f: f.__name__)
def test_python_numbers_take_the_dtype_of_the_tensor(function: Any) -> None:
    for dtype in ("float16", "bfloat16", "float64"):
        x = asg.input("x", (2,), dtype)
        assert function(x, 2).dtype is x.dtype
        assert function(2.5, x).dtype is x.dtype


def test_integers_with_a_python_float_become_float32() -> None:
    assert (asg.input("x", (2,), "int8") * 0.5).dtype is asg.float32


def test_quotients_of_integers_are_float32() -> None:
    x = asg.input("x", (2,), "int64")
    assert (x / x).dtype is asg.float32
    assert (x / 2).dtype is asg.float32
    assert (x / asg.input("y", (), "float64")).dtype is asg.float64
    assert value(asg.divide([7, -7], 2)) == [3.5, -3.5]


def test_a_literal_negative_power_of_integers_is_refused() -> None:
    x = asg.input("x", (2,), "int32")
    with pytest.raises(DtypeError, match=r"negative power.*\n(.*\n)*.*x.astype\('float32'\)"):
        asg.pow(x, -1)
    with pytest.raises(DtypeError):
        x**-2
    assert value(asg.constant([2.0, 4.0]) ** -1) == [0.5, 0.25]
    assert (x**2).dtype is asg.int32


def test_floats_have_no_python_exceptions() -> None:
    assert str(value(asg.divide([1.0, -1.0, 0.0], 0.0))) == "[inf, -inf, nan]"
    assert str(value(asg.floor_divide([1.0, 0.0], 0.0))) == "[inf, nan]"
    assert str(value(asg.remainder([1.0, 0.0], 0.0))) == "[nan, nan]"


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, -1, 0.5])
def test_a_constant_power_has_a_gradient_without_logarithm(exponent: float) -> None:
    x = asg.input("x", (3,), "float64")
    names = op_names(asg.grad((x**exponent).sum(), x))
    assert "log" not in names
    assert "where" not in names
    points = np.array([0.5, 1.0, 2.0])
    assert gradient(x**exponent, x, points) == pytest.approx(exponent * points ** (exponent - 1.0))


def test_integer_powers_of_negative_numbers_have_all_derivatives() -> None:
    x = asg.input("x", (2,), "float64")
    once = asg.grad((x**3).sum(), x)
    twice = asg.grad(once.sum(), x)
    points = np.array([-2.0, 0.0])
    assert asg.run(once, {x: points}).tolist() == [12.0, 0.0]
    assert asg.run(twice, {x: points}).tolist() == [-12.0, 0.0]


def test_the_gradient_of_a_variable_power_is_finite_at_zero() -> None:
    x, y = asg.input("x", (3,), "float64"), asg.input("y", (3,), "float64")
    by_x, by_y = asg.grad((x**y).sum(), [x, y])
    feeds = {x: np.zeros(3), y: np.array([0.0, 1.0, 2.0])}
    assert asg.run(by_x, feeds).tolist() == [0.0, 1.0, 0.0]
    assert asg.run(by_y, feeds).tolist() == [0.0, 0.0, 0.0]


def test_where_keeps_nan_of_the_other_branch_out_of_the_gradient() -> None:
    x = asg.input("x", (2,), "float64")
    safe = asg.where(x > 0, x, 1.0)
    assert gradient(asg.where(x > 0, asg.log(safe), 0.0), x, [2.0, -1.0]) == [0.5, 0.0]


def test_where_chooses_any_dtype_and_needs_a_bool() -> None:
    flag = asg.input("flag", (2,), "bool")
    assert asg.where(flag, flag, False).dtype is asg.bool_
    assert asg.where(flag, asg.input("i", (2,), "int8"), 1).dtype is asg.int8
    assert asg.where(flag, 1, 2.0).dtype is asg.float32
    with pytest.raises(DtypeError, match="where: condition is float32, bool is needed"):
        asg.where(asg.input("x", (2,)), 1.0, 0.0)


def test_clip_may_be_open_on_either_side() -> None:
    assert value(asg.clip([-2.0, 2.0], min=0.0)) == [0.0, 2.0]
    assert value(asg.clip([-2.0, 2.0], max=0.0)) == [-2.0, 0.0]
    assert value(asg.clip([-2, 2], max=0)) == [-2, 0]
    assert value(asg.clip([-2.0, float("inf")])) == [-2.0, float("inf")]
    x = asg.input("x", (), "uint8")
    assert asg.clip(x, max=7).dtype is asg.uint8
    with pytest.raises(DtypeError, match="300 does not fit uint8"):
        asg.clip(x, max=300)


def test_clip_sends_the_gradient_to_the_bound_that_is_the_value() -> None:
    x, low, high = (asg.input(name, (), "float64") for name in ("x", "low", "high"))
    found = asg.grad(asg.clip(x, low, high), [x, low, high])
    for numbers in [(-3.0, -1.0, 1.0), (0.5, -1.0, 1.0), (3.0, -1.0, 1.0), (0.0, 1.0, -1.0)]:
        feeds = dict(zip((x, low, high), map(np.asarray, numbers), strict=True))
        result = asg.run(asg.clip(x, low, high), feeds)
        assert [asg.run(g, feeds).item() for g in found] == [float(n == result) for n in numbers]


def test_the_gradient_of_logaddexp_is_right_to_second_order_at_ties() -> None:
    x = asg.input("x", (), "float64")
    second = asg.grad(asg.grad(asg.logaddexp(x, 0.0), x), x)
    assert asg.run(second, {x: np.asarray(0.0)}).item() == pytest.approx(0.25)


# None gives a subnormal number: XLA flushes these to zero.
EDGES = [
    0.0, -0.0, 0.1, -0.1, 0.5, 1.0, -1.0, 2.5, 3.0, -3.0, 7.0, -7.0, 1e-290, -1e-290, 1e16, 1e300,
    -1e300, 2.0**53, 2.0**53 + 2, np.inf, -np.inf, np.nan,
]  # fmt: skip
FLOAT_FUNCTIONS = [*ARITHMETIC, asg.logaddexp]
BYTE_FUNCTIONS = [
    *(each for each in ARITHMETIC if each is not asg.divide),
    asg.bitwise_left_shift, asg.bitwise_right_shift,
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backends_agree_on_every_pair_of_edge_cases(dtype: str) -> None:
    with np.errstate(over="ignore"):
        edges = np.array(EDGES).astype(dtype)
    x, y = asg.input("x", (len(EDGES), 1), dtype), asg.input("y", (len(EDGES),), dtype)
    outputs = {each.__name__: each(x, y) for each in FLOAT_FUNCTIONS}
    relative = 1e-12 if dtype == "float64" else 1e-6
    feeds = {"x": edges[:, None], "y": edges}
    assert not parity_problems(outputs, feeds, relative=relative, of_largest=0.0)


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_backends_agree_on_every_pair_of_bytes(dtype: str) -> None:
    numbers = np.arange(256).astype(dtype)
    x, y = asg.input("x", (256, 1), dtype), asg.input("y", (256,), dtype)
    outputs = {each.__name__: each(x, y) for each in BYTE_FUNCTIONS}
    assert not parity_problems(outputs, {"x": numbers[:, None], "y": numbers})
