"""Arrays are compared exactly as far as asked, and the difference is told in one line."""

from typing import Any

import numpy as np
import pytest

from asg.testing.comparison import difference, differences

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0]),
        ([NAN, INF, -INF], [NAN, INF, -INF]),
        ([0.0], [-0.0]),
        ([], []),
        (3.0, 3.0),
    ],
)
def test_equal_arrays_have_no_difference(actual: Any, expected: Any) -> None:
    assert difference(np.array(actual), np.array(expected)) == ""


@pytest.mark.parametrize(
    ("actual", "expected", "text"),
    [
        (np.zeros(2), np.zeros(2, np.float32), "dtype float64, expected float32"),
        (np.zeros(2), np.zeros((2, 1)), "shape (2,), expected (2, 1)"),
        (np.array([1, 2]), np.array([1, 3]), "at (1,): 2, expected 3"),
        (np.array([True]), np.array([False]), "at (0,): True, expected False"),
        (np.array([1.0, NAN]), np.array([1.0, 2.0]), "at (1,): nan, expected 2.0"),
        (np.array([1.0]), np.array([NAN]), "at (0,): 1.0, expected nan"),
        (np.array([INF]), np.array([-INF]), "at (0,): inf, expected -inf"),
        (np.array([1e300]), np.array([INF]), "at (0,): 1e+300, expected inf"),
    ],
)
def test_differences_are_told(actual: Any, expected: Any, text: str) -> None:
    assert difference(actual, expected, 0.5, 0.5, 0.5) == text


def test_tolerances() -> None:
    small = np.array([1e-20, 1.0])
    off = np.array([2e-20, 1.0])
    assert "at (0,)" in difference(off, small, relative=1e-6)
    assert difference(off, small, of_largest=1e-6) == ""
    assert difference(off, small, absolute=1e-19) == ""
    assert "(off by 0.1, allowed 0.05)" in difference(
        np.array([1.1]), np.array([1.0]), relative=0.05
    )


def test_an_infinite_element_gives_the_others_no_freedom() -> None:
    assert difference(np.array([INF, 1.5]), np.array([INF, 1.0]), 1e-6, of_largest=1e-6)


def test_the_worst_element_is_shown() -> None:
    found = difference(np.array([1.1, 5.0, 1.2]), np.ones(3), relative=0.01)
    assert found.startswith("at (1,): 5.0")


def test_bfloat16_is_compared_as_a_float() -> None:
    import ml_dtypes

    one = np.array([1.0, NAN]).astype(ml_dtypes.bfloat16)
    two = np.array([1.0078125, NAN]).astype(ml_dtypes.bfloat16)
    assert difference(one, two, relative=0.01) == ""
    assert difference(one, two, relative=0.001)


def test_several_arrays() -> None:
    ones, zeros = np.ones(2), np.zeros(2)
    assert differences(["a", "b"], [ones, zeros], [ones, zeros]) == []
    assert differences(["a", "b"], [ones, ones], [ones, zeros])[0].startswith("b: at (0,)")
    assert "1 values, expected 2" in differences(["a", "b"], [ones], [ones, zeros])[0]
