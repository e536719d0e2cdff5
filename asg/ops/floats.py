"""Floating-point numbers as such: signs, neighbours, what replaces NaN, powers and logarithms.

All functions need floats and keep their dtype, except where they say otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.dtype import bool_, finfo
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, broadcast_types
from asg.ops.activation import softplus
from asg.ops.cast import stop_gradient
from asg.ops.compare import equal, isnan, less_equal, logical_and, logical_xor
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import OfFloat, log, negative, sigmoid, square
from asg.ops.operand import require_number
from asg.ops.trigonometry import TwoFloats

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Exp2(OfFloat):
    """2**x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * (math.log(2) * y)]


@public
def exp2(x: Any) -> Tensor:
    """2**x.

    >>> import asg
    >>> asg.run(asg.exp2([3.0, float("-inf")]), {}).tolist()
    [8.0, 0.0]
    """
    return Exp2()(x)


class Log10(OfFloat):
    """The logarithm to base 10; -infinity at 0, NaN below."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / (math.log(10) * x)]


@public
def log10(x: Any) -> Tensor:
    """The logarithm to base 10; -infinity at 0, NaN below.

    >>> import asg
    >>> asg.run(asg.log10([1.0, 0.0]), {}).tolist()
    [0.0, -inf]
    """
    return Log10()(x)


class Cbrt(OfFloat):
    """The cube root, of the sign of x; the gradient is infinite at 0."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy / (3 * square(y))]


@public
def cbrt(x: Any) -> Tensor:
    """The cube root, also of negative numbers. The gradient at 0 is infinite.

    >>> import asg
    >>> asg.run(asg.cbrt([0.0, float("-inf")]), {}).tolist()
    [0.0, -inf]
    """
    return Cbrt()(x)


class Signbit(Op):
    """Whether the sign of x is minus: True of -0.0, and of a NaN with the sign bit set."""

    broadcasts: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return x.require_float("x").with_dtype(bool_)


@public
def signbit(x: Any) -> Tensor:
    """Whether the sign of each float is minus, as bool; True of -0.0.

    >>> import asg
    >>> asg.run(asg.signbit([1.0, -0.0]), {}).tolist()
    [False, True]
    """
    return Signbit()(x)


class Copysign(TwoFloats):
    """|x| with the sign of y; the gradient by x is 1 or -1 (also at 0), by y it is 0."""

    def decompose(self, x: Tensor, y: Tensor) -> Tensor:
        return where(logical_xor(signbit(x), signbit(y)), negative(x), x)


@public
def copysign(x: Any, y: Any) -> Tensor:
    """|x| with the sign of y, that of zeros included.

    >>> import asg
    >>> asg.run(asg.copysign([3.0, -3.0], [-0.0, 2.0]), {}).tolist()
    [-3.0, 3.0]
    """
    return Copysign()(x, y)


