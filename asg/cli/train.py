"""``asg train``: options and file to a configuration, the training, its files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from time import perf_counter

from asg.cli import report
from asg.cli.interrupt import between_steps
from asg.cli.options import merged, parse_options
from asg.core.errors import AsgError, ConfigError, FileError, MissingLibrary
from asg.train.config import TrainConfig, validated
from asg.train.config_file import read_values
from asg.train.run_folder import CONFIG, STEP, RunFolder, create_run_folder
from asg.train.trainer import Training

DESCRIPTION = "Train a classifier; write its weights, its curves and a picture of its graph."


def run(arguments: Sequence[str]) -> int:
    """Train as the options say; 0 when all epochs were done, 130 after Ctrl-C, 1 after an error.

    Raises:
        ConfigError: an option or the file is wrong.
        MissingLibrary: the data set or the backend is not installed.
    """
    start = perf_counter()
    file, options = parse_options(arguments, TrainConfig, "asg train", DESCRIPTION)
    config = _configuration(file, options)
    _say(report.title_lines(config, file, options))
    training = Training(config)
    _say(report.summary_lines(training))
    folder = _new_folder(config)
    code = _train(training, folder)
    notes = _write_results(training, folder)
    _say(report.result_lines(training.history, config.epochs, perf_counter() - start))
    _say([report.files_line(folder.path, folder.written), *notes])
    if code == 0:
        report.say(report.again_line(folder.path / CONFIG))
    return code


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        report.say(line)


def _configuration(file: str | None, options: dict[str, object]) -> TrainConfig:
    try:
        values = {} if file is None else read_values(file)
    except FileError as error:
        raise ConfigError(f"--config: {error}") from None
    return validated(merged(values, options), file or "", options)


def _new_folder(config: TrainConfig) -> RunFolder:
    try:
        folder = RunFolder(create_run_folder(config.out, config.dataset))
        folder.write_config(config)
    except FileError as error:
        raise ConfigError(f"--out: {error}") from None
    return folder


def _train(training: Training, folder: RunFolder) -> int:
    """All epochs, or as many as Ctrl-C or an error leave; the exit code."""
    epochs, batches = training.config.epochs, len(training.batches)
    try:
        with between_steps() as check, report.progress(epochs, batches) as (show, advance):

            def after_batch(number: int) -> None:
                advance(len(training.history) + 1, number)
                check()

            for epoch in training.epochs(after_batch):
                folder.append_epoch(epoch)
                show(report.epoch_line(epoch, epochs))
    except KeyboardInterrupt:
        print(f"interrupted in epoch {len(training.history) + 1}", file=sys.stderr)
        return 130
    except AsgError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _write_results(training: Training, folder: RunFolder) -> list[str]:
    """Everything but the history, which is written along the way; returns what is to be told."""
    if not training.diverged:
        folder.write_model(training)
    if training.history:
        folder.write_curves(training)
    try:
        folder.write_step(training.graph)
    except MissingLibrary as error:
        return [f"{STEP} is not drawn: {error}"]
    return []
