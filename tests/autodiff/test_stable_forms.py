"""Where the stabilising rules make a value finite, its gradient is finite and right too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import asg
from asg.passes.stabilise import STABILISING

Function = Callable[[asg.Tensor], asg.Tensor]
POINT = np.array([-104.0, 104.0], np.float32)

CASES: dict[str, tuple[Function, list[float]]] = {
    "log_of_softmax": (lambda x: asg.log(asg.softmax(x)), [1.0, -1.0]),
    "log_of_one_plus_exp": (lambda x: asg.log(1.0 + asg.exp(x)), [0.0, 1.0]),
    "log1p_of_exp": (lambda x: asg.log1p(asg.exp(x)), [0.0, 1.0]),
    "log_of_sigmoid": (lambda x: asg.log(asg.sigmoid(x)), [1.0, 0.0]),
    "one_minus_sigmoid": (lambda x: 1.0 - asg.sigmoid(x), [0.0, 0.0]),
    "log_of_sum_of_exp": (lambda x: asg.log(asg.sum(asg.exp(x))), [0.0, 1.0]),
    "nll_of_log_softmax": (
        lambda x: asg.nll_loss(asg.log(asg.softmax(x)), asg.constant(0)),
        [-1.0, 1.0],
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_value_gradient_and_curvature_are_finite(name: str, backend: str) -> None:
    function, wanted = CASES[name]
    x = asg.input("x", (2,))
    y = function(x)
    gradient = asg.grad(asg.sum(y), x)
    product = asg.hvp(asg.sum(y), x, asg.ones((2,)))
    found = asg.run([y, gradient, product], {x: POINT}, backend=backend)
    assert all(np.isfinite(each).all() for each in found)
    np.testing.assert_allclose(found[1], wanted, atol=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_network_that_ends_in_softmax_has_the_loss_of_its_logits(backend: str) -> None:
    """However its labels pick their shares; one of them is a share that underflows to 0."""
    logits = asg.input("logits", ("n", 3))
    labels = asg.input("labels", ("n",), "int32")
    shares, rows = asg.softmax(logits, -1), asg.arange(logits.shape[0])
    along = asg.take_along_axis(shares, asg.expand_dims(labels, 1), 1)
    encoded = asg.one_hot(labels, 3)
    losses = {
        "picked": -asg.mean(asg.log(shares[rows, labels])),
        "along": -asg.mean(asg.log(along)),
        "first": -asg.mean(asg.log(along[:, 0])),
        "likelihood": asg.nll_loss(asg.log(shares), labels),
        "one_hot": -asg.mean(asg.sum(encoded * asg.log(shares), -1)),
        "wanted": asg.mean(asg.cross_entropy(logits, labels)),
    }
    feeds = {logits: np.array([[200, 0, 0], [1, 2, 3]], "f4"), labels: np.array([1, 2], "i4")}
    found = {name: asg.run([loss, asg.grad(loss, logits)], feeds, backend=backend)
             for name, loss in losses.items()}  # fmt: skip
    for name, (value, gradient) in found.items():
        np.testing.assert_allclose(value, found["wanted"][0], rtol=1e-6, err_msg=name)
        np.testing.assert_allclose(gradient, found["wanted"][1], rtol=1e-5, atol=1e-7, err_msg=name)
        graph = asg.Graph(loss=losses[name]).optimize()
        assert any(node.op.name == "cross_entropy" for node in graph.nodes), name


def test_every_stabilising_rule_is_a_case_or_exact_anyway() -> None:
    near_zero = {"log_of_one_plus", "exp_minus_one"}  # change rounding, not the range
    assert {rule.name for rule in STABILISING} == set(CASES) | near_zero


def test_a_tensor_of_wrt_inside_the_pattern_is_not_skipped() -> None:
    x = asg.input("x", (2,), "float64")
    inner = asg.softmax(x)
    dx, dinner = asg.grad(asg.sum(asg.log(inner)), [x, inner])
    found = asg.run([dx, dinner, inner], {x: np.array([0.0, 1.0])})
    np.testing.assert_allclose(found[1], 1.0 / found[2], rtol=1e-12)
    np.testing.assert_allclose(found[0], 1.0 - 2.0 * found[2], rtol=1e-12)


def test_the_pattern_may_be_used_elsewhere_too() -> None:
    x = asg.input("x", (3,), "float64")
    inner = asg.exp(x)
    loss = asg.log(asg.sum(inner)) + asg.sum(inner * inner)
    point = np.array([0.1, -0.4, 0.7])
    found = asg.run(asg.grad(loss, x), {x: point})
    wanted = np.exp(point) / np.exp(point).sum() + 2 * np.exp(2 * point)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
