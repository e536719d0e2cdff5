"""x[key] against NumPy: random keys, symbolic sizes, derivatives, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asg
from asg.core.dim import evaluate, symbol

SHAPE = (2, 3, 4)
X = np.arange(24.0, dtype=np.float32).reshape(SHAPE)

BOUND = st.none() | st.integers(-5, 5)
SLICES = st.builds(slice, BOUND, BOUND, st.sampled_from([None, 1, 2, 3, -1, -2]))


@st.composite
def array_indices(draw: st.DrawFn, size: int) -> Any:
    """Lists and arrays that broadcast with each other: shapes (), (1,), (3,) and (2, 3)."""
    shape = draw(st.sampled_from([(1,), (3,), (2, 3), (2, 1)]))
    flat = draw(st.lists(st.integers(-size, size - 1), min_size=6, max_size=6))
    return np.array(flat[: int(np.prod(shape))], np.int32).reshape(shape)


@st.composite
def keys(draw: st.DrawFn) -> tuple[Any, ...]:
    """Any legal key for SHAPE."""
    named = draw(st.integers(0, 3))
    entries: list[Any] = []
    for size in SHAPE[:named]:
        choices = SLICES | st.integers(-size, size - 1) | array_indices(size)
        entries.append(draw(choices))
    if draw(st.booleans()):
        entries.insert(draw(st.integers(0, len(entries))), Ellipsis)
    for _ in range(draw(st.integers(0, 2))):
        entries.insert(draw(st.integers(0, len(entries))), None)
    return tuple(entries)


def read_by_numpy(key: tuple[Any, ...]) -> Any:
    try:
        return X[key]
    except IndexError:  # entries behind `...` are drawn for the axes before it
        return None


@given(keys())
def test_any_key_reads_what_numpy_reads(key: tuple[Any, ...]) -> None:
    wanted = read_by_numpy(key)
    if wanted is None:
        return
    part = asg.constant(X)[key]
    assert part.shape == wanted.shape
    np.testing.assert_array_equal(asg.run(part), wanted)


@pytest.mark.parametrize("step", [None, 1, 2, 3, -1, -2, -3])
def test_sizes_of_symbolic_slices_are_formulas(step: int | None) -> None:
    x = asg.input("x", (symbol("n", minimum=0),))
    bounds = [None, 0, 1, 2, 5, -1, -2, -5]
    for start in bounds:
        for stop in bounds:
            part = x[start:stop:step]
            for size in range(9):
                wanted = len(range(size)[start:stop:step])
                assert evaluate(part.shape[0], {"n": size}) == wanted, (start, stop, step, size)


@pytest.mark.parametrize(
    ("key", "size"),
    [(slice(1, None), "n - 1"), (slice(None, -1), "n - 1"), (slice(None, None, -1), "n"),
     (slice(None, None, 2), "(n + 1)//2"), (slice(1, None, 2), "n//2")],
)  # fmt: skip
def test_formulas_are_simple_where_bounds_allow(key: slice, size: str) -> None:
    assert str(asg.input("x", ("n",))[key].shape[0]) == size


def test_symbolic_bounds_and_places() -> None:
    n = symbol("n", minimum=2)
    x = asg.input("x", (n,))
    array = np.arange(7, dtype=np.float32)
    assert asg.run(x[n // 2 :], {x: array}).tolist() == array[3:].tolist()
    assert asg.run(x[n - 2], {x: array}).item() == 5
    assert asg.run(x[n - 1 : 0 : -2], {x: array}).tolist() == array[6:0:-2].tolist()


def test_a_literal_place_on_a_symbolic_axis_is_checked_when_it_runs() -> None:
    x = asg.input("x", ("n",))
    for place in (3, -4):
        read = x[place]
        assert asg.run(read, {x: np.arange(4, dtype=np.float32)}).item() == np.arange(4)[place]
        with pytest.raises(asg.AsgError, match="has no"):
            asg.run(read, {x: np.arange(3, dtype=np.float32)})


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_several_arrays_read_outside_as_missing(backend: str) -> None:
    x, i, j = asg.constant(X), asg.input("i", (4,), "int32"), asg.input("j", (4,), "int32")
    feeds = {i: [0, 2, 0, -2], j: [0, 0, -4, 2]}
    read = np.asarray(asg.run(x[i, j], feeds, backend=backend))
    assert np.isnan(read[1:3]).all() and not np.isnan(read[[0, 3]]).any()
    np.testing.assert_array_equal(read[[0, 3]], X[[0, 0], [0, 2]])


def test_unsigned_indices_are_not_negative() -> None:
    x, i = asg.constant(X), asg.input("i", (2,), "uint64")
    large = np.array([2**64 - 1, 1], np.uint64)
    read = asg.run(x[i, np.array([0, 0], np.uint8)], {i: large})
    assert np.isnan(read[0]).all()
    np.testing.assert_array_equal(read[1], X[1, 0])


@pytest.mark.parametrize(
    "key",
    [
        (slice(None, None, -2), 1),
        ([1, 0, 1], slice(None), [0, 0, 3]),
        (slice(None), [[0, 2]], [1]),
        (0, slice(1, None), [3, 3]),
        (..., None, slice(3, 0, -2)),
    ],
)
def test_the_gradient_adds_into_the_places_that_were_read(key: tuple[Any, ...]) -> None:
    x = asg.input("x", SHAPE)
    part = x[key]
    weights = np.arange(1.0, 1 + np.prod(X[key].shape), dtype=np.float32).reshape(X[key].shape)
    wanted = np.zeros_like(X)
    np.add.at(wanted, key, weights)
    slope = asg.grad((part * weights).sum(), x)
    np.testing.assert_array_equal(asg.run(slope, {x: X}), wanted)


def test_a_tensor_of_indices_over_a_symbolic_axis() -> None:
    x, i = asg.input("x", ("n", "m")), asg.input("i", ("k",), dtype="int32")
    read = x[i, -1]
    assert str(read.type) == "f32[k]"
    array = np.arange(12, dtype=np.float32).reshape(4, 3)
    given = np.array([0, -1, 2], np.int32)
    np.testing.assert_array_equal(asg.run(read, {x: array, i: given}), array[given, -1])
    both = x[i, i]
    np.testing.assert_array_equal(asg.run(both, {x: array, i: given}), array[given, given])


def test_the_whole_is_the_tensor_itself() -> None:
    x = asg.input("x", SHAPE)
    assert x[...] is x and x[()] is x and x[:, :] is x


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda x: x[0, 0, 0, 0], "4 indices for 3 axes"),
        (lambda x: x[2], "axis 0 of size 2 has no index 2"),
        (lambda x: x[:, -4], "axis 1 of size 3 has no index -4"),
        (lambda x: x[..., ...], "stands twice"),
        (lambda x: x[x > 0], r"mask of type bool\[2, 3, 4\].*where\(mask"),
        (lambda x: x[np.array([True, False])], "a mask"),
        (lambda x: x[True], "a bool cannot be a key"),
        (lambda x: x[x], r"f32\[2, 3, 4\] is no index"),
        (lambda x: x[1.0], "no index"),
        (lambda x: x[::0], "step of a slice is 0"),
        (lambda x: x[: asg.constant(2)], "neither an int nor a size.*take"),
        (lambda x: x[: symbol("a") - symbol("b")], "is not known"),
        (lambda x: x[:: symbol("a")], "is not an int"),
        (lambda x: x[[0, 1], [0, 1, 2]], "cannot broadcast"),
        (lambda x: x["a"], "'a' is no index"),
    ],
)
def test_errors_say_what_is_wrong(wrong: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(asg.AsgError, match=f"(?s){message}"):
        wrong(asg.input("x", SHAPE))
