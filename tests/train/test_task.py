"""Data sets and augmentation of a run: what the network gets is what was published or made."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asg.core.errors import FileError
from asg.train.config import configured
from asg.train.sequences import answers
from asg.train.task import task
from asg.train.trainer import Training, train_classifier


def write_mnist(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """A small set in the files of MNIST: digits that are rows of light."""
    random = np.random.default_rng(0)
    made = {}
    for part, count in (("train", 60), ("t10k", 20)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = random.integers(0, 50, (count, 28, 28)).astype(np.uint8)
        images[np.arange(count), 2 * labels + 4] = 255
        head = struct.pack(">IIII", 0x803, count, 28, 28)
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        head = struct.pack(">II", 0x801, count)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(head + labels.tobytes())
        made[part] = images
    return made


@pytest.mark.parametrize("kind", ["mlp", "cnn", "lenet"])
def test_a_published_set_keeps_its_test_examples(kind: str, tmp_path: Path) -> None:
    made = write_mnist(tmp_path)
    model = {"kind": kind} | ({"conv_filters": [4], "fc_units": [8]} if kind == "cnn" else {})
    config = configured({"epochs": 2, "batch_size": 30, "model": model,
                         "dataset": {"name": "mnist", "root": str(tmp_path)}})  # fmt: skip
    found = task(config)
    assert (len(found.train), len(found.test), found.example.outputs) == (60, 20, 10)
    shape = (784,) if kind == "mlp" else (1, 28, 28)
    (batch,) = list(found.test_loader())
    expected = made["t10k"].reshape(20, *shape).astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(batch["images"], expected)
    np.testing.assert_array_equal(found.fitting(made["t10k"]), expected)
    training = train_classifier(config)
    assert training.history[1].train["loss"] < training.history[0].train["loss"]
    assert training.test()["accuracy"] == training.history[-1].test["accuracy"]


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="data set 'kmnist' needs train-images-idx3-ubyte"):
        task(configured({"dataset": {"name": "kmnist", "root": str(tmp_path)}}))


@pytest.mark.parametrize(
    ("name", "options", "features", "classes", "accuracy"),
    [
        ("iris", {}, 4, 3, 0.9),
        ("wine", {}, 13, 3, 0.9),
        ("xor", {"count": 400, "noise": 0.05}, 2, 2, 0.95),
        ("moons", {"count": 400, "noise": 0.05}, 2, 2, 0.95),
        ("spirals", {"count": 600, "classes": 3, "turns": 0.5}, 2, 3, 0.9),
    ],
)
def test_tables_and_points_are_learned(
    name: str, options: dict[str, Any], features: int, classes: int, accuracy: float
) -> None:
    values = {
        "dataset": {"name": name, **options},
        "model": {"hidden": [32], "standardize": True},
        "optimizer": {"lr": 2e-2},
        "epochs": 40,
        "batch_size": 32,
    }
    training = train_classifier(configured(values))
    assert training.task.example.shape == (features,)
    assert training.task.example.outputs == classes
    assert max(epoch.test["accuracy"] for epoch in training.history) >= accuracy


CHANGES = {
    "random_crop": 2, "horizontal_flip": True, "rotation": 15, "brightness": 0.2, "contrast": 0.2,
    "cutout": 3,
}  # fmt: skip


@pytest.mark.parametrize("change", sorted(CHANGES))
def test_training_images_are_changed_and_test_images_are_not(change: str) -> None:
    model = {"kind": "cnn", "conv_filters": [4], "fc_units": []}
    plain = task(configured({"model": model}))
    changed = task(configured({"model": model, "augmentation": {change: CHANGES[change]}}))
    first, second = (each.train_loader(64, seed=0) for each in (plain, changed))
    original, seen = next(iter(first)), next(iter(second))
    np.testing.assert_array_equal(original["labels"], seen["labels"])
    assert not np.array_equal(original["images"], seen["images"])
    assert seen["images"].shape == original["images"].shape
    left, right = (next(iter(each.test_loader()))["images"] for each in (plain, changed))
    np.testing.assert_array_equal(left, right)


def test_changes_are_the_same_in_every_run_and_others_in_every_epoch() -> None:
    model = {"kind": "cnn", "conv_filters": [4], "fc_units": []}
    config = configured({"model": model, "augmentation": CHANGES})
    loader, again = (Training(config).batches for _ in range(2))
    one = [batch["images"] for batch in loader]
    two = [batch["images"] for batch in again]
    other = [batch["images"] for batch in loader]
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not np.array_equal(np.sort(np.concatenate(one), 0), np.sort(np.concatenate(other), 0))


@pytest.mark.parametrize(
    "model",
    [
        {"kind": "char_lstm", "embedding_dim": 8, "hidden_size": 24},
        {"kind": "gpt", "n_embd": 16, "n_layer": 1, "n_head": 2},
    ],
    ids=["char_lstm", "gpt"],
)
def test_a_text_is_learned_and_its_end_kept_for_testing(
    model: dict[str, Any], tmp_path: Path
) -> None:
    text = "abcabdabe" * 60
    (tmp_path / "t.txt").write_text(text)
    config = configured({
        "dataset": {"name": "text", "file": str(tmp_path / "t.txt"), "length": 9}, "model": model,
        "epochs": 8, "batch_size": 8, "optimizer": {"lr": 1e-2},
    })  # fmt: skip
    training = train_classifier(config)
    found = training.task
    tokens, targets = found.train.arrays.values()
    assert list(found.train.arrays) == ["tokens", "targets"] and found.example.outputs == 5
    np.testing.assert_array_equal(tokens[:, 1:], targets[:, :-1])
    assert found.tokenizer.decode(tokens[0]) == text[:9]
    assert found.tokenizer.decode(found.test.arrays["tokens"][0]) == text[486:495]
    assert training.history[-1].train["loss"] < 0.6 * training.history[0].train["loss"]
    assert training.history[-1].test["accuracy"] > 0.6
    (prediction,) = [training.model.predict(batch["tokens"]) for batch in found.test_loader()]
    right = (prediction.argmax(-1) == found.test.arrays["targets"]).mean()
    assert training.history[-1].test["accuracy"] == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("loss", ["auto", "huber"])
def test_numbers_are_predicted_in_the_units_of_the_data(loss: str) -> None:
    """Against NumPy: the loss is of standardised numbers, metrics and predictions are not."""
    config = configured({
        "dataset": "diabetes", "loss": loss, "epochs": 12, "batch_size": 32,
        "model": {"hidden": [16], "standardize": True}, "optimizer": {"lr": 1e-2},
        "training": {"drop_last": True},
    })  # fmt: skip
    training = train_classifier(config)
    found, test = training.task, training.task.test.arrays
    target, train_target = test["target"], found.train.arrays["target"]
    assert (found.example.shape, found.example.outputs) == ((10,), 1)
    predicted = np.asarray(training.model.predict(test["features"]))
    assert predicted.shape == target.shape and 25 < predicted.mean() < 346
    error = predicted - target
    standard = error / train_target.std()
    small = np.abs(standard) <= 1
    expected = {
        "auto": (standard**2).mean(),
        "huber": np.where(small, standard**2 / 2, np.abs(standard) - 0.5).mean(),
    }
    result = training.history[-1].test
    assert result["loss"] == pytest.approx(expected[loss], rel=1e-4)
    assert result["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    r2 = 1 - (error**2).sum() / ((target - target.mean()) ** 2).sum()
    assert result["r2"] == pytest.approx(r2, rel=1e-3) and r2 > 0.35


def test_sequences_are_taught_with_the_answer_so_far_and_written_without() -> None:
    config = configured({
        "dataset": {"name": "reverse", "count": 600, "length": 3, "vocabulary": 4},
        "model": {"kind": "attention_seq2seq", "hidden_size": 24},
        "epochs": 8, "batch_size": 30, "optimizer": {"lr": 1e-2},
    })  # fmt: skip
    training = train_classifier(config)
    found = training.task
    source, written, target = found.test.arrays.values()
    np.testing.assert_array_equal(target, source[:, ::-1])
    np.testing.assert_array_equal(written[:, 1:], target[:, :-1])
    assert (written[:, 0] == 4).all() and source.max() == 3
    scores = np.asarray(training.model.predict(source, written))
    right = (scores.argmax(-1) == target).mean()
    assert training.history[-1].test["accuracy"] == pytest.approx(right, abs=1e-6)
    alone = answers(training.model, source, found.start)
    assert (alone == target).all(1).mean() > 0.9
    assert alone.max() < 4  # never the start
