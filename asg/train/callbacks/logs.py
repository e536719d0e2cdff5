"""Logs of epochs: a table in CSV, one JSON object a line, lines for people, seconds."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from asg.core.errors import FileError
from asg.io import write_text
from asg.io.arrays import PathLike
from asg.train.callback import Callback

if TYPE_CHECKING:
    from asg.train.loop import Fit


class CsvLogger(Callback):
    """The history as a CSV file, written anew after every epoch: it is whole at any time."""

    def __init__(self, path: PathLike) -> None:
        """``path`` is replaced."""
        self.path = Path(path)

    def on_epoch_recorded(self, fit: Fit) -> None:
        history = fit.history.history
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *history])
        for epoch, values in enumerate(zip(*history.values(), strict=True), start=1):
            writer.writerow([epoch, *("" if v != v else repr(v) for v in values)])
        write_text(self.path, text.getvalue())


class JsonlLogger(Callback):
    """One JSON object per epoch, appended and on disk before the next epoch begins."""

    def __init__(self, path: PathLike) -> None:
        """``path`` is appended to; a resumed training goes on behind the epochs it resumes from."""
        self.path = Path(path)

    def on_train_begin(self, fit: Fit) -> None:
        """Cut off what a crash left behind the epochs that are done."""
        if self.path.exists():
            lines = self.path.read_text(encoding="utf-8").splitlines()[: fit.history.epochs]
            write_text(self.path, "".join(f"{line}\n" for line in lines))

    def on_epoch_recorded(self, fit: Fit) -> None:
        finite = {name: v if v == v else None for name, v in fit.history.last().items()}
        line = json.dumps({"epoch": fit.epoch, "step": fit.step, **finite}) + "\n"
        try:
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FileError(f"cannot write {self.path}: {error.strerror or error}") from error


class PrintEpochs(Callback):
    """``Epoch 1/100: loss = 0.5234, val_loss = 0.4821``, a plain line per epoch."""

    def __init__(self, file: TextIO | None = None) -> None:
        """``file`` is standard output unless given."""
        self._file = file

    def on_epoch_recorded(self, fit: Fit) -> None:
        told = ", ".join(f"{name} = {value:.4f}" for name, value in fit.history.last().items())
        file = self._file or sys.stdout
        file.write(f"Epoch {fit.epoch}/{fit.epochs}: {told}\n")
        file.flush()

    def on_train_end(self, fit: Fit) -> None:
        if fit.stopped:
            (self._file or sys.stdout).write(f"Stopped: {fit.stopped}\n")


class Timing(Callback):
    """Adds ``seconds`` to the results of every epoch: its steps and its validation."""

    def on_epoch_begin(self, fit: Fit) -> None:
        self._start = perf_counter()

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        results["seconds"] = perf_counter() - self._start
