"""The threefry-2x32 cipher, on one pair of words and on arrays.

Twenty rounds of add, rotate and exclusive-or on pairs of 32-bit words, with the key added every
four rounds. All arithmetic is modulo 2^32.

Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011,
https://doi.org/10.1145/2063384.2063405.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Words = np.ndarray[Any, np.dtype[np.uint32]]

BLOCK = 16384
"""Counters enciphered at a time, a divisor of 2^32: three buffers of them stay in the cache."""

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_MASK = 0xFFFFFFFF
_FEW = 8  # up to here integers of Python are faster than a hundred calls of NumPy
_COUNTERS = np.arange(BLOCK, dtype=np.uint32)
_SHIFTS = [np.array(i, np.uint32) for i in range(33)]  # ready made: no conversion per call


def cipher(key: Words, high: int, low: int) -> tuple[int, int]:
    """The cipher of one counter.

    >>> [hex(word) for word in cipher(np.zeros(2, np.uint32), 0, 0)]
    ['0x6b200159', '0x99ba4efe']
    """
    schedule = _schedule(key)
    x, y = (high + schedule[0][0]) & _MASK, (low + schedule[0][1]) & _MASK
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = (x + y) & _MASK
            y = (y << rotation & _MASK | y >> 32 - rotation) ^ x
        x = (x + schedule[group + 1][0]) & _MASK
        y = (y + schedule[group + 1][1]) & _MASK
    return x, y


def _encipher(key: Words, first: Words, second: Words, spare: Words) -> None:
    """Replace the counters ``(first[i], second[i])`` by their ciphers; ``spare`` is scratch."""
    schedule = [tuple(np.array(word, np.uint32) for word in pair) for pair in _schedule(key)]
    np.add(first, schedule[0][0], first)
    np.add(second, schedule[0][1], second)
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            np.add(first, second, first)
            np.left_shift(second, _SHIFTS[rotation], spare)
            np.right_shift(second, _SHIFTS[32 - rotation], second)
            np.bitwise_or(second, spare, second)
            np.bitwise_xor(second, first, second)
        np.add(first, schedule[group + 1][0], first)
        np.add(second, schedule[group + 1][1], second)


def _schedule(key: Words) -> list[tuple[int, int]]:
    """What is added to the two words before the rounds, and after every four of them."""
    high, low = int(key[0]), int(key[1])
    words = (high, low, high ^ low ^ _PARITY)
    return [(words[i % 3], (words[(i + 1) % 3] + i) & _MASK) for i in range(6)]


def cipher_counts(
    key: Words, count: int, buffers: tuple[Words, Words, Words]
) -> Iterator[tuple[slice, Words, Words]]:
    """The ciphers of the counters 0, 1, ..., count - 1: (which, high words, low words) by block.

    The arrays lie in ``buffers`` (each of `buffer_size` words) and hold until the next block.
    """
    for start in range(0, count, BLOCK):
        stop = min(start + BLOCK, count)
        first, second, spare = (buffer[: stop - start] for buffer in buffers)
        if count <= _FEW:
            for i in range(count):
                first[i], second[i] = cipher(key, 0, i)
        else:
            first.fill(start >> 32)
            np.add(_COUNTERS[: stop - start], np.uint32(start & _MASK), second)
            _encipher(key, first, second, spare)
        yield slice(start, stop), first, second


def buffer_size(count: int) -> int:
    """How many words each buffer of `cipher_counts` needs."""
    return min(count, BLOCK)
