"""Additions to few rows, by a product of matrices."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND

import asg
from asg.ops.index import ScatterAdd

Array = np.ndarray[Any, Any]
ROWS, COUNT, WIDTH = 65, (8, 40), (4, 16)


def program(dtype: str = "float32") -> Any:
    x = asg.input("x", (ROWS, *WIDTH), dtype)
    places = asg.input("places", COUNT, "int32")
    updates = asg.input("updates", (*COUNT, *WIDTH), dtype)
    return BACKEND.compile(asg.Graph(y=ScatterAdd(0)(x, places, updates)))


def arrays(dtype: str = "float32") -> list[Array]:
    random = np.random.default_rng(0)
    x, updates = (random.normal(size=(*n, *WIDTH)).astype(dtype) for n in ((ROWS,), COUNT))
    return [x, random.integers(-ROWS, ROWS, COUNT).astype(np.int32), updates]


def added(x: Array, places: Array, updates: Array) -> Array:
    total = x.astype(np.float64)
    np.add.at(total, places, updates)
    return total


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_the_sums_of_their_updates(dtype: str) -> None:
    given = arrays(dtype)
    (got,) = program(dtype)(given)
    np.testing.assert_allclose(got, added(*given), rtol=1e-5, atol=1e-5)


def test_what_is_not_finite_spoils_its_own_row_alone() -> None:
    given = arrays()
    given[2][0, 1, 2, 3] = np.inf
    given[2][3, 0, 0, 0] = np.nan
    run = program()
    (got,) = run(given)
    wanted = added(*given)
    assert np.sum(~np.isfinite(wanted)) == 2
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)
    given[2][~np.isfinite(given[2])] = 1.0
    np.testing.assert_allclose(run(given)[0], added(*given), rtol=1e-5, atol=1e-5)


def test_a_place_that_is_none_makes_everything_nan() -> None:
    given = arrays()
    given[1][2, 5] = ROWS
    run = program()
    assert np.isnan(run(given)[0]).all()
    assert not np.isnan(run(arrays())[0]).any()


def test_a_step_allocates_no_more_than_its_result() -> None:
    run, given = program(), arrays()
    run(given)
    tracemalloc.start()
    run(given)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < given[0].nbytes + 4096
