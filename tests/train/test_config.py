"""Configurations: what is accepted, what is refused, and in which words."""

from inspect import signature
from pathlib import Path
from typing import Any

import pytest

from asg.core.errors import ConfigError, FileError
from asg.train.builders import OPTIMIZER, SCHEDULE
from asg.train.config import TrainConfig, as_values, configured, validated
from asg.train.config_file import config_text, read_values
from asg.train.datasets import DATASET
from asg.train.networks import MODEL

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def read(text: str, tmp_path: Path) -> TrainConfig:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    return configured(read_values(path), "config.yaml")


@pytest.mark.parametrize(
    ("text", "rate"),
    [("1e-3", 0.001), ("1.0e-3", 0.001), ("0.001", 0.001), ("'0.001'", 0.001), ("1", 1.0)],
)
def test_every_way_to_write_a_number_works(text: str, rate: float, tmp_path: Path) -> None:
    """YAML 1.1 itself reads 1e-3 as text."""
    assert read(f"optimizer: {{lr: {text}}}", tmp_path).optimizer.model_dump()["lr"] == rate


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    assert read("", tmp_path) == configured({})
    changed = read("optimizer:\n  name: sgd\n", tmp_path)
    assert changed.optimizer.model_dump()["lr"] == 3e-3
    assert changed.model.model_dump()["hidden"] == (64,)
    assert changed.training == configured({}).training


def test_the_written_configuration_reads_back_the_same(tmp_path: Path) -> None:
    values: dict[str, Any] = {
        "hidden": ["32", 16],
        "optimizer": {"name": "sgd", "momentum": 0.9, "lr": 1e-7},
        "out": "no",  # YAML 1.1 reads it as false unless it is quoted
        "seed": 2**63,
    }
    config = configured(values)
    assert read(config_text(as_values(config)), tmp_path) == config
    assert config.model.model_dump()["hidden"] == (32, 16)


def test_the_configuration_in_the_repository_spells_out_the_defaults() -> None:
    assert configured(read_values(CONFIGS / "digits_mlp.yaml")) == configured({})


def test_every_configuration_in_the_repository_is_valid() -> None:
    files = sorted(CONFIGS.glob("*.yaml"))
    assert len(files) >= 2
    for path in files:
        assert isinstance(configured(read_values(path), path.name), TrainConfig)


CHOICES = [DATASET, OPTIMIZER, SCHEDULE, MODEL]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: str(choice.what))
def test_the_keys_of_a_choice_are_the_options_of_its_function(choice: Any) -> None:
    for name, function in choice.functions.items():
        parameters = list(signature(function).parameters)[choice.fixed :]
        expected = [choice.key, *(p for p in parameters if p != "maximize")]
        assert list(choice.section(name).model_fields) == expected
    assert set(choice.options()) >= set(expected)


def test_values_reach_the_function_with_their_types() -> None:
    values = {"name": "adam", "lr": "1e-2", "betas": ["0.8", 0.9], "amsgrad": "true"}
    section = configured({"optimizer": values}).optimizer
    found = section.model_dump()
    assert (found["lr"], found["betas"], found["amsgrad"]) == (0.01, (0.8, 0.9), True)
    assert found["eps"] == 1e-8


def test_short_names_stand_for_their_keys() -> None:
    short = configured({"epochs": 3, "hidden": [5], "seed": 1, "dataset": "digits"})
    long = {"training": {"epochs": 3, "seed": 1}, "model": {"hidden": [5]}}
    assert short == validated(long)


