"""Logs of epochs: a table in CSV, one JSON object a line, lines for people, seconds."""

from __future__ import annotations

import csv
import io
import sys
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

from asg.io import write_text
from asg.io.arrays import PathLike
from asg.io.atomic import remove_temporary_files
from asg.train.callback import Callback
from asg.train.callbacks.json_lines import append_line, cut_after

if TYPE_CHECKING:
    from asg.train.loop import Fit


class CsvLogger(Callback):
    """The history as a CSV file, written anew after every epoch: it is whole at any time."""

    def __init__(self, path: PathLike) -> None:
        """``path`` is replaced."""
        self.path = Path(path)

    def on_train_begin(self, fit: Fit) -> None:
        remove_temporary_files(self.path)

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
        cut_after(self.path, fit.step)

    def on_epoch_recorded(self, fit: Fit) -> None:
        plain = {name: v if isfinite(v) else None for name, v in fit.history.last().items()}
        append_line(self.path, {"epoch": fit.epoch, "step": fit.step, **plain})


class PrintEpochs(Callback):
    """``Epoch 1/100: loss = 0.5234, val_loss = 0.4821``, a plain line per epoch."""

    def __init__(self, file: TextIO | None = None) -> None:
        """``file`` is standard output unless given."""
        self._file = file

    def on_epoch_recorded(self, fit: Fit) -> None:
        file = self._file or sys.stdout
        file.write(f"{epoch_line(fit)}\n")
        file.flush()

    def on_train_end(self, fit: Fit) -> None:
        if fit.stopped:
            (self._file or sys.stdout).write(f"Stopped: {fit.stopped}\n")


def epoch_line(fit: Fit) -> str:
    """``Epoch 1/100: loss = 0.5234, val_loss = 0.4821``."""
    told = ", ".join(f"{name} = {value:.4f}" for name, value in fit.history.last().items())
    return f"Epoch {fit.epoch}/{fit.epochs}: {told}"


class Timing(Callback):
    """Adds ``seconds`` to the results of every epoch: its steps and its validation."""

    def on_epoch_begin(self, fit: Fit) -> None:
        self._start = perf_counter()

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        results["seconds"] = perf_counter() - self._start
