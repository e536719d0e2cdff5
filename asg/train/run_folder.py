"""The folder of one run, and everything that is written into it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from asg.core.errors import ConfigError, FileError
from asg.core.graph import Graph
from asg.io import save_arrays, write_text
from asg.io.atomic import remove_temporary_files
from asg.train.callbacks.json_lines import append_line, as_line
from asg.train.config import TrainConfig, as_values, configured
from asg.train.config_file import config_text, read_values
from asg.train.curves import curves_svg
from asg.train.epoch import Epoch
from asg.train.trainer import Training

CONFIG, HISTORY, CURVES = "config.yaml", "history.jsonl", "curves.svg"
MODEL, STEP, CHECKPOINTS = "model.safetensors", "step.svg", "checkpoints"


def create_run_folder(parent: str | os.PathLike[str], name: str) -> Path:
    """A new folder ``parent/name-0001``, or the number after the largest there is.

    Making the folder is what claims the number, so runs that start at once get different ones.

    Raises:
        FileError: the system refuses.
    """
    folder = Path(parent)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max(_numbers(folder, name), default=0)
        while True:
            made = folder / f"{name}-{number:04d}"
            try:
                made.mkdir()
            except FileExistsError:
                number += 1
            else:
                return made
    except OSError as error:
        raise FileError(f"cannot make a folder in {folder}: {error.strerror or error}") from error


def _numbers(folder: Path, name: str) -> list[int]:
    pattern = re.compile(re.escape(name) + r"-(\d+)")
    matches = (pattern.fullmatch(entry.name) for entry in folder.iterdir())
    return [int(match[1]) for match in matches if match]


class RunFolder:
    """Writes the files of a run; each is whole and durable once its method returns.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        """The folder is there."""
        self.path = path

    def write_config(self, config: TrainConfig) -> None:
        """The resolved configuration, which repeats the run."""
        write_text(self.path / CONFIG, config_text(as_values(config)))

    def append_epoch(self, epoch: Epoch) -> None:
        """One line of JSON, on disk before the next epoch begins.

        Raises:
            FileError: the system refuses.
        """
        append_line(self.path / HISTORY, epoch.facts())

    def remove_leftovers(self) -> None:
        """Remove what a run that was killed while it wrote left beside its files."""
        for name in (CONFIG, HISTORY, CURVES, MODEL, STEP):
            remove_temporary_files(self.path / name)

    def read_config(self) -> TrainConfig:
        """The configuration of the run.

        Raises:
            ConfigError: there is none, or it is not one.
        """
        path = self.path / CONFIG
        if not path.is_file():
            raise ConfigError(f"{self.path} is no folder of a run: it has no {CONFIG}")
        return configured(read_values(path), str(path))

    def read_model(self, training: Training) -> None:
        """Take the parameters of the run.

        Raises:
            ConfigError: there are none: the run has not come so far.
            FileError: they are damaged, or of another network.
        """
        path = self.path / MODEL
        if not path.is_file():
            raise ConfigError(f"{self.path} has no {MODEL}: the run ended before there was one")
        training.model.load(path)

    def read_history(self) -> list[Epoch]:
        """The epochs that are written; a line that a crash has cut off is none.

        Raises:
            FileError: a line is damaged, or the system refuses.
        """
        path = self.path / HISTORY
        if not path.is_file():
            return []
        try:
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            return [Epoch.of(json.loads(line)) for line in lines if line.endswith("\n")]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise FileError(f"{path} is damaged: {error}") from None

    def write_history(self, epochs: Sequence[Epoch]) -> None:
        """The history anew, with these epochs alone: a resumed run goes on behind them."""
        write_text(self.path / HISTORY, "".join(as_line(epoch.facts()) for epoch in epochs))

    def write_step(self, graph: Graph) -> None:
        """The picture of the training step.

        Raises:
            MissingLibrary: nothing that can lay a graph out is installed.
        """
        graph.render(self.path / STEP)

    def write_model(self, training: Training) -> None:
        """Parameters and statistics as they are."""
        save_arrays(self.path / MODEL, training.parameters(), _facts(training))

    def write_curves(self, training: Training) -> None:
        """Loss and metrics of the finished epochs; at least one."""
        title = f"Training on {training.task.train.name}"
        write_text(self.path / CURVES, curves_svg(training.history, title))

    @property
    def written(self) -> list[str]:
        """The names of the files there are, sorted; leftovers of failed writes do not count."""
        return sorted(entry.name for entry in self.path.iterdir() if not entry.name.startswith("."))


def _facts(training: Training) -> Mapping[str, str]:
    """What the header of the parameters tells; ``format`` is what PyTorch's readers look for."""
    facts: dict[str, Any] = {"format": "pt", "producer": "asg", "epochs": len(training.history)}
    if training.history:
        facts |= {f"test_{name}": value for name, value in training.history[-1].test.items()}
    return {key: str(value) for key, value in facts.items()}
