"""Progress: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

from asg.train.callback import Callback
from asg.train.callbacks.logs import epoch_line

if TYPE_CHECKING:
    from asg.train.loop import Fit

REDRAW_SECONDS = 0.1  # a step may take less than telling of it


class Progress(Callback):
    """A line per epoch, and on a terminal a bar below them: steps, loss and remaining time.

    Colours are left out when the variable ``NO_COLOR`` is set. Elsewhere than on a terminal, in a
    file, a pipe or a notebook, there are the lines alone, without control codes.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        """``file`` is standard output unless given."""
        self._file = file
        self._bar: Any = None

    @property
    def _output(self) -> TextIO:
        return self._file or sys.stdout

    def on_train_begin(self, fit: Fit) -> None:
        if self._output.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._bar = _bar(self._output)
            self._task = self._bar.add_task("", **self._state(fit))
            self._shown = monotonic()
            self._bar.start()

    def on_epoch_begin(self, fit: Fit) -> None:
        if self._bar is not None:
            self._bar.reset(self._task, **self._state(fit))

    def _state(self, fit: Fit) -> dict[str, Any]:
        place = f"{fit.epoch}/{fit.epochs}"
        return {"total": fit.steps_per_epoch, "completed": fit.batch, "epoch": place, "loss": ""}

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        if self._bar is None:
            return
        if monotonic() - self._shown >= REDRAW_SECONDS or fit.batch == fit.steps_per_epoch:
            loss = f"loss {float(results['loss']):.4g}"
            self._bar.update(self._task, completed=fit.batch, loss=loss)
            self._shown = monotonic()

    def on_epoch_recorded(self, fit: Fit) -> None:
        self._say(epoch_line(fit))

    def on_train_end(self, fit: Fit) -> None:
        if fit.stopped:
            self._say(f"Stopped: {fit.stopped}")
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            return
        self._output.write(f"{line}\n")
        self._output.flush()


def _bar(file: TextIO) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(compact=True),
    )
    return Bar(*columns, console=Console(file=file), transient=True)
