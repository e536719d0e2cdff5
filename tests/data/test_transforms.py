"""Transforms of numbers on the host, against formulas written out and scikit-learn's scalers."""

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from asg import data
from asg.core.errors import OperandError
from asg.data import Dataset, Draw, Scaler

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(3.0, 2.0, (6, 4))
IMAGES = RANDOM.uniform(0.0, 1.0, (5, 3, 4, 6)).astype(np.float32)


def changed(transform: Any, array: Any) -> Any:
    batch = {"other": np.arange(2), "x": np.asarray(array)}
    before = batch["x"].copy()
    given = transform(batch)
    assert np.array_equal(batch["x"], before)
    assert given["other"] is batch["other"]
    return given["x"]


def test_normalize_is_by_channel() -> None:
    mean, std = data.IMAGENET_MEAN, data.IMAGENET_STD
    ours = changed(data.normalize("x", mean, std), IMAGES.astype(np.float64))
    for channel in range(3):
        expected = (IMAGES[:, channel].astype(np.float64) - mean[channel]) / std[channel]
        assert np.allclose(ours[:, channel], expected, rtol=1e-12)
    last = changed(data.normalize("x", mean, std, axis=-1), IMAGES.transpose(0, 2, 3, 1))
    assert np.allclose(last.transpose(0, 3, 1, 2), ours, atol=1e-5)
    assert last.dtype == np.float32
    assert np.allclose(changed(data.normalize("x", 2, 4), X), (X - 2) / 4)
    assert changed(data.normalize("x", 2, 4), [6, 10]).tolist() == [1.0, 2.0]


def test_plain_functions() -> None:
    assert np.allclose(changed(data.clip("x", low=2.5), X), np.maximum(X, 2.5))
    assert np.allclose(changed(data.log("x", 10.0), X), np.log(X + 10.0))
    assert changed(data.flatten("x"), IMAGES).shape == (5, 72)
    pixels = np.arange(256, dtype=np.uint8)
    assert np.allclose(changed(data.to_float("x"), pixels), np.arange(256) / 255)
    assert np.array_equal(changed(data.one_hot("x", 4), [3, 0]), np.eye(4)[[3, 0]])


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("length", [3, 2500])
def test_scalers_are_those_of_scikit_learn(channels: bool, length: int) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    array = np.random.default_rng(1).normal(1000.0, 0.1, (length, 3, 2))
    array[:, 1] = 7.0  # constant: a scale of 1
    train = Dataset({"x": array})
    flat = array.transpose(0, 2, 1).reshape(-1, 3) if channels else array.reshape(length, 6)
    for ours, theirs in [
        (Scaler.standard(train, "x", channels), preprocessing.StandardScaler()),
        (Scaler.min_max(train, "x", -1.0, 2.0, channels), preprocessing.MinMaxScaler((-1, 2))),
    ]:
        expected = theirs.fit_transform(flat)
        scaled = ours({"x": array})["x"]
        found = scaled.transpose(0, 2, 1).reshape(-1, 3) if channels else scaled.reshape(length, 6)
        assert np.allclose(found, expected, atol=1e-8)
        assert np.allclose(ours.inverse(scaled), array, rtol=1e-13)
        assert train.map(ours)[0]["x"].shape == (3, 2)


