"""Positions for attention: rotations (RoPE), linear biases (ALiBi), sines and cosines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dim import Dim, as_dim
from asg.core.dtype import DType, as_dtype, float32, float64
from asg.core.errors import DtypeError, OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.elementwise_unary import abs, cos, sin
from asg.ops.join import split, stack, unstack
from asg.ops.leaf import constant, dim_size, iota
from asg.ops.operand import require_number, respelled, widened
from asg.ops.shape import expand_dims, reshape

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Rope(Op):
    """Pairs of features turned by ``position * base^(-2 i / D)``, i the number of the pair.

    x is [..., T, D]; positions are integers that broadcast to [..., T]. Pair i is features i and
    ``i + D / 2``; if ``interleaved``, features ``2 i`` and ``2 i + 1``. ``inverse`` turns back:
    a rotation's transpose, and so its gradient.
    """

    base: float = 10000.0
    interleaved: bool = False
    inverse: bool = False
    category: ClassVar[str] = "attention"

    def infer(self, x: TensorType, positions: TensorType) -> TensorType:
        x.require_float()
        positions.require_integer("positions")
        if x.ndim < 2:
            raise TypeProblem(f"x {x} has no axis of positions", "give it the shape [..., T, D]")
        _require_even(x.shape[-1])
        reason = f"positions {positions} do not broadcast to those of x {x}"
        if positions.ndim > x.ndim - 1:
            raise TypeProblem(reason, "give them the axes [..., T] of x")
        for given, size in zip(
            positions.shape, x.shape[x.ndim - 1 - positions.ndim : -1], strict=True
        ):
            if given != 1:
                require_equal(given, size, reason, "give them the axes [..., T] of x")
        if not self.base > 0:
            raise TypeProblem(f"base is {self.base}", "it must be positive", OperandError)
        return x

    def decompose(self, x: Tensor, positions: Tensor) -> Tensor:
        wide = widened(x)
        angle = _angles(positions, _require_even(x.shape[-1]), self.base, wide.dtype)
        cosine, sine = cos(angle), sin(angle)
        first, second = self._pairs(wide)
        if self.inverse:
            sine = -sine
        turned = [first * cosine - second * sine, second * cosine + first * sine]
        joined = stack(turned, -1 if self.interleaved else -2)
        result = reshape(joined, (*joined.shape[:-2], x.shape[-1]))
        return respelled(result, x.shape).astype(x.dtype)

    def _pairs(self, x: Tensor) -> Tensors:
        half = _require_even(x.shape[-1]) // 2
        if not self.interleaved:
            return split(x, (half, half), -1)
        return unstack(reshape(x, (*x.shape[:-1], half, 2)), -1)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        back = Rope(self.base, self.interleaved, not self.inverse)
        return [lambda: back(cotangents[0], inputs[1]), None]


class AlibiBias(Op):
    """``y[h, i, j] = -m[h] * |i + offset - j|``, m a geometric sequence that starts at 2^(-8/H).

    For H heads, H a power of two, ``m[h] = 2^(-8 (h + 1) / H)``; else the sequence for the next
    lower power, followed by every other member of that for the next higher one.
    """

    heads: int
    queries: Dim
    keys: Dim
    offset: Dim = 0
    dtype: DType = float32
    category: ClassVar[str] = "attention"

    def infer(self) -> TensorType:
        if type(self.heads) is not int or self.heads < 1:
            raise TypeProblem(f"{self.heads!r} heads", "give an int >= 1", OperandError)
        _require_float(self.dtype)
        return TensorType(self.dtype, (self.heads, self.queries, self.keys))

    def decompose(self) -> Tensor:
        shape = (self.queries, self.keys)
        first = self.offset if isinstance(self.offset, int) else dim_size(self.offset)
        far = abs(iota(shape, 0) + first - iota(shape, 1))
        wide = float32 if self.dtype.itemsize == 2 else self.dtype
        slopes = constant(np.array(_slopes(self.heads)).reshape(-1, 1, 1), wide)
        return (-slopes * far.astype(wide)).astype(self.dtype)


class SinusoidalPositions(Op):
    """``y[t, 2 i] = sin(t / base^(2 i / D))``, ``y[t, 2 i + 1]`` the cosine; t from ``offset``."""

    length: Dim
    features: int
    base: float = 10000.0
    offset: Dim = 0
    dtype: DType = float32
    category: ClassVar[str] = "attention"

    def infer(self) -> TensorType:
        _require_float(self.dtype)
        if not self.base > 0:
            raise TypeProblem(f"base is {self.base}", "it must be positive", OperandError)
        return TensorType(self.dtype, (self.length, _require_even(self.features)))

    def decompose(self) -> Tensor:
        first = self.offset if isinstance(self.offset, int) else dim_size(self.offset)
        wide = float32 if self.dtype.itemsize == 2 else self.dtype
        angle = _angles(iota((self.length,)) + first, self.features, self.base, wide)
        pairs = stack([sin(angle), cos(angle)], -1)
        return reshape(pairs, (self.length, self.features)).astype(self.dtype)


def _angles(positions: Tensor, features: int, base: float, dtype: DType) -> Tensor:
    """``position * base^(-2 i / features)``, the powers rounded only once."""
    powers = float(base) ** (-np.arange(0, features, 2, dtype=np.float64) / max(features, 1))
    frequencies = constant(powers, float64 if dtype is float64 else float32)
    return expand_dims(positions.astype(dtype), positions.ndim) * frequencies


def _slopes(heads: int) -> list[float]:
    power = 2 ** int(math.log2(heads))
    slopes = [2.0 ** (-8.0 * (i + 1) / power) for i in range(power)]
    return slopes + [2.0 ** (-4.0 * (2 * i + 1) / power) for i in range(heads - power)]


def _require_even(features: Dim) -> int:
    if not isinstance(features, int) or features % 2:
        raise TypeProblem(
            f"{features} features do not form pairs", "give a literal, even number of features"
        )
    return features


def _require_float(dtype: DType) -> None:
    if not dtype.is_float:
        raise TypeProblem(f"dtype is {dtype.name}", "choose a floating dtype", DtypeError)


# -- functions -----------------------------------------------------------------------------------


@public
def rope(
    x: Any,
    positions: Any = None,
    *,
    offset: Any = 0,
    base: float = 10000.0,
    interleaved: bool = False,
) -> Tensor:
    """Rotary position embedding: pairs of features turned by an angle that grows with position.

    Args:
        x: floating, [..., T, D] with D literal and even.
        positions: integers that broadcast to [..., T]; by default 0, 1, 2, ...
        offset: added to the positions (a number or an integer tensor), for queries behind a cache.
        base: pair i is turned by ``position * base^(-2 i / D)``.
        interleaved: pairs are neighbours (as in the paper) instead of D / 2 apart (as in Llama).

    Raises:
        ShapeError: D is odd or symbolic, or the positions do not fit.
        DtypeError: ``x`` is not floating, or the positions not integers.

    Source: Su et al., "RoFormer", https://arxiv.org/abs/2104.09864.

    >>> import asg
    >>> x = asg.constant([[1.0, 0.0], [1.0, 0.0]])
    >>> asg.run(asg.rope(x)).astype(float).round(3).tolist()
    [[1.0, 0.0], [0.54, 0.841]]
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise TypeProblem(f"x {x.type} has no axis of positions", "give it the shape [..., T, D]")
    places = iota((x.shape[-2],)) if positions is None else as_tensor(positions)
    if not (isinstance(offset, int) and offset == 0):
        places = places + offset
    return Rope(require_number("base", base), bool(interleaved))(x, places)


