"""Hessian-vector products against JAX-free oracles: finite differences and formulas."""

from __future__ import annotations

import numpy as np
import pytest

import asg
from asg.core.errors import ShapeError, UnreachedParameter


def test_of_a_quadratic_form_is_the_symmetric_matrix_times_the_vector() -> None:
    matrix = np.random.default_rng(0).standard_normal((4, 4))
    x = asg.input("x", (4,), "float64")
    loss = asg.sum(x * (matrix @ x))
    v = np.arange(4.0)
    found = asg.run(asg.hvp(loss, x, asg.constant(v)), {x: np.ones(4)})
    np.testing.assert_allclose(found, (matrix + matrix.T) @ v, rtol=1e-12)


def test_over_a_tree_against_differences_of_the_gradient() -> None:
    w, b = asg.input("w", (3, 2), "float64"), asg.input("b", (2,), "float64")
    x = np.random.default_rng(1).standard_normal((5, 3))
    loss = asg.sum(asg.softmax(asg.tanh(x @ w + b)) ** 2.0)
    random = np.random.default_rng(2)
    point = {"w": random.standard_normal((3, 2)), "b": random.standard_normal(2)}
    tangent = {"w": random.standard_normal((3, 2)), "b": random.standard_normal(2)}
    wrt = {"w": w, "b": b}
    product = asg.hvp(loss, wrt, {name: asg.constant(each) for name, each in tangent.items()})
    found = asg.run(product, {w: point["w"], b: point["b"]})
    gradient = asg.compile(asg.Graph(asg.grad(loss, wrt)))
    step = 1e-5
    ahead = gradient(**{name: point[name] + step * tangent[name] for name in point})
    behind = gradient(**{name: point[name] - step * tangent[name] for name in point})
    for name in point:
        wanted = (ahead[name] - behind[name]) / (2 * step)
        np.testing.assert_allclose(found[name], wanted, rtol=1e-6, atol=1e-9)


def test_is_symmetric() -> None:
    x = asg.input("x", (6,), "float64")
    loss = asg.logsumexp(asg.sin(x) * asg.exp(x))
    random = np.random.default_rng(3)
    u, v, point = (random.standard_normal(6) for _ in range(3))
    hu, hv = (asg.hvp(loss, x, asg.constant(each)) for each in (u, v))
    left, right = asg.run([asg.sum(v * hu), asg.sum(u * hv)], {x: point})
    np.testing.assert_allclose(left, right, rtol=1e-12)


def test_of_a_linear_loss_is_zero() -> None:
    x = asg.input("x", (3,))
    assert asg.run(asg.hvp(asg.sum(x * 2.0), x, asg.ones((3,)))).tolist() == [0.0, 0.0, 0.0]


def test_wrong_uses_are_refused() -> None:
    x, other = asg.input("x", (3,)), asg.input("other", (3,))
    with pytest.raises(ShapeError, match="tangent"):
        asg.hvp(asg.sum(x * x), x, asg.ones((4,)))
    with pytest.raises(UnreachedParameter, match="other"):
        asg.hvp(asg.sum(x * x), other, asg.ones((3,)))
