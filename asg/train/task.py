"""The task of a run: examples with labels, in the shape that the network takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from asg.core.errors import ConfigError
from asg.data import DataLoader, Dataset, compose, names, to_float
from asg.data.draws import Transform
from asg.train.augmentation import transforms
from asg.train.config import TrainConfig
from asg.train.datasets import DATASET
from asg.train.inference import EVALUATION_BATCH
from asg.train.networks import COLOUR, FLAT, MODEL, Example, takes
from asg.train.sections import told

INPUT, TARGET = "images", "labels"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """What is learned, and what it is tested with.

    Attributes:
        train: the examples for training; pixels may be bytes, which `floats` makes numbers.
        test: those for testing.
        example: shape and number of classes, as the network gets them.
        raw_shape: of one example as the data set has it.
        layout: how the network takes its examples, see `asg.train.networks`.
        changes: random ones of the examples that are trained on.
    """

    train: Dataset
    test: Dataset
    example: Example
    raw_shape: tuple[int, ...]
    layout: str
    changes: tuple[Transform, ...] = ()

    def train_loader(self, batch_size: int, seed: int) -> DataLoader:
        """The examples for training, in a new order every epoch."""
        steps = [*self._to_float(), *self.changes]
        return DataLoader(
            self.train, batch_size, shuffle=True, seed=seed,
            transform=compose(*steps) if steps else None,
        )  # fmt: skip

    def test_loader(self) -> DataLoader:
        """The examples for testing, in order."""
        steps = self._to_float()
        return DataLoader(
            self.test, min(len(self.test), EVALUATION_BATCH),
            transform=compose(*steps) if steps else None,
        )  # fmt: skip

    def _to_float(self) -> list[Transform]:
        return [to_float(INPUT)] if self.train.arrays[INPUT].dtype == np.uint8 else []

    def fitting(self, examples: Array) -> Array:
        """Examples of any origin as the network takes them: laid out, bytes as numbers to 1.

        Raises:
            ConfigError: they cannot be laid out.
        """
        rows = laid_out(examples.reshape(len(examples), *self.raw_shape), self.layout)
        return floats(rows)


def task(config: TrainConfig) -> Task:
    """The data set, laid out for the network.

    Raises:
        ConfigError: the fraction leaves no examples for training or for testing; or the network
            takes images, and the examples are none.
        MissingLibrary: the data set needs a library that is not installed.
        FileError: files of the data set are missing or damaged.
    """
    layout, name = takes(config.model), DATASET.chosen(config.dataset)
    if layout != FLAT and name not in names("images"):
        kind = MODEL.chosen(config.model)
        raise ConfigError(f"model.kind: {kind} takes images, and {name} has none; choose mlp")
    parts: tuple[Dataset, Dataset] = told(
        "dataset", lambda: DATASET.build(config.dataset, config.training.seed)
    )
    raw = _examples(parts[0]).shape[1:]
    train, test = (_laid_out(part, layout) for part in parts)
    classes = int(max(part.arrays[TARGET].max() for part in parts)) + 1
    example = Example(train.arrays[INPUT].shape[1:], classes)
    changes = transforms(config.augmentation, INPUT, layout != FLAT)
    return Task(train, test, example, raw, layout, tuple(changes))


def _examples(part: Dataset) -> Array:
    """The array that is not the labels: of images, or of points."""
    return next(array for name, array in part.arrays.items() if name in (INPUT, "x"))


def _laid_out(part: Dataset, layout: str) -> Dataset:
    examples = told("model", lambda: laid_out(_examples(part), layout))
    return Dataset({INPUT: examples, TARGET: part.arrays[TARGET]}, part.name, part.source)


def floats(examples: Array) -> Array:
    """Bytes as float32 in [0, 1], other numbers as float32."""
    if examples.dtype == np.uint8:
        return examples.astype(np.float32) / np.float32(255.0)
    return examples.astype(np.float32)


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
        raise ConfigError(f"kind: takes images of 3 channels, these have {images.shape[1]}")
    return images


def _square(rows: Array) -> Array:
    count, features = rows.shape
    side = isqrt(features)
    if side * side != features or side < 2:
        raise ConfigError(f"kind: takes images, and {features} features are no square image")
    return rows.reshape(count, 1, side, side)
