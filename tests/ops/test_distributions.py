"""Distributions: their limits and moments, agreement of backends, dropout and its gradient."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

import asg
from asg.core.errors import DtypeError, OperandError

KEY = asg.random_key(2024)
SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
FLOATS = list(SPACING)


def run(tensors: Any, backend: str = "numpy", feeds: Any = None) -> Any:
    return asg.run(tensors, feeds or {}, backend=backend)


def numbers(tensor: asg.Tensor, backend: str = "numpy") -> Any:
    return np.asarray(run(tensor, backend)).astype(np.float64)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.0, 2.0), (-3.0, 5.0), (1000.0, 1008.0)])
def test_uniform_fills_its_interval_and_never_reaches_the_end(
    dtype: str, low: float, high: float
) -> None:
    found = numbers(asg.uniform(KEY, (20000,), low, high, dtype))
    span = high - low
    assert found.min() >= low
    assert found.max() < high
    assert found.min() < low + 0.01 * span
    assert abs(found.mean() - (low + span / 2)) < 0.02 * span + SPACING[dtype] * high


@pytest.mark.parametrize("dtype", FLOATS)
def test_backends_draw_the_same_uniform_numbers(dtype: str) -> None:
    draws = [numbers(asg.uniform(KEY, (3000,), dtype=dtype), each) for each in ("numpy", "jax")]
    np.testing.assert_array_equal(*draws)


def test_the_largest_uniform_number_rounds_down() -> None:
    """2^24 - 1 of 2^24 parts between 1 and 2 lies halfway to 2, where rounding would go up."""
    bits = asg.run(asg.random_bits(KEY, (1 << 20,)))
    largest = int(bits.argmax())
    found = run(asg.uniform(KEY, (1 << 20,), 1.0, 2.0))
    assert found[largest] == found.max() < 2.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_is_normal(dtype: str) -> None:
    found = numbers(asg.normal(KEY, (40000,), dtype=dtype))
    assert stats.kstest(found, "norm").pvalue > 1e-3
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 3.5


@pytest.mark.parametrize(("dtype", "off"), [("float32", 1e-6), ("float64", 1e-13)])
def test_backends_draw_the_same_normal_numbers(dtype: str, off: float) -> None:
    draws = [numbers(asg.normal(KEY, (20000,), dtype=dtype), each) for each in ("numpy", "jax")]
    np.testing.assert_allclose(draws[0], draws[1], rtol=off, atol=off)


def test_normal_scales_by_numbers_and_tensors() -> None:
    plain = numbers(asg.normal(KEY, (3, 4), dtype="float64"))
    mean = asg.constant(np.arange(4.0))
    scaled = numbers(asg.normal(KEY, (3, 4), mean=mean, std=2.0, dtype="float64"))
    np.testing.assert_allclose(scaled, plain * 2.0 + np.arange(4.0), rtol=1e-15)


def test_neighbouring_keys_are_independent() -> None:
    keys = asg.split_key(KEY, 2)
    first, second = (numbers(asg.normal(keys[i], (10000,))) for i in range(2))
    folded = numbers(asg.normal(asg.fold_in(KEY, 2), (10000,)))
    table = np.corrcoef([first, second, folded])
    assert np.abs(table - np.eye(3)).max() < 0.05


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_bernoulli_by_number_and_by_tensor(backend: str) -> None:
    assert abs(numbers(asg.bernoulli(KEY, 0.3, (20000,)), backend).mean() - 0.3) < 0.015
    assert numbers(asg.bernoulli(KEY, 1.0, (1000,)), backend).all()
    assert not numbers(asg.bernoulli(KEY, 0, (1000,)), backend).any()
    chances = np.repeat(np.array([0.1, 0.9], np.float32), 10000).reshape(2, -1)
    found = numbers(asg.bernoulli(KEY, asg.constant(chances)), backend).mean(1)
    np.testing.assert_allclose(found, [0.1, 0.9], atol=0.015)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_integers_are_those_of_jax(backend: str) -> None:
    jax = pytest.importorskip("jax")
    for low, high in ((0, 10), (-5, 3), (0, 2**31 - 1), (-(2**31), 2**31 - 1), (3, 4), (0, 70001)):
        expected = jax.random.randint(jax.random.key(2024), (1000,), low, high, "int32")
        found = run(asg.randint(KEY, (1000,), low, high), backend)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_dropout_is_the_same_on_both_backends_and_in_the_gradient() -> None:
    x = asg.input("x", ("batch", 100))
    y = asg.dropout(x, 0.3, KEY)
    data = np.random.default_rng(0).standard_normal((50, 100)).astype(np.float32)
    masks = []
    for backend in ("numpy", "jax"):
        value, slope = run([y, asg.grad(y.sum(), x)], backend, {x: data})
        kept = np.asarray(slope) != 0
        np.testing.assert_allclose(np.asarray(slope)[kept], 1.0 / 0.7, rtol=1e-6)
        np.testing.assert_allclose(np.asarray(value), data * np.asarray(slope), rtol=1e-6)
        masks.append(kept)
    np.testing.assert_array_equal(*masks)
    assert abs(masks[0].mean() - 0.7) < 0.03


def test_the_mask_is_drawn_once_for_both_directions() -> None:
    x = asg.input("x", (8, 4))
    y = asg.dropout(x, 0.5, KEY)
    graph = asg.Graph(y=y, slope=asg.grad((y * y).sum(), x)).optimize("numpy")
    assert [node.op.name for node in graph.nodes].count("random_bits") <= 1


def test_dropout_of_nothing_and_of_everything() -> None:
    x = asg.input("x", (3,))
    assert asg.dropout(x, 0.0, KEY) is x
    y = asg.dropout(x, 1.0, KEY)
    value, slope = run([y, asg.grad(y.sum(), x)], feeds={x: [1.0, np.inf, np.nan]})
    assert value.tolist() == slope.tolist() == [0.0, 0.0, 0.0]


def test_wrong_arguments_are_refused() -> None:
    x = asg.input("x", (3,))
    for rate in (-0.1, 1.5, float("nan"), "half", True):
        with pytest.raises(OperandError, match="rate is"):
            asg.dropout(x, rate, KEY)  # type: ignore[arg-type]
    with pytest.raises(DtypeError, match="a floating dtype is needed"):
        asg.dropout(asg.input("n", (3,), "int32"), 0.0, KEY)
    with pytest.raises(DtypeError, match="the key is f32"):
        asg.dropout(x, 0.0, x)
    for low, high in ((1.0, 1.0), (2.0, 1.0), (-3e38, 3e38), (1.0, 1.0 + 1e-12), (0.0, np.inf)):
        with pytest.raises(OperandError, match="no float32 interval"):
            asg.uniform(KEY, (3,), low, high)
    with pytest.raises(OperandError, match="for limits that are tensors scale the result"):
        asg.uniform(KEY, (3,), x, 1.0)  # type: ignore[arg-type]
    with pytest.raises(DtypeError, match="choose a floating dtype"):
        asg.normal(KEY, (3,), dtype="int32")
    with pytest.raises(OperandError, match=r"p is 1\.5"):
        asg.bernoulli(KEY, 1.5, (3,))
    with pytest.raises(OperandError, match="no shape given"):
        asg.bernoulli(KEY, 0.5)
    for low, high in ((3, 3), (0, 2**31), (-(2**31) - 1, 0)):
        with pytest.raises(OperandError, match="no integers from"):
            asg.randint(KEY, (3,), low, high)
    with pytest.raises(OperandError, match="must be integers"):
        asg.randint(KEY, (3,), 0, 2.5)  # type: ignore[arg-type]
