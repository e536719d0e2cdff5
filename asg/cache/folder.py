"""Where asg keeps what it could make or fetch again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from asg.config import settings


def cache_folder() -> Path:
    """$ASG_CACHE, or asg's folder among the caches of the platform."""
    if given := os.environ.get("ASG_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"), "asg")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "asg"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "asg")


def compile_cache_folder() -> Path | None:
    """Where compiled things are kept: the setting ``compile_cache``; None when it is off.

    As long as the setting is "auto" it is $ASG_COMPILE_CACHE ("off", or a folder), and without
    that the folder "compiled" in `cache_folder`.
    """
    wanted = settings.compile_cache
    if wanted == "auto":
        wanted = os.environ.get("ASG_COMPILE_CACHE") or "auto"
    if wanted == "off":
        return None
    return cache_folder() / "compiled" if wanted == "auto" else Path(wanted)


def xla_cache_folder() -> Path | None:
    """Where JAX keeps programs, if the setting ``xla_cache`` is on."""
    folder = compile_cache_folder()
    return None if folder is None else folder / "xla"
