"""The data sets a configuration can name, in two parts: examples to learn from and to test with.

Those whose publishers keep test examples apart are taken as published; others are split here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from asg.core.errors import ConfigError, OperandError
from asg.data import Dataset, TextDataset, load, names, read_text, text_windows
from asg.train.sections import Choice


@dataclass(frozen=True)
class Parts:
    """A data set as a run uses it.

    Attributes:
        train: what is learned.
        test: what it is tested with.
        tokenizer: of a text; None for examples with labels.
        symbols: that sequences are made of.
    """

    train: Dataset
    test: Dataset
    tokenizer: Any = None
    symbols: int = 0


def whole(name: str, seed: int, *, test_fraction: float = 0.2) -> Parts:
    """A set without options."""
    return _split(load(name), test_fraction, seed)


def points(
    name: str, seed: int, *, count: int = 1000, noise: float = 0.1, test_fraction: float = 0.2
) -> Parts:
    """Computed points in the plane.

    Args:
        count: points, for training and testing together.
        noise: standard deviation around where a point belongs.
    """
    return _split(load(name, count=count, noise=noise, seed=seed), test_fraction, seed)


def spirals(
    seed: int,
    *,
    count: int = 1000,
    classes: int = 2,
    turns: float = 1.0,
    noise: float = 0.02,
    test_fraction: float = 0.2,
) -> Parts:
    """Computed points on arms that wind around each other.

    Args:
        classes: number of arms.
        turns: that each arm makes.
    """
    made = load("spirals", count=count, classes=classes, turns=turns, noise=noise, seed=seed)
    return _split(made, test_fraction, seed)


def sequences(
    name: str,
    seed: int,
    *,
    count: int = 2000,
    length: int = 6,
    vocabulary: int = 8,
    test_fraction: float = 0.1,
) -> Parts:
    """Computed sequences to write again, forwards or backwards.

    Args:
        count: sequences, for training and testing together.
        length: of a sequence.
        vocabulary: number of symbols.
    """
    made = load(name, count=count, length=length, vocabulary=vocabulary, seed=seed)
    parts = _split(made, test_fraction, seed)
    return replace(parts, symbols=vocabulary)


def published(name: str, seed: int, *, root: str | None = None, download: bool = False) -> Parts:
    """A set of files, with the test examples of its publisher.

    Args:
        root: where the files are, see asg datasets.
        download: get files that are missing.
    """
    train, test = (
        load(name, split=part, root=root, download=download) for part in ("train", "test")
    )
    return Parts(train, test)


def text(seed: int, *, file: str, length: int = 64, test_fraction: float = 0.1) -> Parts:
    """A text file of one's own, character by character; its end is kept for testing.

    Args:
        file: the text file.
        length: characters of a window.
    """
    found = read_text(file)
    tokens = found.arrays["tokens"]
    border = len(tokens) - int(len(tokens) * test_fraction)
    name = Path(file).name
    return _windows(tokens[:border], tokens[border:], length, found.tokenizer, "text", name)


def tinyshakespeare(
    seed: int, *, root: str | None = None, download: bool = False, length: int = 64
) -> Parts:
    """A million characters of Shakespeare."""
    train, test = (
        load("tinyshakespeare", split=part, root=root, download=download)
        for part in ("train", "test")
    )
    tokenizer = cast("TextDataset", train).tokenizer
    return _windows(
        train.arrays["tokens"], test.arrays["tokens"], length, tokenizer, train.name, train.source
    )


def _windows(
    train: Any, test: Any, length: int, tokenizer: Any, name: str, source: str
) -> Parts:
    """Windows that overlap by half, as arrays."""
    held = []
    for tokens in (train, test):
        found = Dataset.from_examples(text_windows(tokens, length, max(1, length // 2)))
        held.append(Dataset(found.arrays, name, source))
    return Parts(held[0], held[1], tokenizer)


def _split(data: Dataset, test_fraction: float, seed: int) -> Parts:
    try:
        return Parts(*data.split(1.0 - test_fraction, seed))
    except OperandError:
        raise ConfigError(
            f"test_fraction: {test_fraction} of {len(data)} examples "
            "leaves none for training or none for testing"
        ) from None


def _loaders() -> dict[str, Callable[..., Parts]]:
    classified = [*names("images"), *names("points")]
    files = set(names(files=True))
    own: dict[str, Callable[..., Parts]] = {
        "xor": partial(points, "xor"),
        "moons": partial(points, "moons"),
        "spirals": spirals,
    }
    found = {
        name: own.get(name) or partial(published if name in files else whole, name)
        for name in classified
    }
    found |= {name: partial(whole, name) for name in names("regression")}
    found |= {name: partial(sequences, name) for name in names("sequences")}
    return {**found, "tinyshakespeare": tinyshakespeare, "text": text}


DATASET = Choice("data set", "name", _loaders(), default="digits", fixed=1)
