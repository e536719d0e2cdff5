"""Samples of mean, variance, standard deviation, log-sum-exp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.ops.statistics import LogSumExp, Mean, Spread, Std, Var
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

INFINITY = np.inf
MATRIX = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2], [1.3, 0.4, -0.8, 2.2]])
BLOCK = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0


def _mean(op: Mean, x: Array, symbolic: SymbolicShape, **facts: Any) -> Sample:
    return Sample(
        op, (x,), lambda a: np.sum(a, op.axis, keepdims=op.keepdims) / _count(a, op.axis),
        (symbolic,), **facts,
    )  # fmt: skip


def _count(x: Array, axis: tuple[int, ...]) -> Any:
    return np.prod([float(x.shape[i]) for i in axis])


def _spread(
    function: Callable[..., Any], op: Spread, x: Array, symbolic: SymbolicShape, **facts: Any
) -> Sample:
    def value(a: Array) -> Any:
        import warnings

        with warnings.catch_warnings():  # no degrees of freedom: NumPy warns, and agrees
            warnings.simplefilter("ignore", RuntimeWarning)
            return function(a, axis=op.axis, ddof=op.correction, keepdims=op.keepdims)

    return Sample(op, (x,), value, (symbolic,), **facts)


def _spreads(function: Callable[..., Any], op_class: type[Spread]) -> list[Sample]:
    return [
        _spread(function, op_class((0,)), MATRIX, ("batch", 4)),
        _spread(function, op_class((1,), True, 1.0), MATRIX, ("batch", "n")),
        _spread(function, op_class((0, 1), False, 1.0), MATRIX, ("batch", "n")),
        _spread(function, op_class((0, 2), False, 2.5), BLOCK, ("batch", 3, "n")),
        _spread(function, op_class((1,)), BLOCK, ("batch", "m", "n")),
        _spread(function, op_class((1,), False, 1.0), np.empty((0, 4)), ("batch", 4)),
        _spread(function, op_class((0,), False, 1.0), np.array([2.0]), ("n",),
                differentiate=(), label="no degree of freedom"),
        _spread(function, op_class((0,), False, 2.0), np.array([2.0, 5.0]), ("n",),
                differentiate=(), label="divided by zero"),
        _spread(function, op_class((0,), False, 5.0), np.array([2.0, 5.0]), ("n",),
                differentiate=(), label="more correction than elements"),
        _spread(function, op_class((0,)), 1000.0 + MATRIX, ("n", 4), label="far from zero"),
    ]  # fmt: skip


def _logsumexp(op: LogSumExp, x: Array, symbolic: SymbolicShape, **facts: Any) -> Sample:
    def value(a: Array) -> Any:
        from scipy.special import logsumexp

        if a.ndim == 0:
            return a
        return np.asarray(logsumexp(a, axis=op.axis, keepdims=op.keepdims), a.dtype)

    return Sample(op, (x,), value, (symbolic,), **facts)


register_samples(
    [
        _mean(Mean((0,)), MATRIX, ("batch", 4)),
        _mean(Mean((1,), True), MATRIX, ("batch", "n")),
        _mean(Mean((0, 1)), MATRIX, ("batch", "n")),
        _mean(Mean((0, 2)), BLOCK, ("batch", 3, "n")),
        _mean(Mean(()), np.array(1.5), (), label="scalar"),
        _mean(Mean((1,)), np.empty((0, 4)), ("batch", 4), label="no rows"),
        _mean(Mean((0,)), np.empty((0, 2)), ("n", 2), label="mean of nothing"),
        *_spreads(np.var, Var),
        *_spreads(np.std, Std),
        _spread(np.std, Std((1,)), np.array([[2.0, 2.0, 2.0], [7.0, 7.0, 7.0]]), ("batch", "n"),
                kink=(np.zeros((2, 3)),), label="equal elements"),
        _logsumexp(LogSumExp((0,)), MATRIX, ("batch", 4)),
        _logsumexp(LogSumExp((1,), True), MATRIX, ("batch", "n")),
        _logsumexp(LogSumExp((0, 1)), MATRIX, ("batch", "n")),
        _logsumexp(LogSumExp((0, 2)), BLOCK, ("batch", 3, "n")),
        _logsumexp(LogSumExp(()), np.array(1.5), (), label="scalar"),
        _logsumexp(LogSumExp((1,)), np.empty((0, 4)), ("batch", 4), label="no rows"),
        _logsumexp(LogSumExp((1,)), MATRIX * 1000.0, ("batch", "n"), label="extreme"),
        _logsumexp(LogSumExp((1,)), np.array([[-INFINITY, -INFINITY], [-INFINITY, 1.0]]),
                   ("batch", "n"), kink=(np.array([[0.0, 0.0], [0.0, 1.0]]),), label="-inf rows"),
        _logsumexp(LogSumExp((0,)), np.array([INFINITY, 1.0, -INFINITY]), ("n",),
                   differentiate=(), label="+inf"),
        _logsumexp(LogSumExp((0,)), np.array([np.nan, 1.0]), ("n",),
                   differentiate=(), label="NaN"),
    ]
)  # fmt: skip
