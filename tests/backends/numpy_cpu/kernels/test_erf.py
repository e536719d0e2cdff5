"""The error function against Python's, which is exact to the last digit or two."""

import math
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.kernel import KERNELS
from asg.backends.numpy_cpu.kernels import erf as module

from asg.ops.elementwise_unary import Erf

Array = np.ndarray[Any, Any]


def evaluate(x: Array) -> Array:
    out = np.empty(x.shape, x.dtype)
    calls = KERNELS[Erf].bind(Erf(), [x], [out], np.empty)
    for function, args in calls:
        function(*args)
    return out


def exact(x: Array) -> Array:
    return np.array([math.erf(each) for each in x.astype(np.float64).ravel()]).reshape(x.shape)


@pytest.mark.parametrize(
    ("dtype", "absolute", "relative"),
    [(np.float64, 1.2e-15, 1.2e-15), (np.float32, 4.5e-7, 4.5e-7), (np.float16, 5e-4, 1e-3)],
)
def test_it_is_accurate_everywhere(dtype: type, absolute: float, relative: float) -> None:
    generator = np.random.default_rng(0)
    tiny = 10.0 ** generator.uniform(-4, 0, 2000)
    x: Array = np.concatenate([np.linspace(-7, 7, 40001), tiny, -tiny]).astype(dtype)
    found, wanted = evaluate(x).astype(np.float64), exact(x)
    assert np.abs(found - wanted).max() < absolute
    nonzero = wanted != 0
    assert np.abs(found[nonzero] / wanted[nonzero] - 1).max() < relative


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ends_signs_and_nan(dtype: type) -> None:
    x: Array = np.array([np.inf, -np.inf, 1e30, 6.0, -6.0, 0.0, -0.0, np.nan], dtype)
    found = evaluate(x)
    np.testing.assert_array_equal(found, np.array([1, -1, 1, 1, -1, 0, -0.0, np.nan], dtype))
    assert np.signbit(found[6]) and not np.signbit(found[5])
    tiny = np.array([5e-324, 1e-310]) if dtype is np.float64 else np.array([1e-44], dtype)
    np.testing.assert_allclose(evaluate(tiny), exact(tiny), rtol=1.0)


def test_it_is_odd_and_stays_within_one() -> None:
    x = np.linspace(0, 8, 30001)
    found = evaluate(x)
    np.testing.assert_array_equal(evaluate(-x), -found)
    assert found.max() == 1.0


def test_any_strides_and_lengths_around_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 64)
    for size in (0, 1, 7, 8, 9, 17):
        x = np.linspace(-3, 3, 2 * size)[::2]
        np.testing.assert_allclose(evaluate(x), exact(x), rtol=1e-14)
    matrix = np.linspace(-3, 3, 12).reshape(3, 4).T
    np.testing.assert_allclose(evaluate(matrix), exact(matrix), rtol=1e-14)
    scalar = np.array(0.5)
    np.testing.assert_allclose(evaluate(scalar), exact(scalar), rtol=1e-14)


def test_it_may_overwrite_its_input() -> None:
    x = np.linspace(-3, 3, 100)
    wanted = evaluate(x)
    for function, args in KERNELS[Erf].bind(Erf(), [x], [x], np.empty):
        function(*args)
    np.testing.assert_array_equal(x, wanted)
