"""Atomic writes: all or nothing, and nothing left behind."""

import os
import stat
from pathlib import Path

import pytest

from asg.core.errors import FileError
from asg.io.atomic import replacing, write_bytes, write_text


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "π\nend\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xcf\x80\nend\n"


def test_a_second_write_replaces_the_first(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a", b"long content")
    write_bytes(tmp_path / "a", b"x")
    assert (tmp_path / "a").read_bytes() == b"x"
    assert os.listdir(tmp_path) == ["a"]


def test_a_write_that_fails_keeps_the_old_content(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(ValueError), replacing(tmp_path / "a") as temporary:
        temporary.write_text("half of the n")
        raise ValueError
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_nobody_sees_the_file_before_it_is_whole(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("half")
        assert not (tmp_path / "a").exists()
        assert temporary.parent == tmp_path  # else the rename could not be atomic
    assert (tmp_path / "a").read_text() == "half"


def test_content_is_on_disk_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.replace

    def record_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        events.append("folder" if is_folder else "content")
        fsync(descriptor)

    def record_rename(source: Path, target: Path) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(os, "replace", record_rename)
    write_text(tmp_path / "a", "text")
    assert events == ["content", "rename", "folder"]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "ordinary").write_text("")
    write_text(tmp_path / "a", "")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("path", ["no/such/folder/a", "."])
def test_a_refusal_of_the_system_is_one_line(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match=f"^cannot write {path}: .+$"):
        write_text(path, "text")
    assert os.listdir(tmp_path) == []
