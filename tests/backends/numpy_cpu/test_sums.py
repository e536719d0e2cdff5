"""Sums by BLAS: right wherever they are used, and used only where they are right."""

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.sums import LONGEST_ROW, sum_call
from hypothesis import given
from hypothesis import strategies as st


def summed(x: Any, axis: tuple[int, ...], keepdims: bool = False) -> Any:
    target = np.empty(np.sum(x, axis, keepdims=keepdims).shape, x.dtype)
    function, arguments = sum_call(x, axis, target, keepdims)
    function(*arguments)
    return target


@given(
    shape=st.lists(st.integers(0, 5), max_size=4),
    chosen=st.lists(st.booleans(), min_size=4, max_size=4),
    keepdims=st.booleans(),
    flipped=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64, np.int32, np.uint8]),
)
def test_every_choice_of_axes(
    shape: list[int], chosen: list[bool], keepdims: bool, flipped: bool, dtype: Any
) -> None:
    x = (np.arange(int(np.prod(shape))) % 7).reshape(shape).astype(dtype)
    x = x.T if flipped else x
    axis = tuple(i for i in range(len(shape)) if chosen[i])
    expected = np.sum(x, axis, keepdims=keepdims, dtype=x.dtype)
    np.testing.assert_array_equal(summed(x, axis, keepdims), expected)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row_or_column(axis: int, special: float) -> None:
    x = np.ones((37, 53))
    x[5, 7] = special
    for opposite in (1.0, -special):
        x[6, 7] = x[5, 8] = opposite
        with np.errstate(invalid="ignore"):  # infinity - infinity
            np.testing.assert_array_equal(summed(x, (axis,)), x.sum(axis))


def test_rows_and_columns_are_accurate_at_the_longest() -> None:
    x = np.random.default_rng(0).random((3, LONGEST_ROW), np.float32)
    exact = x.astype(np.float64).sum(1)
    np.testing.assert_allclose(summed(x, (1,)), exact, rtol=2e-6)
    np.testing.assert_allclose(summed(np.ascontiguousarray(x.T), (0,)), exact, rtol=2e-5)


def test_long_rows_are_added_in_pairs() -> None:
    x = np.random.default_rng(0).random((2, LONGEST_ROW + 1), np.float32)
    np.testing.assert_array_equal(summed(x, (1,)), x.sum(1))
