"""More random distributions, composed of the random bits of a key (see `asg.ops.random`).

Permutations are equal to the bit on every backend. The other numbers go through logarithms and
roots, which backends round differently in the last place; so what compares them (`categorical`,
and `gamma` and `beta` in `asg.ops.gammas`) may, once in about a million, choose differently on
another backend.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, SymbolicDim, as_dim
from asg.core.dtype import DType, as_dtype, float32, float64, int32
from asg.core.errors import OperandError, ShapeError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, as_shape, normalize_axis
from asg.ops.distributions import (
    Bernoulli,
    Uniform,
    require_float_dtype,
    scaled_and_shifted,
)
from asg.ops.elementwise import clip, maximum, where
from asg.ops.elementwise_unary import log, log1p, negative
from asg.ops.index import take
from asg.ops.operand import widened
from asg.ops.random import FromKey, RandomBits, SplitKey, require_key
from asg.ops.reduce import argmax
from asg.ops.shape import broadcast_to, moveaxis
from asg.ops.sorting import ArgSort
from asg.ops.special import erfinv


class Exponential(FromKey):
    """Exponential with mean 1: ``-log(1 - u)``, u uniform; at least 0."""

    shape: Shape
    dtype: DType = float32

    def infer(self, key: TensorType) -> TensorType:
        return _drawn(key, self.shape, self.dtype)

    def decompose(self, key: Tensor) -> Tensor:
        u = Uniform(self.shape, _wide(self.dtype))(key)
        return (0.0 - log1p(negative(u))).astype(self.dtype)


class Laplace(FromKey):
    """Laplace with scale 1: an exponential number with a random sign."""

    shape: Shape
    dtype: DType = float32

    def infer(self, key: TensorType) -> TensorType:
        return _drawn(key, self.shape, self.dtype)

    def decompose(self, key: Tensor) -> Tensor:
        keys = SplitKey(2)(key)
        size = Exponential(self.shape, self.dtype)(keys[0])
        return where(Bernoulli(self.shape)(keys[1]), size, negative(size))


class Gumbel(FromKey):
    """Gumbel: ``-log(e)``, e exponential; an e of 0 counts as half the least u, so all is finite.

    float16 and bfloat16 are computed in float32.
    """

    shape: Shape
    dtype: DType = float32

    def infer(self, key: TensorType) -> TensorType:
        return _drawn(key, self.shape, self.dtype)

    def decompose(self, key: Tensor) -> Tensor:
        wide = _wide(self.dtype)
        least = 2.0 ** (-54 if wide is float64 else -25)
        e = Exponential(self.shape, wide)(key)
        return negative(log(maximum(e, least))).astype(self.dtype)


class TruncatedNormal(FromKey):
    """Standard normal given ``lower <= x <= upper``: ``sqrt(2) erfinv(u)``.

    u is uniform between erf(lower / sqrt(2)) and erf(upper / sqrt(2)), so far in a tail it takes
    few values: intervals of a probability below 2^-12 (2^-40 for float64) are refused.
    """

    shape: Shape
    lower: float
    upper: float
    dtype: DType = float32

    def infer(self, key: TensorType) -> TensorType:
        drawn = _drawn(key, self.shape, self.dtype)
        _require_likely(self.lower, self.upper, self.dtype)
        return drawn

    def decompose(self, key: Tensor) -> Tensor:
        wide = _wide(self.dtype)
        least = -1.0 + 2.0 ** (-53 if wide is float64 else -24)  # erfinv(-1) is infinite
        low, high = (math.erf(bound / math.sqrt(2.0)) for bound in (self.lower, self.upper))
        u = Uniform(self.shape, wide, max(low, least), high)(key)
        x = clip(erfinv(u) * math.sqrt(2.0), self.lower, self.upper)
        return x.astype(self.dtype)


class Categorical(Op):
    """The place of the largest ``logits + gumbel`` along the last axis, int32.

    Place i comes with probability softmax(logits)_i; a logit of minus infinity never does, unless
    all are.
    """

    category: ClassVar[str] = "random"
    differentiable: ClassVar[bool] = False

    def infer(self, key: TensorType, logits: TensorType) -> TensorType:
        require_key(key)
        logits.require_float("logits")
        if logits.ndim == 0 or logits.shape[-1] == 0:
            raise TypeProblem(f"logits are {logits}, there is nothing to choose from",
                              "give one logit per class along an axis", ShapeError)  # fmt: skip
        return TensorType(int32, logits.shape[:-1])

    def decompose(self, key: Tensor, logits: Tensor) -> Tensor:
        wide = widened(logits)
        return argmax(wide + Gumbel(wide.shape, wide.dtype)(key), -1)


class Permutation(FromKey):
    """The numbers 0 ... n - 1 in random order, int32: shuffled twice.

    Each time by a stable sort of 32 random bits, so that a tie of the second leaves two elements in
    the random order of the first.
    """

    length: Dim

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        return TensorType(int32, (self.length,))

    def decompose(self, key: Tensor) -> Tensor:
        keys = SplitKey(2)(key)
        first, second = (ArgSort(0)(RandomBits((self.length,))(keys[i])) for i in range(2))
        return take(first, second, 0)


# -- checks --------------------------------------------------------------------------------------


def _drawn(key: TensorType, shape: Shape, dtype: DType) -> TensorType:
    require_key(key)
    require_float_dtype(dtype)
    return TensorType(dtype, shape)


def _wide(dtype: DType) -> DType:
    return float64 if dtype is float64 else float32


def _require_likely(lower: Any, upper: Any, dtype: DType) -> None:
    for name, value in (("lower", lower), ("upper", upper)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeProblem(f"{name} is {value!r}, a number is needed", error=OperandError)
    scaled = (float(lower) / math.sqrt(2.0), float(upper) / math.sqrt(2.0))
    probability = (math.erf(scaled[1]) - math.erf(scaled[0])) / 2.0
    if not probability >= (2.0**-40 if dtype is float64 else 2.0**-12):
        raise TypeProblem(
            f"a normal number lies between {lower} and {upper} with a probability of "
            f"{probability:.1e}, too little to draw in {dtype.name}",
            "give lower < upper, closer to 0 or further apart; float64 reaches further",
            OperandError,
        )


# -- functions -----------------------------------------------------------------------------------


@public
def exponential(key: Any, shape: Any, dtype: Any = float32) -> Tensor:
    """Exponential numbers of mean 1, ``-log(1 - u)``; divide by a rate for another mean.

    Args:
        key: u32[2].
        shape: ints, dim names and Dims.
        dtype: floating; float16 and bfloat16 are computed in float32.

    Raises:
        DtypeError: ``dtype`` is not floating, or ``key`` not u32[2].

    >>> import asg
    >>> x = asg.run(asg.exponential(asg.random_key(0), (4000,)))
    >>> bool(x.min() >= 0 and abs(x.mean() - 1) < 0.1)
    True
    """
    return Exponential(as_shape(shape), as_dtype(dtype))(key)


@public
def laplace(key: Any, shape: Any, dtype: Any = float32) -> Tensor:
    """Laplace numbers of mean 0 and scale 1 (density ``exp(-|x|) / 2``); arguments and errors as
    for `exponential`.

    >>> import asg
    >>> x = asg.run(asg.laplace(asg.random_key(0), (4000,)))
    >>> bool(abs(x.mean()) < 0.1 and abs(abs(x).mean() - 1) < 0.1)
    True
    """
    return Laplace(as_shape(shape), as_dtype(dtype))(key)


@public
def gumbel(key: Any, shape: Any, dtype: Any = float32) -> Tensor:
    """Gumbel numbers, ``-log(-log(u))``: mean 0.5772; arguments and errors as for `exponential`.

    >>> import asg
    >>> x = asg.run(asg.gumbel(asg.random_key(0), (4000,)))
    >>> bool(abs(x.mean() - 0.5772) < 0.1)
    True
    """
    return Gumbel(as_shape(shape), as_dtype(dtype))(key)


@public
def truncated_normal(
    key: Any,
    shape: Any,
    lower: float = -2.0,
    upper: float = 2.0,
    mean: Any = 0.0,
    std: Any = 1.0,
    dtype: Any = float32,
) -> Tensor:
    """``mean + std * x``, x standard normal given ``lower <= x <= upper``.

    Args:
        key: u32[2].
        shape: ints, dim names and Dims.
        lower: Python number, in standard deviations from the mean; may be infinite.
        upper: likewise.
        mean: a number, or a tensor that broadcasts to ``shape``.
        std: likewise; not checked to be positive.
        dtype: floating; float16 and bfloat16 are computed in float32.

    Raises:
        OperandError: not numbers with lower < upper, or an interval so far in a tail that the
            dtype cannot resolve it (probability below 2^-12, for float64 2^-40).
        DtypeError: ``dtype`` is not floating, or ``key`` not u32[2].

    >>> import asg
    >>> x = asg.run(asg.truncated_normal(asg.random_key(0), (4000,), -1.0, 1.0))
    >>> bool(x.min() >= -1 and x.max() <= 1 and abs(x.std() - 0.54) < 0.02)
    True
    """
    wanted = as_dtype(dtype)
    require_float_dtype(wanted)
    _require_likely(lower, upper, wanted)
    op = TruncatedNormal(as_shape(shape), float(lower), float(upper), wanted)
    return scaled_and_shifted(op(key), mean, std)


@public
def categorical(key: Any, logits: Any, shape: Any = None, axis: int = -1) -> Tensor:
    """Places along an axis, int32, drawn with probabilities softmax(logits) (Gumbel's trick).

    Args:
        key: u32[2].
        logits: floating; minus infinity for what must not come.
        shape: of the result; what ``logits`` without the axis broadcasts to. Default: that shape.
        axis: the axis of the classes.

    Raises:
        ShapeError: no classes, no such axis, or a shape that does not fit.
        DtypeError: ``logits`` are not floating, or ``key`` not u32[2].

    Source: Maddison, Tarlow and Minka, "A* sampling", 2014, https://arxiv.org/abs/1411.0030.

    >>> import asg
    >>> import numpy as np
    >>> logits = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    >>> drawn = asg.run(asg.categorical(asg.random_key(0), logits, (4000,)))
    >>> bool(abs((drawn == 2).mean() - 0.7) < 0.03)
    True
    """
    tensor = as_tensor(logits)
    tensor.type.require_float("logits")
    last = moveaxis(tensor, normalize_axis(axis, tensor.ndim, "logits"), -1)
    if shape is not None:
        last = broadcast_to(last, (*as_shape(shape), last.shape[-1]))
    return Categorical()(key, last)


@public
def permutation(key: Any, x: Any, axis: int = 0) -> Tensor:
    """The numbers 0 ... x - 1 in random order, int32; or a tensor shuffled along an axis.

    Args:
        key: u32[2].
        x: a size (int, dim name or Dim), or a tensor, whose gradient goes back the same way.
        axis: along which a tensor is shuffled; rows stay whole.

    Raises:
        ShapeError: a negative size, or no such axis.
        DtypeError: ``key`` is not u32[2].

    >>> import asg
    >>> sorted(asg.run(asg.permutation(asg.random_key(0), 5)).tolist())
    [0, 1, 2, 3, 4]
    """
    if isinstance(x, int | str | SymbolicDim):
        (length,) = as_shape((as_dim(x),))
        return Permutation(length)(key)
    tensor = as_tensor(x)
    place = normalize_axis(axis, tensor.ndim)
    return take(tensor, Permutation(tensor.shape[place])(key), place)
