"""TensorBoard: curves and histograms in the files it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.io.arrays import PathLike
from asg.train.callback import Callback
from asg.train.callbacks.event_file import EventFile, require_library
from asg.train.callbacks.histograms import require_counts, watched

if TYPE_CHECKING:
    from asg.train.loop import Fit


class TensorBoard(Callback):
    """Write results as event files; ``tensorboard --logdir FOLDER`` shows them.

    There are two runs in the folder, ``train`` and ``validation``, whose results of one name share
    a chart. The horizontal axis is the training step. Results of epochs are called as they are
    ("loss"), those of steps "step/loss", histograms "weights/fc1.weight" and
    "gradients/fc1.weight".

    Raises:
        MissingLibrary: tensorboardX, of the extra ``tensorboard``, is not installed.
        OperandError: a count that is not positive.
    """

    def __init__(
        self,
        folder: PathLike,
        every_steps: int | None = None,
        histograms_every_epochs: int | None = None,
        gradients: bool = True,
    ) -> None:
        """What is written beside the results of every epoch.

        Args:
            folder: gets the folders of the two runs.
            every_steps: the loss of every so many steps, too; waits for these steps.
            histograms_every_epochs: histograms of all trainable parameters after so many epochs.
            gradients: histograms of their gradients on the last batch, too.
        """
        require_counts(every_steps=every_steps, histograms_every_epochs=histograms_every_epochs)
        self.folder, self.every_steps = Path(folder), every_steps
        self.histograms_every_epochs, self.gradients = histograms_every_epochs, gradients
        require_library()
        self._files: dict[str, EventFile] = {}
        self._begun = 0

    def on_train_begin(self, fit: Fit) -> None:
        """What an interrupted training wrote after the step of its checkpoint is not shown."""
        self._begun = fit.step
        self._files = {}

    def _run(self, name: str) -> EventFile:
        if name not in self._files:
            self._files[name] = EventFile(self.folder / name, self._begun)
        return self._files[name]

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        if self.every_steps is not None and fit.step % self.every_steps == 0:
            self._run("train").add_scalar("step/loss", float(results["loss"]), fit.step)

    def on_epoch_recorded(self, fit: Fit) -> None:
        for name, value in fit.history.last().items():
            base = name.removeprefix("val_")
            if value == value:
                run = self._run("train" if base == name else "validation")
                run.add_scalar(base, value, fit.step)
        every = self.histograms_every_epochs
        if every is not None and fit.epoch % every == 0:
            self._add_histograms(fit)
        self._flush()

    def _add_histograms(self, fit: Fit) -> None:
        for kind, arrays in watched(fit, self.gradients).items():
            for name, array in arrays.items():
                finite = np.asarray(array, np.float64)[np.isfinite(array)]
                if finite.size:
                    self._run("train").add_histogram(f"{kind}/{name}", finite, fit.step)

    def on_train_end(self, fit: Fit) -> None:
        self._flush()
        self._files = {}

    def _flush(self) -> None:
        for file in self._files.values():
            file.flush()
