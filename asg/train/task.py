"""The task of a run: what a network gets, what it is to answer, and how that is judged."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np

from asg.core.errors import ConfigError
from asg.data import DataLoader, Dataset, Scaler, compose, names, to_float
from asg.data.draws import Transform
from asg.train.augmentation import transforms
from asg.train.config import TrainConfig
from asg.train.datasets import DATASET, Parts
from asg.train.goal import Goal, classes, numbers, tokens
from asg.train.inference import EVALUATION_BATCH
from asg.train.networks import COLOUR, FLAT, MODEL, NETWORKS, SEQUENCE, TEXT, Example, takes
from asg.train.sections import told
from asg.train.sequences import taught

IMAGES, FEATURES, TOKENS = "images", "features", "tokens"
NUMBERS, SEQUENCES = "numbers", "sequences"
HELD = {NUMBERS: "features"}  # what examples of a kind are, where that is another word

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Task:
    """What is learned, and what it is tested with.

    Attributes:
        train: the examples for training, inputs and then the target; pixels may be bytes.
        test: those for testing.
        example: shape and number of outputs, as the network gets them.
        raw_shape: of one example as the data set has it.
        layout: how the network takes its examples, see `asg.train.networks`.
        goal: loss and metrics.
        changes: random ones of the examples that are trained on.
        tokenizer: of a text; None when examples have labels.
    """

    train: Dataset
    test: Dataset
    example: Example
    raw_shape: tuple[int, ...]
    layout: str
    goal: Goal
    changes: tuple[Transform, ...] = ()
    tokenizer: Any = None

    @property
    def inputs(self) -> list[str]:
        """The names of what the network gets."""
        return list(self.train.arrays)[:-1]

    @property
    def writes_sequences(self) -> bool:
        """Whether the network answers a sequence with a sequence."""
        return self.layout == SEQUENCE

    @property
    def start(self) -> int:
        """Of sequences, the symbol before the first that is written."""
        return self.example.outputs

    @property
    def types(self) -> dict[str, tuple[tuple[Any, ...], str]]:
        """Shape and dtype of inputs and target, for any number of examples."""
        found = {}
        for name, array in self.train.arrays.items():
            dtype = "float32" if array.dtype == np.uint8 else array.dtype.name
            found[name] = (("batch", *array.shape[1:]), dtype)
        return found

    def train_loader(self, batch_size: int, seed: int, drop_last: bool = False) -> DataLoader:
        """The examples for training, in a new order every epoch.

        Raises:
            OperandError: nothing is left.
        """
        steps = [*self._to_float(), *self.changes]
        return DataLoader(
            self.train, batch_size, shuffle=True, drop_last=drop_last, seed=seed,
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
        first = self.inputs[0]
        return [to_float(first)] if self.train.arrays[first].dtype == np.uint8 else []

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
        ConfigError: the fraction leaves no examples for training or for testing; or the network,
            or the loss, is for examples of another kind.
        MissingLibrary: the data set needs a library that is not installed.
        FileError: files of the data set are missing or damaged.
    """
    layout, kind = takes(config.model), _kind(DATASET.chosen(config.dataset))
    _require_suitable(config, layout, kind)
    loss = config.training.loss
    parts: Parts = told("dataset", lambda: DATASET.build(config.dataset, config.training.seed))
    changes = tuple(transforms(config.augmentation, IMAGES, layout in _image_layouts()))
    if kind == TOKENS:
        return _of_tokens(parts, tokens(loss, "characters"))
    if kind == SEQUENCES:
        return _of_sequences(parts, tokens(loss, "symbols"))
    return _of_numbers(parts, loss) if kind == NUMBERS else _of_classes(
        parts, kind, layout, changes, classes(loss)
    )  # fmt: skip


def _of_tokens(parts: Parts, goal: Goal) -> Task:
    train, test = (_named(part, ("inputs", "targets"), (TOKENS, "targets"))
                   for part in (parts.train, parts.test))  # fmt: skip
    shape = train.arrays[TOKENS].shape[1:]
    example = Example(shape, parts.tokenizer.size)
    return Task(train, test, example, shape, TEXT, goal, tokenizer=parts.tokenizer)


def _of_sequences(parts: Parts, goal: Goal) -> Task:
    train, test = (
        Dataset(taught(part.arrays["inputs"], part.arrays["targets"], parts.symbols),
                part.name, part.source)
        for part in (parts.train, parts.test)
    )  # fmt: skip
    shape = train.arrays["source"].shape[1:]
    return Task(train, test, Example(shape, parts.symbols), shape, SEQUENCE, goal)


def _of_numbers(parts: Parts, loss: str) -> Task:
    """The numbers stay as they are; what the network learns is standardised."""
    train, test = (_named(part, ("x", "y"), (FEATURES, "target"), FLAT)
                   for part in (parts.train, parts.test))  # fmt: skip
    scaler = Scaler.standard(train, "target")
    units = float(scaler.shift), float(scaler.scale)
    shape = train.arrays[FEATURES].shape[1:]
    return Task(train, test, Example(shape, 1, units), shape, FLAT, numbers(loss, *units))


def _of_classes(
    parts: Parts, kind: str, layout: str, changes: tuple[Transform, ...], goal: Goal
) -> Task:
    source = "images" if "images" in parts.train.arrays else "x"
    train, test = (_named(part, (source, "labels"), (kind, "labels"), layout)
                   for part in (parts.train, parts.test))  # fmt: skip
    raw = parts.train.arrays[source].shape[1:]
    count = int(max(part.arrays["labels"].max() for part in (train, test))) + 1
    example = Example(train.arrays[kind].shape[1:], count)
    return Task(train, test, example, raw, layout, goal, changes)


def _kind(name: str) -> str:
    if name in ("text", *names("text")):
        return TOKENS
    if name in names("sequences"):
        return SEQUENCES
    if name in names("regression"):
        return NUMBERS
    return IMAGES if name in names("images") else FEATURES


def _require_suitable(config: TrainConfig, layout: str, kind: str) -> None:
    suits = {TOKENS: (TEXT,), SEQUENCES: (SEQUENCE,), FEATURES: (FLAT,), NUMBERS: (FLAT,)}.get(
        kind, (FLAT, *_image_layouts())
    )
    if layout not in suits:
        others = [name for name, each in NETWORKS.items() if each.takes in suits]
        raise ConfigError(
            f"model.kind: {MODEL.chosen(config.model)} takes {layout}, and "
            f"{DATASET.chosen(config.dataset)} has {HELD.get(kind, kind)}; "
            f"choose {' or '.join(others)}"
        )


def _image_layouts() -> list[str]:
    return [each.takes for each in NETWORKS.values() if each.takes not in (FLAT, TEXT, SEQUENCE)]


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
