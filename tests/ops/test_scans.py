"""Running totals beyond the samples: exclusive forms, derivatives at zeros, refusals, PyTorch."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError

NUMBERS = np.array([[0.3, -1.7, 0.0, 0.0], [-0.6, 0.0, -2.9, -0.5], [1.6, 0.2, 0.7, -0.4]])


def value(tensor: asg.Tensor) -> Any:
    return asg.run(tensor, {}).tolist()


def test_exclusive_totals_begin_with_the_neutral_element() -> None:
    x = asg.constant([[1, 2, 3], [4, 5, 6]])
    assert value(asg.cumsum(x, 1, exclusive=True)) == [[0, 1, 3], [0, 4, 9]]
    assert value(asg.cumsum(x, 1, reverse=True, exclusive=True)) == [[5, 3, 0], [11, 6, 0]]
    assert value(asg.cumprod(x, 0, exclusive=True)) == [[1, 1, 1], [1, 2, 3]]
    assert value(asg.cumprod(x, 0, reverse=True, exclusive=True)) == [[4, 5, 6], [1, 1, 1]]
    assert value(asg.cumsum(asg.zeros((2, 0)), 1, exclusive=True)) == [[], []]


def test_the_array_api_forms() -> None:
    x = asg.constant([[1, 2], [3, 4]], "int8")
    assert value(asg.cumulative_sum(x, axis=1, include_initial=True)) == [[0, 1, 3], [0, 3, 7]]
    assert value(asg.cumulative_prod(x, axis=0)) == [[1, 2], [3, 8]]
    assert asg.cumulative_sum(x, axis=0, dtype="float64").dtype is asg.float64
    assert value(asg.cumsum(x)) == [1, 3, 6, 10]
    assert value(asg.cumsum(x > 1)) == [0, 1, 2, 3]


def test_differences_take_what_is_before_and_after() -> None:
    x = asg.constant([[1, 4, 9], [0, 2, 2]])
    assert value(asg.diff(x, 0)) == [[-1, -2, -7]]
    assert value(asg.diff(x, n=0)) == value(x)
    assert value(asg.diff(x, n=2)) == [[2], [-2]]
    joined = asg.diff(x, prepend=[[0], [0]], append=[[10], [10]])
    assert value(joined) == np.diff([[1, 4, 9], [0, 2, 2]], prepend=0, append=10).tolist()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"])
def test_values_and_two_derivatives_are_those_of_pytorch(name: str, backend: str) -> None:
    torch = pytest.importorskip("torch")
    x = asg.input("x", (3, "n"), "float64")
    weights = np.cos(np.arange(12.0)).reshape(3, 4)
    y = getattr(asg, name)(x, 1)
    first = asg.grad((y * weights).sum(), x)
    second = asg.grad((first * asg.sin(first)).sum() + (first * x * x).sum(), x)
    found = asg.run([y, first, second], {x: NUMBERS}, backend=backend)

    point = torch.tensor(NUMBERS, requires_grad=True)
    answer = getattr(torch, name)(point, 1)
    answer = answer if isinstance(answer, torch.Tensor) else answer.values
    (slope,) = torch.autograd.grad((answer * torch.tensor(weights)).sum(), point, create_graph=True)
    total = (slope * torch.sin(slope)).sum() + (slope * point * point).sum()
    (bend,) = torch.autograd.grad(total, point)
    for mine, theirs in zip(found, (answer, slope, bend), strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-11, atol=1e-12)


def test_a_recurrence_whose_factors_overflow_together_stays_finite() -> None:
    a = asg.constant([1.0, 0.0, 1e30, 1e30, 1e30])
    for backend in ("numpy", "jax"):
        y = asg.linear_recurrence(a, asg.constant([1.0, 0.0, 0.0, 0.0, 2.0]))
        assert asg.run(y, {}, backend=backend).tolist() == [1.0, 0.0, 0.0, 0.0, 2.0]


def test_cumulative_maximum_of_nan_is_nan_from_there_on() -> None:
    x = asg.constant([1.0, float("nan"), 3.0])
    for backend in ("numpy", "jax"):
        assert str(asg.run(asg.cummax(x), {}, backend=backend).tolist()) == "[1.0, nan, nan]"
        assert str(asg.run(asg.cummin(x, reverse=True), {}, backend=backend).tolist()) == (
            "[nan, nan, 3.0]"
        )


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin", "logcumsumexp"])
def test_an_axis_may_turn_out_to_be_empty(name: str) -> None:
    x = asg.input("x", (asg.dim("n", minimum=0),), "float64")
    y = getattr(asg, name)(x)
    tensors = [y, asg.grad((y * y).sum(), x), asg.cumsum(x, exclusive=True)]
    for size in (0, 1, 3):
        found = asg.run(tensors, {x: np.arange(size, dtype=np.float64)})
        assert [each.shape for each in found] == [(size,)] * 3


def matrix(dtype: str = "float32") -> asg.Tensor:
    return asg.input("x", (2, 3), dtype)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: asg.cumsum(matrix(), 2), ShapeError, "axis 2 does not exist"),
        (lambda: asg.cumulative_sum(matrix()), ShapeError, "2 axes, so the axis must be said"),
        (lambda: asg.cummax(matrix("bool"), 0), DtypeError, "x is bool, a number is needed"),
        (lambda: asg.logcumsumexp(matrix("int32"), 0), DtypeError, "floating dtype is needed"),
        (lambda: asg.diff(matrix(), n=-1), OperandError, "n is -1, an integer >= 0"),
        (lambda: asg.diff(matrix("bool")), DtypeError, "x is bool"),
        (lambda: asg.linear_recurrence(asg.zeros(4), matrix()), ShapeError, "4"),
        (lambda: asg.linear_recurrence(matrix("int32"), matrix("int32")), DtypeError, "floating"),
    ],
)
def test_mistakes_are_refused_where_they_are_made(
    make: Any, error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        make()
    assert "test_scans.py" in str(caught.value)