@public
def alibi_bias(
    heads: int,
    queries: Dim | str,
    keys: Dim | str | None = None,
    *,
    offset: Dim | str = 0,
    dtype: Any = float32,
) -> Tensor:
    """``-m[h] * |i + offset - j|``, [heads, queries, keys]: a bias for attention scores.

    For H heads, H a power of two, ``m[h] = 2^(-8 (h + 1) / H)``; otherwise the sequence for the
    next lower power of two is continued by every other member of that for the next higher.

    Args:
        heads: how many.
        queries: how many; may be symbolic.
        keys: how many; as many as queries unless given.
        offset: position of the first query among the keys.
        dtype: floating.

    Source: Press, Smith and Lewis, https://arxiv.org/abs/2108.12409.

    >>> import asg
    >>> asg.run(asg.alibi_bias(8, 1, 3, offset=2))[0].tolist()
    [[-1.0, -0.5, -0.0]]
    """
    count = as_dim(queries)
    others = count if keys is None else as_dim(keys)
    return AlibiBias(heads, count, others, as_dim(offset), as_dtype(dtype))()


@public
def sinusoidal_positions(
    length: Dim | str,
    features: int,
    *,
    base: float = 10000.0,
    offset: Dim | str = 0,
    dtype: Any = float32,
) -> Tensor:
    """``sin(t / base^(2 i / D))`` and its cosine in columns 2 i and 2 i + 1; [length, features].

    Raises:
        ShapeError: the number of features is odd.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762, section 3.5.

    >>> import asg
    >>> asg.run(asg.sinusoidal_positions(2, 2)).astype(float).round(3).tolist()
    [[0.0, 1.0], [0.841, 0.54]]
    """
    number = require_number("base", base)
    return SinusoidalPositions(as_dim(length), features, number, as_dim(offset), as_dtype(dtype))()
