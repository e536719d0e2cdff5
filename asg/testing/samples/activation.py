"""Samples of activations: ordinary points, kinks, extremes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.activation import (
    Elu,
    Gelu,
    LeakyReLU,
    LogSoftmax,
    ReLU,
    SiLU,
    Softmax,
    Softplus,
)
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

INFINITY, NAN = np.inf, np.nan
MATRIX = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2]])
BLOCK = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0
EXTREME = np.array([[1e4, -1e4, 9999.0], [-3e4, -3e4, 0.0]])


def _normal_cdf(x: Array) -> Any:
    from scipy.special import ndtr

    return ndtr(x)


def _sigmoid(x: Array) -> Any:
    from scipy.special import expit

    return expit(x)


def _gelu_tanh(x: Array) -> Any:
    return x * 0.5 * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (x + 0.044715 * x**3)))


ELEMENTWISE: list[tuple[Op, Callable[[Array], Any]]] = [
    (ReLU(), lambda x: np.where(x < 0, 0.0, x)),
    (LeakyReLU(), lambda x: np.where(x < 0, 0.01 * x, x)),
    (LeakyReLU(0.3), lambda x: np.where(x < 0, 0.3 * x, x)),
    (Elu(), lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)),
    (Elu(1.7), lambda x: np.where(x > 0, x, 1.7 * np.expm1(np.minimum(x, 0)))),
    (SiLU(), lambda x: x * _sigmoid(x)),
    (Gelu(), lambda x: x * _normal_cdf(x)),
    (Gelu("tanh"), _gelu_tanh),
    (Softplus(), lambda x: np.logaddexp(x, 0.0)),
    (Softplus(2.5), lambda x: np.logaddexp(2.5 * x, 0.0) / 2.5),
]


def _elementwise(op: Op, oracle: Callable[[Array], Any]) -> list[Sample]:
    def value(x: Array) -> Any:
        return np.asarray(oracle(x), x.dtype)

    return [
        Sample(op, (MATRIX,), value, (("batch", 4),)),
        Sample(op, (np.array(-0.7),), value, ((),), label="scalar"),
        Sample(op, (np.array(0.7),), value, ((),), label="scalar"),
        Sample(op, (np.empty((0, 3)),), value, (("batch", 3),), label="no rows"),
        Sample(op, (np.array([-1000.0, 1000.0, NAN, INFINITY]),), value, (("n",),),
               differentiate=(), label="far out"),
    ]  # fmt: skip


def _at_zero(op: Op, slope: float) -> Sample:
    x = np.array([0.0, 2.0])
    return Sample(op, (x,), lambda a: a.copy(), (("n",),), kink=(np.array([slope, 1.0]),))


register_samples(sample for op, oracle in ELEMENTWISE for sample in _elementwise(op, oracle))
register_samples([_at_zero(ReLU(), 0.0), _at_zero(LeakyReLU(0.3), 0.3), _at_zero(Elu(1.7), 1.7)])


def _softmax(axis: int) -> Callable[..., Any]:
    def value(x: Array) -> Any:
        from scipy.special import softmax

        return softmax(x, axis) if x.size else x

    return value


def _log_softmax(axis: int) -> Callable[..., Any]:
    def value(x: Array) -> Any:
        from scipy.special import log_softmax

        return log_softmax(x, axis) if x.size else x

    return value


def _rows(
    op_class: type[Softmax] | type[LogSoftmax], oracle: Callable[[int], Callable[..., Any]]
) -> list[Sample]:
    cases: list[tuple[int, Array, SymbolicShape, dict[str, Any]]] = [
        (1, MATRIX, ("batch", 4), {}),
        (1, MATRIX, ("batch", "n"), {}),
        (0, MATRIX, ("n", 4), {}),
        (1, BLOCK, ("batch", "n", "m"), {}),
        (0, np.array([0.5]), ("n",), {"label": "one element"}),
        (1, np.empty((0, 4)), ("batch", 4), {"label": "no rows"}),
        (1, EXTREME, ("batch", 3), {"differentiate": (), "label": "extreme"}),
        (0, np.array([-INFINITY, 1.0, 0.5]), ("n",), {"differentiate": (), "label": "masked"}),
    ]
    return [
        Sample(op_class(axis), (x,), oracle(axis), (symbolic,), **facts)
        for axis, x, symbolic, facts in cases
    ]


register_samples([*_rows(Softmax, _softmax), *_rows(LogSoftmax, _log_softmax)])
