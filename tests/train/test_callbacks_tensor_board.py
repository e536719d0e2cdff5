"""TensorBoard: its files are read back record by record, as TensorBoard does."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import MissingLibrary, OperandError
from asg.train import Fit
from asg.train.callbacks import OnEpochEnd, SaveCheckpoints, TensorBoard


def data() -> tuple[Any, Any]:
    x = np.linspace(-1.0, 1.0, 24, dtype=np.float32).reshape(-1, 1)
    return x, 2.0 * x


def model() -> asg.Model:
    return asg.Model(nn.Linear(1, 1), "mse", optim.sgd(0.1), seed=1)


def events(folder: Path) -> list[Any]:
    """A record is its length, a checksum of it, the event, a checksum of that."""
    pytest.importorskip("tensorboardX", reason="tensorboardX is an optional library")
    from tensorboardX.proto.event_pb2 import Event

    found = []
    for path in sorted(folder.glob("events.out.*")):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            found.append(Event.FromString(content[12 : 12 + length]))
            content = content[16 + length :]
    return found


def values(folder: Path) -> dict[str, dict[int, Any]]:
    """By tag and step, what is shown there."""
    found: dict[str, dict[int, Any]] = {}
    for event in events(folder):
        for value in event.summary.value:
            shown = value.histo if value.HasField("histo") else value.simple_value
            found.setdefault(value.tag, {})[event.step] = shown
    return found


def test_curves_and_histograms(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is an optional library")
    fitted = model()
    callback = TensorBoard(tmp_path, every_steps=2, histograms_every_epochs=2)
    history = fitted.fit(data(), 3, batch_size=8, validation_data=data(), callbacks=[callback])
    train, validation = values(tmp_path / "train"), values(tmp_path / "validation")
    expected = dict(zip((3, 6, 9), history.history["loss"], strict=True))
    assert train["loss"] == pytest.approx(expected)
    expected = dict(zip((3, 6, 9), history.history["val_loss"], strict=True))
    assert validation == {"loss": pytest.approx(expected)}
    assert list(train["step/loss"]) == [2, 4, 6, 8]
    kinds = {f"{kind}/{name}" for kind in ("weights", "gradients") for name in ("weight", "bias")}
    assert train.keys() == {"loss", "step/loss"} | kinds
    shown = train["weights/weight"]
    assert list(shown) == [6] and shown[6].num == 1.0


def test_values_that_are_no_numbers_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is an optional library")

    def second(fit: Fit, results: dict[str, float]) -> None:
        if fit.epoch == 2:
            results["score"] = 0.5

    model().fit(data(), 3, callbacks=[OnEpochEnd(second), TensorBoard(tmp_path)])
    assert values(tmp_path / "train")["score"] == {2: 0.5}
    assert not (tmp_path / "validation").exists()


def test_a_resumed_training_hides_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="tensorboardX is an optional library")
    saving = SaveCheckpoints(tmp_path / "saved", every_epochs=2)
    model().fit(data(), 3, callbacks=[TensorBoard(tmp_path), saving])
    board = TensorBoard(tmp_path)
    model().fit(data(), 4, callbacks=[board], resume=tmp_path / "saved")
    starts = [event for event in events(tmp_path / "train") if event.HasField("session_log")]
    assert [event.step for event in starts if event.session_log.status == 1] == [3]
    assert values(tmp_path / "train")["loss"].keys() == {1, 2, 3, 4}


def test_the_library_is_named_when_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingLibrary) as told:
        TensorBoard(tmp_path)
    expected = "TensorBoard needs tensorboardX: pip install 'asg-compiler[tensorboard]'"
    assert str(told.value) == expected
    with pytest.raises(OperandError, match="every_steps=0"):
        TensorBoard(tmp_path, every_steps=0)
