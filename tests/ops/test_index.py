"""What the contract test cannot show of indices: functions, dtypes of indices, large tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg

TABLE = np.arange(600 * 2, dtype=np.float32).reshape(600, 2)
INTEGERS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


@pytest.mark.parametrize("backend", ["numpy", "jax"])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_every_dtype_of_indices_reaches_all_places(dtype: Any, backend: str) -> None:
    largest = min(np.iinfo(dtype).max, 599)
    indices = [0, 1, largest] + ([-1, -128] if np.iinfo(dtype).min else [])
    read = asg.run(asg.take(TABLE, np.array(indices, dtype), axis=0), backend=backend)
    np.testing.assert_array_equal(read, TABLE[indices])


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_indices_at_the_ends_of_their_range_are_outside(backend: str) -> None:
    for dtype in (np.int32, np.int64, np.uint32, np.uint64):
        ends = np.array([np.iinfo(dtype).max, np.iinfo(dtype).min or 600], dtype)
        i = asg.input("i", (2,), dtype)
        both = [asg.take(TABLE, i, axis=0), asg.scatter_add(TABLE, i, 1.0)]
        for found in asg.run(both, {i: ends}, backend=backend):
            assert np.isnan(found).all()


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_an_outside_index_marks_only_what_it_reads(backend: str) -> None:
    x, i = asg.input("x", (3, 2)), asg.input("i", (2,), dtype="int32")
    run = asg.compile(asg.Graph(read=asg.take(x, i, axis=0)), backend=backend)
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    for given in ([0, 1], [3, 2], [-1, -4], [0, 2]):  # one program: no step may leave a trace
        read = run(x=array, i=np.array(given, np.int32))["read"]
        for row, place in zip(np.asarray(read), given, strict=True):
            inside = -3 <= place < 3
            np.testing.assert_array_equal(row, array[place] if inside else np.full(2, np.nan))


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_the_gradient_of_an_embedding(backend: str) -> None:
    table = asg.input("table", (600, 2), dtype="float64")
    tokens = asg.input("tokens", ("batch", 5), dtype="int32")
    loss = (asg.take(table, tokens, axis=0) ** 2).sum()
    given = np.random.default_rng(0).integers(-600, 600, (7, 5)).astype(np.int32)
    wanted = np.zeros(TABLE.shape)
    np.add.at(wanted, given, 2 * TABLE[given])
    found = asg.run(
        asg.grad(loss, table), {table: TABLE.astype(np.float64), tokens: given}, backend=backend
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_the_gradient_of_a_view_is_read_in_its_own_order() -> None:
    x = asg.input("x", (3, 4))
    indices = np.array([1, 1, 3], np.int32)
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    read = asg.take(x.T, indices, axis=0)
    np.testing.assert_array_equal(asg.run(read, {x: array}), array.T[indices])
    added = asg.scatter_add(asg.zeros((4, 3)), indices, x[:, :3].T)
    wanted = np.zeros((4, 3), np.float32)
    np.add.at(wanted, indices, array[:, :3].T)
    np.testing.assert_array_equal(asg.run(added, {x: array}), wanted)


def test_sums_of_narrow_floats_are_rounded_once() -> None:
    ones = asg.ones((4096,), "float16")
    total = asg.scatter_add(asg.zeros((1,), "float16"), np.zeros(4096, np.int32), ones)
    for backend in ("numpy", "jax"):
        assert asg.run(total, backend=backend).tolist() == [4096]  # one by one: stuck at 2048


@pytest.mark.parametrize(
    ("function", "oracle"),
    [
        (lambda: asg.take(TABLE[:, 0], [5, -1]), lambda: TABLE[[5, -1], 0]),
        (lambda: asg.take(TABLE, [1], axis=-1), lambda: TABLE[:, [1]]),
        (lambda: asg.take_along_axis(TABLE, [[1]]), lambda: TABLE[:, 1:]),
        (lambda: asg.take_along_axis(TABLE[:1], [[3, -3]] * 0 + [[0, -1], [1, 1]], 1),
         lambda: TABLE[[0, 0], :][[[0], [1]], [[0, 1], [1, 1]]]),
        (lambda: asg.scatter_add([[1.0, 2.0]], [0, 1, 1], 1.0, axis=1), lambda: [[2, 4]]),
        (lambda: asg.scatter_add_along_axis([[1.0, 2.0]], [[1]], [[3.0]]), lambda: [[1, 5]]),
        (lambda: asg.one_hot([1, 0], 3, "int32", axis=0), lambda: [[0, 1], [1, 0], [0, 0]]),
        (lambda: asg.one_hot(np.array([255, 3], np.uint8), 300, "bool"),
         lambda: np.arange(300) == [[255], [3]]),
        (lambda: asg.one_hot(np.array([2**63], np.uint64), 2), lambda: [[0, 0]]),
    ],
)  # fmt: skip
def test_functions_agree_with_numpy(
    function: Callable[[], asg.Tensor], oracle: Callable[[], Any]
) -> None:
    for backend in ("numpy", "jax"):
        np.testing.assert_array_equal(asg.run(function(), backend=backend), oracle())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: asg.take(x, [0]), "the axis must be said"),
        (lambda x: asg.take(x, [0.5], axis=0), "integers are needed"),
        (lambda x: asg.take(x, [True], axis=0), "integers are needed"),
        (lambda x: asg.take_along_axis(x, [0], 0), "indices has 1 axes, 2 are needed"),
        (lambda x: asg.take_along_axis(x, [[0]] * 3, 1), "cannot broadcast"),
        (lambda x: asg.scatter_add(x, [0, 1], asg.zeros((3, 3))), r"broadcast.*\[2, 3\]"),
        (lambda x: asg.scatter_add(x > 0, [0], True), "bool"),
        (lambda x: asg.take(x, [0, 5], axis=0), "hold 5, which axis 0 of size 2.*from -2 to 1"),
        (lambda x: asg.take(x, np.array([[2**63]], np.uint64), axis=1), "hold 9223372036854775808"),
        (lambda x: asg.take_along_axis(x, [[-4], [0]], 1), "hold -4, which axis 1 of size 3"),
        (lambda x: asg.scatter_add(x, -3, 1.0), "hold -3, which axis 0 of size 2"),
        (lambda x: asg.scatter_add_along_axis(x, [[3], [0]], 1.0), "hold 3, which axis 1"),
        (lambda x: x[:, [0, 3]], "hold 3, which axis 1 of size 3 does not have"),
        (lambda x: x[[[1], [-3]], 0], "hold -3, which axis 0 of size 2"),
        (lambda x: x[:0][[0]], "axis 0 of size 0 .*has no elements"),
        (lambda x: asg.one_hot([0], -1), "depth is negative"),
    ],
)
def test_errors_say_what_is_wrong(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=f"(?s){message}"):
        wrong(asg.input("x", (2, 3)))
