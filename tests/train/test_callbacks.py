"""Callbacks: early stops, plateaus, logs, and that they go on when a training is resumed."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import Diverged, OperandError
from asg.train import Callback, Fit
from asg.train.callbacks import (
    CsvLogger,
    EarlyStopping,
    FeedPlateau,
    JsonlLogger,
    NanWatch,
    PrintEpochs,
    SaveCheckpoints,
    Timing,
)


def data() -> tuple[Any, Any]:
    x = np.linspace(-1.0, 1.0, 24, dtype=np.float32).reshape(-1, 1)
    return x, 2.0 * x


def model(rate: float = 0.1, optimizer: Any = None) -> asg.Model:
    return asg.Model(nn.Linear(1, 1), "mse", optimizer or optim.sgd(rate), seed=1)


class Results(Callback):
    """Replaces a result by prepared numbers."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        results["score"] = self.values[fit.epoch - 1]


def test_early_stopping_tells_why() -> None:
    stopping = EarlyStopping("score", patience=2, min_delta=0.1)
    history = model().fit(data(), 9, callbacks=[Results(3, 2, 1.95, 2.5, 0), stopping])
    assert history.epochs == 4
    assert history.stop_reason == (
        "score has not improved for 2 epochs (best 2 in epoch 2)"
    )
    assert (stopping.best, stopping.best_epoch) == (2, 2)


def test_early_stopping_upwards_and_with_values_that_are_no_numbers() -> None:
    stopping = EarlyStopping("score", patience=2, larger_is_better=True)
    scores = Results(0.1, float("nan"), 0.2, 0.2, 0.1, 9)
    history = model().fit(data(), 6, callbacks=[scores, stopping])
    assert history.epochs == 5 and stopping.best == 0.2


def test_the_best_weights_are_taken_back() -> None:
    kept: list[Any] = []

    class Keep(Callback):
        def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
            kept.append(fit.model.weights())

    fitted = model()
    stopping = EarlyStopping("score", patience=2, restore_best=True)
    fitted.fit(data(), 9, callbacks=[Results(3, 1, 2, 2), Keep(), stopping])
    for name, array in fitted.weights().items():
        np.testing.assert_array_equal(array, kept[1][name])
        assert not np.array_equal(array, kept[3][name])


def test_a_result_that_there_is_not() -> None:
    for callback in (EarlyStopping("val_loss"), FeedPlateau("val_loss")):
        with pytest.raises(OperandError, match="'val_loss'; an epoch gives loss"):
            model().fit(data(), callbacks=[callback])
    for options in ({"patience": 0}, {"min_delta": -1.0}):
        with pytest.raises(OperandError, match=next(iter(options))):
            EarlyStopping(**options)


def test_plateaus_are_fed() -> None:
    rule = optim.reduce_on_plateau(factor=0.5, patience=1, metric="fed")
    fitted = model(optimizer=optim.chain(optim.sgd(0.01), rule))
    fitted.fit(data(), 5, callbacks=[Results(1, 2, 3, 4, 5), FeedPlateau("score")])
    assert fitted.training.state_dict()["optimizer.plateau.scale"] == 0.5
    with pytest.raises(OperandError):
        model().fit(data(), callbacks=[FeedPlateau("loss")])


def test_logs(tmp_path: Path) -> None:
    lines = io.StringIO()
    logs = [CsvLogger(tmp_path / "log.csv"), JsonlLogger(tmp_path / "log.jsonl")]
    history = model().fit(
        data(), 3, validation_data=data(), callbacks=[Timing(), *logs, PrintEpochs(lines)]
    )
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert rows[0] == "epoch,loss,val_loss,seconds" and len(rows) == 4
    assert rows[2].split(",")[1] == repr(history.history["loss"][1])
    objects = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [each["epoch"] for each in objects] == [1, 2, 3]
    assert objects[1]["val_loss"] == history.history["val_loss"][1]
    first = history.history["loss"][0]
    assert lines.getvalue().splitlines()[0].startswith(f"Epoch 1/3: loss = {first:.4f}, val_loss")
    assert all(seconds > 0 for seconds in history.history["seconds"])


def test_a_resumed_training_goes_on_with_callbacks_and_logs(tmp_path: Path) -> None:
    scores = (5, 4, 4, 4, 4, 4)

    def callbacks() -> list[Callback]:
        return [
            Results(*scores), EarlyStopping("score", patience=3),
            JsonlLogger(tmp_path / "log.jsonl"), SaveCheckpoints(tmp_path / "saved"),
        ]  # fmt: skip

    model().fit(data(), 3, callbacks=callbacks())
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write('{"epoch": 4, "half a l')
    history = model().fit(data(), 9, callbacks=callbacks(), resume=tmp_path / "saved")
    assert history.epochs == 5  # one epoch was waited before, two after
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3, 4, 5]


def test_the_first_bad_step_is_named_and_changes_nothing() -> None:
    def loss(prediction: asg.Tensor, target: asg.Tensor) -> asg.Tensor:
        return asg.log(prediction - target).mean()

    x = np.ones((6, 1), np.float32)
    y = np.array([[-5], [-5], [-5], [-5], [9], [-5]], np.float32)
    fitted = asg.Model(nn.Linear(1, 1), loss, optim.adam(0.01))
    with pytest.raises(Diverged) as told:
        fitted.fit((x, y), 3, batch_size=2, shuffle=False, callbacks=[NanWatch()])
    message = str(told.value)
    assert message.startswith("step 3 (batch 3 of epoch 1) is not finite")
    assert "first nan is element [0, 0] of what was made by log at" in message
    assert "test_callbacks.py" in message and "[loss]" in message
    state = fitted.state_dict()
    assert all(np.isfinite(array).all() for array in state.values())
    assert state["optimizer.adam.count"] == 2


def test_data_that_is_not_finite_is_named() -> None:
    x, y = data()
    x[5] = np.inf
    with pytest.raises(Diverged, match=r"input 'x' at .* has inf at \[5, 0\]"):
        model().fit((x, y), shuffle=False, callbacks=[NanWatch()])


def test_a_watched_training_is_the_same_training() -> None:
    watched, free = model(), model()
    watched.fit(data(), 2)
    watched.fit(data(), 2, callbacks=[NanWatch()])
    free.fit(data(), 2)
    free.fit(data(), 2)
    for name, array in free.weights().items():
        np.testing.assert_array_equal(array, watched.weights()[name])
