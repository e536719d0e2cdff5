"""Random distributions, composed of the random bits of a key (see `asg.ops.random`); dropout.

Shapes come after the key; all of them may hold symbolic sizes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dtype import DType, as_dtype, bool_, float32, int32, uint32, uint64
from asg.core.errors import DtypeError, OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, as_shape, normalize_axes
from asg.ops.compare import bitwise_right_shift, less
from asg.ops.elementwise import minimum, remainder, where
from asg.ops.elementwise_unary import cos, log, sqrt
from asg.ops.random import FromKey, RandomBits, SplitKey, require_key

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Uniform(FromKey):
    """``low + (high - low) * u``, u uniform on the multiples of ``2^-d`` in [0, 1).

    d is the number of significant bits of the dtype (24 for float32), so u is exact and never 1;
    rounding never reaches ``high`` either.
    """

    shape: Shape
    dtype: DType = float32
    low: float = 0.0
    high: float = 1.0

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        require_float_dtype(self.dtype)
        _require_interval(self.low, self.high, self.dtype)
        return TensorType(self.dtype, self.shape)

    def decompose(self, key: Tensor) -> Tensor:
        word = uint64 if self.dtype.itemsize == 8 else uint32
        digits = _significant_bits(self.dtype)
        bits = bitwise_right_shift(RandomBits(self.shape, word)(key), word.bits - digits)
        unit = bits.astype(self.dtype) * 2.0**-digits
        if (self.low, self.high) == (0.0, 1.0):
            return unit
        scalar = self.dtype.numpy.type
        below = float(np.nextafter(scalar(self.high), scalar(self.low)))
        # The inner minimum changes nothing, but keeps a compiler from contracting product and sum
        # into one rounding (fma), which would make the numbers differ between backends.
        width = self.high - self.low
        return minimum(minimum(unit * width, width) + self.low, below)


class Normal(FromKey):
    """Standard normal: ``sqrt(-2 log(1 - u)) * cos(2 pi v)``, u and v uniform (Box and Muller).

    u and v come from the two keys that the key splits into. The largest magnitude is 5.8 (8.6 for
    float64); float16 and bfloat16 are computed in float32.
    """

    shape: Shape
    dtype: DType = float32

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        require_float_dtype(self.dtype)
        return TensorType(self.dtype, self.shape)

    def decompose(self, key: Tensor) -> Tensor:
        dtype = float32 if self.dtype.itemsize == 2 else self.dtype
        keys = SplitKey(2)(key)
        radius = sqrt(log(1.0 - Uniform(self.shape, dtype)(keys[0])) * -2.0)
        angle = Uniform(self.shape, dtype)(keys[1]) * (2.0 * math.pi)
        return (radius * cos(angle)).astype(self.dtype)


class Bernoulli(FromKey):
    """True with probability ``p``, to 24 bits: where a uniform number lies below it."""

    shape: Shape
    p: float = 0.5

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        _require_probability("p", self.p)
        return TensorType(bool_, self.shape)

    def decompose(self, key: Tensor) -> Tensor:
        return less(Uniform(self.shape)(key), self.p)


class RandInt(FromKey):
    """Integers, int32, uniform on ``low <= n < high`` (JAX's method, and its numbers).

    ``(a * 2^32 + b) mod (high - low)`` for two random words: biased by less than ``2^-32``.
    """

    name: ClassVar[str] = "randint"
    shape: Shape
    low: int
    high: int

    def infer(self, key: TensorType) -> TensorType:
        require_key(key)
        if not -(2**31) <= self.low < self.high <= 2**31 - 1:
            raise TypeProblem(
                f"no integers from {self.low} to below {self.high} in int32",
                "give -2**31 <= low < high < 2**31",
                OperandError,
            )
        return TensorType(int32, self.shape)

    def decompose(self, key: Tensor) -> Tensor:
        span = self.high - self.low
        keys = SplitKey(2)(key)
        high, low = RandomBits(self.shape)(keys[0]), RandomBits(self.shape)(keys[1])
        carry = remainder(high, span) * ((2**16 % span) ** 2 % 2**32 % span)
        offset = remainder(carry + remainder(low, span), span)
        return offset.astype(int32) + self.low


class Dropout(Op):
    """``y = x / (1 - rate)`` where a random mask keeps x, else 0; the mask follows from the key.

    Elements that differ only along ``shared_axes`` share one fate. Linear in x: the gradient is the
    same dropout of the cotangent.
    """

    rate: float
    shared_axes: tuple[int, ...] = ()
    category: ClassVar[str] = "random"

    def infer(self, x: TensorType, key: TensorType) -> TensorType:
        x.require_float()
        require_key(key)
        _require_probability("rate", self.rate)
        for axis in self.shared_axes:
            x.require_axis(axis)
        return x

    def decompose(self, x: Tensor, key: Tensor) -> Tensor:
        kept = 1.0 - self.rate
        scaled = x * (1.0 / kept) if kept else x
        fates = tuple(1 if i in self.shared_axes else size for i, size in enumerate(x.shape))
        return where(Bernoulli(fates, kept)(key), scaled, 0.0)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [lambda: self(cotangents[0], inputs[1]), None]


# -- checks --------------------------------------------------------------------------------------


def require_float_dtype(dtype: DType) -> None:
    """What numbers are drawn in is floating."""
    if not dtype.is_float:
        raise TypeProblem(f"dtype is {dtype.name}", "choose a floating dtype", DtypeError)


def _require_probability(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise TypeProblem(f"{name} is {value!r}, a number in [0, 1] is needed", error=OperandError)
    return float(value)


def _require_interval(low: Any, high: Any, dtype: DType) -> None:
    for name, value in (("low", low), ("high", high)):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeProblem(
                f"{name} is {value!r}, a number is needed",
                "for limits that are tensors scale the result: uniform(key, shape) * span + low",
                OperandError,
            )
    scalar = dtype.numpy.type
    with np.errstate(over="ignore"):
        span = scalar(high) - scalar(low)
    if not (low < high and span > 0 and np.isfinite(span)):
        raise TypeProblem(
            f"no {dtype.name} interval from {low} to below {high}",
            "give low < high, distinct in that dtype, with a finite difference",
            OperandError,
        )


def _significant_bits(dtype: DType) -> int:
    return {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}[dtype.name]


# -- functions -----------------------------------------------------------------------------------


@public
def uniform(
    key: Any, shape: Any, low: float = 0.0, high: float = 1.0, dtype: Any = float32
) -> Tensor:
    """Uniform numbers, ``low <= x < high``: ``low + (high - low) * (bits >> 8) * 2^-24``.

    Args:
        key: u32[2].
        shape: ints, dim names and Dims.
        low: Python number, included.
        high: Python number, never reached.
        dtype: floating; float64 uses 53 bits, float16 11 and bfloat16 8.

    Raises:
        OperandError: low and high are not numbers with ``low < high`` and a finite difference.
        DtypeError: ``dtype`` is not floating, or ``key`` not u32[2].

    >>> import asg
    >>> x = asg.run(asg.uniform(asg.random_key(0), (1000,), -1.0, 3.0))
    >>> bool(x.min() >= -1 and x.max() < 3 and abs(x.mean() - 1) < 0.1)
    True
    """
    wanted = as_dtype(dtype)
    _require_interval(low, high, wanted)
    return Uniform(as_shape(shape), wanted, float(low), float(high))(key)


@public
def normal(key: Any, shape: Any, mean: Any = 0.0, std: Any = 1.0, dtype: Any = float32) -> Tensor:
    """Normal numbers with the given mean and standard deviation (Box and Muller).

    Args:
        key: u32[2].
        shape: ints, dim names and Dims.
        mean: a number, or a tensor that broadcasts to ``shape``.
        std: likewise; not checked to be positive.
        dtype: floating.

    Raises:
        DtypeError: ``dtype`` is not floating, or ``key`` not u32[2].

    >>> import asg
    >>> x = asg.run(asg.normal(asg.random_key(0), (1000,), mean=5.0))
    >>> bool(abs(x.mean() - 5) < 0.1 and abs(x.std() - 1) < 0.1)
    True
    """
    return scaled_and_shifted(Normal(as_shape(shape), as_dtype(dtype))(key), mean, std)


def scaled_and_shifted(x: Tensor, mean: Any, std: Any) -> Tensor:
    """``mean + std * x``; x itself for the numbers 0 and 1."""
    result = x if _is_number(std, 1.0) else x * std
    return result if _is_number(mean, 0.0) else result + mean


def _is_number(value: object, number: float) -> bool:
    return isinstance(value, int | float) and value == number


@public
def bernoulli(key: Any, p: Any, shape: Any = None) -> Tensor:
    """True with probability ``p``.

    Args:
        key: u32[2].
        p: a number in [0, 1], or a tensor of probabilities.
        shape: of the result; the shape of ``p`` when that is a tensor.

    Raises:
        OperandError: ``p`` is a number outside [0, 1], or no shape can be known.

    >>> import asg
    >>> drawn = asg.run(asg.bernoulli(asg.random_key(0), 0.25, (4000,)))
    >>> bool(0.2 < drawn.mean() < 0.3)
    True
    """
    if isinstance(p, int | float):
        if shape is None:
            raise TypeProblem("no shape given", "say how many: shape=(n,)", error=OperandError)
        return Bernoulli(as_shape(shape), _require_probability("p", p))(key)
    probability = as_tensor(p)
    probability.type.require_float("p")
    wanted = probability.shape if shape is None else as_shape(shape)
    return less(Uniform(wanted, probability.dtype)(key), probability)


@public
def randint(key: Any, shape: Any, low: int, high: int) -> Tensor:
    """Integers, int32, uniform on ``low <= n < high``; equal to jax.random.randint.

    Raises:
        OperandError: low and high are not Python integers with ``-2^31 <= low < high < 2^31``.

    >>> import asg
    >>> x = asg.run(asg.randint(asg.random_key(0), (100,), 1, 7))
    >>> sorted(set(x.tolist()))
    [1, 2, 3, 4, 5, 6]
    """
    if type(low) is not int or type(high) is not int:
        raise TypeProblem(f"low {low!r} and high {high!r} must be integers", error=OperandError)
    return RandInt(as_shape(shape), low, high)(key)


@public
def dropout(
    x: Any, rate: float, key: Any, shared_axes: SupportsIndex | Sequence[SupportsIndex] = ()
) -> Tensor:
    """``x / (1 - rate)`` with probability ``1 - rate``, else 0; so the mean is that of ``x``.

    Args:
        x: floating numbers.
        rate: probability of dropping, a number in [0, 1]. 0 returns ``x`` itself, 1 only zeros.
        key: u32[2]; the same key drops the same elements, on every backend.
        shared_axes: elements along these are kept or dropped together, such as the pixels of a
            channel.

    Raises:
        OperandError: the rate is not in [0, 1].
        ShapeError: no such axis.
        DtypeError: ``x`` is not floating, or ``key`` not u32[2].

    Source: Srivastava et al., JMLR 15 (2014), https://jmlr.org/papers/v15/srivastava14a.html.

    >>> import asg
    >>> sorted(set(asg.run(asg.dropout(asg.ones((50,)), 0.5, asg.random_key(0))).tolist()))
    [0.0, 2.0]
    """
    tensor, word = as_tensor(x), as_tensor(key)
    axes = normalize_axes(shared_axes, tensor.ndim)
    op = Dropout(_require_probability("rate", rate), axes)
    op.infer(tensor.type, word.type)
    return op(tensor, word) if op.rate else tensor
