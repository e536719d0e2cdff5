"""Trigonometry beyond the samples: derivatives by PyTorch, and far out, where squares overflow."""

from typing import Any

import numpy as np
import pytest

import asg

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "jax"])
UNARY = ["tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"]


@BACKENDS
@pytest.mark.parametrize("name", UNARY)
def test_values_and_two_derivatives_are_those_of_pytorch(name: str, backend: str) -> None:
    torch = pytest.importorskip("torch")
    numbers = np.linspace(1.1, 3.0, 9) if name == "acosh" else np.linspace(-0.95, 0.95, 9)
    x = asg.input("x", ("n",), "float64")
    y = getattr(asg, name)(x)
    first = asg.grad(y.sum(), x)
    found = asg.run([y, first, asg.grad(first.sum(), x)], {x: numbers}, backend=backend)
    point = torch.tensor(numbers, requires_grad=True)
    answer = getattr(torch, name)(point)
    (slope,) = torch.autograd.grad(answer.sum(), point, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), point)
    for mine, theirs in zip(found, (answer, slope, bend), strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-11, atol=1e-14)


@BACKENDS
@pytest.mark.parametrize("name", ["asinh", "acosh"])
def test_inverse_hyperbolic_slopes_do_not_overflow(name: str, backend: str) -> None:
    x = asg.input("x", (), "float64")
    slope = asg.run(asg.grad(getattr(asg, name)(x), x), {x: np.float64(1e200)}, backend=backend)
    assert float(slope) == pytest.approx(1e-200, rel=1e-12)


@BACKENDS
def test_lengths_and_angles_do_not_overflow(backend: str) -> None:
    x, y = asg.input("x", (), "float64"), asg.input("y", (), "float64")
    feeds = {x: np.float64(3e200), y: np.float64(-4e200)}
    length, angle = asg.hypot(x, y), asg.atan2(x, y)
    tensors = [length, *asg.grad(length, [x, y]), *asg.grad(angle, [x, y])]
    found = [float(each) for each in asg.run(tensors, feeds, backend=backend)]
    assert found == pytest.approx([5e200, 0.6, -0.8, -1.6e-201, -1.2e-201], rel=1e-12)


def test_the_order_of_atan2_is_height_then_width() -> None:
    angles: Any = asg.run(asg.atan2([1.0, 0.0, -1.0], [0.0, -1.0, 0.0]), {})
    np.testing.assert_allclose(angles, [np.pi / 2, np.pi, -np.pi / 2], rtol=1e-6)
