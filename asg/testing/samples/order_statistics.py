"""Samples of quantiles, medians and counts, by NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.ops.order_statistics import CountNonzero, Median, Quantile
from asg.testing.sample import Array, Sample, register_samples

X = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 1.3], [1.6, 0.2, 0.7, -0.4]])
CUBE = np.cos(np.arange(24.0) ** 2).reshape(2, 3, 4)
TIES = np.array([2.0, 1.0, 2.0, 5.0])
SPARSE = np.array([[0, 7, 0, 2], [1, 0, 0, 5]], np.int32)


def _count(axis: tuple[int, ...], keepdims: bool = False) -> Any:
    return lambda x: np.sum(x != 0, axis, np.int32, keepdims=keepdims)


def _quantile(q: tuple[float, ...], axis: tuple[int, ...], keepdims: bool = False) -> Any:
    return lambda x: np.asarray(np.quantile(x, q, axis, keepdims=keepdims))


def _nan(*numbers: float) -> Array:
    return np.array([*numbers, np.nan])


register_samples([
    Sample(Median((0, 1)), (X,), lambda x: np.asarray(np.median(x)), (("b", "n"),)),
    Sample(Median((0,), True), (X,), lambda x: np.median(x, 0, keepdims=True), (("b", 4),)),
    Sample(Median((0,)), (TIES,), lambda x: np.asarray(np.median(x)), (("n",),),
           kink=(np.array([0.5, 0.0, 0.5, 0.0]),), label="half"),
    Sample(Median((0,)), (_nan(1.0, 2.0),), lambda x: np.asarray(np.nan), (("n",),),
           differentiate=(), label="NaN"),
    Sample(Median((0,)), (np.array([np.inf, 1.0, np.inf]),), lambda x: np.asarray(np.inf),
           (("n",),), differentiate=(), label="infinities"),
    Sample(Median(()), (np.array(2.5),), lambda x: x, ((),)),
    Sample(Quantile((1,), False, (0.3, 0.0, 1.0)), (X,), _quantile((0.3, 0.0, 1.0), (1,)),
           (("b", "n"),)),
    Sample(Quantile((0, 2), True, (0.77,)), (CUBE,), _quantile((0.77,), (0, 2), True),
           (("a", "b", "c"),)),
    Sample(Quantile((0,), False, (0.25, 0.6)), (np.array([2.0, 1.0, 2.0, 2.0, 5.0]),),
           _quantile((0.25, 0.6), (0,)), (("n",),), differentiate=(), label="ties"),
    Sample(Quantile((0,), False, (0.5,)), (X[:1, 0],), _quantile((0.5,), (0,)), (("n",),),
           label="one element"),
    Sample(CountNonzero((1,)), (SPARSE,), _count((1,)), (("b", "n"),)),
    Sample(CountNonzero((0, 1), True), (_nan(0.0, -0.0, 3.0).reshape(2, 2),), _count((0, 1), True),
           (("b", "n"),)),
    Sample(CountNonzero((0,)), (SPARSE > 1,), _count((0,)), (("b", 4),)),
    Sample(CountNonzero((0,)), (X[:0],), _count((0,)), None, label="no elements"),
])  # fmt: skip
