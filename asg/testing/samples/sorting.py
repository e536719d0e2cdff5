"""Samples of sorting, searching and counting, by Python's own sort and by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.sorting import ArgSort, Bincount, Nonzero, SearchSorted, Sort, TopK, Unique
from asg.testing.sample import Array, Sample, register_samples

INFINITY, NAN = np.inf, np.nan
X = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 1.3], [1.6, 0.2, 0.7, -0.4]])
MIXED = np.array([NAN, 1.0, -0.0, INFINITY, 0.0, NAN, -INFINITY, 1.0])
BYTES = np.array([3, -128, 127, 0, 3, -128], np.int8)
NATURALS = np.array([3, 0, 255, 0, 3], np.uint8)
FLAGS = np.array([True, False, True, False])


def _integers(*numbers: Any) -> Array:
    return np.array(numbers, np.int32)


def _places(axis: int, descending: bool = False) -> Callable[[Array], Array]:
    """By Python's sort, which is stable, of pairs (is NaN, number)."""

    def row(x: Array) -> Array:
        sign = -1 if descending else 1
        keys = [(isnan(n), 0 if isnan(n) else sign * n) for n in x.tolist()]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int32)

    return lambda x: np.apply_along_axis(row, axis, x) if x.size else x.astype(np.int32)


def _sorted(axis: int, descending: bool = False) -> Callable[[Array], Array]:
    return lambda x: np.take_along_axis(x, _places(axis, descending)(x), axis)


def _top(k: int, axis: int) -> Callable[[Array], Any]:
    def oracle(x: Array) -> Any:
        places = np.take(_places(axis, True)(x), np.arange(k), axis)
        return np.take_along_axis(x, places, axis), places

    return oracle


def _unique(size: int, missing: Any) -> Callable[[Array], Any]:
    def oracle(x: Array) -> Any:
        values, inverse, counts = np.unique(
            x, return_inverse=True, return_counts=True, equal_nan=False
        )
        blank = max(size - len(values), 0)
        return (
            np.concatenate([values, np.full(blank, missing, x.dtype)])[:size],
            inverse.reshape(x.shape).astype(np.int32),
            np.concatenate([counts, np.zeros(blank, int)])[:size].astype(np.int32),
        )

    return oracle


def _nonzero(size: int, fill: tuple[int, ...]) -> Callable[[Array], Any]:
    def oracle(x: Array) -> Any:
        return tuple(
            np.concatenate([places, np.full(size, blank)])[:size].astype(np.int32)
            for places, blank in zip(np.nonzero(x), fill, strict=True)
        )

    return oracle


def _values(op: Sort | ArgSort, oracle: Any, x: Array, label: str) -> Sample:
    return Sample(op, (x,), oracle, (("n",),), differentiate=(), label=label)


SPARSE = np.array([[0, 7, 0, 2], [1, 0, 0, 5]], np.int32)

register_samples([
    Sample(ArgSort(1), (X,), _places(1), (("b", "n"),)),
    Sample(ArgSort(0), (X,), _places(0), (("b", 4),)),
    Sample(ArgSort(0), (X[:0],), _places(0), None, label="no elements"),
    _values(ArgSort(0), _places(0), MIXED, "ties and NaN"),
    _values(ArgSort(0), _places(0), BYTES, "int8"),
    _values(ArgSort(0), _places(0), NATURALS, "uint8"),
    _values(ArgSort(0), _places(0), FLAGS, "bool"),
    Sample(Sort(1), (X,), _sorted(1), (("b", "n"),)),
    Sample(Sort(0, True), (X,), _sorted(0, True), (("b", 4),)),
    Sample(Sort(0), (X[:0, 0],), _sorted(0), None, label="no elements"),
    Sample(Sort(0, True), (np.array([1.0, 2.0, 1.0]),), _sorted(0, True), (("n",),),
           kink=(np.array([1.0, 1.0, 1.0]),)),
    _values(Sort(0, True), _sorted(0, True), MIXED, "ties and NaN"),
    _values(Sort(0, True), _sorted(0, True), BYTES, "int8"),
    _values(Sort(0, True), _sorted(0, True), NATURALS, "uint8"),
    _values(Sort(0, True), _sorted(0, True), FLAGS, "bool"),
    Sample(TopK(2, 1), (X,), _top(2, 1), (("b", "n"),)),
    Sample(TopK(3, 0), (X,), _top(3, 0), (("b", "n"),), TopK(as_dim("b"), 0)),
    Sample(TopK(0, 0), (X[0],), lambda x: (x[:0], _integers()), (("n",),)),
    Sample(TopK(5, 0), (MIXED,), _top(5, 0), (("n",),), differentiate=(), label="ties and NaN"),
    Sample(SearchSorted(), (np.sort(X[0]), X), lambda a, v: (a < v[..., None]).sum(-1)
           .astype(np.int32), (("n",), ("b", "m"))),
    Sample(SearchSorted("right"), (_integers(1, 3, 3, 5), _integers(3, 0, 9, 5, 1)),
           lambda a, v: (a <= v[..., None]).sum(-1).astype(np.int32), (("n",), ("m",))),
    Sample(SearchSorted(), (np.array([-INFINITY, 1.0, NAN, NAN]), np.array([NAN, INFINITY, 1.0])),
           lambda a, v: _integers(2, 2, 1), (("n",), ("m",)), label="NaN"),
    Sample(SearchSorted("right"), (X[0, :0], np.array(2.0)), lambda a, v: _integers(0)[0], None,
           label="in nothing"),
    Sample(Bincount(4), (_integers(2, 0, 2, 3), X[0]),
           lambda x, w: np.bincount(x, w, 4), (("n",), ("n",))),
    Sample(Bincount(6), (np.array([5, 1, 1], np.uint8), _integers(1, 2, 3)),
           lambda x, w: np.bincount(x, w, 6).astype(np.int32), (("n",), ("n",)),
           Bincount(as_dim("2*n"))),
    Sample(Bincount(2), (np.array([1, -1], np.int8), X[0, :2]),
           lambda x, w: np.full(2, NAN), (("n",), ("n",)), Bincount(as_dim("n")),
           differentiate=(), label="outside"),
    Sample(Nonzero(5), (SPARSE,), _nonzero(5, (2, 4)), (("b", "n"),)),
    Sample(Nonzero(2, -1), (SPARSE,), _nonzero(2, (-1, -1)), (("b", "n"),)),
    Sample(Nonzero(6, -1), (FLAGS,), _nonzero(6, (-1,)), (("n",),), Nonzero(as_dim("n + 2"), -1)),
    Sample(Nonzero(2), (np.zeros((2, 0)),), _nonzero(2, (2, 0)), None, label="no elements"),
    Sample(Unique(5), (SPARSE,), _unique(5, -(2**31)), (("b", "n"),)),
    Sample(Unique(2), (SPARSE,), _unique(2, 0), (("b", "n"),), label="too many"),
    Sample(Unique(12), (X,), _unique(12, NAN), (("b", "n"),), Unique(as_dim("b*n"))),
    Sample(Unique(4), (np.array([2.0, 1.0, 2.0]),), _unique(4, NAN), (("n",),),
           kink=(np.array([1.0, 1.0, 0.0]),)),
    Sample(Unique(6), (MIXED,), _unique(6, NAN), (("n",),), differentiate=(), label="NaN"),
    Sample(Unique(3), (FLAGS,), _unique(3, True), (("n",),)),
    Sample(Unique(2), (X[:0],), lambda x: (np.full(2, NAN), x.astype(np.int32), _integers(0, 0)),
           None, label="no elements"),
])  # fmt: skip
