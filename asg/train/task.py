"""The task of a run: what a network gets, what it is to answer, and how that is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import isqrt
from typing import Any

import numpy as np

from asg import nn
from asg.core.errors import ConfigError
from asg.data import DataLoader, Dataset, compose, names, to_float
from asg.data.draws import Transform
from asg.ops.loss import cross_entropy
from asg.train.augmentation import transforms
from asg.train.config import TrainConfig
from asg.train.datasets import DATASET, Parts
from asg.train.inference import EVALUATION_BATCH
from asg.train.networks import COLOUR, FLAT, MODEL, NETWORKS, TEXT, Example, takes
from asg.train.sections import told

IMAGES, FEATURES, TOKENS = "images", "features", "tokens"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """What is learned, and what it is tested with.

    Attributes:
        train: the examples for training, input and target; pixels may be bytes.
        test: those for testing.
        example: shape and number of classes, as the network gets them.
        raw_shape: of one example as the data set has it.
        layout: how the network takes its examples, see `asg.train.networks`.
        changes: random ones of the examples that are trained on.
        tokenizer: of a text; None when examples have labels.
    """

    train: Dataset
    test: Dataset
    example: Example
    raw_shape: tuple[int, ...]
    layout: str
    changes: tuple[Transform, ...] = ()
    tokenizer: Any = None

    @property
    def input(self) -> str:
        """The name of what the network gets."""
        return next(iter(self.train.arrays))

    @property
    def types(self) -> dict[str, tuple[tuple[Any, ...], str]]:
        """Shape and dtype of input and target, for any number of examples."""
        found = {}
        for name, array in self.train.arrays.items():
            dtype = "float32" if array.dtype == np.uint8 else array.dtype.name
            found[name] = (("batch", *array.shape[1:]), dtype)
        return found

    @property
    def loss(self) -> Callable[..., Any]:
        """Of (prediction, target); scores of classes are along the last axis."""
        return partial(cross_entropy, axis=-1) if self.tokenizer else cross_entropy

    @property
    def accuracy(self) -> Callable[..., Any]:
        """The share of right answers in a batch, of (prediction, target)."""
        return _right_tokens if self.tokenizer else nn.accuracy

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
        pixels = self.train.arrays[self.input].dtype == np.uint8
        return [to_float(self.input)] if pixels else []

    def fitting(self, examples: Array) -> Array:
        """Examples of any origin as the network takes them: laid out, bytes as numbers to 1.

        Raises:
            ConfigError: they cannot be laid out.
        """
        rows = laid_out(examples.reshape(len(examples), *self.raw_shape), self.layout)
        return floats(rows)


def _right_tokens(logits: Any, target: Any) -> Any:
    return nn.accuracy(logits.reshape((-1, logits.shape[-1])), target.reshape((-1,)))


def task(config: TrainConfig) -> Task:
    """The data set, laid out for the network.

    Raises:
        ConfigError: the fraction leaves no examples for training or for testing; or the network
            is for examples of another kind.
        MissingLibrary: the data set needs a library that is not installed.
        FileError: files of the data set are missing or damaged.
    """
    layout, kind = takes(config.model), _kind(DATASET.chosen(config.dataset))
    _require_suitable(config, layout, kind)
    parts: Parts = told("dataset", lambda: DATASET.build(config.dataset, config.training.seed))
    changes = tuple(transforms(config.augmentation, IMAGES, layout not in (FLAT, TEXT)))
    if kind == TOKENS:
        train, test = (_named(part, ("inputs", "targets"), (TOKENS, "targets"))
                       for part in (parts.train, parts.test))  # fmt: skip
        shape = train.arrays[TOKENS].shape[1:]
        example = Example(shape, parts.tokenizer.size)
        return Task(train, test, example, shape, layout, changes, parts.tokenizer)
    source = "images" if "images" in parts.train.arrays else "x"
    train, test = (_named(part, (source, "labels"), (kind, "labels"), layout)
                   for part in (parts.train, parts.test))  # fmt: skip
    raw = parts.train.arrays[source].shape[1:]
    classes = int(max(part.arrays["labels"].max() for part in (train, test))) + 1
    return Task(train, test, Example(train.arrays[kind].shape[1:], classes), raw, layout, changes)


def _kind(name: str) -> str:
    if name in ("text", *names("text")):
        return TOKENS
    return IMAGES if name in names("images") else FEATURES


def _require_suitable(config: TrainConfig, layout: str, kind: str) -> None:
    suits = {TOKENS: (TEXT,), FEATURES: (FLAT,)}.get(kind, (FLAT, *_image_layouts()))
    if layout not in suits:
        others = [name for name, each in NETWORKS.items() if each.takes in suits]
        raise ConfigError(
            f"model.kind: {MODEL.chosen(config.model)} takes {layout}, and "
            f"{DATASET.chosen(config.dataset)} has {kind}; choose {' or '.join(others)}"
        )


def _image_layouts() -> list[str]:
    return [each.takes for each in NETWORKS.values() if each.takes not in (FLAT, TEXT)]


def _named(
    part: Dataset, given: tuple[str, str], wanted: tuple[str, str], layout: str = ""
) -> Dataset:
    """Input and target by the names of the task, the input laid out."""
    first, second = (part.arrays[name] for name in given)
    if layout:
        first = told("model", lambda: laid_out(first, layout))
    return Dataset(dict(zip(wanted, (first, second), strict=True)), part.name, part.source)


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
    if side * side != features:
        raise ConfigError(f"kind: takes images, and {features} features are no square image")
    return rows.reshape(count, 1, side, side)
