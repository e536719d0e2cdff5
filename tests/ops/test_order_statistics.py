"""Quantiles, medians and counts beyond the samples: NumPy's own, dtypes, long axes, refusals."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, OperandError, ShapeError

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "jax"])


@BACKENDS
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_quantiles_are_those_of_numpy_at_every_size(n: int, backend: str) -> None:
    numbers = np.random.default_rng(n).normal(size=(3, n))
    x = asg.input("x", (3, "n"), "float64")
    q = [0.0, 0.1, 0.25, 1 / 3, 0.5, 0.99, 1.0]
    tensors = [asg.quantile(x, q, 1), asg.quantile(x, 0.4), asg.median(x, 1, keepdims=True)]
    found = asg.run(tensors, {x: numbers}, backend=backend)
    np.testing.assert_allclose(found[0], np.quantile(numbers, q, 1), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(found[1], np.quantile(numbers, 0.4), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(found[2], np.median(numbers, 1, keepdims=True), rtol=1e-15)


def test_the_place_on_a_long_axis_is_exact_in_float32() -> None:
    numbers = np.arange(2**24 // 64, dtype=np.float32)
    q = 0.123456789
    symbolic, literal = asg.input("x", ("n",)), asg.input("x", numbers.shape)
    wanted = np.quantile(numbers.astype(np.float64), q)
    for x in (symbolic, literal):
        found = float(asg.run(asg.quantile(x, q), {x: numbers}))
        assert found == pytest.approx(wanted, rel=1e-7)


@BACKENDS
def test_a_constant_row_has_itself_as_every_quantile(backend: str) -> None:
    x = asg.constant(np.full((5,), 0.1, np.float32))
    found = asg.run(asg.quantile(x, [0.1, 0.3, 0.9]), {}, backend=backend)
    assert found.tolist() == [float(np.float32(0.1))] * 3


def test_integers_are_taken_as_float32_and_halves_stay_halves() -> None:
    assert asg.run(asg.median(asg.constant([1, 2, 9, 4])), {}).tolist() == 3.0
    assert asg.median(asg.input("x", (4,), "bfloat16")).dtype is asg.bfloat16


@BACKENDS
def test_the_gradient_of_a_quantile_is_that_of_pytorch(backend: str) -> None:
    torch = pytest.importorskip("torch")
    numbers = np.random.default_rng(5).normal(size=(4, 6))
    x = asg.input("x", (4, "n"), "float64")
    slope = asg.grad((asg.quantile(x, [0.3, 0.9], 1) ** 2).sum(), x)
    point = torch.tensor(numbers, requires_grad=True)
    total = (torch.quantile(point, torch.tensor([0.3, 0.9], dtype=torch.float64), 1) ** 2).sum()
    (wanted,) = torch.autograd.grad(total, point)
    found = asg.run(slope, {x: numbers}, backend=backend)
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-12, atol=1e-15)


def matrix() -> asg.Tensor:
    return asg.input("x", (2, 3))


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: asg.median(matrix(), 2), ShapeError, "axis 2 does not exist"),
        (lambda: asg.median(asg.zeros((2, 0)), 1), ShapeError, "median of no elements"),
        (lambda: asg.quantile(matrix(), 1.5), OperandError, "q is 1.5, a number from 0 to 1"),
        (lambda: asg.quantile(matrix(), [0.5, -0.1]), OperandError, "q is -0.1"),
        (lambda: asg.quantile(matrix(), []), OperandError, "q names no quantile"),
        (lambda: asg.quantile(matrix(), True), OperandError, "q is True"),
        (lambda: asg.quantile(matrix(), float("nan")), OperandError, "q is nan"),
        (lambda: asg.count_nonzero(matrix(), (0, 0)), ShapeError, "axis repeated"),
    ],
)
def test_mistakes_are_refused_where_they_are_made(
    make: Any, error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        make()
    assert "test_order_statistics.py" in str(caught.value)
