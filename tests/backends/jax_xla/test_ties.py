"""Gradients of extremes of computed values: XLA rounds each copy of them as it is fused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg

REDUCTIONS: dict[str, Callable[[asg.Tensor], asg.Tensor]] = {
    "max": lambda y: asg.max(y),
    "max over rows": lambda y: asg.max(y, axis=0),
    "min": lambda y: asg.min(y, axis=(0, 1), keepdims=True),
    "min over columns": lambda y: asg.min(y, axis=1),
    "largest magnitude": lambda y: asg.vector_norm(y, ord=float("inf")),
    "smallest magnitude": lambda y: asg.vector_norm(y, axis=1, ord=float("-inf")),
}


def arrays(count: int) -> list[np.ndarray[Any, Any]]:
    """Every third one has two equal rows."""
    drawn = np.random.default_rng(0).normal(size=(count, 4, 3)).astype(np.float32)
    drawn[::3, 2] = drawn[::3, 1]
    return list(drawn)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_the_gradient_finds_its_element(name: str) -> None:
    """The product is used twice, so it is rounded in one place and part of a sum in another."""
    x = asg.input("x", (4, 3))
    product = asg.tanh(x) * asg.tanh(x)
    y = REDUCTIONS[name](product + 0.5)
    graph = asg.Graph(y=y, g=asg.vjp(y, asg.ones_like(y), x))
    expected, found = (asg.compile(graph, backend) for backend in ("numpy", "jax"))
    for array in arrays(60):
        right, ours = np.asarray(expected(x=array)["g"]), np.asarray(found(x=array)["g"])
        np.testing.assert_allclose(ours, right, atol=1e-6, rtol=1e-5)


def test_ties_share_and_nan_spreads_as_on_numpy() -> None:
    x = asg.input("x", (3, 4))
    graph = asg.Graph(g=asg.grad(asg.max(x, axis=1).sum(), x), h=asg.grad(asg.min(x).sum(), x))
    nan = np.nan
    for rows in (
        [[1.0, 2.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0], [3.0, 1.0, 2.0, 0.0]],
        [[1.0, 2.0, nan, 0.0], [5.0, 5.0, 5.0, 5.0], [3.0, 1.0, 2.0, 0.0]],
        [[np.inf, np.inf, 1.0, 0.0], [-np.inf, 5.0, 5.0, 5.0], [3.0, 1.0, 2.0, -np.inf]],
    ):
        array = np.array(rows, np.float32)
        expected, found = (asg.compile(graph, backend)(x=array) for backend in ("numpy", "jax"))
        for name, value in expected.items():
            np.testing.assert_array_equal(np.asarray(found[name]), value)
