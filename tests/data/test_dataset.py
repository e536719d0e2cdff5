"""Datasets: shape of what they give, splits, and refusals."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from asg.core.errors import MissingLibrary, OperandError, UnknownName
from asg.data import Dataset, digits, load, names


def numbers(length: int) -> Dataset:
    return Dataset({"x": np.arange(length * 2).reshape(length, 2), "y": np.arange(length)})


def test_digits_are_the_1797_images_of_scikit_learn() -> None:
    digits = load("digits")
    assert len(digits) == 1797
    images, labels = digits.arrays["images"], digits.arrays["labels"]
    assert images.dtype == np.float32 and images.shape == (1797, 64)
    assert labels.dtype == np.int32 and labels.shape == (1797,)
    assert images.min() == 0.0 and images.max() == 1.0
    # Counts per class as the UCI repository lists them for the test part.
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # Pixels are whole sixteenths.
    assert np.array_equal(images * 16, np.round(images * 16))


def test_every_array_is_contiguous() -> None:
    transposed = np.arange(12).reshape(3, 4).T
    data = Dataset({"x": transposed, "y": np.arange(8)[::2]})
    assert all(array.flags.c_contiguous for array in data.arrays.values())
    for index in (1, slice(0, 4, 2), np.array([3, 0])):
        assert all(array.flags.c_contiguous for array in data[index].values())
    assert np.array_equal(data.arrays["x"], transposed)


def test_indexing_keeps_examples_together() -> None:
    batch = numbers(10)[np.array([7, 2])]
    assert batch["x"].tolist() == [[14, 15], [4, 5]]
    assert batch["y"].tolist() == [7, 2]


@pytest.mark.parametrize(
    ("length", "fraction", "first"), [(1797, 0.8, 1437), (100, 0.29, 29), (3, 0.5, 1), (10, 0.7, 7)]
)
def test_a_split_rounds_down(length: int, fraction: float, first: int) -> None:
    train, test = numbers(length).split(fraction, seed=3)
    assert (len(train), len(test)) == (first, length - first)


def test_a_split_is_a_partition_that_keeps_examples_together() -> None:
    train, test = numbers(50).split(0.6, seed=1)
    taken = np.concatenate([train.arrays["y"], test.arrays["y"]])
    assert sorted(taken.tolist()) == list(range(50))
    for part in (train, test):
        assert np.array_equal(part.arrays["x"][:, 0], part.arrays["y"] * 2)


def test_a_split_depends_on_the_seed_alone() -> None:
    first, again, other = (numbers(50).split(0.5, seed=seed)[0].arrays["y"] for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_split_of_a_seed_never_changes() -> None:
    """A stored answer: with another one, recorded accuracies would no longer be comparable."""
    train, _ = numbers(12).split(0.5, seed=0)
    assert train.arrays["y"].tolist() == [1, 10, 4, 5, 11, 6]


def test_a_split_keeps_name_and_source() -> None:
    train, _ = Dataset({"x": np.arange(4)}, "four", "made here").split(0.5)
    assert (train.name, train.source) == ("four", "made here")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan"), True, "0.8", 0.01])
def test_a_split_that_makes_no_sense_is_refused(fraction: Any) -> None:
    with pytest.raises(OperandError, match="fraction"):
        numbers(10).split(fraction)


@pytest.mark.parametrize("seed", [-1, 1.0, True, None])
def test_a_seed_is_a_non_negative_int(seed: Any) -> None:
    with pytest.raises(OperandError, match="seed"):
        numbers(10).split(0.5, seed=seed)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "at least one array"),
        ({"x": np.zeros(3), "y": np.zeros(4)}, "x 3, y 4"),
        ({"x": np.float32(1.0)}, "x: a scalar"),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(OperandError, match=message):
        Dataset(arrays)


def test_an_unknown_name_lists_the_known_ones() -> None:
    assert {"digits", "iris", "mnist", "tinyshakespeare"} <= set(names())
    with pytest.raises(UnknownName, match="Did you mean 'digits'"):
        load("digit")


@pytest.mark.parametrize("file", [digits.FILE, "datasets/data/gone.csv.gz"])
def test_digits_are_those_that_scikit_learn_loads(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    monkeypatch.setattr(digits, "FILE", file)
    found = load("digits").arrays
    assert np.array_equal(found["images"], (images / 16).astype(np.float32))
    assert np.array_equal(found["labels"], labels)


def test_loading_digits_does_not_wait_for_scikit_learn() -> None:
    """Its import takes seconds, several times as long as the training."""
    code = "import sys, asg.data; asg.data.load('digits'); sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_scikit_learn_the_message_is_the_line_that_adds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(MissingLibrary, match=r"pip install 'asg-compiler\[data\]'"):
        load("digits")
