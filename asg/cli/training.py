"""One training of ``asg train``: from the first line to the last file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from asg.cli import report
from asg.cli.errors import one_line
from asg.cli.interrupt import BetweenSteps, between_steps
from asg.cli.options import Given, merged
from asg.core.errors import (
    AsgError,
    ConfigError,
    Diverged,
    FileError,
    MissingLibrary,
    UnfitData,
)
from asg.train.callback import Callback
from asg.train.callbacks import SaveCheckpoints
from asg.train.config import TrainConfig, spelled_out
from asg.train.config_file import read_values
from asg.train.datasets import DATASET
from asg.train.epoch import Epoch
from asg.train.loop import Fit
from asg.train.run_folder import CHECKPOINTS, CONFIG, STEP, RunFolder, create_run_folder
from asg.train.trainer import Training

DONE, FAILED, INTERRUPTED = 0, 1, 130
KEPT_CHECKPOINTS = 2


def configuration_values(given: Given) -> tuple[str, dict[str, Any], dict[str, str]]:
    """Where the settings are from, their nested values, and what the user wrote for them."""
    try:
        values = read_values(given.config) if given.config else {}
    except FileError as error:
        raise ConfigError(f"--config: {error}") from None
    spelled, labels = spelled_out(values, given.config)
    return given.config or "defaults", merged(spelled, given.settings), {**labels, **given.labels}


@dataclass(frozen=True)
class Outcome:
    """What became of a training.

    Attributes:
        code: the exit code.
        history: the epochs that are done.
        folder: of the run.
        error: what went wrong, or "".
    """

    code: int
    history: list[Epoch]
    folder: RunFolder
    error: str


def train(config: TrainConfig, title: Sequence[str], out: str = "") -> Outcome:
    """A new run, from the first line to the last file.

    Args:
        config: what to train.
        title: the first lines.
        out: the folder that gets the folder of the run, unless the configuration's.
    """
    start = perf_counter()
    say(title)
    training = Training(config)
    training.compile()
    say(report.summary_lines(training))
    folder = _new_folder(config, out or config.out)
    return trained(training, folder, start)


def say(lines: Sequence[str]) -> None:
    """These lines, at once."""
    for line in lines:
        report.say(line)


def _new_folder(config: TrainConfig, out: str) -> RunFolder:
    try:
        path = create_run_folder(out, DATASET.chosen(config.dataset))
        try:
            RunFolder(path).write_config(config)
        except FileError:
            path.rmdir()  # a run without its configuration is none
            raise
    except FileError as error:
        raise ConfigError(f"--out: {error}") from None
    return RunFolder(path)


class _Keeper(Callback):
    """Moves the bar, saves a checkpoint at the end and at Ctrl-C, and then leaves."""

    last = True  # behind the saver: a step is not saved twice

    def __init__(
        self, saver: SaveCheckpoints, advance: Callable[[int, int], None], check: Callable[[], None]
    ) -> None:
        self._saver, self._advance, self._check = saver, advance, check

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        self._advance(fit.epoch, fit.batch)
        if fit.batch < fit.steps_per_epoch:  # else validation is to come first
            self._leave_if_asked(fit)

    def on_epoch_recorded(self, fit: Fit) -> None:
        if fit.epoch == fit.epochs or fit.stopped:
            self._save(fit)
        self._leave_if_asked(fit)

    def _leave_if_asked(self, fit: Fit) -> None:
        try:
            self._check()
        except KeyboardInterrupt:
            self._save(fit)
            raise

    def _save(self, fit: Fit) -> None:
        if not (self._saver.checkpoints.path / f"step-{fit.step:08d}").exists():
            self._saver.save(fit)


@dataclass(frozen=True)
class _Ending:
    """How a training ended: the exit code, the error, and whether the parameters are whole."""

    code: int
    error: str = ""
    whole: bool = True


def trained(
    training: Training, folder: RunFolder, start: float, resume: Path | None = None,
    history: Sequence[Epoch] = (),
) -> Outcome:  # fmt: skip
    """Train to the end, or as far as Ctrl-C or an error leave; write and tell the results."""
    ending = _train(training, folder, resume, history)
    failures, notes = _write_results(training, folder, ending.whole)
    code = ending.code or (FAILED if failures else DONE)
    errors = "; ".join(dict.fromkeys([*filter(None, [ending.error]), *failures]))
    if code == FAILED:
        print(f"error: {errors}", file=sys.stderr)
    epochs, why = training.config.training.epochs, training.stop_reason
    say(report.result_lines(training.history, epochs, perf_counter() - start, why))
    say([report.files_line(folder.path, folder.written), *notes])
    if code == DONE:
        report.say(report.again_line(folder.path / CONFIG))
    elif code == INTERRUPTED and (folder.path / CHECKPOINTS).is_dir():
        report.say(report.onward_line(folder.path))
    return Outcome(code, training.history, folder, errors)


def _train(
    training: Training, folder: RunFolder, resume: Path | None, history: Sequence[Epoch]
) -> _Ending:
    plan = training.config.training
    saver = SaveCheckpoints(
        folder.path / CHECKPOINTS, plan.checkpoint_every or None, keep=KEPT_CHECKPOINTS
    )
    try:
        with (
            between_steps() as check,
            report.progress(plan.epochs, len(training.batches)) as (show, advance),
        ):

            def after_epoch(epoch: Epoch) -> None:
                folder.append_epoch(epoch)
                show(report.epoch_line(epoch, plan.epochs))

            callbacks: list[Callback] = [saver, _Keeper(saver, advance, check)]
            if resume is not None:
                callbacks.append(_Continue(training, folder))
            training.run(after_epoch, callbacks, resume, history)
    except KeyboardInterrupt as stop:
        number = len(training.history) + 1
        print(f"interrupted in epoch {min(number, plan.epochs)}", file=sys.stderr)
        return _Ending(INTERRUPTED, "interrupted", isinstance(stop, BetweenSteps))
    except AsgError as error:
        return _Ending(FAILED, _advised(error, training), not isinstance(error, Diverged))
    return _Ending(DONE)


def _advised(error: AsgError, training: Training) -> str:
    if not isinstance(error, Diverged) or isinstance(error, UnfitData):
        return one_line(error)
    rate = training.config.optimizer.model_dump()["lr"]
    what = str(error).splitlines()[0]
    return f"{what}; train with an optimizer.lr smaller than {rate:g}, or training.clip_norm"


class _Continue(Callback):
    """Cuts the files of a run that is resumed off behind the checkpoint."""

    def __init__(self, training: Training, folder: RunFolder) -> None:
        self._training, self._folder = training, folder

    def on_train_begin(self, fit: Fit) -> None:
        self._folder.remove_leftovers()
        self._folder.write_history(self._training.history)
        self._folder.write_config(self._training.config)


def _write_results(
    training: Training, folder: RunFolder, whole: bool
) -> tuple[list[str], list[str]]:
    """Everything but the history, which is written along the way; as much of it as can be.

    Returns:
        What could not be written, and what else is to be told.
    """
    writes: list[Callable[[], None]] = [lambda: folder.write_step(training.plain_step())]
    if training.history:
        writes.insert(0, lambda: folder.write_curves(training))
    if whole:
        writes.insert(0, lambda: folder.write_model(training))
    failures, notes = [], []
    for write in writes:
        try:
            write()
        except FileError as error:
            failures.append(one_line(error))
        except MissingLibrary as error:
            notes.append(f"{STEP} is not drawn: {one_line(error)}")
    return failures, notes
