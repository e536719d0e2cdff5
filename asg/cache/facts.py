"""What an entry was made by and for: the sources of asg, the libraries, and the machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np


@cache
def sources() -> str | None:
    """Name, size and time of change of every source file of asg and its backends.

    A rule that is edited thus makes older entries unreachable, without a number to be raised. None
    where the files are not in folders, but in an archive, say.
    """
    folders = [*sys.modules["asg"].__path__, *sys.modules["asg.backends"].__path__]
    try:
        return "\n".join(line for folder in folders for line in sorted(_files(folder)))
    except OSError:
        return None


def is_in_sources(what: Any) -> bool:
    """Whether `sources` covers a class or a function: it is of asg, and of no plug-in."""
    return str(what.__module__).startswith("asg.")


def _files(folder: str) -> Iterator[str]:
    pending = [folder]
    while pending:
        for entry in os.scandir(pending.pop()):
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif entry.name.endswith(".py"):
                found = entry.stat()
                yield f"{os.path.relpath(entry.path, folder)} {found.st_size} {found.st_mtime_ns}"


@cache
def software() -> str:
    """The versions of Python, NumPy and asg."""
    ours = sys.modules["asg"].__version__
    return f"python {platform.python_version()}, numpy {np.__version__}, asg {ours}"


@cache
def machine() -> str:
    """The processor by name, where the system tells it, and what kind it is."""
    return f"{_processor()}, {sys.platform} {platform.machine()}"


def _processor() -> str:
    """Its name as Linux has it; elsewhere `platform` knows one."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "")
