"""Extremes of short rows: the same numbers, NaN included, by whichever way they are found."""

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.extremes import (
    FEWEST_BOUNDED,
    FEWEST_ROWS,
    LONGEST_PART,
    LONGEST_TURNED,
    WRITTEN_OUT,
    bounded_calls,
    extreme_calls,
)

SHAPES = [
    ((20, 3), (1,)),
    ((FEWEST_ROWS, LONGEST_TURNED), (1,)),
    ((FEWEST_ROWS - 1, 3), (1,)),
    ((20, LONGEST_TURNED + 1), (1,)),
    ((FEWEST_ROWS, LONGEST_PART), (1,)),
    ((FEWEST_ROWS, LONGEST_PART + 1), (1,)),
    ((4, 5, 7, 9), (2, 3)),
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


def test_short_rows_are_turned_and_others_are_parts_of_a_vector() -> None:
    def way(shape: tuple[int, ...], axis: tuple[int, ...]) -> str:
        x, target = np.zeros(shape), np.zeros(np.zeros(shape).sum(axis).shape)
        calls = extreme_calls(np.maximum, x, axis, target, False, np.empty)
        return "turned" if len(calls) == 2 else calls[0][0].__name__

    assert [way(*each) for each in SHAPES] == [
        "turned", "turned", "reduce", "reduceat", "reduceat", "reduce", "reduceat", "turned",
        "reduce", "reduce", "reduce", "reduce", "reduce",
    ]  # fmt: skip


SIZES = [1, FEWEST_BOUNDED - 1, FEWEST_BOUNDED, WRITTEN_OUT, WRITTEN_OUT + 3, 3 * WRITTEN_OUT]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int8", "int32", "uint64"])
@pytest.mark.parametrize("ufunc", [np.maximum, np.minimum])
def test_a_number_bounds_as_numpy_says(ufunc: Any, dtype: str, size: int) -> None:
    x = np.abs(np.random.default_rng(size).normal(size=(1, size)) * 9).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[:: size // 3 + 1] = [np.nan, np.inf, -np.inf][: len(x.flat[:: size // 3 + 1])]
    bounds = [np.array(number, dtype) for number in (0, 4)]
    bounds += [np.array(np.nan, dtype)] if x.dtype.kind == "f" else []
    for bound in bounds:
        bound.flags.writeable = False
        out = np.empty_like(x)
        for target, source in ((out, x), (x.copy(), None)):
            given = target if source is None else source
            for function, args in bounded_calls(ufunc, given, bound, target):
                function(*args)
            np.testing.assert_array_equal(target, ufunc(x, bound))


def test_only_constants_are_written_out() -> None:
    x, out = np.zeros(3 * WRITTEN_OUT), np.empty(3 * WRITTEN_OUT)
    bound = np.zeros(())
    assert bounded_calls(np.maximum, x, bound, out)[0][1][1] is bound, "a value of the step"
    bound.flags.writeable = False
    assert bounded_calls(np.maximum, x, bound, out)[0][1][1].shape == (WRITTEN_OUT,)
    assert bounded_calls(np.maximum, x[::2], bound, out[::2])[0][1][1] is bound
