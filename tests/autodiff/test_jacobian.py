"""Jacobians and Hessians against JAX and against products with vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import UnreachedParameter

POINT = np.random.default_rng(0).standard_normal((3, 4))
WEIGHT = np.random.default_rng(1).standard_normal((4, 2))


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("shape", [(3, 4), ("batch", 4)])
def test_of_a_layer_is_that_of_jax(backend: str, shape: tuple[Any, ...]) -> None:
    jax = pytest.importorskip("jax")
    x, w = asg.input("x", shape, "float64"), asg.input("w", (4, 2), "float64")
    y = asg.softmax(asg.tanh(x @ w))
    found = asg.run(asg.jacobian(y, {"x": x, "w": w}), {x: POINT, w: WEIGHT}, backend=backend)
    with jax.enable_x64(True):
        wanted = jax.jacobian(lambda p: jax.nn.softmax(jax.numpy.tanh(p["x"] @ p["w"])), argnums=0)(
            {"x": jax.numpy.array(POINT), "w": jax.numpy.array(WEIGHT)}
        )
        for name, array in found.items():
            np.testing.assert_allclose(array, np.asarray(wanted[name]), rtol=1e-10, atol=1e-12)
    assert found["x"].shape == (3, 2, 3, 4)


def test_hessian_is_that_of_jax_in_blocks() -> None:
    jax = pytest.importorskip("jax")
    a, b = asg.input("a", (3,), "float64"), asg.input("b", (2, 2), "float64")
    loss = asg.logsumexp(a) * asg.sum(asg.sin(b) @ asg.cos(b)) + asg.sum(b**3.0)
    point = {"a": POINT[0, :3], "b": WEIGHT[:2]}
    found = asg.run(asg.hessian(loss, {"a": a, "b": b}), {a: point["a"], b: point["b"]})
    jnp = jax.numpy

    def same(p: Any) -> Any:
        products = jnp.sum(jnp.sin(p["b"]) @ jnp.cos(p["b"]))
        return jax.nn.logsumexp(p["a"]) * products + jnp.sum(p["b"] ** 3)

    with jax.enable_x64(True):
        wanted = jax.hessian(same)({name: jnp.array(each) for name, each in point.items()})
        for row in "ab":
            for column in "ab":
                np.testing.assert_allclose(
                    found[row][column], np.asarray(wanted[row][column]), rtol=1e-9, atol=1e-11
                )


def test_hessian_times_vector_is_hvp() -> None:
    x = asg.input("x", (4,), "float64")
    loss = asg.sum(asg.softmax(x) ** 2.0)
    v = np.arange(4.0)
    whole, product = asg.run(
        [asg.hessian(loss, x), asg.hvp(loss, x, asg.constant(v))], {x: POINT[0]}
    )
    np.testing.assert_allclose(whole @ v, product, rtol=1e-10)
    np.testing.assert_allclose(whole, whole.T, atol=1e-14)


def test_of_a_scalar_is_the_gradient() -> None:
    x = asg.input("x", (4,), "float64")
    y = asg.sum(x**3.0)
    whole, gradient = asg.run([asg.jacobian(y, x), asg.grad(y, x)], {x: POINT[0]})
    np.testing.assert_allclose(whole, gradient)


def test_third_derivatives() -> None:
    x = asg.input("x", (2,), "float64")
    loss = asg.sum(x**4.0)
    third = asg.run(asg.jacobian(asg.hessian(loss, x), x), {x: np.array([1.0, 2.0])})
    wanted = np.zeros((2, 2, 2))
    wanted[0, 0, 0], wanted[1, 1, 1] = 24.0, 48.0
    np.testing.assert_allclose(third, wanted, atol=1e-12)


def test_the_graph_does_not_grow_with_the_output() -> None:
    sizes = []
    for n in (3, 300):
        x = asg.input("x", (n,))
        sizes.append(len(asg.Graph(y=asg.jacobian(asg.tanh(x), x)).nodes))
    assert sizes[0] == sizes[1]


def test_unreached_values_are_refused() -> None:
    x, other = asg.input("x", (2,)), asg.input("other", (2,))
    with pytest.raises(UnreachedParameter, match="other"):
        asg.jacobian(x * x, {"x": x, "other": other})
    found = asg.run(
        asg.jacobian(x * x, other, allow_unused=True), {x: [1.0, 2.0], other: [0.0, 0.0]}
    )
    assert found.tolist() == [[0.0, 0.0], [0.0, 0.0]]