REFUSED = [
    ("epoch: 3", "epoch: unknown key, did you mean 'epochs'?"),
    ("lr: 0.1", "lr: unknown key, did you mean 'optimizer.lr'?"),
    ("optimizer: {learning: 1}", "optimizer.learning: unknown key; the keys are name, lr, "),
    ("model: {kind: cnn, filters: [3]}", "model.filters: unknown key, did you mean 'conv_filters'"),
    ("model: {kind: cnn, hidden: [3]}", "model.hidden: no option of cnn, but of mlp"),
    ("model: {kind: resnet}", "model.kind: unknown model 'resnet', did you mean 'resnet18'? Th"),
    ("model: {kind: 3}", "model.kind: unknown model '3'. There are: mlp, cnn, "),
    ("model: {dropout: 1}", "model.dropout: should be less than 1, got 1"),
    ("optimizer: {name: lars}", "optimizer.lr: has no default, so give a value"),
    ("optimizer: {betas: [0.9]}", "optimizer.betas.1: has no default, so give a value"),
    ("optimizer: {betas: 0.9}", "optimizer.betas: should be a list, got 0.9"),
    ("optimizer: {amsgrad: perhaps}", "optimizer.amsgrad: should be true or false, got 'perhaps'"),
    ("lr_schedule: {name: cosin}", "lr_schedule.name: unknown schedule 'cosin', did you mean 'co"),
    ("lr_schedule: {gamma: 0.1}", "lr_schedule.gamma: no option of constant, but of step, mult"),
    ("training: {epoch: 3}", "training.epoch: unknown key, did you mean 'epochs'?"),
    ("training: {clip_norm: -1}", "training.clip_norm: should be at least 0, got -1"),
    ("training: {accumulate: 0}", "training.accumulate: should be at least 1, got 0"),
    ("early_stopping: -1", "early_stopping: should be at least 0, got -1"),
    ("epochs: 1\ntraining: {epochs: 2}", "epochs and training.epochs are the same; give one"),
    ("augmentation: {random_crop: -1}", "augmentation.random_crop: should be at least 0, got -1"),
    ("augmentation: {crop: 1}", "augmentation.crop: unknown key; the keys are random_crop, "),
    ("augmentations: {}", "augmentations: unknown key, did you mean 'augmentation'?"),
    ("optimizer: {nmae: adam}", "optimizer.nmae: unknown key, did you mean 'name'?"),
    ("1: 2", "1: Keys should be strings"),
    ("epochs: many", "epochs: should be a whole number, got 'many'"),
    ("epochs: 2.5", "epochs: should be a whole number, got 2.5"),
    ("epochs: 0", "epochs: should be at least 1, got 0"),
    ("epochs: yes", "epochs: should be a number, got true"),
    ("epochs:", "epochs: should be a whole number, got nothing"),
    ("seed: no", "seed: should be a number, got false"),
    ("seed: -1", "seed: should be at least 0, got -1"),
    ("seed: 18446744073709551616", "seed: should be at most 18446744073709551615, got"),
    ("batch_size: 0", "batch_size: should be at least 1"),
    ("test_fraction: 1", "test_fraction: should be less than 1, got 1"),
    ("test_fraction: 0", "test_fraction: should be greater than 0, got 0"),
    ("hidden: 64", "hidden: should be a list, got 64"),
    ("hidden: [64, x]", "hidden.1: should be a whole number, got 'x'"),
    ("hidden: [0]", "hidden.0: should be at least 1, got 0"),
    ("optimizer: adam", "optimizer: should hold the keys name, lr, betas, eps, weight_decay, am"),
    ("optimizer: {name: adm}", "optimizer.name: unknown optimizer 'adm', did you mean 'adam'? "),
    ("optimizer: {lr: 0}", "optimizer.lr: should be greater than 0, got 0"),
    ("optimizer: {lr: .inf}", "optimizer.lr: should be a finite number, got inf"),
    ("optimizer: {lr: yes}", "optimizer.lr: should be a number, got true"),
    ("optimizer: {lr: fast}", "optimizer.lr: should be a number, got 'fast'"),
    ("optimizer: {weight_decay: -1}", "optimizer.weight_decay: should be at least 0, got -1"),
    ("optimizer: {momentum: 0.9}", "optimizer.momentum: no option of adam, but of sgd, rmsprop, "),
    ("backend: nunpy", "backend: unknown backend 'nunpy', did you mean 'numpy'? There are: "),
    ("dataset: mnits", "dataset: unknown data set 'mnits', did you mean 'mnist'? There are: d"),
    ("dataset: {name: mnist, test_fraction: 0.1}", "dataset.test_fraction: no option of mnist, "),
    ("dataset: {name: xor, count: 1}", "dataset.count: should be at least 2, got 1"),
    ("dataset: {name: mnist, root: ''}", "dataset.root: "),
    ("out: 3", "out: should be text, got 3"),
    ("out: ''", "out: should not be empty"),
    ("[1, 2]", "expected 'key: value' lines, got [1, 2]"),
    ("just words", "expected 'key: value' lines, got 'just words'"),
    ("epochs: [1", "line 1: "),
    ("a: 1\n\tb: 2", "line 2: "),
    ("epochs: 1\nseed: 2\nepochs: 3", "line 3: epochs is given twice"),
    ("optimizer:\n  lr: 1\n  lr: 2", "line 3: lr is given twice"),
    ("a: !!python/object/apply:os.getcwd []", "line 1: could not determine a constructor"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_mistake_is_told_in_one_line_with_its_key(
    text: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text, tmp_path)
    said = str(caught.value)
    assert f"config.yaml: {message}" in said
    assert "\n" not in said


def test_several_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read("epochs: 0\nseed: -1\n", tmp_path)
    assert str(caught.value) == (
        "config.yaml: epochs: should be at least 1, got 0; "
        "config.yaml: seed: should be at least 0, got -1"
    )


def test_values_of_the_command_line_are_called_by_their_options() -> None:
    values: dict[str, Any] = {
        "training": {"epochs": "x", "seed": -1},
        "model": {"hidden": ("0",)},
        "optimizer": {"weight_decay": "-1"},
    }
    labels = {
        "training.epochs": "--epochs",
        "training.seed": "seed",
        "model.hidden": "--hidden",
        "optimizer.weight_decay": "--optimizer.weight-decay",
    }
    with pytest.raises(ConfigError) as caught:
        validated(values, "c.yaml", labels)
    found = [part.split(":")[0] for part in str(caught.value).split("; ")]
    assert sorted(found) == ["--epochs", "--hidden", "--optimizer.weight-decay", "c.yaml"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^no file .*nothing\.yaml$"):
        read_values(tmp_path / "nothing.yaml")
    with pytest.raises(FileError, match="cannot read"):
        read_values(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FileError, match="not a text file"):
        read_values(tmp_path / "binary.yaml")
