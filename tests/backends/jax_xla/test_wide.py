"""64-bit programs, whatever the user's `jax_enable_x64` says, which none of them changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from asg.backends.jax_xla.backend import BACKEND

from asg.core.array_data import ArrayData
from asg.core.dtype import as_dtype
from asg.ops.leaf import Constant, Full, Iota
from tests.backends.jax_xla.programs import Plus, full, graph, run, state, tensor

# Values that 32 bits (and, for the integers, float64) cannot hold.
EXACT: dict[str, list[Any]] = {
    "float64": [1 / 3, 1e300, -(2.0**-1000)],
    "int64": [2**62 + 1, -(2**63), 7],
    "uint64": [2**63 + 1, 2**64 - 1, 7],
}


@pytest.fixture(params=[False, True], ids=["x64 off", "x64 on"])
def users_setting(request: pytest.FixtureRequest) -> Iterator[bool]:
    config: Any = jax.config  # JAX leaves it without types
    before = config.jax_enable_x64
    config.update("jax_enable_x64", request.param)
    try:
        yield request.param
        assert config.jax_enable_x64 is request.param
    finally:
        config.update("jax_enable_x64", before)


@pytest.mark.parametrize("dtype", EXACT)
def test_64_bit_values_pass_through_exactly(dtype: str, users_setting: bool) -> None:
    values = np.array(EXACT[dtype], dtype)
    x = tensor("x", dtype=dtype)
    given = Constant(ArrayData(values))()
    zero = Full(as_dtype(dtype).numpy.type(0).item(), as_dtype(dtype), (3,))()
    outputs = run(graph([x], [x, given, Plus()(given, zero), Plus()(x, zero)]), values)
    for value in outputs:
        assert value.dtype == dtype
        assert value.tolist() == values.tolist()


@pytest.mark.parametrize("dtype", EXACT)
def test_64_bit_state_is_fed_back_as_jax_arrays(dtype: str, users_setting: bool) -> None:
    w, x = state("w", dtype=dtype), tensor("x", dtype=dtype)
    program = BACKEND.compile(graph([w, x], [Plus()(w, x)], [(0, 0)]))
    held: Any = np.array(EXACT[dtype], dtype)
    step = np.array([0, 1, 3], dtype)
    for _ in range(3):
        (held,) = program([held, step])
        assert held.dtype == dtype
    expected = np.array(EXACT[dtype], dtype)
    for _ in range(3):
        expected = expected + step
    assert np.asarray(held).tolist() == expected.tolist()


def test_a_64_bit_program_takes_narrow_inputs_too(users_setting: bool) -> None:
    narrow, wide = tensor("narrow"), tensor("wide", dtype="float64")
    program = BACKEND.compile(graph([narrow, wide], [Plus()(narrow, narrow), wide]))
    for first in (full(1), jnp.ones(3, "float32")):
        outputs = program([first, full(2, dtype="float64")])
        assert [str(each.dtype) for each in outputs] == ["float32", "float64"]


def test_a_32_bit_program_stays_narrow(users_setting: bool) -> None:
    x, n = tensor("x"), tensor("n", dtype="int32")
    counted = Iota(as_dtype("int32"), (3,))()
    program = BACKEND.compile(graph([x, n], [Plus()(x, x), Plus()(n, counted)]))
    for arrays in (
        [full(1), full(2, dtype="int32")],
        [jnp.ones(3, "float32"), jnp.ones(3, "int32")],
    ):
        assert [str(each.dtype) for each in program(arrays)] == ["float32", "int32"]
    assert "64[" not in program.hlo_text()


def test_the_users_own_arrays_keep_their_width(users_setting: bool) -> None:
    x = tensor("x", dtype="float64")
    (value,) = BACKEND.compile(graph([x], [Plus()(x, x)]))([full(1, dtype="float64")])
    wide = "64" if users_setting else "32"
    assert str(jnp.arange(3).dtype) == f"int{wide}"
    assert str(jax.jit(jnp.sin)(np.ones(2)).dtype) == f"float{wide}"
    assert value.dtype == np.float64


def test_a_large_64_bit_constant_stays_wide(users_setting: bool) -> None:
    data = np.full(200_000, 1 / 3)
    x = tensor("x", (200_000,), "float64")
    (value,) = run(graph([x], [Plus()(x, Constant(ArrayData(data))())]), np.zeros(200_000))
    assert value.tolist() == data.tolist()
