"""Prompts as one array, shorter ones behind padding; sizes rounded, so that programs are few."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.errors import OperandError

Array = np.ndarray[Any, Any]


class Prompts:
    """Texts to go on with.

    Attributes:
        texts: int32 vectors, each with a token at least.
        single: whether one text was given, not a list of texts.
    """

    def __init__(self, given: Any) -> None:
        """From ints, a vector or matrix of integers, or a list of such vectors or lists.

        Raises:
            OperandError: something else, no prompt, one without a token, a negative token.
        """
        self.single = _is_text(given)
        texts = [given] if self.single else given
        if not isinstance(texts, list | tuple | np.ndarray) or len(texts) == 0:
            raise OperandError(
                f"the prompt is {_shown(given)}; give the tokens of a text, or a list of texts"
            )
        self.texts = [_as_text(text, number) for number, text in enumerate(texts)]

    @property
    def longest(self) -> int:
        """The tokens of the longest text."""
        return max(len(text) for text in self.texts)

    def padding(self, width: int) -> Array:
        """int32: the columns in front of each text, when the last is the last of ``width``."""
        return np.array([width - len(text) for text in self.texts], np.int32)

    def padded(self, width: int, pad_token: int) -> Array:
        """int32 ``[texts, width]``."""
        table = np.full((len(self.texts), width), pad_token, np.int32)
        for row, text in zip(table, self.texts, strict=True):
            row[width - len(text) :] = text
        return table

    def check_vocabulary(self, size: int) -> None:
        """Every token is one of the vocabulary.

        Raises:
            OperandError: one is not.
        """
        for number, text in enumerate(self.texts):
            if text.max() >= size:
                raise OperandError(
                    f"prompt {number} has token {text.max()}, outside of the vocabulary of {size}"
                )


def _is_text(given: Any) -> bool:
    if isinstance(given, np.ndarray):
        return given.ndim == 1 and given.dtype != object
    numbers = isinstance(given, list | tuple) and len(given) > 0
    return numbers and all(isinstance(each, int | np.integer) for each in given)


def _as_text(given: Any, number: int) -> Array:
    text = np.asarray(given)
    if text.ndim != 1 or not len(text) or text.dtype.kind not in "iu":
        raise OperandError(
            f"prompt {number} is {_shown(given)}; it must be a list of tokens, one at least"
        )
    if text.min() < 0 or text.max() > np.iinfo(np.int32).max:
        raise OperandError(f"prompt {number} has a token that is negative or beyond int32")
    return text.astype(np.int32)


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) < 80 else f"{text[:76]} ..."


def rounded(size: int) -> int:
    """The next of 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, ...: at most a quarter more.

    >>> [rounded(size) for size in (1, 9, 17, 1000)]
    [8, 10, 20, 1024]
    """
    if size <= 8:
        return 8
    unit = 1 << ((size - 1).bit_length() - 3)
    return -(-size // unit) * unit
