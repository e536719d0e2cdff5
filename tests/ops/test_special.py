"""Special functions against SciPy and mpmath over their whole range, and their refusals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError

special = pytest.importorskip("scipy.special")
Array = np.ndarray[Any, Any]
DRAW = np.random.default_rng(7)
POSITIVE = np.concatenate([DRAW.uniform(0.01, 10, 300), 10 ** DRAW.uniform(-200, 200, 100)])
NEGATIVE = -DRAW.uniform(0, 20, 300)
TAILS = np.concatenate([1 - 10 ** DRAW.uniform(-15, -1, 100), 10 ** DRAW.uniform(-300, 0, 100)])


def applied(function: Callable[[asg.Tensor], asg.Tensor], numbers: Array) -> Array:
    x = asg.input("x", ("n",), numbers.dtype.name)
    found: Array = asg.run(function(x), {x: numbers})
    return found


@pytest.mark.parametrize(
    ("name", "function", "numbers"),
    [
        ("gammaln", asg.lgamma, POSITIVE),
        ("gammaln", asg.lgamma, NEGATIVE),
        ("psi", asg.digamma, POSITIVE),
        ("psi", asg.digamma, NEGATIVE),
        ("erfc", asg.erfc, DRAW.uniform(-7, 26, 300)),
        ("erfinv", asg.erfinv, TAILS),
        ("erfinv", asg.erfinv, -TAILS),
    ],
)
def test_values_are_those_of_scipy(name: str, function: Any, numbers: Array) -> None:
    found, wanted = applied(function, numbers), getattr(special, name)(numbers)
    np.testing.assert_allclose(found, wanted, rtol=1e-13, atol=2e-14)
    found = applied(function, numbers[:100].astype(np.float32))
    wanted = getattr(special, name)(numbers[:100].astype(np.float32).astype(np.float64))
    np.testing.assert_allclose(found, wanted.astype(np.float32), rtol=5e-6, atol=1e-4)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 20, 30])
def test_polygamma_is_that_of_scipy_at_every_order(n: int) -> None:
    numbers = DRAW.uniform(0.05, 40, 200)
    found = applied(lambda x: asg.polygamma(n, x), numbers)
    np.testing.assert_allclose(found, special.polygamma(n, numbers), rtol=1e-13)
    numbers = -DRAW.uniform(0.05, 5, 50)
    wanted = special.polygamma(n, numbers)
    found = applied(lambda x: asg.polygamma(n, x), numbers)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11 * np.abs(wanted).min())


def test_lgamma_is_exact_beside_its_zeros() -> None:
    mpmath = pytest.importorskip("mpmath")
    near = np.concatenate([1 + DRAW.uniform(-0.3, 0.3, 40), 2 + 10 ** DRAW.uniform(-12, -1, 40)])
    wanted = [float(mpmath.loggamma(mpmath.mpf(float(x)))) for x in near]
    np.testing.assert_allclose(applied(asg.lgamma, near), wanted, rtol=2e-15)


def test_the_tail_of_erfc_reaches_the_smallest_numbers() -> None:
    mpmath = pytest.importorskip("mpmath")
    far = np.linspace(1, 26, 60)
    wanted = [float(mpmath.erfc(mpmath.mpf(float(x)))) for x in far]
    np.testing.assert_allclose(applied(asg.erfc, far), wanted, rtol=1e-13)


def test_the_gamma_family_is_closed_under_differentiation() -> None:
    x = asg.input("x", (), "float64")
    derivative = asg.lgamma(x)
    for order in range(5):
        derivative = asg.grad(derivative, x)
        found = float(asg.run(derivative, {x: np.float64(2.7)}))
        assert found == pytest.approx(float(special.polygamma(order, 2.7)), rel=1e-12)


@pytest.mark.parametrize(
    ("n", "message"),
    [(-1, "n is -1; orders from 0 to 30"), (31, "n is 31; orders"), (1.0, "n is 1.0, an integer")],
)
def test_orders_out_of_range_are_refused(n: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message) as caught:
        asg.polygamma(n, asg.input("x", ()))
    assert "test_special.py" in str(caught.value)


@pytest.mark.parametrize(
    "function", [asg.lgamma, asg.digamma, asg.erfc, asg.erfinv, lambda x: asg.polygamma(1, x)]
)
def test_integers_are_refused(function: Any) -> None:
    with pytest.raises(DtypeError, match="a floating dtype is needed"):
        function(asg.input("x", (2,), "int32"))
