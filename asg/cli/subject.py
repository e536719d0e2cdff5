"""What a command is about: the folder of a run, or the file of a configuration."""

from __future__ import annotations

from pathlib import Path

from asg.core.errors import ConfigError, FileError
from asg.train.config import TrainConfig, configured
from asg.train.config_file import read_values
from asg.train.run_folder import RunFolder
from asg.train.trainer import Training


def config_of(path: str) -> tuple[TrainConfig, RunFolder | None]:
    """The configuration, and the run when the path is the folder of one.

    Raises:
        ConfigError: it is neither.
    """
    if Path(path).is_dir():
        folder = RunFolder(Path(path))
        return folder.read_config(), folder
    try:
        return configured(read_values(path), path), None
    except FileError as error:
        raise ConfigError(str(error)) from None


def trained(path: str, backend: str = "") -> Training:
    """The training of a run with the weights it ended with.

    Raises:
        ConfigError: the path is not the folder of a run that has weights.
    """
    folder = RunFolder(Path(path))
    if not folder.path.is_dir():
        raise ConfigError(f"no folder {path}")
    training = Training(folder.read_config(), backend)
    folder.read_model(training)
    return training
