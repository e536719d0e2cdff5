"""Checkpoints: whole or not there, checked when read, the newest and the best kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asg.core.errors import FileError, OperandError
from asg.io import CheckpointFolder, checkpoint_at, read_checkpoint, write_checkpoint
from asg.io import checkpoint as module
from asg.io.atomic import LEFTOVER
from asg.io.manifest import Manifest

ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "key": np.array([1, 2], np.uint32)}


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    facts = {"epoch": 2, "loss": 0.25, "loader": {"batch": 3}, "history": [1.0, 0.5]}
    path = write_checkpoint(tmp_path / "runs", 12, ARRAYS, facts)
    assert path.name == "step-00000012"
    found = read_checkpoint(path)
    assert (found.step, found.facts) == (12, facts)
    assert found.arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)
        assert found.arrays[name].dtype == array.dtype


def test_a_checkpoint_of_the_same_step_takes_the_place_of_the_old(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 1, ARRAYS, {"run": 1})
    path = write_checkpoint(tmp_path, 1, ARRAYS, {"run": 2})
    assert read_checkpoint(path).facts == {"run": 2}
    assert os.listdir(tmp_path) == [path.name]


def test_an_interrupted_write_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, 1, ARRAYS, {})

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Manifest, "_as_json", fail)
    with pytest.raises(FileError, match="No space left"):
        write_checkpoint(tmp_path, 2, ARRAYS, {})
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["step-00000001"]
    assert CheckpointFolder(tmp_path).latest().step == 1


def _overwrite(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def _newer(content: bytes) -> bytes:
    described = json.loads(content)
    described["version"] = module.VERSION + 1
    return json.dumps(described).encode()


def _other_step(content: bytes) -> bytes:
    return content.replace(b'"step": 7', b'"step": 8')


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("arrays.safetensors", lambda b: b[:-1] + bytes([b[-1] ^ 1]), "damaged: .* SHA-256"),
        ("arrays.safetensors", lambda b: b[:40], "damaged: 40 bytes"),
        ("checkpoint.json", lambda b: b[:60], "is damaged"),
        ("checkpoint.json", lambda b: b"[]", "not the description"),
        ("checkpoint.json", _newer, "reads up to 1; update asg"),
        ("checkpoint.json", _other_step, "checksum"),
    ],
)
def test_damage_is_told(
    name: str, change: Callable[[bytes], bytes], message: str, tmp_path: Path
) -> None:
    path = write_checkpoint(tmp_path, 7, ARRAYS, {})
    _overwrite(path / name, change)
    with pytest.raises(FileError, match=message):
        read_checkpoint(path)


def test_missing_parts_are_told(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 7, ARRAYS, {})
    (path / "arrays.safetensors").unlink()
    with pytest.raises(FileError, match="missing from its checkpoint"):
        read_checkpoint(path)
    (path / "checkpoint.json").unlink()
    with pytest.raises(FileError, match="no checkpoint"):
        checkpoint_at(path)
    with pytest.raises(FileError, match="no folder"):
        checkpoint_at(tmp_path / "other")
    with pytest.raises(FileError, match="no checkpoint in"):
        CheckpointFolder(tmp_path / "other").latest()


def test_a_damaged_newest_names_the_one_before(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 1, ARRAYS, {})
    _overwrite(write_checkpoint(tmp_path, 2, ARRAYS, {}) / "checkpoint.json", lambda b: b[:9])
    with pytest.raises(FileError, match=r"repair: resume from .*step-00000001"):
        checkpoint_at(tmp_path)


def test_the_newest_and_the_best_stay(tmp_path: Path) -> None:
    checkpoints = CheckpointFolder(tmp_path, keep=2, best_by="accuracy", larger_is_better=True)
    for step, accuracy in enumerate([0.5, 0.9, 0.7, float("nan"), 0.8], start=98):
        facts = {"accuracy": accuracy} if np.isfinite(accuracy) else {}
        checkpoints.save(step, ARRAYS, facts)
    names = [path.name for path in checkpoints.all()]
    assert names == ["step-00000099", "step-00000101", "step-00000102"]
    best = checkpoints.best()
    assert best is not None and best.step == 99 and checkpoints.latest().step == 102
    assert CheckpointFolder(tmp_path, best_by="loss").best() is None


def test_steps_are_ordered_as_numbers(tmp_path: Path) -> None:
    for step in (99_999_999, 100_000_000):
        write_checkpoint(tmp_path, step, ARRAYS, {})
    assert CheckpointFolder(tmp_path).latest().step == 100_000_000


def test_leftovers_are_cleaned_at_the_next_start(tmp_path: Path) -> None:
    (tmp_path / f"{LEFTOVER}step-00000003.ab").mkdir()
    (tmp_path / "notes").mkdir()
    CheckpointFolder(tmp_path)
    assert os.listdir(tmp_path) == ["notes"]


def test_a_process_killed_while_it_writes(tmp_path: Path) -> None:
    """The first checkpoint stays whole whenever the second one's writer dies."""
    write_checkpoint(tmp_path, 1, ARRAYS, {})
    code = f"""
import os, numpy as np
from asg.io import checkpoint, manifest
def die(*_): os.kill(os.getpid(), 9)
manifest._digest = die
checkpoint.write_checkpoint({str(tmp_path)!r}, 2, {{"w": np.ones(3)}}, {{}})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert any(name.startswith(LEFTOVER) for name in os.listdir(tmp_path))
    assert CheckpointFolder(tmp_path).latest().step == 1
    assert os.listdir(tmp_path) == ["step-00000001"]


def test_facts_and_settings_are_checked(tmp_path: Path) -> None:
    with pytest.raises(OperandError, match="plain JSON"):
        write_checkpoint(tmp_path, 1, ARRAYS, {"array": np.ones(2)})
    with pytest.raises(OperandError, match="keep=0"):
        CheckpointFolder(tmp_path, keep=0)
