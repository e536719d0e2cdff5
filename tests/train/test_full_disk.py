"""A full disk: one error, the files before it whole, nothing left behind - for every writer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import asg
from asg import data, nn, optim
from asg.core.errors import FileError
from asg.io import save_arrays
from asg.train import Callback, Fit, History
from asg.train.callbacks import (
    CsvLogger,
    Histograms,
    JsonlLogger,
    SaveCheckpoints,
    TensorBoard,
)
from asg.train.callbacks.json_lines import append_line
from asg.train.config import configured
from asg.train.epoch import Epoch
from asg.train.run_folder import RunFolder
from asg.train.trainer import Training
from tests.full_disk import REASONS, REFUSALS, full_disk

X = np.linspace(-1.0, 1.0, 24, dtype=np.float32).reshape(-1, 1)
Write = Callable[[], Any]


def model() -> asg.Model:
    return asg.Model(nn.Linear(1, 1), "mse", optim.sgd(0.1), inputs={"x": ("n", 1), "y": ("n", 1)})


def fitting(callback: Callback) -> Write:
    """One more epoch of a training that goes on, with the callback."""
    fitted = model()
    return lambda: fitted.fit((X, 2.0 * X), 1, callbacks=[callback])


def of_a_run(folder: Path, method: str) -> Write:
    """A method of the folder of a run, with what it writes."""
    run, training = RunFolder(folder), Training(configured({"hidden": [4], "dataset": "xor"}))
    epoch = Epoch(1, {"loss": 0.5, "accuracy": 0.5}, {"loss": 0.6, "accuracy": 0.4}, 1.0, 9.0)
    training.history.append(epoch)
    given = {"write_config": training.config, "append_epoch": epoch, "write_history": [epoch],
             "write_step": asg.Graph(y=asg.input("x", (2,)).T)}  # fmt: skip
    return lambda: getattr(run, method)(given.get(method, training))


WRITERS: dict[str, Callable[[Path], Write]] = {
    "checkpoints": lambda folder: fitting(SaveCheckpoints(folder / "checkpoints", keep=2)),
    "CsvLogger": lambda folder: fitting(CsvLogger(folder / "log.csv")),
    "append_line": lambda folder: lambda: append_line(folder / "a.jsonl", {"step": 1, "name": 2}),
    "Model.save": lambda folder: lambda: model().save(folder / "model.safetensors"),
    "save_arrays": lambda folder: lambda: save_arrays(folder / "a.safetensors", {"x": X}),
    "export": lambda folder: lambda: model().export_for_inference(folder / "network"),
    "tokenizer": lambda folder: lambda: data.CharacterTokenizer("abcdef").save(
        folder / "vocabulary.json"
    ),
    "picture": lambda folder: lambda: asg.Graph(y=asg.input("x", (2,)).T).render(
        folder / "graph.dot"
    ),
    **{
        f"RunFolder.{method}": lambda folder, method=method: of_a_run(folder, method)  # type: ignore[misc]
        for method in ("write_config", "append_epoch", "write_history", "write_model",
                       "write_curves", "write_step")
    },
}  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below, and every folder."""
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
            for path in folder.rglob("*")}  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("name", WRITERS)
def test_what_was_written_before_stays_and_nothing_is_left(
    name: str, refusal: str, tmp_path: Path
) -> None:
    write = WRITERS[name](tmp_path)
    appends = "append" in name
    if appends and refusal == "rename":
        pytest.skip("what is appended to keeps its name")
    for before in ("nothing", "one"):
        if before == "one":
            write()
        held = contents(tmp_path)
        with full_disk(refusal), pytest.raises(FileError) as told:
            write()
        assert re.match(r"cannot |pygraphviz could not", str(told.value))
        assert any(reason in str(told.value) for reason in REASONS)
        found = contents(tmp_path)
        assert {**found, "checkpoints": b""} == {**held, "checkpoints": b""}, before
    write()  # there is space again


LOGS: dict[str, Callable[[Path], Callback]] = {
    "CsvLogger": lambda folder: CsvLogger(folder / "log.csv"),
    "JsonlLogger": lambda folder: JsonlLogger(folder / "log.jsonl"),
    "Histograms": lambda folder: Histograms(folder / "histograms.jsonl"),
    "TensorBoard": TensorBoard,
    "SaveCheckpoints": lambda folder: SaveCheckpoints(folder, keep=2),
}


class Filling(Callback):
    """Fills the disk when the second epoch begins."""

    def __init__(self, folder: Path, refusal: str) -> None:
        self._folder, self._refusal = folder, refusal

    def on_epoch_begin(self, fit: Fit) -> None:
        if fit.epoch == 2:
            self.held = contents(self._folder)
            self._disk = full_disk(self._refusal, max(map(len, self.held.values())) + 5)
            self._disk.__enter__()

    def on_train_end(self, fit: Fit) -> None:
        self._disk.__exit__(None, None, None)


@pytest.mark.parametrize("refusal", ["write", "fsync"])
@pytest.mark.parametrize("log", LOGS)
def test_a_log_keeps_what_it_has_when_the_disk_fills_up(
    log: str, refusal: str, tmp_path: Path
) -> None:
    if log == "TensorBoard":
        pytest.importorskip("tensorboardX", reason="tensorboardX is an optional library")
    refusing = "fsync" if log == "SaveCheckpoints" else refusal  # one is as large as the other
    filling = Filling(tmp_path, refusing)
    with pytest.raises(FileError, match=f"cannot write {tmp_path}"):
        model().fit((X, 2.0 * X), 3, callbacks=[LOGS[log](tmp_path), filling])
    assert filling.held and contents(tmp_path) == filling.held


def test_curves_are_text_that_the_caller_writes() -> None:
    """`History.svg` itself touches no file."""
    history = History()
    history.append({"loss": 1.0})
    with full_disk("write"):
        assert history.svg().startswith("<svg")
