"""Checkpoints: a folder with every array of a running step, and the facts that let it go on.

``step-00001200/`` holds ``arrays.safetensors`` (parameters, statistics, optimizer state, random
keys, by variable name) and ``checkpoint.json`` (format version, step, facts of the caller, size and
SHA-256 of every other file). A folder appears in one step with all its files on disk, or not at
all: a crash at any moment leaves the checkpoints before it as they were.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from asg.core.errors import FileError, OperandError
from asg.io.arrays import PathLike, load_arrays, save_arrays
from asg.io.atomic import make_folder, remove_folder, remove_leftovers, replacing_folder
from asg.io.manifest import Manifest

VERSION = 1
ARRAYS, FACTS = "arrays.safetensors", "checkpoint.json"
MANIFEST = Manifest(
    "asg checkpoint", VERSION, FACTS, "checkpoint", {"step": int, "facts": dict}, (ARRAYS,)
)
_NAME = re.compile(r"step-(\d{8,})")

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds.

    Attributes:
        path: its folder.
        step: training steps done.
        facts: what the caller stored: plain JSON values.
        arrays: by variable name; read from the file at `load`.
    """

    path: Path
    step: int
    facts: dict[str, Any]
    arrays: dict[str, Array] = field(repr=False)


def write_checkpoint(
    folder: PathLike, step: int, arrays: Mapping[str, Array], facts: Mapping[str, Any]
) -> Path:
    """The checkpoint ``folder/step-NNNNNNNN``, new or in place of an older one; then durable.

    Raises:
        FileError: the system refuses.
        OperandError: facts that JSON cannot hold.
    """
    parent = Path(folder)
    make_folder(parent)
    target = parent / f"step-{step:08d}"
    with replacing_folder(target) as temporary:
        save_arrays(temporary / ARRAYS, arrays)
        MANIFEST.write(temporary, [ARRAYS], {"step": step, "facts": dict(facts)})
    return target


def read_checkpoint(path: PathLike) -> Checkpoint:
    """The checkpoint in a folder, after its files were compared with their checksums.

    Raises:
        FileError: missing, damaged, or written by a newer version of asg.
    """
    folder = Path(path)
    described = MANIFEST.read_whole(folder)
    arrays = load_arrays(folder / ARRAYS)
    return Checkpoint(folder, described["step"], described["facts"], arrays)


def read_facts(folder: Path) -> dict[str, Any]:
    """The checked content of ``checkpoint.json``, without the arrays.

    Raises:
        FileError: as `read_checkpoint`.
    """
    return MANIFEST.read(folder)


class CheckpointFolder:
    """The checkpoints of one run: the last few, and the best by a metric.

    Attributes:
        path: the folder they are in.
        keep: how many of the newest stay.
        best_by: the key of a number in the facts; the checkpoint in which it is best stays too.
        larger_is_better: which end of that number is best.

    >>> checkpoints = CheckpointFolder("checkpoints", keep=2)
    >>> for step in (5, 10, 15):
    ...     path = checkpoints.save(step, {"w": np.ones(2)}, {"epoch": 1})
    >>> [each.name for each in checkpoints.all()], checkpoints.latest().step
    (['step-00000010', 'step-00000015'], 15)
    """

    def __init__(
        self, path: PathLike, keep: int = 3, best_by: str = "", larger_is_better: bool = False
    ) -> None:
        """Removes what an interrupted process left there."""
        if isinstance(keep, bool) or not isinstance(keep, int) or keep < 1:
            raise OperandError(f"keep={keep!r} must be a positive int")
        self.path, self.keep = Path(path), keep
        self.best_by, self.larger_is_better = best_by, larger_is_better
        if self.path.is_dir():
            remove_leftovers(self.path)

    def save(self, step: int, arrays: Mapping[str, Array], facts: Mapping[str, Any]) -> Path:
        """Write a checkpoint, then remove those that need not stay.

        Raises:
            FileError: the system refuses; checkpoints that are there stay.
        """
        path = write_checkpoint(self.path, step, arrays, facts)
        for old in self._superfluous():
            remove_folder(old)
        return path

    def all(self) -> list[Path]:
        """The folders, by step."""
        if not self.path.is_dir():
            return []
        named = [(int(m[1]), p) for p in self.path.iterdir() if (m := _NAME.fullmatch(p.name))]
        return [path for _, path in sorted(named)]

    def latest(self) -> Checkpoint:
        """The newest checkpoint.

        Raises:
            FileError: there is none, or it is damaged (which says where the one before it is).
        """
        found = self.all()
        if not found:
            raise FileError(f"there is no checkpoint in {self.path}")
        try:
            return read_checkpoint(found[-1])
        except FileError as error:
            if len(found) == 1:
                raise
            raise FileError(f"{error}\n  repair: resume from {found[-2]}") from error

    def best(self) -> Checkpoint | None:
        """The best by the metric, or None when none has it."""
        path = self._best_path()
        return None if path is None else read_checkpoint(path)

    def _best_path(self) -> Path | None:
        scored = [(score, path) for path in self.all() if (score := self._score(path)) is not None]
        if not scored:
            return None
        sign = 1.0 if self.larger_is_better else -1.0
        return max(scored, key=lambda pair: sign * pair[0])[1]

    def _score(self, path: Path) -> float | None:
        try:
            value = read_facts(path)["facts"].get(self.best_by)
        except FileError:
            return None
        return value if isinstance(value, int | float) and np.isfinite(value) else None

    def _superfluous(self) -> list[Path]:
        old = self.all()[: -self.keep]
        best = self._best_path() if self.best_by and old else None
        return [path for path in old if path != best]


def checkpoint_at(path: PathLike) -> Checkpoint:
    """The checkpoint in this folder, or the newest of the checkpoints in it.

    Raises:
        FileError: neither, or damaged.
    """
    folder = Path(path)
    if not os.path.isdir(folder):
        raise FileError(f"no folder {folder}")
    if (folder / FACTS).exists() or _NAME.fullmatch(folder.name):
        return read_checkpoint(folder)
    return CheckpointFolder(folder).latest()
