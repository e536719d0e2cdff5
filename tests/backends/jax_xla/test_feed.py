"""What may be fed, and what is refused with the name of the input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest
from asg.backends.jax_xla.backend import BACKEND
from asg.backends.jax_xla.feed import private_copy

from asg.core.errors import FeedError
from tests.backends.jax_xla.programs import Plus, Repeat, full, graph, run, tensor


class Foreign:
    """An array of another library, which speaks only DLPack."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Convertible:
    """Something that NumPy can read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return full(3)


def doubled(value: Any, shape: tuple[int, ...] = (3,), dtype: str = "float32") -> Any:
    x = tensor("x", shape, dtype)
    return run(graph([x], [Plus()(x, x)]), value)[0]


def test_arrays_of_every_kind_are_taken(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(3,))
    mapped[:] = 3
    read_only = full(3)
    read_only.flags.writeable = False
    for value in (full(3), full(3, (6,))[::2], mapped, read_only, jnp.full(3, 3.0),
                  Foreign(full(3)), Convertible()):  # fmt: skip
        assert doubled(value).tolist() == [6, 6, 6]


def test_a_weak_jax_array_is_taken() -> None:
    weak = jnp.asarray(3.0)
    assert weak.aval.weak_type
    assert doubled(weak, ()) == 6


def test_numpy_scalars_and_arrays_without_elements_are_taken() -> None:
    assert doubled(np.float32(3), ()) == 6
    assert doubled(full(0, (0, 4)), (0, 4)).shape == (0, 4)


def test_bfloat16_is_taken_from_numpy_and_jax() -> None:
    for value in (np.full(3, 1.5, ml_dtypes.bfloat16), jnp.full(3, 1.5, "bfloat16")):
        result = doubled(value, dtype="bfloat16")
        assert result.dtype == ml_dtypes.bfloat16
        assert result.astype(float).tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (full(1, dtype="float64"), r"'x' is float64\[3\], compiled for f32\[3\]; convert it: x.as"),
        (full(1, dtype=">f4"), r"'x' is >f4\[3\]|'x' is float32\[3\]"),
        (full(1, dtype="int32"), "'x' is int32"),
        (jnp.ones(3, "int32"), "'x' is int32"),
        (full(1, (4,)), r"'x' is float32\[4\], compiled for f32\[3\]$"),
        (jnp.ones((3, 1)), r"'x' is float32\[3, 1\], compiled for f32\[3\]$"),
        ([1.0, 2.0, 3.0], "'x' was fed list"),
        (None, "'x' was fed NoneType"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(value: Any, complaint: str) -> None:
    with pytest.raises(FeedError, match=complaint):
        doubled(value)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_arrays_is_refused(count: int) -> None:
    x, y = tensor("x"), tensor("y")
    program = BACKEND.compile(graph([x, y], [Plus()(x, y)]))
    for one in (full(1), jnp.ones(3)):
        with pytest.raises(FeedError, match=f"{count} arrays given for 2 inputs: x, y"):
            program([one] * count)


def aligned_ones() -> Any:
    """Writable memory that JAX would read in place."""
    ones = private_copy(full(1, (300, 300)))
    assert ones.ctypes.data % 64 == 0
    return ones


def test_a_batch_may_be_refilled_while_the_step_runs() -> None:
    slow, x = tensor("slow", (300, 300)), tensor("x", (300, 300))
    program = BACKEND.compile(graph([slow, x], [Plus()(Repeat(20)(slow), x)]))
    zeros = jnp.zeros((300, 300))
    for batch in (aligned_ones(), full(1, (300, 300))):
        (value,) = program([zeros, batch])
        batch[:] = 5
        assert np.asarray(value).min() == np.asarray(value).max() == 1


def test_memory_of_another_library_may_be_refilled_at_once() -> None:
    batch = aligned_ones()
    slow, x = tensor("slow", (300, 300)), tensor("x", (300, 300))
    program = BACKEND.compile(graph([slow, x], [Plus()(Repeat(20)(slow), x)]))
    (value,) = program([jnp.zeros((300, 300)), Foreign(batch)])
    batch[:] = 5
    assert np.asarray(value).max() == 1


@pytest.mark.parametrize("shape", [(), (0, 3), (7, 5), (400, 300)])
def test_a_private_copy_is_equal_and_aligned_when_large(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.float64).reshape(shape).T
    copy = private_copy(array)
    assert copy.size < 1000 or copy.ctypes.data % 64 == 0
    assert copy.flags.c_contiguous
    assert copy.shape == array.shape
    assert copy.tolist() == array.tolist()
    assert not np.shares_memory(copy, array)


def test_only_a_read_only_array_that_owns_its_memory_is_not_copied() -> None:
    owner = full(1)
    view = owner[:]
    owner.flags.writeable = view.flags.writeable = False
    assert private_copy(owner) is owner
    assert not np.shares_memory(private_copy(view), view)


def test_a_program_inside_a_users_jit_is_refused_by_jax() -> None:
    x = tensor("x")
    program = BACKEND.compile(graph([x], [Plus()(x, x)]))
    with pytest.raises(TypeError, match="transformations"):
        jax.jit(lambda array: program([array]))(jnp.ones(3))
