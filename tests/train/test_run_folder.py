"""Run folders: numbers, and files that other programs read."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from asg.core.errors import ConfigError, FileError
from asg.io import load_arrays, load_metadata
from asg.train.config import configured
from asg.train.config_file import read_values
from asg.train.epoch import Epoch
from asg.train.run_folder import RunFolder, create_run_folder
from asg.train.trainer import Training, train_classifier


def test_folders_are_numbered_from_one_and_after_the_largest(tmp_path: Path) -> None:
    parent = tmp_path / "deep" / "runs"
    assert create_run_folder(parent, "digits") == parent / "digits-0001"
    (parent / "digits-0041").mkdir()
    (parent / "digits-99x").mkdir()
    (parent / "other-0100").mkdir()
    assert create_run_folder(parent, "digits").name == "digits-0042"
    (parent / "digits-9999").mkdir()
    assert create_run_folder(parent, "digits").name == "digits-10000"
    assert create_run_folder(parent, "digits").name == "digits-10001"


def test_runs_that_start_at_once_get_different_folders(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_run_folder(tmp_path, "digits"), range(40)))
    assert len(set(made)) == 40
    assert {path.name for path in made} == {f"digits-{n:04d}" for n in range(1, 41)}


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match=r"^cannot make a folder in .*file: "):
        create_run_folder(tmp_path / "file", "digits")


def test_every_file_is_readable_by_others(tmp_path: Path) -> None:
    config = configured({"epochs": 2, "seed": 3})
    folder = RunFolder(tmp_path)
    folder.write_config(config)
    training = train_classifier(config, folder.append_epoch)
    folder.write_model(training)
    folder.write_curves(training)
    assert folder.written == ["config.yaml", "curves.svg", "history.jsonl", "model.safetensors"]
    assert configured(read_values(tmp_path / "config.yaml")) == config
    lines = (tmp_path / "history.jsonl").read_text().splitlines()
    assert [Epoch.of(json.loads(line)) for line in lines] == training.history
    assert folder.read_history() == training.history and folder.read_config() == config
    arrays = load_arrays(tmp_path / "model.safetensors")
    assert {name: array.tobytes() for name, array in arrays.items()} == {
        name: array.tobytes() for name, array in training.parameters().items()
    }
    facts = load_metadata(tmp_path / "model.safetensors")
    assert facts["format"] == "pt" and facts["epochs"] == "2"
    assert float(facts["test_accuracy"]) == training.history[-1].test["accuracy"]


def test_a_line_of_the_history_is_there_when_the_epoch_is_over(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    seen: list[int] = []

    def after_epoch(epoch: Epoch) -> None:
        folder.append_epoch(epoch)
        seen.append(len((tmp_path / "history.jsonl").read_text().splitlines()))

    train_classifier(configured({"epochs": 3}), after_epoch)
    assert seen == [1, 2, 3]


def test_the_history_is_never_written_with_numbers_that_json_lacks(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.append_epoch(Epoch(1, {"loss": 0.5}, {"loss": float("inf")}, 1.0, 1.0))
    assert json.loads((tmp_path / "history.jsonl").read_text())["test_loss"] is None
    (found,) = folder.read_history()
    assert found.train == {"loss": 0.5} and np.isnan(found.test["loss"])


def test_a_line_that_a_crash_cut_off_is_no_epoch_and_damage_is_told(tmp_path: Path) -> None:
    folder, epoch = RunFolder(tmp_path), Epoch(1, {"loss": 0.5}, {"loss": 0.5}, 1.0, 10.0)
    assert folder.read_history() == []
    folder.append_epoch(epoch)
    with open(tmp_path / "history.jsonl", "a") as file:
        file.write('{"epoch": 2, "lo')
    assert folder.read_history() == [epoch]
    folder.write_history([epoch, epoch])
    assert folder.read_history() == [epoch, epoch]
    (tmp_path / "history.jsonl").write_text('{"epoch": 2}\n')
    with pytest.raises(FileError, match=r"history\.jsonl is damaged"):
        folder.read_history()


def test_a_folder_of_no_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is no folder of a run: it has no config\.yaml"):
        RunFolder(tmp_path).read_config()
    training = Training(configured({"epochs": 1}))
    with pytest.raises(ConfigError, match=r"has no model\.safetensors"):
        RunFolder(tmp_path).read_model(training)
