"""Writes that either happen wholly or not at all, and survive a crash of the machine.

The content goes to a temporary file in the same folder, reaches the disk (fsync), takes the name
of the target in one step (rename), and the folder reaches the disk too. A reader, or the next
start after a power cut, sees the old file or the new one, never half of one.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asg.core.errors import FileError


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives the path of a temporary file; what is written there becomes ``path`` at the end.

    An exception inside leaves ``path`` as it was. A symbolic link is followed, not replaced.

    Raises:
        FileError: the system refuses; one line with its reason.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.touch(0o666, exist_ok=False)  # less what the umask takes away
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # some libraries make private files of their own
        _flush(temporary)
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except OSError as error:
        raise FileError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporary_files(path: str | os.PathLike[str]) -> None:
    """Remove what processes that were killed while they were `replacing` ``path`` left beside it.

    For whoever alone writes ``path``: another writer's temporary file would go as well.
    """
    target = Path(os.path.realpath(path))
    pattern = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{8}\.tmp")
    if target.parent.is_dir():
        for entry in target.parent.iterdir():
            if pattern.fullmatch(entry.name):
                entry.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """``text`` as UTF-8 with ``\\n`` line ends, atomically.

    Raises:
        FileError: the system refuses.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """``content``, atomically.

    Raises:
        FileError: the system refuses.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def append_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """``content`` at the end of a file, new or old; on disk when this returns.

    A file that cannot take all of it is cut back to what it was.

    Raises:
        FileError: the system refuses.
    """
    new = not os.path.exists(path)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            _append(descriptor, content)
        finally:
            os.close(descriptor)
    except OSError as error:
        if new:
            Path(path).unlink(missing_ok=True)
        raise FileError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error


def _append(descriptor: int, content: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


def make_folder(path: str | os.PathLike[str]) -> None:
    """A folder, with those above it; one that is there stays.

    Raises:
        FileError: the system refuses.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make {os.fspath(path)}: {error.strerror or error}") from error


def _flush(path: Path) -> None:
    with open(path, "r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows opens no folders; its rename is in the journal
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Gives a temporary folder beside ``path``; what is written there becomes ``path`` at the end.

    A folder that is there already moves away just before: a reader sees the old one, for a moment
    none, then the new one. What an interrupted process leaves behind begins with `LEFTOVER`, see
    `remove_leftovers`.

    Raises:
        FileError: the system refuses; one line with its reason.
    """
    target = Path(path)
    temporary = target.with_name(f"{LEFTOVER}{target.name}.{secrets.token_hex(4)}")
    try:
        temporary.mkdir()
        yield temporary
        for file in temporary.iterdir():
            _flush(file)
        _flush_folder(temporary)
        if target.exists():
            remove_folder(target)
        os.replace(temporary, target)
        _flush_folder(target.parent)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot write {os.fspath(path)}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


LEFTOVER = ".unfinished-"


def remove_folder(path: str | os.PathLike[str]) -> None:
    """Remove a folder that readers may be looking for: it disappears in one step.

    Raises:
        FileError: the system refuses.
    """
    target = Path(path)
    doomed = target.with_name(f"{LEFTOVER}{target.name}.{secrets.token_hex(4)}")
    try:
        os.replace(target, doomed)
        shutil.rmtree(doomed)
    except OSError as error:
        raise FileError(f"cannot remove {target}: {error.strerror or error}") from error


def remove_leftovers(folder: str | os.PathLike[str]) -> list[str]:
    """Remove what interrupted writes and removals left in a folder; their names."""
    found = sorted(Path(folder).glob(f"{LEFTOVER}*"))
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return [path.name for path in found]
