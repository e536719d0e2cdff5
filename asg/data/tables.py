"""Tables of numbers in text files, and archives of arrays."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from asg.core.errors import FileError, OperandError
from asg.data.dataset import Dataset


def read_csv(
    file: Any,
    columns: Sequence[str] | None = None,
    header: bool = True,
    delimiter: str = ",",
    dtype: Any = np.float64,
) -> Dataset:
    """Numeric columns of a text file, one array [rows] for each.

    Args:
        file: its path; UTF-8, fields may be quoted.
        columns: names of those to read, in this order (default: all; others may hold text).
        header: whether the first line holds the names; else they are "0", "1", ...
        delimiter: between the fields of a line.
        dtype: of all arrays.

    Raises:
        FileError: the file is missing, is no text, has no row; a line with another number of
            fields, a missing value or text where a number is needed, with the number of the line.
        OperandError: no column of this name.

    >>> _ = Path("t.csv").write_text("height,name,age\\n1.5,Ann,30\\n1.75,Bob,41\\n")
    >>> read_csv("t.csv", columns=("age", "height"))[1]
    {'age': array(41.), 'height': array(1.75)}
    """
    path = Path(file)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = _rows(path, csv.reader(stream, delimiter=delimiter))
            return _table(path, lines, columns, header, np.dtype(dtype))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path} cannot be read as a table: {error}") from None


def _rows(path: Path, reader: Any) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of all lines that are not blank, with equally many fields."""
    width = None
    for fields in reader:
        if not fields:
            continue
        if width not in (None, len(fields)):
            raise FileError(f"{path}:{reader.line_num}: {len(fields)} fields, expected {width}")
        width = len(fields)
        yield reader.line_num, [field.strip() for field in fields]


def _table(
    path: Path,
    lines: Iterator[tuple[int, list[str]]],
    columns: Sequence[str] | None,
    header: bool,
    dtype: np.dtype[Any],
) -> Dataset:
    rows = list(lines)
    if len(rows) <= header:
        raise FileError(f"{path} has no row")
    names = rows[0][1] if header else [str(i) for i in range(len(rows[0][1]))]
    if len(set(names)) != len(names):
        raise FileError(f"{path}:{rows[0][0]}: a name stands twice in {', '.join(names)}")
    chosen = list(names if columns is None else columns)
    unknown = [name for name in chosen if name not in names]
    if unknown or not chosen:
        raise OperandError(f"{path} has no {', '.join(unknown)}; columns: {', '.join(names)}")
    body = rows[1:] if header else rows
    arrays = {name: _column(path, body, name, names.index(name), dtype) for name in chosen}
    return Dataset(arrays, path.stem, str(path))


def _column(
    path: Path, rows: list[tuple[int, list[str]]], name: str, place: int, dtype: np.dtype[Any]
) -> Any:
    texts = [fields[place] for _, fields in rows]
    try:
        return np.array(texts).astype(dtype)
    except (ValueError, OverflowError):
        pass
    for line, fields in rows:  # now that something is wrong, where is it?
        text = fields[place]
        try:
            np.array([text]).astype(dtype)
        except (ValueError, OverflowError):
            what = f"{text!r} is no {dtype}" if text else "missing value"
            raise FileError(f"{path}:{line}: column {name!r}: {what}") from None
    raise FileError(f"{path}: column {name!r} is no {dtype}")


def read_npz(file: Any, names: Sequence[str] | None = None) -> Dataset:
    """The arrays of a ``.npz`` archive.

    Args:
        file: its path.
        names: of the arrays to read (default: all).

    Raises:
        FileError: the file is missing, damaged, no archive, or holds Python objects.
        OperandError: no array of this name; arrays that differ in length.

    >>> np.savez("t.npz", x=np.zeros((4, 2)), y=np.arange(4))
    >>> read_npz("t.npz")
    <dataset t: 4 x x float64[2], y int64[]>
    """
    path = Path(file)
    try:
        with path.open("rb") as stream:
            arrays = _unpacked(path, np.load(stream, allow_pickle=False), names)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        if isinstance(error, FileError):
            raise
        raise FileError(f"{path} cannot be read as a .npz archive: {error}") from None
    return Dataset(arrays, path.stem, str(path))


def _unpacked(path: Path, archive: Any, names: Sequence[str] | None) -> dict[str, Any]:
    if isinstance(archive, np.ndarray):
        raise FileError(f"{path} is one array; Dataset.from_files reads it")
    with archive:
        unknown = [name for name in names or () if name not in archive.files]
        if unknown:
            raise OperandError(
                f"{path} has no {', '.join(unknown)}; arrays: {', '.join(archive.files)}"
            )
        return {name: archive[name] for name in names or archive.files}