class Nextafter(TwoFloats):
    """The float next to x in the direction of y; gradient 1 by x and 0 by y."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [cotangents[0], None]


@public
def nextafter(x: Any, y: Any) -> Tensor:
    """The float next to x in the direction of y, and y where they are equal.

    >>> import asg
    >>> asg.run(asg.nextafter(1.0, 2.0), {}).tolist() == 1.0 + 2.0**-23
    True
    """
    return Nextafter()(x, y)


class Heaviside(TwoFloats):
    """0 below zero, y at zero, 1 above, NaN of NaN; the gradient by y is 1 where x is 0."""

    def decompose(self, x: Tensor, y: Tensor) -> Tensor:
        x = stop_gradient(x)
        beside = where(x > 0, 1, where(x < 0, 0, x))
        return where(equal(x, 0), y, beside)


@public
def heaviside(x: Any, y: Any) -> Tensor:
    """The unit step: 0 where x < 0, y where x is 0, 1 where x > 0; NaN where x is NaN.

    The gradient by x is 0 everywhere, that by y is 1 where x is 0.

    >>> import asg
    >>> asg.run(asg.heaviside([-2.0, 0.0, 3.0], 0.5), {}).tolist()
    [0.0, 0.5, 1.0]
    """
    return Heaviside()(x, y)


class NanToNum(OfFloat):
    """x with NaN and infinities replaced; None stands for the largest and smallest number.

    The gradient is that of x where x is finite, and 0 where it was replaced.
    """

    nan: float = 0.0
    posinf: float | None = None
    neginf: float | None = None

    def decompose(self, x: Tensor) -> Tensor:
        limits = finfo(x.dtype)
        high = limits.max if self.posinf is None else self.posinf
        low = limits.min if self.neginf is None else self.neginf
        finite = where(equal(x, float("inf")), high, where(equal(x, float("-inf")), low, x))
        return where(isnan(x), self.nan, finite)


@public
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """x with NaN and infinities replaced by numbers.

    Args:
        x: floats.
        nan: what replaces NaN.
        posinf, neginf: what replaces infinities; None for the largest and the smallest number of
            the dtype.

    Raises:
        OperandError: a replacement is not a number.

    >>> import asg
    >>> x = asg.constant([1.0, float("nan"), float("-inf")])
    >>> asg.run(asg.nan_to_num(x, nan=-1.0, neginf=-9.0), {}).tolist()
    [1.0, -1.0, -9.0]
    """
    high = posinf if posinf is None else require_number("posinf", posinf)
    low = neginf if neginf is None else require_number("neginf", neginf)
    return NanToNum(require_number("nan", nan), high, low)(x)


class Lerp(Op):
    """x + w (y - x), computed from the nearer end so that w = 0 and w = 1 give x and y exactly."""

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, y: TensorType, weight: TensorType) -> TensorType:
        return broadcast_types(
            x.require_float("x"), y.require_float("y"), weight.require_float("weight")
        )

    def decompose(self, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
        step = y - x
        return where(weight < 0.5, x + weight * step, y - (1 - weight) * step)


@public
def lerp(x: Any, y: Any, weight: Any) -> Tensor:
    """Linear interpolation x + weight (y - x); exactly x at weight 0 and y at weight 1.

    >>> import asg
    >>> asg.run(asg.lerp([0.0, 2.0], [4.0, 6.0], 0.25), {}).tolist()
    [1.0, 3.0]
    """
    return Lerp()(x, y, weight)


class Xlogy(TwoFloats):
    """x log(y), and 0 where x is 0 (unless y is NaN).

    Gradient by x: log(y), and 0 where x is 0 and y <= 0; by y: x / y, and 0 where x is 0.
    """

    def decompose(self, x: Tensor, y: Tensor) -> Tensor:
        nothing = logical_and(equal(x, 0), ~isnan(y))
        return where(nothing, 0, x * log(where(nothing, 1, y)))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents

        def by_x() -> Tensor:
            flat = logical_and(equal(x, 0), less_equal(y, 0))
            return dy * log(where(flat, 1, y))

        def by_y() -> Tensor:
            nothing = equal(x, 0)
            return dy * where(nothing, 0, x / where(nothing, 1, y))

        return [by_x, by_y]


@public
def xlogy(x: Any, y: Any) -> Tensor:
    """x log(y), and 0 where x is 0, also at y = 0: a term of an entropy.

    >>> import asg
    >>> asg.run(asg.xlogy([0.0, 2.0], [0.0, 1.0]), {}).tolist()
    [0.0, 0.0]
    """
    return Xlogy()(x, y)


class LogSigmoid(OfFloat):
    """log(1 / (1 + e**-x)) = -softplus(-x), without overflow."""

    category: ClassVar[str] = "activation"

    def decompose(self, x: Tensor) -> Tensor:
        return negative(softplus(negative(x)))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * sigmoid(negative(x))]


@public
def log_sigmoid(x: Any) -> Tensor:
    """log(sigmoid(x)) = -log(1 + e**-x), exact where sigmoid rounds to 0 or 1.

    >>> import asg
    >>> asg.run(asg.log_sigmoid([-1000.0, 1000.0]), {}).tolist()
    [-1000.0, -0.0]
    """
    return LogSigmoid()(x)
