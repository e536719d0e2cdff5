"""Extremes of short rows: the same numbers, NaN included, by whichever way they are found."""

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.extremes import FEWEST_ROWS, LONGEST_ROW, extreme_calls

SHAPES = [
    ((20, 3), (1,)),
    ((FEWEST_ROWS, LONGEST_ROW), (1,)),
    ((FEWEST_ROWS - 1, 3), (1,)),
    ((20, LONGEST_ROW + 1), (1,)),
    ((4, 5, 2, 3), (2, 3)),
    ((4, 5, 6), (0, 2)),
    ((20, 3), (0,)),
    ((20, 1), (1,)),
    ((40,), (0,)),
    ((3, 20), (0, 1)),
]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum])
def test_extremes_are_those_of_numpy(
    shape: tuple[int, ...], axis: tuple[int, ...], ufunc: Any
) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    whole = (x * 9).astype(np.int8)
    x.flat[5] = np.nan
    for given in (x, np.asfortranarray(x), x.astype(np.float32), whole):
        expected = ufunc.reduce(given, axis, keepdims=True)
        target = np.empty(expected.shape, given.dtype)
        calls = extreme_calls(ufunc, given, axis, target, True, np.empty)
        for function, args in calls:
            function(*args)
        np.testing.assert_array_equal(target, expected)


def test_only_short_rows_are_turned() -> None:
    def count(shape: tuple[int, ...], axis: tuple[int, ...]) -> int:
        x, target = np.zeros(shape), np.zeros(np.zeros(shape).sum(axis).shape)
        return len(extreme_calls(np.maximum, x, axis, target, False, np.empty))

    counts = [count(shape, axis) for shape, axis in SHAPES]
    assert counts == [2, 2, 1, 1, 2, 1, 1, 1, 1, 1]
