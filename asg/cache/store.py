"""Entries on disk: found by key, checked when read, written atomically, the oldest removed first.

An entry is a file that begins with a line of its own checksum. Any number of processes may read
and write: a file appears whole or not at all, and equal keys mean equal contents. What cannot be
read is as good as missing, and what cannot be written is left out, both with a line in the log.
"""

from __future__ import annotations

import os
import time
from functools import cache
from hashlib import sha256
from pathlib import Path

from asg.cache.folder import compile_cache_folder, xla_cache_folder
from asg.config import settings
from asg.core.errors import FileError
from asg.core.log import debug, warning

_LOGGER = "asg.cache"
SUFFIX = ".entry"
_SUFFIXES = (SUFFIX, "-cache", "-atime")
"""Those of JAX's persistent cache included, which has a folder of its own."""

_HEADER = b"asg cache 1 "
_HEADER_BYTES = len(_HEADER) + 64 + 1
ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to a writer that was killed."""


def read_entry(key: str) -> bytes | None:
    """The content stored under ``key``; None when there is none, or it is damaged."""
    path = _path_of(key)
    if path is None:
        return None
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        _tell_once(f"cannot read the cache: {error}")
        return None
    content = raw[_HEADER_BYTES:]
    if raw[:_HEADER_BYTES] != _header(content):
        report_damage(key, "its checksum is another one")
        return None
    _touch(path)
    return content


def report_damage(key: str, reason: str) -> None:
    """Tell that an entry is of no use; the next `write_entry` replaces it."""
    warning(_LOGGER, "entry %s of the cache is damaged (%s) and is made anew", key[:16], reason)


def write_entry(key: str, content: bytes) -> None:
    """Store ``content`` under ``key``, then remove the oldest entries beyond the limit."""
    path = _path_of(key)
    if path is None or len(content) > settings.compile_cache_bytes:
        return
    from asg.io.atomic import make_folder, write_bytes  # when there is something to write

    try:
        make_folder(path.parent)
        write_bytes(path, _header(content) + content)
    except FileError as error:
        reason = getattr(error.__cause__, "strerror", None) or error
        _tell_once(f"nothing is kept in {path.parent} ({reason})")
        return
    remove_oldest(path.parent, settings.compile_cache_bytes)


@cache
def _tell_once(message: str) -> None:
    """What is wrong with a folder is wrong at every compilation."""
    warning(_LOGGER, "%s; asg.configure(compile_cache=...) takes another folder, or 'off'", message)


def remove_oldest(folder: Path, limit: int) -> None:
    """Remove the entries that were not used for longest until ``limit`` bytes are left."""
    found = sorted(_entries(folder))
    total = sum(size for _, size, _ in found)
    for _, size, path in found:
        if total <= limit:
            return
        _remove(path)
        total -= size


def clear_cache() -> int:
    """Remove everything that compiling has left on disk; how many files there were.

    Programs that run go on: an entry that is missing is made again. Files that asg did not write
    stay.

    >>> import asg, tempfile
    >>> with tempfile.TemporaryDirectory() as folder, asg.configure(compile_cache=folder):
    ...     write_entry("0" * 64, b"anything")
    ...     clear_cache(), read_entry("0" * 64)
    (1, None)
    """
    found = _all_entries()
    for _, _, path in found:
        _remove(path)
    return len(found)


def contents() -> tuple[int, int]:
    """How many entries there are, and their bytes together."""
    sizes = [size for _, size, _ in _all_entries()]
    return len(sizes), sum(sizes)


def _all_entries() -> list[tuple[float, int, Path]]:
    folders = compile_cache_folder(), xla_cache_folder()
    return [each for folder in folders if folder is not None for each in _entries(folder)]


def _path_of(key: str) -> Path | None:
    folder = compile_cache_folder()
    return None if folder is None else folder / f"{key}{SUFFIX}"


def _header(content: bytes) -> bytes:
    return _HEADER + sha256(content).hexdigest().encode() + b"\n"


def _touch(path: Path) -> None:
    """Note that the entry was of use; a folder that may only be read keeps its order."""
    try:
        os.utime(path)
    except OSError:
        debug(_LOGGER, "cannot touch %s", path)


def _entries(folder: Path) -> list[tuple[float, int, Path]]:
    """Last use, bytes and path of every entry; what killed writers left behind goes at once."""
    found: list[tuple[float, int, Path]] = []
    if not folder.is_dir():
        return found
    for entry in os.scandir(folder):
        try:
            facts = entry.stat()
        except FileNotFoundError:
            continue  # another process has removed it
        if entry.name.endswith(_SUFFIXES):
            found.append((facts.st_mtime, facts.st_size, Path(entry.path)))
        elif f"{SUFFIX}." in entry.name and facts.st_mtime < time.time() - ABANDONED:
            _remove(Path(entry.path))
    return found


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _tell_once(f"cannot remove entries of {path.parent}: {error.strerror}")
