"""Placements are checked by their definition: what overlaps in time is apart in memory."""

from itertools import combinations
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asg.analysis.liveness import Lifetime
from asg.analysis.memory import (
    ALIGNMENT,
    Block,
    Placement,
    _placed_around,
    _placed_by_time,
    aligned,
    peak_live_bytes,
    peak_moment,
    place_blocks,
)


def block(nbytes: int, first: int, last: int) -> Block:
    return Block(nbytes, Lifetime(first, last))


BLOCKS = st.lists(
    st.builds(
        lambda nbytes, first, length: block(nbytes, first, first + length),
        st.integers(0, 1000), st.integers(-1, 20), st.integers(0, 20),
    ),
    max_size=25,
)  # fmt: skip


def assert_sound(blocks: list[Block], placement: Placement) -> None:
    places = list(zip(blocks, placement.offsets, strict=True))
    for (left, left_offset), (right, right_offset) in combinations(places, 2):
        if left.life.overlaps(right.life) and left.nbytes and right.nbytes:
            apart = left_offset + left.nbytes <= right_offset
            assert apart or right_offset + right.nbytes <= left_offset, (left, right)
    for each, offset in places:
        assert offset % ALIGNMENT == 0
        assert offset >= 0
        assert offset + each.nbytes <= placement.nbytes


def rounded_peak(blocks: list[Block]) -> int:
    return peak_live_bytes([Block(aligned(nbytes), life) for nbytes, life in blocks])


@given(BLOCKS)
def test_blocks_that_live_together_do_not_overlap(blocks: list[Block]) -> None:
    placement = place_blocks(blocks)
    assert_sound(blocks, placement)
    assert placement.nbytes >= rounded_peak(blocks)


@given(BLOCKS, st.integers(-2, 42))
def test_whatever_moment_placing_starts_from(blocks: list[Block], moment: int) -> None:
    rounded = [Block(aligned(nbytes), life) for nbytes, life in blocks]
    assert_sound(rounded, _placed_around(rounded, moment))


@given(BLOCKS)
def test_the_peak_is_the_largest_sum_over_moments(blocks: list[Block]) -> None:
    moments = range(-1, 45)
    sums = [sum(b.nbytes for b in blocks if b.life.first <= t <= b.life.last) for t in moments]
    assert peak_live_bytes(blocks) == max(sums)


@pytest.mark.parametrize("seed", range(5))
def test_random_blocks_are_placed_close_to_the_bound(seed: int) -> None:
    random = np.random.default_rng(seed)
    blocks = []
    for _ in range(200):
        first = int(random.integers(0, 100))
        blocks.append(block(int(random.integers(1, 4096)), first, first + int(random.integers(30))))
    placement = place_blocks(blocks)
    assert_sound(blocks, placement)
    assert placement.nbytes <= 1.15 * rounded_peak(blocks)


def test_a_training_step_is_placed_at_the_bound() -> None:
    # Activations are made forward and die backward, with short-lived gradients in between.
    depth = 50
    forward = [block(4096 + 64 * i, i, 2 * depth - i) for i in range(depth)]
    backward = [block(4096 + 64 * (2 * depth - t), t, t + 1) for t in range(depth + 1, 2 * depth)]
    blocks = forward + backward
    assert place_blocks(blocks).nbytes <= 1.02 * rounded_peak(blocks)


def test_a_deep_step_is_placed_from_its_most_crowded_moment_without_a_gap() -> None:
    depth = 400  # more blocks than are placed by weight
    stack = [block(64 * (1 + i % 3), 2 * i, 4 * depth - 2 * i) for i in range(depth)]
    passing = [block(64 * (2 + t % 5), t, t + 2) for t in range(4 * depth)]
    blocks = stack + passing
    bound = peak_live_bytes(blocks)
    assert _placed_by_time(blocks).nbytes > bound
    assert _placed_around(blocks, peak_moment(blocks)).nbytes == bound
    placement = place_blocks(blocks)
    assert placement.nbytes == bound
    assert_sound(blocks, placement)


def test_memory_is_used_again() -> None:
    assert place_blocks([block(64, i, i + 1) for i in range(100)]).nbytes == 128


def test_no_blocks_and_empty_blocks_need_nothing() -> None:
    assert place_blocks([]) == Placement((), 0)
    assert place_blocks([block(0, 0, 3), block(0, 1, 2)]).nbytes == 0


def test_many_blocks_are_placed_in_almost_linear_time() -> None:
    def seconds(count: int) -> float:
        blocks = [block(64 * (1 + i % 7), i, i + i % 13) for i in range(count)]
        start = process_time()
        place_blocks(blocks)
        return process_time() - start

    small = min(seconds(5_000) for _ in range(3))
    assert min(seconds(40_000) for _ in range(3)) < 8 * 4 * small
