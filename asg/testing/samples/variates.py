"""Samples of further distributions: from the cipher in Python's integers, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.dim import symbol
from asg.core.dtype import DType, as_dtype, bfloat16, float16, float32, float64
from asg.core.op import Op
from asg.ops.gammas import Beta, Gamma
from asg.ops.variates import (
    Categorical,
    Exponential,
    Gumbel,
    Laplace,
    Permutation,
    TruncatedNormal,
)
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.random import KEY, ZERO, bits_of, keys_of, threefry, units_of

SHAPE = (3, 5)
# In float32, since what is drawn depends on the dtype; tests/ops/test_variates.py has float64.
ALPHA = np.array([[0.02, 0.6, 1.0], [1.7, 40.0, 1e6]], np.float32)
TINY, HALF = np.full(8, 1e-3, np.float32), np.array(0.5, np.float32)
LOGITS = np.array([[0.3, -1.7, 2.4, 0.9], [-np.inf, 1.1, -np.inf, 0.2]],
                  np.float32)  # fmt: skip


def _wide(dtype: DType) -> DType:
    return float64 if dtype is float64 else float32


def _exponential(key: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    return -np.log1p(-units_of(key, shape, dtype))


def _laplace(key: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    first, second = keys_of(key, 2)
    positive = units_of(second, shape, float32) < 0.5
    return _exponential(first, shape, dtype) * np.where(positive, 1.0, -1.0)


def _gumbel(key: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    least = 2.0**-54 if dtype is float64 else 2.0**-25
    return -np.log(np.maximum(_exponential(key, shape, dtype), least))


def _normal(key: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    u, v = (units_of(each, shape, dtype) for each in keys_of(key, 2))
    return np.asarray(np.sqrt(-2.0 * np.log1p(-u)) * np.cos(2.0 * np.pi * v))


def _truncated(op: TruncatedNormal) -> Callable[..., Any]:
    def value(key: Array) -> Any:
        from scipy.special import erf, erfinv

        scalar = _wide(op.dtype).numpy.type
        low, high = erf(np.array([op.lower, op.upper]) / math.sqrt(2.0))
        low = max(low, np.nextafter(scalar(-1), scalar(0)).astype(np.float64))
        unit = units_of(key, SHAPE, _wide(op.dtype)).astype(scalar)
        u = unit * scalar(high - low) + scalar(low)
        return (math.sqrt(2.0) * erfinv(u.astype(np.float64))).astype(op.dtype.numpy)

    return value


def _of_shape(op: Any, formula: Callable[[Array, tuple[int, ...], DType], Array]) -> Sample:
    def value(key: Array) -> Any:
        return formula(key, op.shape, _wide(op.dtype)).astype(op.dtype.numpy)

    return Sample(op, (KEY,), value, ((2,),))


register_samples(
    [
        *(
            _of_shape(op(shape, dtype), formula)
            for op, formula in ((Exponential, _exponential), (Laplace, _laplace), (Gumbel, _gumbel))
            for shape, dtype in ((SHAPE, float16), (SHAPE, bfloat16), (SHAPE, float32),
                                 (SHAPE, float64), ((), float32), ((0, 2), float32))
        ),
        *(
            Sample(op, (KEY,), _truncated(op), ((2,),))
            for bounds in ((-2.0, 2.0), (0.5, math.inf), (-math.inf, math.inf), (-3.0, -2.5))
            for dtype in (float32, float64)
            for op in (TruncatedNormal(SHAPE, *bounds, dtype),)
        ),
    ]
)  # fmt: skip


# -- choices -------------------------------------------------------------------------------------


def _permutation(key: Array, length: int) -> Array:
    """Shuffled by the bits of one key, and what comes out by those of the other."""
    numbers = list(range(length))
    for each in keys_of(key, 2):
        bits = bits_of(each, (length,)).tolist()
        numbers = [
            number for _, _, number in sorted(zip(bits, range(length), numbers, strict=True))
        ]
    return np.array(numbers, np.int32)


def _categorical(key: Array, logits: Array) -> Array:
    noisy = logits + _gumbel(key, logits.shape, as_dtype(logits.dtype))
    return np.asarray(np.argmax(noisy, -1), np.int32)


def _permuted(length: int, key: Array) -> Sample:
    def value(key: Array) -> Array:
        return _permutation(key, length)

    return Sample(Permutation(length), (key,), value, ((2,),), Permutation(symbol("n")))


register_samples(
    [
        _permuted(1, KEY),
        _permuted(7, KEY),
        _permuted(100, ZERO),
        Sample(Permutation(0), (KEY,), lambda key: np.empty(0, np.int32), ((2,),)),
        Sample(
            Categorical(),
            (KEY, LOGITS),
            _categorical,
            ((2,), ("batch", "classes")),
            differentiate=(),
        ),
        Sample(
            Categorical(), (KEY, LOGITS[0]), _categorical, ((2,), ("classes",)), differentiate=()
        ),
        Sample(
            Categorical(),
            (ZERO, np.zeros((4, 0, 3), np.float32)),
            _categorical,
            ((2,), (4, 0, 3)),
            differentiate=(),
        ),
    ]
)


# -- gamma and beta ------------------------------------------------------------------------------


def _parts(key: Array, alpha: Array) -> tuple[Array, Array]:
    """Marsaglia and Tsang (2000), every element until its own first success; boosts for < 1."""
    dtype = as_dtype(alpha.dtype)
    alpha = alpha.astype(np.float64)
    tries, boosts = keys_of(key, 2)
    wanted = np.where(alpha < 1, alpha + 1, alpha)
    value = np.full(alpha.shape, np.nan)
    for count in range(20):
        pair = keys_of(np.array(threefry(tries, count), np.uint32), 2)
        x, e = _normal(pair[0], alpha.shape, dtype), _exponential(pair[1], alpha.shape, dtype)
        for place in map(tuple, np.argwhere(np.isnan(value) & (alpha > 0) & (alpha < np.inf))):
            d = wanted[place] - 1.0 / 3.0
            v = (1.0 + x[place] / math.sqrt(9.0 * d)) ** 3
            if v > 0 and -e[place] < 0.5 * x[place] ** 2 + d - d * v + d * math.log(v):
                value[place] = d * v
    boost = -_exponential(boosts, alpha.shape, dtype) / np.where(alpha < 1, alpha, np.inf)
    return value, boost


def _gamma(key: Array, alpha: Array) -> Any:
    value, boost = _parts(key, alpha)
    return (value * np.exp(boost)).astype(alpha.dtype)


def _beta(key: Array, a: Array, b: Array) -> Any:
    (x, p), (y, q) = (_parts(each, of) for each, of in zip(keys_of(key, 2), (a, b), strict=True))
    with np.errstate(over="ignore"):
        return (1.0 / (1.0 + np.exp(np.log(y) + q - np.log(x) - p))).astype(a.dtype)


def _shaped(op: Op, oracle: Any, *shapes: Array, symbolic: Any, label: str = "") -> Sample:
    return Sample(op, (KEY, *shapes), oracle, ((2,), *(symbolic for _ in shapes)),
                  differentiate=(), label=label)  # fmt: skip


register_samples(
    [
        _shaped(Gamma(), _gamma, ALPHA, symbolic=("batch", "n")),
        _shaped(Gamma(), _gamma, np.full(30, 0.4, np.float32), symbolic=("n",)),
        _shaped(Gamma(), _gamma, np.array(2.5, np.float32), symbolic=()),
        _shaped(Gamma(), _gamma, np.empty((0, 3), np.float32), symbolic=("batch", 3)),
        _shaped(
            Gamma(),
            _gamma,
            np.array([0.0, -1.0, np.inf, 3.0], np.float32),
            symbolic=(4,),
            label="invalid",
        ),
        _shaped(Beta(), _beta, ALPHA, ALPHA[::-1, ::-1].copy(), symbolic=("batch", "n")),
        _shaped(Beta(), _beta, HALF, HALF, symbolic=()),
        _shaped(Beta(), _beta, TINY, TINY, symbolic=("n",), label="tiny"),
    ]
)
