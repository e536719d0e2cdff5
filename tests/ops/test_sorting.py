"""Sorting, searching and counting beyond the samples: both backends, gradients, refusals."""

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.errors import AsgError, DtypeError, OperandError, ShapeError
from asg.ops.sorting import SearchSorted

BACKENDS = pytest.mark.parametrize("backend", ["numpy", "jax"])
NAN = float("nan")


@BACKENDS
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_nan_is_last_in_both_directions_whatever_its_sign(dtype: str, backend: str) -> None:
    x = asg.input("x", (5,), dtype)
    numbers = np.array([NAN, 2.0, -NAN, float("inf"), 2.0]).astype(x.dtype.numpy)
    up, down = asg.argsort(x), asg.argsort(x, descending=True)
    found = asg.run([up, down], {x: numbers}, backend=backend)
    assert [each.tolist() for each in found] == [[1, 4, 3, 0, 2], [3, 1, 4, 0, 2]]


@BACKENDS
def test_equal_elements_keep_their_order_on_long_axes(backend: str) -> None:
    numbers = np.random.default_rng(1).integers(-3, 3, (5, 300)).astype(np.int8)
    x = asg.input("x", (5, "n"), "int8")
    up, down = asg.argsort(x, 1), asg.argsort(x, 1, descending=True)
    found = asg.run([up, down], {x: numbers}, backend=backend)
    assert np.array_equal(found[0], np.argsort(numbers, 1, kind="stable"))
    assert np.array_equal(found[1], np.argsort(~numbers, 1, kind="stable"))


@BACKENDS
def test_gradients_of_top_k_are_those_of_pytorch(backend: str) -> None:
    torch = pytest.importorskip("torch")
    numbers = np.random.default_rng(2).normal(size=(4, 7))
    x = asg.input("x", ("b", 7), "float64")
    values, places = asg.top_k(x, 3)
    slope = asg.grad((values**3).sum(), x)
    bend = asg.grad((slope * x).sum(), x)
    found = asg.run([values, places, slope, bend], {x: numbers}, backend=backend)
    point = torch.tensor(numbers, requires_grad=True)
    top = torch.topk(point, 3)
    (first,) = torch.autograd.grad((top.values**3).sum(), point, create_graph=True)
    (second,) = torch.autograd.grad((first * point).sum(), point)
    for mine, theirs in zip(found, (*top, first, second), strict=True):
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-12)


@BACKENDS
@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "uint8", "int64"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_searching_is_that_of_numpy(side: Any, dtype: str, backend: str) -> None:
    ascending, values = asg.input("ascending", ("n",), dtype), asg.input("values", (3, 4), dtype)
    line = np.sort(np.arange(20) * 7 % 11).astype(ascending.dtype.numpy)
    wanted = np.arange(12).reshape(3, 4).astype(ascending.dtype.numpy)
    feeds = {ascending: line, values: wanted}
    found = asg.run(asg.searchsorted(ascending, values, side), feeds, backend=backend)
    exact = np.searchsorted(line.astype(np.float64), wanted.astype(np.float64), side)
    assert np.array_equal(found, exact)


@BACKENDS
def test_a_number_outside_of_the_count_makes_it_missing(backend: str) -> None:
    for outside in (-1, 3):
        x = asg.constant([0, 1, outside])
        counts = asg.run(asg.bincount(x, length=3), {}, backend=backend)
        assert counts.tolist() == [-(2**31)] * 3


@BACKENDS
def test_distinct_elements_rebuild_the_tensor(backend: str) -> None:
    numbers = np.random.default_rng(3).integers(0, 9, (6, 5))
    x = asg.input("x", ("n", 5), "int64")
    values, inverse, counts = asg.unique(x, size=12)
    again = asg.take(values, inverse)
    found = asg.run([again, values, counts], {x: numbers}, backend=backend)
    exact = np.unique(numbers, return_counts=True)
    assert np.array_equal(found[0], numbers)
    assert np.array_equal(found[1][: len(exact[0])], exact[0])
    assert np.array_equal(found[2][: len(exact[1])], exact[1]) and found[2].sum() == 30


@BACKENDS
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "uint8", "int64", "bool"])
def test_sorted_values_are_those_that_the_places_name(dtype: str, backend: str) -> None:
    x = asg.input("x", (4, 30), dtype)
    draw = np.random.default_rng(4).integers(0, 50, (4, 30)) - 20
    numbers = draw.astype(x.dtype.numpy)
    if x.dtype.is_float:
        numbers[1, 3] = NAN
    for descending in (False, True):
        for axis in (0, 1):
            places = asg.argsort(x, axis, descending)
            pair = [asg.sort(x, axis, descending), asg.take_along_axis(x, places, axis)]
            found = asg.run(pair, {x: numbers}, backend=backend)
            wide = [np.asarray(each).astype(np.float64) for each in found]
            assert np.array_equal(wide[0], wide[1], equal_nan=True)


def test_a_composite_keeps_its_name() -> None:
    x = asg.input("x", (3,))
    assert asg.sort(x).node.op.name == "sort"
    assert asg.top_k(x, 2)[0].node.op.name == "top_k"
    assert asg.unique(x, size=2)[0].node.op.name == "unique"


def matrix(dtype: str = "float32") -> asg.Tensor:
    return asg.input("x", (2, 3), dtype)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: asg.sort(matrix(), 2), ShapeError, "axis 2 does not exist"),
        (lambda: asg.argsort(asg.input("x", ())), ShapeError, "does not exist: x has no axes"),
        (lambda: asg.top_k(matrix(), 4), ShapeError, "axis 1 has 3 elements, k is 4"),
        (lambda: asg.top_k(matrix(), -1), ShapeError, "k is negative"),
        (lambda: asg.searchsorted(matrix(), 1.0), ShapeError, "ascending has 2 axes, 1 are needed"),
        (lambda: SearchSorted("middle")(asg.zeros(3), 1.0), OperandError, "side is 'middle'"),
        (lambda: asg.bincount(matrix("int32"), length=3), ShapeError, "x has 2 axes"),
        (lambda: asg.bincount(asg.zeros(3), length=3), DtypeError, "integers are needed"),
        (lambda: asg.bincount(asg.constant([1]), [1.0, 2.0], length=3), ShapeError, "2 against 1"),
        (lambda: asg.nonzero(asg.input("x", ()), size=1), ShapeError, "x is a scalar"),
        (lambda: asg.nonzero(matrix(), size=-2), ShapeError, "size is negative"),
        (lambda: asg.nonzero(matrix(), size=2, fill=True), OperandError, "fill is True"),
        (lambda: asg.unique(matrix(), size=-2), ShapeError, "size is negative"),
    ],
)
def test_mistakes_are_refused_where_they_are_made(
    make: Any, error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        make()
    assert "test_sorting.py" in str(caught.value)
