"""Where the files of a data set are: folders, archives in them, and, when asked for, the net."""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from asg.cache.folder import cache_folder
from asg.core.errors import FileError, MissingLibrary

DAMAGED = (OSError, EOFError, zlib.error, tarfile.TarError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Remote:
    """A file that can be downloaded: alone, or an archive that holds wanted files.

    Attributes:
        url: its address.
        digest: its checksum as its publisher or a well-known library states it, "sha256:..." or
            "md5:...".
    """

    url: str
    digest: str

    @property
    def file(self) -> str:
        """Its name in the folder."""
        return PurePosixPath(self.url).name


def folders(name: str, root: Any = None) -> list[Path]:
    """Where the files of a data set may lie; the last is where they should.

    The folder of the set's name in ``root``, and ``root`` itself; without ``root``, the folder of
    the set's name in $ASG_DATA or, without that, in `cache_folder`.
    """
    if root is not None:
        return [Path(root, name), Path(root)]
    if given := os.environ.get("ASG_DATA"):
        return [Path(given, name)]
    return [cache_folder() / "data" / name]


def read_files(
    name: str,
    wanted: Sequence[str],
    remotes: Sequence[Remote] = (),
    root: Any = None,
    download: bool = False,
    inner: str = "",
) -> dict[str, bytes]:
    """The contents of files, uncompressed, by the wanted names.

    A file may lie in one of the `folders`, or in the folder ``inner`` of one that comes from
    unpacking the archive, plain or with ``.gz`` added, or in an archive named as one of
    ``remotes``, which is read without unpacking it.

    Raises:
        FileError: files are missing: names them all, and says what to do; a file is damaged; a
            download failed.
        MissingLibrary: a download needs pooch.
    """
    outer = folders(name, root)
    places = [place for each in outer for place in (each, each / inner)] if inner else outer
    found = _find(wanted, places, remotes)
    if len(found) < len(wanted) and download and remotes:
        _fetch(name, remotes, outer[-1], [each for each in wanted if each not in found])
        found = _find(wanted, places, remotes)
    missing = [file for file in wanted if file not in found]
    if missing:
        asking = f", or let them be downloaded: load({name!r}, download=True)" if remotes else ""
        raise FileError(
            f"data set {name!r} needs {', '.join(missing)}\n"
            f"  repair: put the files (or {_archives(remotes)}) into {outer[-1]}, or say "
            f"where they are: root=... or $ASG_DATA (which holds a folder {name!r}){asking}"
        )
    return found


def _archives(remotes: Sequence[Remote]) -> str:
    packed = [each.file for each in remotes if is_archive(each.file)]
    return " or ".join(packed) or "the same with .gz added"


def is_archive(file: str) -> bool:
    """Whether a file of this name holds others."""
    return file.endswith((".zip", ".tar.gz", ".tgz", ".tar"))


def _find(
    wanted: Sequence[str], places: Sequence[Path], remotes: Sequence[Remote]
) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for file in wanted:
        path = _located(file, places)
        if path is not None:
            found[file] = _read(path)
    for remote in remotes:
        missing = [file for file in wanted if file not in found]
        archive = _located(remote.file, places) if is_archive(remote.file) else None
        if missing and archive is not None:
            found |= _members(archive, missing)
    return found


def _located(file: str, places: Sequence[Path]) -> Path | None:
    for place in places:
        for candidate in (place / file, place / f"{file}.gz"):
            if candidate.is_file():
                return candidate
    return None


def _read(path: Path) -> bytes:
    try:
        return plain(path.name, path.read_bytes())
    except DAMAGED as error:
        raise FileError(f"{path} cannot be read: {error}") from None


def plain(file: str, content: bytes) -> bytes:
    """The content, uncompressed if the name ends in .gz."""
    return gzip.decompress(content) if file.endswith(".gz") else content


def _members(archive: Path, wanted: Sequence[str]) -> dict[str, bytes]:
    """Those of the wanted files that an archive holds, whatever folder of it they are in."""
    reader = _zip_members if archive.name.endswith(".zip") else _tar_members
    found: dict[str, bytes] = {}
    try:
        for file, read in reader(archive):
            base = PurePosixPath(file).name
            for name in (base, base.removesuffix(".gz")):
                if name in wanted and name not in found:
                    found[name] = read() if name == base else gzip.decompress(read())
    except DAMAGED as error:
        raise FileError(f"{archive} cannot be read: {error}") from None
    return found


def _zip_members(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(archive) as opened:
        for file in opened.namelist():
            yield file, lambda file=file: opened.read(file)  # type: ignore[misc]


def _tar_members(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            stream = opened.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read


def _fetch(name: str, remotes: Sequence[Remote], folder: Path, missing: Sequence[str]) -> None:
    try:
        import pooch
    except ImportError:
        raise MissingLibrary(
            f"downloading data set {name!r} needs pooch: pip install 'asg-compiler[data]'"
        ) from None
    for remote in remotes:
        if is_archive(remote.file) or remote.file.removesuffix(".gz") in missing:
            try:
                pooch.retrieve(remote.url, remote.digest, remote.file, folder)
            except Exception as error:  # of many libraries below it
                raise FileError(
                    f"{remote.url} could not be downloaded: {error}\n"
                    f"  repair: get it by other means and put it into {folder}"
                ) from error
