"""Blocks cover every element once, over as few axes as the strides allow."""

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.blocks import SameMemory, common_axes, cut

SHAPES = [(), (1,), (7,), (3, 5), (1, 6, 1), (4, 3, 2), (2, 1, 3, 4)]


@pytest.mark.parametrize(("sizes", "most"), [*product(SHAPES, (1, 2, 5, 8, 100))])
def test_blocks_cover_every_element_once(sizes: tuple[int, ...], most: int) -> None:
    seen = np.zeros(sizes, int)
    count = 0
    for index in cut(sizes, most):
        block = seen[(*index, ...)]
        assert block.flags.c_contiguous and block.size <= most
        block += 1
        count += 1
    assert (seen == 1).all()
    if len(sizes) == 1:
        assert count == -(-sizes[0] // most)


def test_blocks_are_of_about_one_size() -> None:
    assert [part[0] for part in cut((100,), 64)] == [slice(0, 50), slice(50, 100)]
    assert [index[0] for index in cut((10, 20), 64)] == [slice(i, min(i + 3, 10)) for i in
                                                         (0, 3, 6, 9)]  # fmt: skip


def sizes_of(*arrays: Any, like: Any = None) -> tuple[int, ...]:
    sizes: tuple[int, ...] = common_axes(arrays, arrays[0] if like is None else like)[0]
    return sizes


def test_one_memory_order_is_one_axis() -> None:
    x = np.zeros((2, 3, 4, 5))
    batch_last = np.zeros((3, 4, 5, 2)).transpose(3, 0, 1, 2)
    assert sizes_of(x, x.copy()) == (120,)
    assert sizes_of(batch_last, batch_last.copy("K")) == (120,)
    assert sizes_of(x, batch_last) == (2, 60)
    assert sizes_of(x[:, :, ::2], x[:, :, 1::2]) == (12, 5)
    assert sizes_of(np.zeros((1, 1))) == ()


def test_repeats_keep_their_axes_apart() -> None:
    x = np.zeros((2, 3, 4, 5))
    sizes, (_, row, channel, number) = common_axes(
        [x, np.zeros(5), np.zeros((3, 1, 1)), np.zeros((1, 1))], x
    )
    assert sizes == (2, 3, 4, 5)
    assert row.repeated == (True, True, True, False)
    assert channel.repeated == (True, False, True, True)
    assert number.repeated == (True,) * 4
    assert sizes_of(x, np.zeros(5)) == (24, 5)
    assert sizes_of(x, np.zeros((2, 1, 1, 1))) == (2, 60)


@pytest.mark.parametrize("seed", range(20))
def test_the_arrays_keep_their_elements(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(1, 5, size=3).tolist())
    order = random.permutation(3)
    like = random.normal(size=np.array(shape)[order]).transpose(np.argsort(order))
    others = [
        random.normal(size=[n if random.random() < 0.7 else 1 for n in shape]) for _ in range(3)
    ]
    flipped = random.normal(size=shape)[::-1, :, ::-1]
    arrays = [like, flipped, *others]
    sizes, spread = common_axes(arrays, like)
    total = np.zeros(sizes)
    for each in spread:
        total += each.array
    expected = np.zeros(shape) + sum(arrays)
    inner = [axis for axis in np.argsort([-s for s in like.strides], kind="stable")]
    np.testing.assert_allclose(total.ravel(), expected.transpose(inner).ravel())
    spread[0].array[...] = 7.0
    assert (like == 7.0).all()


def test_one_block_after_the_other_uses_the_same_memory() -> None:
    asked: list[int] = []

    def scratch(shape: Sequence[int], dtype: Any, /) -> Any:
        asked.append(prod(shape) * np.dtype(dtype).itemsize)
        return np.empty(shape, dtype)

    memory = SameMemory(scratch)
    first = memory.anew()
    one, other = first((3, 2), np.float32), first((5,), np.int8)
    again = memory.anew()
    assert np.may_share_memory(one, again((2, 2), np.float32))
    assert np.may_share_memory(other, again((4,), np.int8))
    assert asked == [24, 5] and not np.may_share_memory(one, other)
