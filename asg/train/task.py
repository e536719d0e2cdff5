"""The task of a run: labelled images, split, in the shape that the network takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from asg.core.errors import ConfigError, OperandError
from asg.data import Dataset, load
from asg.train.config import DatasetConfig
from asg.train.networks import COLOUR, FLAT, Example, takes
from asg.train.sections import Section

INPUT, TARGET = "images", "labels"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """What is learned, and what it is tested with.

    Attributes:
        train: the examples for training.
        test: those for testing.
        example: shape and number of classes, as the network gets them.
        raw_shape: of one example as the data set has it.
        layout: how the network takes its examples, see `asg.train.networks`.
    """

    train: Dataset
    test: Dataset
    example: Example
    raw_shape: tuple[int, ...]
    layout: str


def task(dataset: DatasetConfig, model: Section, seed: int) -> Task:
    """The data set, split and laid out for the network.

    Raises:
        ConfigError: the fraction leaves no examples for training or for testing; or the network
            takes images, and the examples are none.
        MissingLibrary: the data set needs a library that is not installed.
    """
    whole, layout = load(dataset.name), takes(model)
    try:
        parts = whole.split(1.0 - dataset.test_fraction, seed)
    except OperandError:
        raise ConfigError(
            f"test_fraction: {dataset.test_fraction} of {len(whole)} examples "
            "leaves none for training or none for testing"
        ) from None
    train, test = (_laid_out(part, layout) for part in parts)
    classes = int(max(part.arrays[TARGET].max() for part in parts)) + 1
    raw = whole.arrays[INPUT].shape[1:]
    return Task(train, test, Example(train.arrays[INPUT].shape[1:], classes), raw, layout)


def _laid_out(part: Dataset, layout: str) -> Dataset:
    arrays = {INPUT: laid_out(part.arrays[INPUT], layout), TARGET: part.arrays[TARGET]}
    return Dataset(arrays, part.name, part.source)


def laid_out(examples: Array, layout: str) -> Array:
    """Examples as features in a row, as images, or as images of three channels.

    Raises:
        ConfigError: features that are no square image; or another number of channels.
    """
    count = len(examples)
    if layout == FLAT:
        return examples.reshape(count, -1)
    images = examples if examples.ndim == 4 else _square(examples.reshape(count, -1))
    if layout == COLOUR and images.shape[1] == 1:
        return np.repeat(images, 3, axis=1)
    if layout == COLOUR and images.shape[1] != 3:
        raise ConfigError(f"the network takes images of 3 channels, these have {images.shape[1]}")
    return images


def _square(rows: Array) -> Array:
    count, features = rows.shape
    side = isqrt(features)
    if side * side != features:
        raise ConfigError(f"the network takes images, and {features} features are no square image")
    return rows.reshape(count, 1, side, side)
