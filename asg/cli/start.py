"""What ``asg train`` starts: a new run, a run that goes on, or a sweep of runs."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from asg.cli import report
from asg.cli.options import Given, merged
from asg.cli.sweep import run_sweep
from asg.cli.training import configuration_values, say, train, trained
from asg.core.errors import ConfigError
from asg.train.config import as_values, validated
from asg.train.run_folder import CHECKPOINTS, CONFIG, RunFolder
from asg.train.trainer import Training

# What may change when a run goes on: everything else decides what its steps compute.
CHANGEABLE = ("training.epochs", "training.early_stopping", "training.checkpoint_every")


def start(given: Given) -> int:
    """Train as the options say; the exit code of `asg.cli.train.run`.

    Raises:
        ConfigError: an option or the file is wrong.
        MissingLibrary: the data set or the backend is not installed.
    """
    if given.sweep:
        return run_sweep(given)
    if given.resume:
        return _resumed(given)
    origin, values, labels = configuration_values(given)
    config = validated(values, given.config, labels)
    return train(config, report.title_lines(config, origin, given.told)).code


def _resumed(given: Given) -> int:
    """Go on with a run from its last checkpoint."""
    start = perf_counter()
    if given.config:
        raise ConfigError("--config: a resumed run has its own configuration; leave it out")
    fixed = [given.labels[key] for key in given.settings if key not in CHANGEABLE]
    if fixed:
        allowed = ", ".join(f"--{key.rpartition('.')[2].replace('_', '-')}" for key in CHANGEABLE)
        raise ConfigError(f"{fixed[0]}: a resumed run may change {allowed} only")
    folder = RunFolder(Path(given.resume))
    values = merged(as_values(folder.read_config()), given.settings)
    config = validated(values, "", given.labels)
    history = folder.read_history()
    if not (folder.path / CHECKPOINTS).is_dir():
        raise ConfigError(f"{folder.path} has no checkpoint to go on from")
    if len(history) >= config.training.epochs:
        raise ConfigError(
            f"{folder.path} has all {config.training.epochs} epochs; --epochs N asks for more"
        )
    say(report.title_lines(config, str(folder.path / CONFIG), given.told))
    training = Training(config)
    training.compile()
    say(report.summary_lines(training))
    return trained(training, folder, start, folder.path / CHECKPOINTS, history).code