def test_noise_has_its_moments_and_repeats() -> None:
    transform = data.noise("x", 0.5)
    batch = {"x": np.full((200, 100), 3.0)}
    first = transform(batch, Draw.first(200, seed=1))["x"] - 3.0
    count = first.size
    assert abs(first.mean()) < 4 * 0.5 / count**0.5
    assert abs(first.std() - 0.5) < 4 * 0.5 / (2 * count) ** 0.5
    assert np.array_equal(first, transform(batch, Draw.first(200, seed=1))["x"] - 3.0)
    for other in (Draw.first(200, 2), Draw(1, 1, 0, np.arange(200)), Draw.first(200, 1).fork(0)):
        assert abs(np.corrcoef(first.ravel(), (transform(batch, other)["x"]).ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(first[0], first[1])[0, 1]) < 0.4


def test_uniform_numbers_are_uniform() -> None:
    """Chi-square with 15 degrees of freedom: 37.7 is p = 0.001; the places are consecutive."""
    for shape in ((), (16,)):
        numbers = Draw.first(4096, seed=3).uniform(*shape)
        counts, expected = np.bincount((numbers.ravel() * 16).astype(int)), numbers.size / 16
        assert ((counts - expected) ** 2 / expected).sum() < 37.7


def test_the_numbers_of_a_seed_never_change() -> None:
    """A stored answer: recorded runs depend on it."""
    numbers = Draw(5, 2, 1, np.array([7, 3])).fork(1).uniform(2)
    assert np.allclose(numbers, STORED, rtol=0, atol=1e-15)


STORED = [[0.9537052096510306, 0.38384092383213414], [0.3352901867053197, 0.870796315877721]]


def test_a_chain_applies_in_order_and_draws_apart() -> None:
    chain = data.compose(data.noise("x", 1.0), data.noise("y", 1.0), data.clip("x", 0.0))
    draw = Draw.first(3)
    zeros = {"x": np.zeros((3, 2)), "y": np.zeros((3, 2))}
    ours = chain(zeros, draw)
    assert np.array_equal(ours["x"], np.maximum(data.noise("x", 1.0)(zeros, draw.fork(0))["x"], 0))
    assert not np.array_equal(ours["y"], chain.steps[0](zeros, draw.fork(0))["x"])
    plain = data.compose(data.to_float("x"), data.normalize("x", 0.5, 0.5))
    assert changed(plain, np.array([0, 255], np.uint8)).tolist() == [-1.0, 1.0]


def test_transforms_can_be_sent_to_processes() -> None:
    train = Dataset({"x": X})
    for transform in (
        data.normalize("x", 0.0, 1.0), data.flatten("x"), data.log("x", 9.0),
        data.compose(data.noise("x", 0.1)), Scaler.standard(train, "x"),
    ):  # fmt: skip
        twin = pickle.loads(pickle.dumps(transform))  # noqa: S301 what multiprocessing does
        arguments = ({"x": X}, Draw.first(6)) if "Random" in type(twin).__name__ else ({"x": X},)
        assert np.array_equal(twin(*arguments)["x"], transform(*arguments)["x"])


THREE: Any = 3
WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: data.flatten("z")({"x": X}), "no array named 'z'; there are x"),
    (lambda: data.to_float("x")({"x": X}), "takes uint8, given float64"),
    (lambda: data.normalize("x", [0.0, 1.0], [1.0, 1.0, 1.0]), "as many of each"),
    (lambda: data.normalize("x", 0.0, 0.0), "must be positive"),
    (lambda: data.normalize("x", np.nan, 1.0), "mean=nan"),
    (lambda: data.normalize("x", [0, 0, 0], [1, 1, 1])({"x": X}), "not 3 channels along axis 1"),
    (lambda: data.one_hot("x", 0), "classes=0"),
    (lambda: data.one_hot("x", 3)({"x": np.array([0, 3])}), r"x\[1\] is 3, not one of 0\.\.\.2"),
    (lambda: data.one_hot("x", 3)({"x": np.array([-1])}), r"x\[0\] is -1"),
    (lambda: data.one_hot("x", 3)({"x": np.array([0.5])}), "class numbers"),
    (lambda: data.clip("x"), "low, high, or both"),
    (lambda: data.clip("x", 2.0, 1.0), "low=2.0 is above high=1.0"),
    (lambda: data.log("x")({"x": np.array([[1.0, 0.0]])}), r"is 0\.0 at \[0, 1\]"),
    (lambda: data.log("x")({"x": np.array([np.nan])}), r"is nan at \[0\]"),
    (lambda: data.noise("x", -1.0), "std=-1.0"),
    (lambda: data.compose(data.flatten("x"), THREE), "given 3"),
    (lambda: Scaler.standard(Dataset({"x": X[:0]}), "x"), "no example to learn"),
    (lambda: Scaler.standard(Dataset({"x": X}), "z"), "no array named 'z'"),
    (lambda: Scaler.standard(Dataset({"x": np.array([1.0, np.inf])}), "x"), "not all finite"),
    (lambda: Scaler.standard(Dataset({"x": np.ones(3)}), "x", True), "has no channels"),
    (lambda: Scaler.min_max(Dataset({"x": X}), "x", 1.0, 1.0), "low=1.0 is not below"),
    (lambda: Scaler.standard(Dataset({"x": X}), "x").inverse(X[:, :2]), r"examples of \[4\]"),
]


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_what_makes_no_sense_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()
