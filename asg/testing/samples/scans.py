"""Samples of running totals: both directions, zeros, ties, overflow; by sums over triangles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.scans import (
    CumMax,
    CumMin,
    CumProd,
    CumSum,
    Diff,
    LinearRecurrence,
    LogCumSumExp,
    Scan,
)
from asg.testing.sample import Array, Sample, register_samples

INFINITY, NAN = np.inf, np.nan
X = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 1.3], [1.6, 0.2, 0.7, -0.4]])
BYTES = np.array([100, 27, 3, -5, 7], np.int8)


def _vector(*numbers: float) -> Array:
    return np.array(numbers, np.float64)


def _prefixes(function: Callable[..., Any], op: Scan) -> Callable[[Array], Array]:
    """The function of every prefix (or suffix), one by one."""

    def oracle(x: Array) -> Array:
        rows = np.moveaxis(x, op.axis, 0)
        parts = [rows[i:] if op.reverse else rows[: i + 1] for i in range(len(rows))]
        found = [function(part, axis=0) for part in parts]
        return np.moveaxis(np.array(found).astype(x.dtype).reshape(rows.shape), 0, op.axis)

    return oracle


def _cases(op: type[Scan], function: Callable[..., Any]) -> list[Sample]:
    """Rows, columns from the end, one element, nothing."""
    forward, backward = op(1), op(0, True)
    return [
        Sample(forward, (X,), _prefixes(function, forward), (("batch", "n"),)),
        Sample(backward, (X,), _prefixes(function, backward), (("n", 4),)),
        Sample(op(0), (X[0, :1],), lambda x: x, (("n",),)),
        Sample(backward, (X[:0],), lambda x: x, None, label="no elements"),
    ]


def _values(op: Scan, function: Callable[..., Any], x: Array, label: str) -> Sample:
    return Sample(op, (x,), _prefixes(function, op), (("n",),), differentiate=(), label=label)


def _log_sum(x: Array, axis: int) -> Array:
    from scipy.special import logsumexp

    return np.asarray(logsumexp(x, axis=axis))


def _kink(op: Op, function: Any, x: Array, expected: Array) -> Sample:
    return Sample(op, (x,), function, (("n",),), kink=(expected,), label="kink")


def _recurrence(a: Array, b: Array) -> Array:
    """Along the last axis, by the products between every two places."""
    size = b.shape[-1]
    found = np.zeros_like(b)
    for i in range(size):
        for j in range(i + 1):
            found[..., i] += b[..., j] * np.prod(a[..., j + 1 : i + 1], axis=-1)
    return found


A = np.array([[NAN, 0.5, -1.2, 0.0], [NAN, 2.0, 0.3, 0.7], [NAN, -0.4, 1.5, 1.0]])
FACTORS = np.where(np.isnan(A), 9.0, A)

register_samples([
    *_cases(CumSum, np.sum),
    _values(CumSum(0), np.sum, BYTES, "int8, wraps around"),
    _values(CumSum(0, True), np.sum, _vector(1, INFINITY, 2, -INFINITY, 3), "not finite"),
    *_cases(CumProd, np.prod),
    Sample(CumProd(0), (_vector(2, 0, 5, 0, 3),), np.cumprod, (("n",),), label="zeros"),
    Sample(CumProd(0, True), (_vector(2, 0, 5, 3),), lambda x: np.cumprod(x[::-1])[::-1],
           (("n",),), label="a zero"),
    _values(CumProd(0), np.prod, BYTES, "int8, wraps around"),
    *_cases(CumMax, np.max),
    _values(CumMax(0), np.max, BYTES, "int8"),
    _kink(CumMax(0), np.maximum.accumulate, _vector(1, 3, 3, 2, 4), _vector(1, 3, 0, 0, 1)),
    _kink(CumMax(0), np.maximum.accumulate, _vector(-INFINITY, NAN, 3, NAN),
          _vector(1, 3, 0, 0)),
    *_cases(CumMin, np.min),
    _values(CumMin(0, True), np.min, BYTES, "int8"),
    _kink(CumMin(0, True), lambda x: np.minimum.accumulate(x[::-1])[::-1],
          _vector(4, 2, 3, 3, 5), _vector(0, 2, 0, 2, 1)),
    *_cases(LogCumSumExp, _log_sum),
    _kink(LogCumSumExp(0), lambda x: _vector(-INFINITY, 0, np.log(2), 1000),
          _vector(-INFINITY, 0, 0, 1000), _vector(0, 1.5, 0.5, 1)),
    Sample(LinearRecurrence(1), (FACTORS, X), _recurrence, (("b", "n"), ("b", "n"))),
    Sample(LinearRecurrence(0, True), (FACTORS.T[::-1], X.T),
           lambda a, b: _recurrence(a.T[:, ::-1], b.T[:, ::-1])[:, ::-1].T,
           (("n", 3), ("n", 3))),
    Sample(LinearRecurrence(1), (A, X), _recurrence, (("b", "n"), ("b", "n")),
           differentiate=(), label="the first factor is not used"),
    Sample(LinearRecurrence(0), (X[:0], X[:0]), lambda a, b: b, None, label="no elements"),
    Sample(LinearRecurrence(0), (X[:1, 0], X[1:2, 0]), lambda a, b: b, (("n",), ("n",))),
    Sample(Diff(1), (X,), lambda x: x[:, 1:] - x[:, :-1], (("b", "n"),)),
    Sample(Diff(0), (X,), lambda x: x[1:] - x[:-1], (("n", 4),)),
    Sample(Diff(0), (BYTES,), lambda x: x[1:] - x[:-1], (("n",),)),
    Sample(Diff(0), (X[:1],), lambda x: x[:0], (("n", 4),), label="one element"),
])  # fmt: skip
