"""Signs, neighbours, replacements, powers and logarithms beyond the samples."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.dtype import finfo
from asg.core.errors import DtypeError, OperandError, ShapeError

PAIRS = [asg.copysign, asg.nextafter, asg.heaviside, asg.xlogy, asg.hypot, asg.atan2]


def value(tensor: asg.Tensor) -> Any:
    return asg.run(tensor, {}).tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_infinities_become_the_limits_of_the_dtype(dtype: str) -> None:
    x = asg.constant([float("inf"), float("-inf"), 1.0], dtype)
    high, low, one = value(asg.nan_to_num(x).astype("float64"))
    assert (high, low, one) == (
        float(finfo(x.dtype).max), float(finfo(x.dtype).min), 1.0
    )  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_neighbour_of_one_is_one_epsilon_away(dtype: str, backend: str) -> None:
    x = asg.input("x", (), dtype)
    one = np.ones((), x.dtype.numpy)
    above = asg.run(asg.nextafter(x, 2).astype("float64"), {x: one}, backend=backend)
    assert float(above) - 1.0 == finfo(x.dtype).eps


@pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)
def test_two_integers_are_refused_with_the_cast_to_write(function: Any) -> None:
    x = asg.input("x", (2,), "int32")
    with pytest.raises(DtypeError, match=r"x is int32.*\n(.*\n)*.*x.astype\('float32'\)") as caught:
        function(x, x)
    assert "test_floats.py" in str(caught.value) and function.__name__ in str(caught.value)


@pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)
def test_shapes_that_do_not_broadcast_are_refused(function: Any) -> None:
    with pytest.raises(ShapeError, match="cannot broadcast: axis -1: 3 against 4"):
        function(asg.input("x", (2, 3)), asg.input("y", (4,)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: asg.nan_to_num(x, nan=x), "nan is .* a number is needed"),
        (lambda x: asg.nan_to_num(x, posinf=True), "posinf is True, a number is needed"),
        (lambda x: asg.nan_to_num(x, neginf=x), "neginf is .* a number is needed"),
    ],
)
def test_replacements_are_numbers(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make(asg.input("x", (2,)))


def test_the_ends_of_an_interpolation_are_exact() -> None:
    x, y = asg.constant([0.1, 1e8]), asg.constant([0.7, 0.3])
    assert value(asg.lerp(x, y, 0.0)) == value(x)
    assert value(asg.lerp(x, y, 1.0)) == value(y)


def test_the_sign_of_zeros_and_nans_is_a_sign() -> None:
    nan = float("nan")
    assert value(asg.signbit([-0.0, 0.0, -nan, nan])) == [True, False, True, False]
    assert value(asg.signbit(asg.copysign([0.0, nan], [-0.0, -1.0]))) == [True, True]
