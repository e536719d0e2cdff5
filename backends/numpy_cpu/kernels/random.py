"""Random bits and keys; everything else of the family is composed of these."""

from __future__ import annotations

import math

import numpy as np

from asg.ops import random as ops

from ..kernel import Array, Call, Scratch, kernel
from ..threefry import Words, buffer_size, cipher, cipher_counts

Buffers = tuple[Words, Words, Words]


def _buffers(count: int, scratch: Scratch) -> Buffers:
    size = (buffer_size(count),)
    return scratch(size, np.uint32), scratch(size, np.uint32), scratch(size, np.uint32)


@kernel(ops.RandomBits)
def random_bits(
    op: ops.RandomBits, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    count = math.prod(outputs[0].shape)
    fill = _fill_long if op.dtype.itemsize == 8 else _fill
    return [(fill, (inputs[0], outputs[0].reshape(-1), _buffers(count, scratch)))]


def _fill(key: Words, target: Array, buffers: Buffers) -> None:
    """The exclusive or of the two words, or its low bits."""
    for part, first, second in cipher_counts(key, target.size, buffers):
        np.bitwise_xor(first, second, first)
        np.copyto(target[part], first, "unsafe")


def _fill_long(key: Words, target: Array, buffers: Buffers) -> None:
    """The two words, joined."""
    for part, first, second in cipher_counts(key, target.size, buffers):
        joined = target[part]
        np.copyto(joined, first)
        np.left_shift(joined, 32, joined)
        np.bitwise_or(joined, second, joined)


@kernel(ops.SplitKey)
def split_key(
    op: ops.SplitKey, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_split, (inputs[0], outputs[0], _buffers(op.count, scratch)))]


def _split(key: Words, keys: Array, buffers: Buffers) -> None:
    for part, first, second in cipher_counts(key, len(keys), buffers):
        keys[part, 0], keys[part, 1] = first, second


@kernel(ops.FoldIn)
def fold_in(
    op: ops.FoldIn, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_fold, (*inputs, outputs[0]))]


def _fold(key: Words, data: Array, target: Array) -> None:
    target[:] = cipher(key, 0, int(data))
