"""Entries on disk: whole or missing, whoever writes at the same time; bounded; never in the way."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import asg
from asg.cache.folder import compile_cache_folder
from asg.cache.store import clear_cache, contents, read_entry, write_entry

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    with asg.configure(compile_cache=str(tmp_path / "entries")):
        yield tmp_path / "entries"


def test_an_entry_is_read_as_it_was_written(folder: Path) -> None:
    assert read_entry(A) is None
    write_entry(A, b"first")
    write_entry(A, b"second\n\0")
    write_entry(B, b"")
    assert (read_entry(A), read_entry(B)) == (b"second\n\0", b"")
    assert sorted(path.name for path in folder.iterdir()) == [f"{A}.entry", f"{B}.entry"]


@pytest.mark.parametrize("place", [0, 20, 80, -1])
def test_a_changed_byte_makes_an_entry_missing(
    folder: Path, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    write_entry(A, b"content")
    (path,) = folder.iterdir()
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)
    assert read_entry(A) is None
    (record,) = caplog.records
    assert "is damaged (its checksum is another one) and is made anew" in record.getMessage()
    write_entry(A, b"content")
    assert read_entry(A) == b"content"


@pytest.mark.parametrize("length", [0, 10, 80])
def test_a_cut_entry_is_missing(folder: Path, length: int) -> None:
    write_entry(A, b"content")
    (path,) = folder.iterdir()
    os.truncate(path, length)
    assert read_entry(A) is None


def test_the_entry_that_was_not_used_for_longest_goes_first(folder: Path) -> None:
    with asg.configure(compile_cache_bytes=500):
        for age, key in ((30, A), (20, B)):
            write_entry(key, bytes(100))
            os.utime(folder / f"{key}.entry", (time.time() - age,) * 2)
        assert read_entry(A) is not None  # now B is older
        write_entry(C, bytes(100))
        assert [read_entry(key) is None for key in (A, B, C)] == [False, True, False]
        write_entry(B, bytes(600))  # more than all may have
        assert read_entry(B) is None
        assert contents()[0] == 2


def test_what_killed_writers_left_goes_when_it_is_old(folder: Path) -> None:
    write_entry(A, b"content")
    old, new = folder / f".{B}.entry.0123abcd.tmp", folder / f".{C}.entry.0123abcd.tmp"
    old.touch()
    new.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    write_entry(B, b"content")
    assert (old.exists(), new.exists()) == (False, True)


def test_clearing_leaves_what_others_put_there(folder: Path) -> None:
    write_entry(A, b"content")
    write_entry(B, b"content")
    (folder / "notes.txt").write_text("mine")
    assert contents() == (2, 2 * (77 + 7))
    assert (asg.clear_cache(), contents()) == (2, (0, 0))
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_many_writers_and_readers_never_see_a_part(folder: Path) -> None:
    content = bytes(range(256)) * 64

    def work(number: int) -> None:
        for _ in range(5):
            write_entry(A, content)
            found = read_entry(A)
            assert found == content

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert [path.name for path in folder.iterdir()] == [f"{A}.entry"]


def test_a_folder_that_cannot_be_made_costs_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with asg.configure(compile_cache=str(tmp_path / "file" / "inside")):
        for _ in range(3):
            write_entry(A, b"content")
        assert len(caplog.records) == 1
        assert f"nothing is kept in {tmp_path / 'file' / 'inside'} (" in caplog.text
        assert read_entry(A) is None
        assert contents() == (0, 0)


def test_the_cache_can_be_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with asg.configure(compile_cache="off"):
        write_entry(A, b"content")
        assert (read_entry(A), contents(), clear_cache()) == (None, (0, 0), 0)
    monkeypatch.setenv("ASG_CACHE", "/base")
    with asg.configure(compile_cache="auto"):
        usual = Path("/base/compiled")
        for given, found in {"off": None, "auto": usual, "": usual, "/x": Path("/x")}.items():
            monkeypatch.setenv("ASG_COMPILE_CACHE", given)
            assert compile_cache_folder() == found


@pytest.mark.parametrize("change", [
    {"compile_cache": ""}, {"compile_cache": None}, {"compile_cache_bytes": -1},
    {"compile_cache_bytes": 1.5}, {"compile_cache_bytes": True},
])  # fmt: skip
def test_settings_are_checked(change: dict[str, object]) -> None:
    ((name, value),) = change.items()
    with pytest.raises(asg.AsgError, match=f"{name}={value!r}; give "), asg.configure(**change):
        pass
