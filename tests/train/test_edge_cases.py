"""Data, settings and files at the edges: each has one documented behaviour."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import AsgError, Diverged, FileError, OperandError, ShapeError, UnfitData
from asg.data import DataLoader, Dataset, read_csv
from asg.io import load_arrays
from asg.train.callbacks import CsvLogger, SaveCheckpoints

COUNT = 21
X = np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)


def model(optimizer: Any = "adam", **options: Any) -> asg.Model:
    return asg.Model(nn.Linear(3, 2), "cross_entropy", optimizer, ["accuracy"], **options)


def loader(batch_size: int, drop_last: bool) -> DataLoader:
    return DataLoader(Dataset({"x": X, "y": Y}), batch_size, drop_last=drop_last)


def spoilt(value: float, example: int = 3) -> np.ndarray[Any, Any]:
    found = X.copy()
    found[example, 1] = value
    return found


# -- sizes -----------------------------------------------------------------------------------------

# What is trained on, and over how many examples of an epoch its mean loss is.
SIZES: dict[str, tuple[Any, dict[str, Any], int]] = {
    "one sample": ((X[:1], Y[:1]), {}, 1),
    "batches of 1": ((X, Y), {"batch_size": 1}, COUNT),
    "one batch that is larger than the data": ((X, Y), {"batch_size": 1000}, COUNT),
    "a short last batch": (loader(8, False), {}, COUNT),
    "a short last batch that is dropped": (loader(8, True), {}, 16),
    "batches that fit": (loader(7, True), {}, COUNT),
}


@pytest.mark.parametrize("case", SIZES)
def test_every_example_counts_once(case: str) -> None:
    """With a rate of 0 the mean loss of the epoch is that of the first weights."""
    data, options, seen = SIZES[case]
    if isinstance(data, DataLoader):
        data = DataLoader(data.dataset, data.batch_size, drop_last=data.drop_last)
    fitted = model(optim.sgd(0.0))
    history = fitted.fit(data, 1, **options, shuffle=False)
    assert fitted.evaluate((X[:seen], Y[:seen]))["loss"] == pytest.approx(
        history.history["loss"][0], rel=1e-5
    )
    assert fitted.predict(X[:1]).shape == (1, 2)


# -- what is refused -------------------------------------------------------------------------------

EMPTY = (X[:0], Y[:0])
REFUSED: dict[str, tuple[Callable[[], Any], type[AsgError], str]] = {
    "training without examples": (lambda: model().fit(EMPTY), OperandError, "0 examples give no"),
    "evaluation without examples": (
        lambda: model().evaluate(EMPTY), OperandError, "0 examples give no batch"
    ),
    "prediction without examples": (
        lambda: model().predict(X[:0]), OperandError, "no example to predict"
    ),
    "validation without examples": (
        lambda: model().fit((X, Y), validation_data=EMPTY), OperandError, "0 examples give no batch"
    ),
    "a split that leaves nothing": (
        lambda: model().fit((X[:1], Y[:1]), validation_split=0.5), OperandError, "of 1 examples"
    ),
    "dropping the only batch": (
        lambda: model().fit(loader(80, True)), OperandError, "21 examples give no batch of 80"
    ),
    "batches of none": (lambda: model().fit((X, Y), batch_size=0), OperandError, "batch_size=0"),
    "arrays that differ in length": (
        lambda: model().fit((X, Y[:20])), OperandError, "differ in length: x 21, y 20"
    ),
    "features that do not fit": (
        lambda: model().fit((X[:, :2], Y)), ShapeError, "2 against 3"
    ),
    "labels with an axis too many": (
        lambda: model().fit((X, Y[:, None])), ShapeError, "expected shape"
    ),
    "labels that are no classes": (
        lambda: model().fit((X, Y.astype(np.float32))), ShapeError, "target is f32"
    ),
    "a label that is too large": (
        lambda: model().fit((X, np.where(np.arange(COUNT) == 5, 2, Y))), UnfitData,
        "'y' has the label 2 in example 5, and the network tells the classes 0...1 apart",
    ),
    "a label that is negative": (
        lambda: model().fit((X, Y - 1)), UnfitData, "has the label -1 in example"
    ),
    "NaN in the data": (
        lambda: model().fit((spoilt(np.nan), Y)), UnfitData,
        "is nan: 'x' has a value that is not finite, the first in example 3",
    ),
    "infinity in the data": (
        lambda: model().fit((spoilt(np.inf), Y)), UnfitData, "not finite, the first in example 3"
    ),
    "NaN in batches of one's own": (
        lambda: model().fit([(X, Y), (spoilt(np.nan), Y)]), UnfitData,
        "example of the last batch 3",
    ),
    "a rate that is negative": (
        lambda: model(optim.sgd(-1.0)).fit((X, Y)), OperandError, "lr=-1.0"
    ),
    "a rate that is no number": (lambda: optim.adam(float("nan")), OperandError, "lr=nan"),
    "text as data": (
        lambda: model().fit((np.array(["a"] * COUNT), Y)), OperandError, "numbers are needed"
    ),
    "weights that are not there": (lambda: model().load("nowhere"), FileError, "no file nowhere"),
    "a checkpoint that is not there": (
        lambda: model().fit((X, Y), resume="nowhere"), FileError, "no folder nowhere"
    ),
    "a table that is not there": (lambda: read_csv("nowhere.csv"), FileError, "nowhere.csv"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_told(case: str) -> None:
    attempt, error, message = REFUSED[case]
    with pytest.raises(error) as told:
        attempt()
    assert message in str(told.value)


def test_the_jax_backend_tells_labels_out_of_range_as_well() -> None:
    with pytest.raises(UnfitData, match="has the label 2 in example"):
        model(backend="jax").fit((X, Y + 1))


# -- what is let through ---------------------------------------------------------------------------


def test_evaluation_and_prediction_pass_nan_on() -> None:
    """They change nothing, so NaN comes out where it went in."""
    fitted = model()
    fitted.fit((X, Y))
    found = fitted.evaluate((spoilt(np.nan), Y))
    assert np.isnan(found["loss"])
    rows = np.isnan(fitted.predict(spoilt(np.nan))).any(1)
    assert list(np.flatnonzero(rows)) == [3]
    history = fitted.fit((X, Y), validation_data=(spoilt(np.nan), Y))
    assert np.isnan(history.history["val_loss"][0]) and np.isfinite(history.history["loss"][0])


def test_the_class_that_a_loss_leaves_out_is_no_label_out_of_range() -> None:
    labels = np.where(np.arange(COUNT) == 4, -100, Y)
    loss = partial(asg.cross_entropy, ignore_index=-100)
    assert np.isfinite(asg.Model(nn.Linear(3, 2), loss).fit((X, labels)).history["loss"][0])
    with pytest.raises(Diverged, match="a smaller learning rate") as told:
        asg.Model(nn.Linear(3, 2), lambda a, b: loss(a, b) / 0.0).fit((X, labels))
    assert not isinstance(told.value, UnfitData)


def test_a_tiny_rate_changes_nearly_nothing() -> None:
    fitted = model(optim.adam(1e-10))
    before = fitted.weights()
    fitted.fit((X, Y), 2)
    for name, array in fitted.weights().items():
        np.testing.assert_allclose(array, before[name], atol=1e-8)


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_a_huge_rate_stays_finite_or_is_told(rate: float) -> None:
    """A linear classifier survives 1000; the mean squared error of a deep one does not."""
    deep = nn.Sequential(a=nn.Linear(3, 8), act=nn.ReLU(), b=nn.Linear(8, 1))
    regression = asg.Model(deep, "mse", optim.sgd(rate))
    with pytest.raises(Diverged, match="a smaller learning rate") as told:
        regression.fit((X, X[:, :1]), 20)
    assert not isinstance(told.value, UnfitData)
    if rate == 1e3:
        assert np.isfinite(model(optim.sgd(rate)).fit((X, Y), 3).history["loss"]).all()


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"{}"])
def test_files_that_are_no_weights(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(FileError, match=r"model\.safetensors is damaged"):
        load_arrays(tmp_path / "model.safetensors")


def test_folders_where_files_should_be(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="is a folder"):
        model().load(tmp_path)
    with pytest.raises(FileError, match=f"cannot write {tmp_path}"):
        model().save(tmp_path)
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(FileError, match=r"cannot write .*log\.csv"):
        model().fit((X, Y), callbacks=[CsvLogger(tmp_path / "log.csv")])
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot make"):
        model().fit((X, Y), callbacks=[SaveCheckpoints(tmp_path / "file" / "checkpoints")])
