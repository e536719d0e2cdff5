"""Numbers of NumPy, comparisons that would be silent, and ops that break their contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.core.dtype import DTYPES, fits
from asg.core.errors import DimError, DtypeError, GraphError, NotRunYet, OperandError, ShapeError
from asg.core.registry import OPS


@pytest.mark.parametrize("dtype", [dtype for dtype in DTYPES.values() if dtype.is_float])
def test_a_float64_scalar_of_numpy_is_a_number(dtype: Any) -> None:
    x = asg.input("x", (2,), dtype=dtype)
    assert (x * np.float64(0.5)).dtype is dtype
    assert fits(np.float64(2.0), dtype) and fits(np.float64(np.inf), dtype)


def test_float64_scalars_of_numpy_overflow_like_floats() -> None:
    assert not fits(np.float64(1e300), asg.float32)
    assert not fits(np.float64(1.5), asg.int64) and fits(np.float64(3.0), asg.int8)


@pytest.mark.parametrize("other", [1, 0.5, True, np.float32(1), np.ones(3, np.float32)])
def test_comparing_a_tensor_with_numbers_by_equality_is_refused(other: Any) -> None:
    x = asg.input("x", (3,))
    with pytest.raises(NotRunYet, match=r"asg\.equal"):
        x == other  # noqa: B015
    with pytest.raises(NotRunYet, match=r"asg\.equal"):
        other != x  # noqa: B015


def test_tensors_stay_dictionary_keys() -> None:
    x, y = asg.input("x", (3,)), asg.parameter("y", (3,), init=0.0)
    table: dict[Any, int] = {x: 1, y: 2}
    assert table[x] == 1 and table[y] == 2 and x in [y, x] and x not in [y, None, "x"]


def test_where_refuses_a_python_bool() -> None:
    x, y = asg.input("x", (3,)), asg.input("y", (3,))
    with pytest.raises(OperandError, match=r"asg\.equal"):
        asg.where(x == y, x, y)


@pytest.mark.parametrize("shape", [np.array([2, 3]), 3.0, None])
def test_what_is_not_a_size_is_refused(shape: Any) -> None:
    with pytest.raises(DimError, match="a size is an int"):
        asg.zeros(shape)


def test_advice_to_compare_names_the_function() -> None:
    x = asg.input("x", (3,))
    with pytest.raises(DtypeError, match=r"asg\.not_equal\(condition, 0\)"):
        asg.where(x, 1, 2)


def test_initial_arrays_are_copied() -> None:
    array = np.ones(3, np.float32)
    weight = asg.parameter("w", (3,), init=array)
    array[:] = 7.0
    session = asg.compile(asg.Graph(w=weight)).start()
    assert session()["w"].tolist() == [1.0, 1.0, 1.0]


def test_initialisers_may_return_arrays() -> None:
    rows: Any = lambda key, type: np.full(2, 3.0, np.float32)  # noqa: E731
    weight = asg.parameter("w", (2,), init=rows)
    assert asg.compile(asg.Graph(w=weight)).start()()["w"].tolist() == [3.0, 3.0]
    scalar: Any = lambda key, type: 1.0  # noqa: E731
    short = asg.parameter("w", (2,), init=scalar)
    with pytest.raises(ShapeError, match=r"made f32\[\], f32\[2\] is declared"):
        asg.compile(asg.Graph(w=short)).start()


class RegressionPair(asg.Op):
    """Two outputs."""

    def infer(self, x: Any) -> Any:
        return x, x


class RegressionShape(asg.Op):
    """Its infer returns a shape."""

    def infer(self, x: Any) -> Any:
        return x.shape


class RegressionEntries(asg.Op):
    """Its vjp returns too many entries."""

    def infer(self, x: Any) -> Any:
        return x

    def vjp(self, inputs: Any, outputs: Any, cotangents: Any) -> Any:
        return [cotangents[0], None]


class RegressionList(asg.Op):
    """Its field cannot be hashed."""

    axes: Any = ()

    def infer(self, x: Any) -> Any:
        return x

    def decompose(self, x: Any) -> Any:
        return x * 2.0


for name in ("pair", "shape", "entries", "list"):
    del OPS[f"regression_{name}"]  # wrong on purpose: not for the tests that go over all ops


def test_ops_that_break_their_contract_are_named() -> None:
    x = asg.input("x", (3,))
    with pytest.raises(OperandError, match="regression_pair has 2 outputs"):
        RegressionPair()(x)
    with pytest.raises(OperandError, match="infer of regression_shape"):
        RegressionShape()(x)
    with pytest.raises(GraphError, match="regression_entries returned 2 entries for 1"):
        asg.grad(RegressionEntries()(x).sum(), x)
    with pytest.raises(OperandError, match=r"regression_list.*lists or dicts"):
        asg.compile(asg.Graph(y=RegressionList([1])(x)))
