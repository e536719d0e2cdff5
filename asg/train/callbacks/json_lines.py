"""Files of JSON objects, one a line: appended while training, cut back when it is resumed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asg.core.errors import FileError
from asg.io import write_text
from asg.io.atomic import append_bytes, remove_temporary_files


def as_line(facts: Mapping[str, Any]) -> str:
    """The JSON object and the end of its line.

    >>> as_line({"step": 3})
    '{"step": 3}\\n'
    """
    return json.dumps(facts, allow_nan=False) + "\n"


def append_line(path: Path, facts: Mapping[str, Any]) -> None:
    """One more line, on disk when this returns.

    Raises:
        FileError: the system refuses.
    """
    append_bytes(path, as_line(facts).encode())


def cut_after(path: Path, step: int) -> None:
    """Leave the lines up to a training step; later ones, and what a crash left, go.

    Raises:
        FileError: the file cannot be read, or written anew.
    """
    remove_temporary_files(path)
    if not path.exists():
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read {path}: {error}") from error
    kept = []
    for line in lines:
        if _step_of(line) > step:
            break
        kept.append(f"{line}\n")
    write_text(path, "".join(kept))


def _step_of(line: str) -> float:
    """The step a line tells of; infinity when it is none of ours."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return float("inf")
