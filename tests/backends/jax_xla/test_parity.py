"""Whole programs give the same numbers on NumPy and on XLA."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.tree import flatten
from asg.testing.parity import assert_parity

BATCHES = (5, 5, 8, 5)


def batch(size: int, step: int) -> dict[str, Any]:
    generator = np.random.default_rng(step)
    images = generator.normal(size=(size, 6)).astype(np.float32)
    return {"images": images, "labels": generator.integers(0, 4, size).astype(np.int32)}


def trained(backend: str, start: dict[str, Any] | None) -> tuple[Any, list[float]]:
    """A session after a few steps of two batch sizes, and its losses."""
    net = nn.Sequential(fc1=nn.Linear(6, 16), act=nn.ReLU(), fc2=nn.Linear(16, 4))
    images = asg.input("images", ("batch", 6))
    labels = asg.input("labels", ("batch",), dtype="int32")
    loss = asg.cross_entropy(net(images), labels)
    graph = asg.train_step(loss, optimizer=optim.adam(1e-2))
    session = asg.compile(graph, backend=backend).start(seed=3, state=start)
    losses = [float(session(**batch(size, i))["loss"]) for i, size in enumerate(BATCHES)]
    return session, losses


def test_training_gives_the_same_losses_and_states() -> None:
    on_numpy, expected = trained("numpy", None)
    on_xla, actual = trained("jax", None)
    assert expected[0] != expected[-1]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    expected_state, actual_state = on_numpy.state_dict(), on_xla.state_dict()
    assert expected_state.keys() == actual_state.keys()
    for name, value in expected_state.items():
        assert actual_state[name].dtype == value.dtype
        np.testing.assert_allclose(actual_state[name], value, rtol=1e-4, atol=1e-6, err_msg=name)


def test_state_stays_on_the_device_and_results_outlive_the_next_step() -> None:
    session, _ = trained("jax", None)
    result = session(**batch(5, 9))
    assert isinstance(result["loss"], jax.Array)
    before = float(np.asarray(result["loss"]))
    session(**batch(5, 10))
    assert float(result["loss"]) == before


def test_a_session_starts_from_arrays_of_another_backend() -> None:
    on_numpy, _ = trained("numpy", None)
    state = {name: np.array(value) for name, value in on_numpy.state_dict().items()}
    kept = {name: value.copy() for name, value in state.items()}
    _, expected = trained("numpy", state)
    _, actual = trained("jax", state)
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    for name, value in state.items():  # what the caller gave was not overwritten
        assert np.array_equal(value, kept[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_program_of_many_families_agrees(dtype: str) -> None:
    x = asg.input("x", ("n", 4), dtype)
    w = asg.input("w", (4, 3), dtype)
    picks = asg.input("picks", (2,), "int64")
    logits = asg.tanh(x @ w) * 2 - asg.exp(-asg.abs(x[:, :3]))
    chosen = asg.where(logits > 0, logits, asg.square(logits))
    shaped = asg.concat([chosen, asg.flip(chosen, 0)], axis=1).reshape((-1, 3))
    taken = asg.take(w, picks, axis=0)
    loss = asg.log_softmax(shaped, -1).sum() + taken.astype(dtype).mean()
    outputs = {"shaped": shaped, "loss": loss, "count": (picks * 2).sum(),
               "gradients": asg.grad(loss, [x, w])}  # fmt: skip
    generator = np.random.default_rng(0)
    feeds = {
        "x": generator.normal(size=(5, 4)).astype(dtype),
        "w": generator.normal(size=(4, 3)).astype(dtype),
        "picks": np.array([2, 0]),
    }
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    assert_parity(flatten(outputs), feeds, relative=tolerance, of_largest=tolerance)
