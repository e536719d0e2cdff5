"""Texts as data sets: tokens of a file, and windows over them for language models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from asg.core.errors import FileError, OperandError
from asg.data.checks import require_count
from asg.data.dataset import Dataset
from asg.data.draws import Batch
from asg.data.examples import Examples
from asg.data.labelled import one_of
from asg.data.order import Array, require_seed, uniform
from asg.data.sources import Remote, read_files
from asg.data.tokenizers import ByteTokenizer, CharacterTokenizer, Tokenizer

SHAKESPEARE = Remote(
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


class TextDataset(Dataset):
    """The tokens of a text, in order: ``tokens`` int32 [n].

    Attributes:
        tokenizer: that made them.
    """

    def __init__(self, tokens: Any, tokenizer: Tokenizer, name: str = "", source: str = "") -> None:
        """``tokens`` int32 [n]."""
        super().__init__({"tokens": tokens}, name, source)
        self.tokenizer = tokenizer

    def windows(self, length: int, stride: int | None = None) -> TextWindows:
        """See `text_windows`."""
        return text_windows(self.arrays["tokens"], length, stride)


def read_text(file: Any, tokenizer: Tokenizer | None = None) -> TextDataset:
    """The tokens of a text file (UTF-8).

    Args:
        file: its path.
        tokenizer: default: one for the characters of the text.

    Raises:
        FileError: the file is missing, empty, or no UTF-8.

    >>> _ = Path("t.txt").write_text("abcab")
    >>> read_text("t.txt").arrays["tokens"].tolist()
    [0, 1, 2, 0, 1]
    """
    path = Path(file)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error}") from None
    return _tokens(content, tokenizer, path.stem, str(path))


def _tokens(content: bytes, tokenizer: Any, name: str, source: str) -> TextDataset:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{source} is no UTF-8: {error}") from None
    if not text:
        raise FileError(f"{source} is empty")
    chosen = CharacterTokenizer.of(text) if tokenizer is None else tokenizer
    return TextDataset(chosen.encode(text), chosen, name, source)


def load_shakespeare(
    split: str = "all", tokens: str = "characters", root: Any = None, download: bool = False
) -> TextDataset:
    """Tiny Shakespeare, 1.1 million characters: ``tokens`` int32 [n].

    Args:
        split: "train" (the first 90 %), "test" (the rest) or "all".
        tokens: "characters" (65 of them) or "bytes".
        root: the folder that holds input.txt.
        download: get it if it is not there.

    Raises:
        FileError: the file is missing or damaged.
        OperandError: an unknown split or kind of tokens.

    Source: Karpathy, https://github.com/karpathy/char-rnn.
    """
    one_of("split", split, ("train", "test", "all"))
    kind = ByteTokenizer() if one_of("tokens", tokens, ("characters", "bytes")) == "bytes" else None
    content = read_files("tinyshakespeare", ["input.txt"], [SHAKESPEARE], root, download)
    whole = _tokens(content["input.txt"], kind, "tinyshakespeare", "input.txt")
    numbers, first = whole.arrays["tokens"], len(whole) * 9 // 10
    chosen = {"all": numbers, "train": numbers[:first], "test": numbers[first:]}[split]
    return TextDataset(chosen, whole.tokenizer, whole.name, whole.source)


class TextWindows(Examples):
    """Windows over tokens, gathered when a batch asks for them; `text_windows` makes it."""

    def __init__(self, tokens: Array, length: int, starts: Array) -> None:
        """``starts`` are the places of the first tokens."""
        self._tokens, self.length, self.starts = tokens, length, starts

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.starts)

    def take(self, indices: Array) -> Batch:
        """``inputs`` and ``targets`` [count, length]."""
        places = self.starts[indices][:, None] + np.arange(self.length + 1)
        found = np.asarray(self._tokens[places])
        return {
            "inputs": np.ascontiguousarray(found[:, :-1]),
            "targets": np.ascontiguousarray(found[:, 1:]),
        }


def text_windows(
    tokens: Any, length: int, stride: int | None = None, random: int = 0, seed: int = 0
) -> TextWindows:
    """Windows over tokens for language models: the targets are the inputs, one token later.

    Only the tokens are held, not the windows; they may be memory-mapped.

    Args:
        tokens: ints [n], or a `TextDataset`.
        length: of a window.
        stride: from one window to the next (default: ``length``, so that they do not overlap).
        random: instead, this many windows at random places (``stride`` is not given then).
        seed: of these places.

    Raises:
        OperandError: fewer than ``length + 1`` tokens; tokens that are no ints [n]; a length,
            stride or count that is not positive.

    >>> windows = text_windows(np.arange(8), length=3)
    >>> windows[1]["inputs"].tolist(), windows[1]["targets"].tolist()
    ([3, 4, 5], [4, 5, 6])
    """
    found = tokens.arrays["tokens"] if isinstance(tokens, TextDataset) else np.asanyarray(tokens)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise OperandError(f"tokens are int[n], given {found.dtype}{list(found.shape)}")
    length = require_count("length", length)
    last = len(found) - length - 1  # where a window may start
    if last < 0:
        raise OperandError(f"{len(found)} tokens give no window of {length} and one more")
    if require_count("random", random, 0):
        if stride is not None:
            raise OperandError(f"stride={stride} and random={random}: choose one")
        numbers = uniform(random, require_seed(seed), 0) * (last + 1)
        return TextWindows(found, length, np.floor(numbers).astype(np.int64))
    step = length if stride is None else require_count("stride", stride)
    return TextWindows(found, length, np.arange(0, last + 1, step))
