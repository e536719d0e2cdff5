"""The parity test in one function, on graphs whose backends agree and on one where they cannot."""

import numpy as np
import pytest

import asg
from asg.testing.parity import assert_parity, evaluate, parity_problems

X = np.random.default_rng(2).normal(size=(4, 3))


def test_two_backends_agree_on_values_and_gradients() -> None:
    x = asg.input("x", ("batch", 3), "float64")
    loss = asg.tanh(x).sum()
    assert_parity({"loss": loss, "gradient": asg.grad(loss, x)}, {"x": X})


def test_only_the_inputs_that_are_needed_are_fed() -> None:
    x = asg.input("x", (4, 3), "float64")
    found = evaluate({"double": x * 2.0}, {"x": X, "spare": X})
    np.testing.assert_array_equal(found["double"], 2 * X)


def test_variables_are_fed_like_inputs() -> None:
    weight = asg.Variable("weight", (3,), 0.0)
    found = evaluate({"double": weight * 2.0}, {"weight": np.ones(3, np.float32)})
    np.testing.assert_array_equal(found["double"], np.full(3, 2.0, np.float32))


def test_a_disagreement_is_reported_by_name() -> None:
    x = asg.input("x", (4, 3), "float64")
    close = {"exp": asg.exp(x), "same": x}
    problems = parity_problems(close, {"x": 30 * X}, relative=0.0, of_largest=-1e-30)
    assert problems
    assert all("jax differs from numpy" in problem for problem in problems)
    with pytest.raises(AssertionError, match="exp: jax differs from numpy: at"):
        assert_parity(close, {"x": 30 * X}, relative=0.0, of_largest=-1e-30)
