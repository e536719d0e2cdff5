"""Read the values in the text of a graph: sizes, types, attributes, arrays. No eval."""

from __future__ import annotations

import base64
import binascii
import json
import re
from math import prod
from typing import Any

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.dim import Dim, Symbol, parse_dim
from asg.core.dtype import DType, as_dtype, fits
from asg.core.errors import TextError
from asg.core.types import TensorType

_OPEN, _CLOSE = "([{<", ")]}>"
_SIGN = re.compile(r'"(?:[^"\\]|\\.)*"|[(\[{<>}\]),]')
_TYPE = re.compile(r"(\w+)\[(.*)\]\Z")
_NUMBER = re.compile(r"-?(\d+(\.\d*)?(e[+-]?\d+)?|inf|nan)\Z")
_SCALAR = re.compile(r"(bool|[a-z]+\d+)\((\S+)\)\Z")
BODY_MARK = "\0"
"""Stands before the number of a body that has been read; no text of a graph contains it."""

_WORDS: dict[str, bool | None] = {"none": None, "true": True, "false": False}
_STRINGS = json.JSONDecoder()

Sizes = tuple[int, ...]


class ValueReader:
    """Reads values; holds the bounds of symbols, which the text of a size does not carry."""

    def __init__(self) -> None:
        self.symbols: dict[str, Symbol] = {}
        self._types: dict[str, TensorType] = {}
        self._bodies: list[Any] = []

    def size(self, text: str) -> Dim:
        """``2*n + 1``."""
        return parse_dim(text, self.symbols)

    def type(self, text: str) -> TensorType:
        """``f32[batch, 3]``; a graph repeats few types often, so each is read once."""
        known = self._types.get(text)
        if known is None:
            known = self._types[text] = self._new_type(text)
        return known

    def _new_type(self, text: str) -> TensorType:
        found = _TYPE.match(text)
        if not found:
            raise TextError(f"{text!r} is not a type such as f32[batch, 3]")
        return TensorType.of(found[1], [self.size(item) for item in split(found[2])])

    def hold(self, body: Any) -> str:
        """Keep a body that has been read already; the text that stands for it, once."""
        self._bodies.append(body)
        return f"{BODY_MARK}{len(self._bodies) - 1}"

    def value(self, text: str) -> Any:
        """An attribute, as `asg.core.text.value_text` writes it."""
        if text in _WORDS:
            return _WORDS[text]
        if text.startswith('"'):
            string, rest = leading_string(text)
            return string if not rest else _refuse(text)
        if text.startswith("@"):
            return self.type(text[1:]) if text.endswith("]") else as_dtype(text[1:])
        if text.startswith("array<") and text.endswith(">"):
            return self._array(text[6:-1])
        if text.startswith("(") and _encloses(text):
            return self._bracketed(text)
        if text.startswith(BODY_MARK):
            return self._bodies[int(text[1:])]
        if _NUMBER.match(text):
            return int(text) if text.lstrip("-").isdigit() else float(text)
        return self.size(text)

    def _bracketed(self, text: str) -> Any:
        """A tuple, or a size in brackets: a symbol may be named like a number (``(inf)``)."""
        inside = text[1:-1].strip()
        items = split(inside)
        if len(items) == 1 and not inside.endswith(","):
            return self.size(inside)
        return tuple(self.value(item) for item in items)

    def _array(self, text: str) -> ArrayData:
        header, _, rest = text.partition("]")
        declared = self.type(f"{header}]")
        if not declared.is_static:
            raise TextError(f"an array needs literal sizes, not {declared}")
        shape: Any = declared.shape
        words = rest.split()
        if words[:1] == ["digest"]:
            raise TextError("the array is abbreviated; print the graph with full=True")
        if words[:1] == ["base64"]:
            return _decoded(declared.dtype, shape, "".join(words[1:]))
        return array_of(declared.dtype, shape, words)


def scalar(text: str) -> ArrayData | None:
    """``f32(2.0)``, a constant that is written in place; None for other text."""
    found = _SCALAR.match(text)
    return array_of(as_dtype(found[1]), (), [found[2]]) if found else None


def array_of(dtype: DType, shape: Sizes, words: list[str]) -> ArrayData:
    """The array with these elements, in row-major order."""
    if len(words) != prod(shape):
        raise TextError(f"the array has {len(words)} elements, {prod(shape)} are needed")
    elements = np.array([_number(dtype, word) for word in words], dtype.numpy)
    return ArrayData(elements.reshape(shape))


def _number(dtype: DType, word: str) -> bool | int | float:
    try:
        if dtype.is_bool:
            return {"true": True, "false": False}[word]
        value: int | float = float(word) if dtype.is_float else int(word)
    except (KeyError, ValueError):
        raise TextError(f"damaged array: {word!r} is not a {dtype.name}") from None
    if not fits(value, dtype):
        raise TextError(f"damaged array: {word} does not fit {dtype.name}")
    return value


def _decoded(dtype: DType, shape: Sizes, text: str) -> ArrayData:
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise TextError(f"damaged array: {error}") from None
    needed = prod(shape) * dtype.itemsize
    if len(raw) != needed:
        raise TextError(f"damaged array: it has {len(raw)} bytes, {needed} are needed")
    return ArrayData(np.frombuffer(raw, dtype.numpy).reshape(shape))


def leading_string(text: str) -> tuple[str, str]:
    """The JSON string that ``text`` starts with, and what follows it."""
    try:
        string, end = _STRINGS.raw_decode(text)
    except ValueError:
        raise TextError(f"a string is not closed or damaged: {text}") from None
    return str(string), text[end:]


def _refuse(text: str) -> Any:
    raise TextError(f"{text} is not a value")


def split(text: str) -> list[str]:
    """Items at top-level commas; strings and brackets are kept whole.

    >>> split('x, (1, 2), "a, b"')
    ['x', '(1, 2)', '"a, b"']
    """
    items: list[str] = []
    depth = start = 0
    for sign in _SIGN.finditer(text):
        char = sign[0]
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "," and depth == 0:
            items.append(text[start : sign.start()].strip())
            start = sign.end()
    last = text[start:].strip()
    return [*items, last] if last else items


def _encloses(text: str) -> bool:
    """True when the first bracket is closed by the last character."""
    depth = 0
    for sign in _SIGN.finditer(text):
        depth += (sign[0] in _OPEN) - (sign[0] in _CLOSE)
        if depth == 0:
            return sign.end() == len(text)
    return False
