"""Disks that are full: every way in which the system may refuse to take a file."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

REFUSALS = ("write", "fsync", "rename")
# What the system says: of a limit on the size of files, which libraries in C meet as well, and of
# a disk without space.
REASONS = ("File too large", "No space left on device")


@contextmanager
def full_disk(refusal: str, largest: int = 20) -> Iterator[None]:
    """Inside, files cannot grow over ``largest`` bytes, or reach the disk, or get their names."""
    if refusal == "write":
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync" if refusal == "fsync" else "replace", refuse)
        yield
