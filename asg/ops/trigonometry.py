"""The rest of trigonometry: tangents, inverse functions, hyperbolic functions, angles of points.

Angles are in radians. Every function needs floats and keeps their dtype; outside of its domain it
gives NaN. `sin`, `cos` and `tanh` are beside the other functions of one number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, broadcast_types
from asg.ops.compare import equal
from asg.ops.elementwise import Binary, where
from asg.ops.elementwise_unary import OfFloat, rsqrt, square

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class TwoFloats(Binary, abstract=True):
    """Two floats of one dtype to a float of that dtype."""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x.require_float("x"), y.require_float("y"))


class Tan(OfFloat):
    """sin(x) / cos(x)."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * (1 + square(y))]


@public
def tan(x: Any) -> Tensor:
    """The tangent of an angle in radians; NaN of infinities.

    >>> import asg
    >>> asg.run(asg.tan([0.0]), {}).tolist()
    [0.0]
    """
    return Tan()(x)


class Asin(OfFloat):
    """The angle from -pi/2 to pi/2 whose sine is x; the gradient is infinite at -1 and 1."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * (rsqrt(1 - x) * rsqrt(1 + x))]


@public
def asin(x: Any) -> Tensor:
    """The angle from -pi/2 to pi/2 whose sine is x; NaN outside of -1 <= x <= 1.

    >>> import asg
    >>> asg.run(asg.asin([0.0, 2.0]), {}).tolist()
    [0.0, nan]
    """
    return Asin()(x)


class Acos(OfFloat):
    """The angle from 0 to pi whose cosine is x; the gradient is infinite at -1 and 1."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [-(dy * (rsqrt(1 - x) * rsqrt(1 + x)))]


@public
def acos(x: Any) -> Tensor:
    """The angle from 0 to pi whose cosine is x; NaN outside of -1 <= x <= 1.

    >>> import asg
    >>> asg.run(asg.acos([1.0, 2.0]), {}).tolist()
    [0.0, nan]
    """
    return Acos()(x)


class Atan(OfFloat):
    """The angle from -pi/2 to pi/2 whose tangent is x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / (1 + square(x))]


@public
def atan(x: Any) -> Tensor:
    """The angle from -pi/2 to pi/2 whose tangent is x.

    >>> import asg
    >>> asg.run(asg.atan([0.0]), {}).tolist()
    [0.0]
    """
    return Atan()(x)


class Sinh(OfFloat):
    """(e**x - e**-x) / 2."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * cosh(x)]


@public
def sinh(x: Any) -> Tensor:
    """The hyperbolic sine, (e**x - e**-x) / 2.

    >>> import asg
    >>> asg.run(asg.sinh([0.0, float("-inf")]), {}).tolist()
    [0.0, -inf]
    """
    return Sinh()(x)


class Cosh(OfFloat):
    """(e**x + e**-x) / 2."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * sinh(x)]


@public
def cosh(x: Any) -> Tensor:
    """The hyperbolic cosine, (e**x + e**-x) / 2.

    >>> import asg
    >>> asg.run(asg.cosh([0.0, float("-inf")]), {}).tolist()
    [1.0, inf]
    """
    return Cosh()(x)


class Asinh(OfFloat):
    """log(x + sqrt(x**2 + 1)): the number whose hyperbolic sine is x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / hypot(x, 1)]  # where x**2 overflows, too


@public
def asinh(x: Any) -> Tensor:
    """The number whose hyperbolic sine is x: log(x + sqrt(x**2 + 1)).

    >>> import asg
    >>> asg.run(asg.asinh([0.0, float("inf")]), {}).tolist()
    [0.0, inf]
    """
    return Asinh()(x)


class Acosh(OfFloat):
    """log(x + sqrt(x**2 - 1)) for x >= 1, else NaN; the gradient is infinite at 1."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * (rsqrt(x - 1) * rsqrt(x + 1))]


@public
def acosh(x: Any) -> Tensor:
    """The number >= 0 whose hyperbolic cosine is x; NaN below 1.

    >>> import asg
    >>> asg.run(asg.acosh([1.0, 0.0]), {}).tolist()
    [0.0, nan]
    """
    return Acosh()(x)


class Atanh(OfFloat):
    """log((1 + x) / (1 - x)) / 2; infinite at -1 and 1, NaN beyond."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / ((1 - x) * (1 + x))]


@public
def atanh(x: Any) -> Tensor:
    """The number whose hyperbolic tangent is x; infinite at -1 and 1, NaN beyond.

    >>> import asg
    >>> asg.run(asg.atanh([0.0, 1.0, 2.0]), {}).tolist()
    [0.0, inf, nan]
    """
    return Atanh()(x)


class Hypot(TwoFloats):
    """sqrt(x**2 + y**2) without overflow; the gradient (x, y) / hypot is 0 at the origin."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (length,), (dy,) = inputs, outputs, cotangents
        divisor = where(equal(length, 0), 1, length)
        return [lambda: dy * (x / divisor), lambda: dy * (y / divisor)]


@public
def hypot(x: Any, y: Any) -> Tensor:
    """sqrt(x**2 + y**2) without overflow: the distance of the point (x, y) from the origin.

    The gradient at the origin, where the distance has a kink, is 0.

    >>> import asg
    >>> asg.run(asg.hypot([3.0, float("inf")], [4.0, 0.0]), {}).tolist()
    [5.0, inf]
    """
    return Hypot()(x, y)


class Atan2(TwoFloats):
    """The angle of the point (y, x), from -pi to pi; no gradient (NaN) at the origin."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents
        return [
            lambda: dy * ((y / hypot(x, y)) / hypot(x, y)),
            lambda: -(dy * ((x / hypot(x, y)) / hypot(x, y))),
        ]


@public
def atan2(x: Any, y: Any) -> Tensor:
    """The angle from -pi to pi whose tangent is x / y: that of the point y to the right, x up.

    The order of the operands is that of the Array API: the height first. At the origin the angle
    is 0 or pi by the signs of the zeros, and the gradient is NaN.

    >>> import asg
    >>> asg.run(asg.atan2([0.0, -0.0], [1.0, 1.0]), {}).tolist()
    [0.0, -0.0]
    """
    return Atan2()(x, y)
