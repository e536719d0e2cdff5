"""Texts as numbers, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from asg.core.errors import FileError, MissingLibrary, OperandError
from asg.data.checks import require_labels
from asg.data.order import Array

FORMAT = "asg.character_tokenizer"


class Tokenizer(Protocol):
    """What the three kinds have in common."""

    @property
    def size(self) -> int:
        """Number of different tokens."""

    def encode(self, text: str) -> Array:
        """The tokens of a text, int32 [tokens]."""

    def decode(self, tokens: Any) -> str:
        """The text of tokens."""


class CharacterTokenizer:
    """One token for each character of a vocabulary.

    Attributes:
        characters: the vocabulary; a character's token is its place.
        unknown: what stands for characters that are not in it; "" refuses them.

    Raises:
        OperandError: an empty vocabulary, an entry that is no single character or stands twice, or
            an ``unknown`` that is not in it; when used: an unknown character, or token.

    >>> tokenizer = CharacterTokenizer.of("banana")
    >>> tokenizer.characters, tokenizer.encode("nab").tolist(), tokenizer.decode([1, 0, 2])
    ('abn', [2, 0, 1], 'ban')
    """

    def __init__(self, characters: Iterable[str], unknown: str = "") -> None:
        """See the class."""
        known = list(characters)
        if not known or any(not isinstance(each, str) or len(each) != 1 for each in known):
            raise OperandError(f"characters={known!r:.60} must be one or more single characters")
        if len(set(known)) != len(known):
            twice = next(each for each in known if known.count(each) > 1)
            raise OperandError(f"characters: {twice!r} stands twice")
        if unknown and unknown not in known:
            raise OperandError(f"unknown={unknown!r} is not one of the characters")
        self.characters, self.unknown = "".join(known), unknown
        points = np.array([ord(each) for each in known])
        self._order = np.argsort(points)
        self._points, self._sorted = points, points[self._order]

    @classmethod
    def of(cls, text: str, unknown: str = "") -> CharacterTokenizer:
        """The vocabulary of a text, sorted; ``unknown`` is added if it is not in the text."""
        return cls(sorted(set(text) | set(unknown)), unknown)

    @property
    def size(self) -> int:
        """Number of characters."""
        return len(self.characters)

    def encode(self, text: str) -> Array:
        """The tokens of a text, int32 [characters].

        Raises:
            OperandError: a character that is not in the vocabulary, and no ``unknown``.
        """
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.int64)
        places = np.minimum(np.searchsorted(self._sorted, points), self.size - 1)
        tokens = self._order[places]
        strange = np.flatnonzero(self._points[tokens] != points)
        if len(strange) and not self.unknown:
            raise OperandError(
                f"character {text[strange[0]]!r} at {strange[0]} is not in the vocabulary of "
                f"{self.size}; CharacterTokenizer(..., unknown=...) names one to take for it"
            )
        if len(strange):
            tokens[strange] = self.characters.index(self.unknown)
        return tokens.astype(np.int32)

    def decode(self, tokens: Any) -> str:
        """The text of tokens [characters]."""
        numbers = require_labels(np.asarray(tokens, _dtype(tokens)), self.size, "tokens")
        return "".join(self.characters[number] for number in numbers.tolist())

    def save(self, file: Any) -> None:
        """Write the vocabulary as JSON, atomically.

        Raises:
            FileError: the system refuses.
        """
        from asg.io.atomic import write_text  # not with the package, whose weights know graphs

        content = {"format": FORMAT, "characters": self.characters, "unknown": self.unknown}
        write_text(file, json.dumps(content))

    @classmethod
    def load(cls, file: Any) -> CharacterTokenizer:
        """Read what `save` wrote.

        Raises:
            FileError: the file is missing, damaged, or of another kind.
        """
        try:
            content = json.loads(Path(file).read_text(encoding="utf-8"))
            if not isinstance(content, dict) or content.get("format") != FORMAT:
                raise FileError(f"{file} is no file of a CharacterTokenizer")
            return cls(content["characters"], content["unknown"])
        except FileError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FileError(f"{file} cannot be read as a tokenizer: {error}") from None

    def __repr__(self) -> str:
        """``<character tokenizer: 65 characters>``."""
        return f"<character tokenizer: {self.size} characters>"


class ByteTokenizer:
    """The 256 bytes of UTF-8: knows every text.

    >>> ByteTokenizer().encode("é!").tolist(), ByteTokenizer().decode([104, 105])
    ([195, 169, 33], 'hi')
    """

    size = 256

    def encode(self, text: str) -> Array:
        """The bytes of a text, int32."""
        return np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int32)

    def decode(self, tokens: Any) -> str:
        """The text of bytes; what is no UTF-8 becomes the replacement character."""
        numbers = require_labels(np.asarray(tokens, _dtype(tokens)), self.size, "tokens")
        return numbers.astype(np.uint8).tobytes().decode("utf-8", "replace")

    def __repr__(self) -> str:
        """``<byte tokenizer>``."""
        return "<byte tokenizer>"


class LibraryTokenizer:
    """A tokenizer of Hugging Face's library ``tokenizers``; `tokenizer` makes it.

    Attributes:
        inner: the library's object, for all it can do beyond this.
    """

    def __init__(self, inner: Any) -> None:
        """``inner`` is a ``tokenizers.Tokenizer``."""
        self.inner = inner

    @property
    def size(self) -> int:
        """Number of different tokens, added ones included."""
        return int(self.inner.get_vocab_size())

    def encode(self, text: str, special: bool = False) -> Array:
        """The tokens of a text, int32; ``special`` adds those that begin and end texts."""
        return np.array(self.inner.encode(text, add_special_tokens=special).ids, np.int32)

    def decode(self, tokens: Any, special: bool = False) -> str:
        """The text of tokens; ``special`` keeps those that begin and end texts."""
        numbers = require_labels(np.asarray(tokens, _dtype(tokens)), self.size, "tokens")
        return str(self.inner.decode(numbers.tolist(), skip_special_tokens=not special))

    def __repr__(self) -> str:
        """``<library tokenizer: 50257 tokens>``."""
        return f"<library tokenizer: {self.size} tokens>"


def tokenizer(file: Any) -> LibraryTokenizer:
    """A tokenizer from a ``tokenizer.json`` of Hugging Face's library ``tokenizers``.

    Raises:
        FileError: the file is missing, damaged, or of another kind.
        MissingLibrary: the library is not installed.
    """
    try:
        from tokenizers import Tokenizer as Inner
    except ImportError:
        raise MissingLibrary(
            "tokenizer.json needs tokenizers: pip install 'asg-compiler[text]'"
        ) from None
    if not Path(file).is_file():
        raise FileError(f"{file} is no file")
    try:
        return LibraryTokenizer(Inner.from_file(str(file)))
    except Exception as error:  # the library raises plain Exception
        raise FileError(f"{file} cannot be read as a tokenizer: {error}") from None


def _dtype(tokens: Any) -> Any:
    """An empty list counts as ints."""
    return np.int32 if isinstance(tokens, Sequence) and not len(tokens) else None
