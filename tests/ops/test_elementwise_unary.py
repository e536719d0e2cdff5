"""Functions of one number beyond the samples: refusals, identities, derivatives far out."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError
from asg.core.registry import FUNCTIONS, OPS
from asg.ops.elementwise_unary import OfFloat

FLOAT_FUNCTIONS = [
    FUNCTIONS[name] for name, each in sorted(OPS.items()) if issubclass(each, OfFloat)
]
ROUNDINGS = [asg.floor, asg.ceil, asg.round, asg.trunc]


def test_the_list_of_float_functions_is_not_empty() -> None:
    assert len(FLOAT_FUNCTIONS) > 15


@pytest.mark.parametrize("function", FLOAT_FUNCTIONS, ids=lambda f: f.__name__)
def test_integers_are_refused_with_the_cast_to_write(function: Any) -> None:
    if function in ROUNDINGS:
        pytest.skip("leaves integers as they are")
    x = asg.input("x", (2,), "int32")
    with pytest.raises(DtypeError, match=r"x is int32.*\n(.*\n)*.*x.astype\('float32'\)"):
        function(x)


@pytest.mark.parametrize("function", ROUNDINGS, ids=lambda f: f.__name__)
def test_rounding_leaves_integers_and_refuses_bool(function: Any) -> None:
    x = asg.input("x", (2,), "int32")
    assert function(x) is x
    with pytest.raises(DtypeError, match="bool"):
        function(asg.input("b", (2,), "bool"))


@pytest.mark.parametrize("function", [asg.negative, asg.abs, asg.sign, asg.square, asg.positive])
def test_bool_is_no_number(function: Any) -> None:
    with pytest.raises(DtypeError, match="x is bool, a number is needed"):
        function(asg.input("b", (2,), "bool"))


def test_python_operators_are_the_functions() -> None:
    x = asg.input("x", (2,))
    assert (+x) is x
    assert (-x).node.op.name == "negative"
    assert abs(x).node.op.name == "abs"


def test_a_python_number_becomes_a_float32_tensor() -> None:
    assert asg.exp(1.0).dtype is asg.float32
    with pytest.raises(DtypeError):
        asg.exp(1)


@pytest.mark.parametrize(
    ("name", "points", "first", "second"),
    [
        ("tanh", [400.0, -400.0], [0.0, 0.0], [0.0, 0.0]),
        ("sigmoid", [800.0, -800.0], [0.0, 0.0], [0.0, 0.0]),
        ("erf", [30.0, -30.0], [0.0, 0.0], [0.0, 0.0]),
        ("expm1", [-800.0, 0.0], [0.0, 1.0], [0.0, 1.0]),
        ("log1p", [0.0, 1.0], [1.0, 0.5], [-1.0, -0.25]),
        ("abs", [0.0, -2.0], [0.0, -1.0], None),
    ],
)
def test_derivatives_at_the_ends(
    name: str, points: list[float], first: list[float], second: list[float] | None
) -> None:
    x = asg.input("x", (2,), "float64")
    once = asg.grad(FUNCTIONS[name](x).sum(), x)
    assert asg.run(once, {x: np.array(points)}).tolist() == first
    if second is not None:
        twice = asg.grad(once.sum(), x)
        assert asg.run(twice, {x: np.array(points)}).tolist() == second


def test_the_derivative_of_expm1_keeps_small_numbers() -> None:
    x = asg.input("x", (), "float64")
    found = asg.run(asg.grad(asg.expm1(x), x), {x: np.asarray(-50.0)}).item()
    assert found == pytest.approx(np.exp(-50.0), rel=1e-14)


def test_the_gradient_of_sqrt_is_infinite_at_zero() -> None:
    x = asg.input("x", (), "float64")
    assert asg.run(asg.grad(asg.sqrt(x), x), {x: np.asarray(0.0)}).item() == np.inf
