"""Histograms: of weights and of gradients, which come out of a graph of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asg
from asg import nn, optim
from asg.core.errors import OperandError
from asg.train.callbacks import Histograms, SaveCheckpoints
from asg.train.callbacks.histograms import histogram

Array = np.ndarray[Any, Any]


def data() -> tuple[Array, Array]:
    x = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    return x, x.sum(axis=1, keepdims=True)


def model(backend: str = "numpy") -> asg.Model:
    """Everything that a gradient on the side might disturb: dropout, statistics, momentum."""
    net = nn.Sequential(
        fc1=nn.Linear(3, 4), norm=nn.BatchNorm1d(4), drop=nn.Dropout(0.5), fc2=nn.Linear(4, 1)
    )
    return asg.Model(net, "mse", optim.sgd(0.1), backend=backend, seed=1)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("jax", marks=pytest.mark.slow)])
def test_gradients_are_those_of_the_next_step_and_change_nothing(backend: str) -> None:
    fitted, (x, y) = model(backend), data()
    found = fitted.gradients(x, y)
    before = fitted.state_dict()
    for name, array in fitted.gradients(x=x, y=y).items():
        np.testing.assert_array_equal(array, found[name])
    for name, array in fitted.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    fitted.train_on_batch(x, y)
    after = fitted.state_dict()
    assert found.keys() == fitted.net.parameters().keys()
    for name, gradient in found.items():
        np.testing.assert_allclose(after[name], before[name] - 0.1 * gradient, rtol=0, atol=1e-6)
        assert np.abs(gradient).max() > 1e-4 or name == "fc1.bias"  # normalised away
    assert not np.array_equal(after["norm.running_mean"], before["norm.running_mean"])


def test_parameters_that_are_not_trained_have_no_gradient() -> None:
    net = nn.Sequential(fc1=nn.Linear(3, 2), fc2=nn.Linear(2, 1))
    net.fc1.freeze()
    assert list(asg.Model(net, "mse").gradients(*data())) == ["fc2.weight", "fc2.bias"]


def test_the_file_has_weights_and_gradients(tmp_path: Path) -> None:
    watched, free = model(), model()
    watching = Histograms(tmp_path / "h.jsonl", every_epochs=2, every_steps=5, bins=7)
    watched.fit(data(), 4, batch_size=8, callbacks=[watching])
    free.fit(data(), 4, batch_size=8)
    for name, array in free.state_dict().items():  # watching changes nothing
        np.testing.assert_array_equal(array, watched.state_dict()[name])
    found = lines(tmp_path / "h.jsonl")
    assert [(line["epoch"], line["step"]) for line in found] == [(2, 5), (2, 6), (4, 10), (4, 12)]
    names = ["fc1.weight", "fc1.bias", "norm.weight", "norm.bias", "fc2.weight", "fc2.bias"]
    assert list(found[0]["weights"]) == names == list(found[0]["gradients"])
    last = free.weights()["fc1.weight"].astype(np.float64)
    told = found[-1]["weights"]["fc1.weight"]
    assert (told["low"], told["high"]) == (last.min(), last.max())
    assert told["counts"] == np.histogram(last, 7)[0].tolist()
    assert told["norm"] == pytest.approx(np.sqrt((last**2).sum()), rel=1e-12)
    assert found[-1]["gradients"]["fc1.weight"]["norm"] > 0.0


def test_off_means_off(tmp_path: Path) -> None:
    fitted = model()
    watching = Histograms(tmp_path / "h.jsonl", every_epochs=None, gradients=False)
    fitted.fit(data(), 2, callbacks=[watching])
    assert not (tmp_path / "h.jsonl").exists()
    fitted.fit(data(), 2, callbacks=[Histograms(tmp_path / "h.jsonl", gradients=False)])
    assert [list(line) for line in lines(tmp_path / "h.jsonl")] == [
        ["epoch", "step", "weights"]
    ] * 2
    assert "gradients" not in fitted._sessions


def test_a_resumed_training_goes_on_behind_its_step(tmp_path: Path) -> None:
    def callbacks() -> list[Any]:
        return [Histograms(tmp_path / "h.jsonl"), SaveCheckpoints(tmp_path / "saved")]

    model().fit(data(), 2, batch_size=8, callbacks=callbacks())
    whole = model()
    whole.fit(data(), 4, batch_size=8, callbacks=[Histograms(tmp_path / "whole.jsonl")])
    with open(tmp_path / "h.jsonl", "a") as file:
        file.write('{"epoch": 3, "step": 9}\n{"epoch": 4, "st')
    model().fit(data(), 4, batch_size=8, callbacks=callbacks(), resume=tmp_path / "saved")
    assert (tmp_path / "h.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()


def test_a_histogram_of_values_whose_squares_overflow_and_of_equal_ones() -> None:
    found = histogram(np.array([-3e200, 0.0, 4e200]), 7)
    assert found["norm"] == pytest.approx(5e200) and found["counts"] == [1, 0, 0, 1, 0, 0, 1]
    assert histogram([2.0**50] * 3, 2)["counts"] == [3, 0]


numbers = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(numbers, max_size=30), st.integers(1, 9))
def test_a_histogram_counts_every_value_once(values: list[float], bins: int) -> None:
    found = histogram(np.array(values, np.float32), bins)
    finite = [value for value in values if np.isfinite(value)]
    assert len(found["counts"]) == bins
    assert sum(found["counts"]) == len(finite)
    assert found["missing"] == len(values) - len(finite)
    json.dumps(found, allow_nan=False)
    if finite:
        assert (found["low"], found["high"]) == (min(finite), max(finite))
        assert found["mean"] == pytest.approx(
            np.mean(finite), rel=1e-9, abs=1e-9 * max(map(abs, finite))
        )


@pytest.mark.parametrize("options", [{"every_epochs": 0}, {"every_steps": 1.5}, {"bins": True}])
def test_counts_out_of_range(options: dict[str, Any], tmp_path: Path) -> None:
    (name,) = options
    with pytest.raises(OperandError, match=f"{name}={options[name]!r} must be an int of 1 or more"):
        Histograms(tmp_path / "h.jsonl", **options)
