"""Random bits and keys are those of JAX, to the bit, on both backends; and what is refused."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.ops.random import key_words

SEEDS = [0, 42, 2**32 - 1, 2**40 + 5]


def run(tensor: asg.Tensor, backend: str, feeds: Any = None) -> Any:
    return np.asarray(asg.run(tensor, feeds or {}, backend=backend))


@pytest.fixture(scope="module")
def jax() -> Any:
    """JAX with 64-bit types, which its 64-bit seeds and bits need."""
    module = pytest.importorskip("jax")
    with module.enable_x64(True):
        yield module


@pytest.mark.parametrize("seed", [*SEEDS, 2**63 - 1, -1, -12345])
def test_the_key_of_a_seed(jax: Any, seed: int) -> None:
    expected = np.asarray(jax.random.key_data(jax.random.key(seed)))
    assert (key_words(seed) == expected).all()
    assert (run(asg.random_key(seed), "numpy") == expected).all()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
def test_bits(jax: Any, dtype: str, backend: str) -> None:
    for seed, shape in zip(SEEDS * 2, [(), (1,), (8,), (9,), (0, 3), (5, 7), (3, 40001), (16384,)],
                           strict=True):  # fmt: skip
        expected = np.asarray(jax.random.bits(jax.random.key(seed), shape, dtype))
        found = run(asg.random_bits(asg.random_key(seed), shape, dtype), backend)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_new_keys(jax: Any, backend: str) -> None:
    for seed in SEEDS:
        key, theirs = asg.random_key(seed), jax.random.key(seed)
        for count in (1, 2, 3, 9, 100):
            expected = np.asarray(jax.random.key_data(jax.random.split(theirs, count)))
            np.testing.assert_array_equal(run(asg.split_key(key, count), backend), expected)
        for data in (0, 1, 7, 2**32 - 1):
            expected = np.asarray(jax.random.key_data(jax.random.fold_in(theirs, data)))
            np.testing.assert_array_equal(run(asg.fold_in(key, data), backend), expected)


def test_the_numbers_do_not_follow_the_settings_of_jax(jax: Any) -> None:
    expected = run(asg.random_bits(asg.random_key(3), (5,)), "numpy")
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(
            run(asg.random_bits(asg.random_key(3), (5,)), "jax"), expected
        )
        keys = run(asg.split_key(asg.random_key(3), 3), "jax")
    np.testing.assert_array_equal(keys, run(asg.split_key(asg.random_key(3), 3), "numpy"))


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_step_counter_folds_in(backend: str) -> None:
    step = asg.input("step", (), "int32")
    folded = asg.fold_in(asg.random_key(5), step)
    for number in (0, 12, -1):
        expected = run(asg.fold_in(asg.random_key(5), number), "numpy")
        found = run(folded, backend, {step: np.array(number, np.int32)})
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_key_is_given_at_the_run_and_sizes_may_be_symbolic(backend: str) -> None:
    key, x = asg.input("key", (2,), "uint32"), asg.input("x", ("batch", 3))
    noise = asg.random_bits(key, x.shape)
    program = asg.compile(asg.Graph(noise=noise, sum=x.sum()), backend)
    for rows in (2, 5):
        found = program(key=key_words(9), x=np.zeros((rows, 3), np.float32))["noise"]
        expected = run(asg.random_bits(asg.random_key(9), (rows, 3)), "numpy")
        np.testing.assert_array_equal(np.asarray(found), expected)


def test_wrong_arguments_are_refused() -> None:
    key = asg.random_key(0)
    with pytest.raises(OperandError, match="a seed is an integer"):
        asg.random_key(1.5)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="does not fit 64 bits"):
        asg.random_key(2**64)
    with pytest.raises(ShapeError, match=r"the key is u32\[3, 2\], u32\[2\] is needed"):
        asg.random_bits(asg.split_key(key, 3), (4,))
    with pytest.raises(DtypeError, match="make one with random_key"):
        asg.split_key(asg.input("seed", (), "int32"))
    with pytest.raises(DtypeError, match="bits of dtype int32"):
        asg.random_bits(key, (4,), "int32")
    with pytest.raises(OperandError, match="count is 0"):
        asg.split_key(key, 0)
    with pytest.raises(DtypeError, match="data is float32, integers are needed"):
        asg.fold_in(key, asg.input("x", ()))
    with pytest.raises(ShapeError, match=r"data is u32\[2\], u32\[\] is needed"):
        asg.fold_in(key, asg.input("n", (2,), "uint32"))
