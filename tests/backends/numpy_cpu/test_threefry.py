"""The cipher: the published vectors, far counters, and that it works in the memory it is given."""

import tracemalloc

import numpy as np
import pytest
from asg.backends.numpy_cpu.threefry import BLOCK, buffer_size, cipher, cipher_counts

# Known answers of the authors' library (Random123, kat_vectors), threefry2x32 with 20 rounds.
VECTORS = [
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize(("key", "counter", "expected"), VECTORS)
def test_published_vectors(
    key: tuple[int, int], counter: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert cipher(np.array(key, np.uint32), *counter) == expected


@pytest.mark.parametrize("count", [0, 1, 8, 9, 1000, BLOCK, BLOCK + 1, 2 * BLOCK + 5])
def test_blocks_agree_with_single_counters(count: int) -> None:
    key = np.array([0x13198A2E, 0x03707344], np.uint32)
    buffers = tuple(np.empty(buffer_size(count), np.uint32) for _ in range(3))
    words = np.empty((count, 2), np.uint32)
    for part, first, second in cipher_counts(key, count, buffers):
        words[part, 0], words[part, 1] = first, second
    for counter in {0, 7, 8, 999, BLOCK - 1, BLOCK, count - 1} & set(range(count)):
        assert tuple(words[counter]) == cipher(key, 0, counter)


def test_nothing_large_is_allocated() -> None:
    key, count = np.zeros(2, np.uint32), 10 * BLOCK
    buffers = tuple(np.empty(buffer_size(count), np.uint32) for _ in range(3))
    for _ in cipher_counts(key, count, buffers):
        pass
    tracemalloc.start()
    for _ in cipher_counts(key, count, buffers):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BLOCK  # less than a quarter of one buffer
