"""Functions of one number, element by element.

`negative`, `abs`, `sign`, `square` and `positive` keep the dtype of any number; the roundings
leave integers as they are; all other functions need floats and raise DtypeError for integers and
bool, with the cast to write.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class OfNumber(Op, abstract=True):
    """A number to a number of the same dtype."""

    broadcasts: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return x.require_numeric("x")


class OfFloat(Op, abstract=True):
    """A float to a float of the same dtype."""

    broadcasts: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return x.require_float("x")


class Negative(OfNumber):
    """-x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (dy,) = cotangents
        return [-dy]


@public
def negative(x: Any) -> Tensor:
    """-x; unsigned integers, and the least signed one, wrap around.

    >>> import asg
    >>> asg.run(asg.negative([1.0, -2.0]), {}).tolist()
    [-1.0, 2.0]
    """
    return Negative()(x)


@public
def positive(x: Any) -> Tensor:
    """+x: the number itself, unchanged.

    >>> import asg
    >>> x = asg.input("x", ())
    >>> asg.positive(x) is x
    True
    """
    tensor = as_tensor(x)
    if not hasattr(tensor, "__asg_pattern__"):
        tensor.type.require_numeric("x")
    return tensor


class Abs(OfNumber):
    """|x|; the gradient is sign(x), 0 at 0."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * sign(x)]


@public
def abs(x: Any) -> Tensor:
    """|x|; the least signed integer wraps around to itself. The gradient at 0 is 0.

    >>> import asg
    >>> asg.run(asg.abs([1.0, -2.0]), {}).tolist()
    [1.0, 2.0]
    """
    return Abs()(x)


class Sign(OfNumber):
    """-1, 0 or 1; NaN of NaN. Constant between jumps: no gradient."""

    differentiable: ClassVar[bool] = False


@public
def sign(x: Any) -> Tensor:
    """-1, 0 or 1 by the sign of x; NaN of NaN. No gradient flows through it.

    >>> import asg
    >>> asg.run(asg.sign([3.0, 0.0, -2.0]), {}).tolist()
    [1.0, 0.0, -1.0]
    """
    return Sign()(x)


class Square(OfNumber):
    """x**2."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * (2 * x)]


@public
def square(x: Any) -> Tensor:
    """x**2.

    >>> import asg
    >>> asg.run(asg.square([3.0, -2.0]), {}).tolist()
    [9.0, 4.0]
    """
    return Square()(x)


class Reciprocal(OfFloat):
    """1 / x; an infinity at 0."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [-(dy * square(y))]


@public
def reciprocal(x: Any) -> Tensor:
    """1 / x; an infinity at 0.

    >>> import asg
    >>> asg.run(asg.reciprocal([2.0, -4.0]), {}).tolist()
    [0.5, -0.25]
    """
    return Reciprocal()(x)


class Sqrt(OfFloat):
    """x**(1/2); NaN below 0. The gradient 1 / (2 sqrt(x)) is infinite at 0, as in PyTorch."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy / (2 * y)]


@public
def sqrt(x: Any) -> Tensor:
    """The square root; NaN below 0.

    The gradient at 0 is infinite (and NaN for a cotangent of 0); add a small number to x, or use
    ``where`` on x, if 0 occurs.

    >>> import asg
    >>> asg.run(asg.sqrt([4.0, 9.0]), {}).tolist()
    [2.0, 3.0]
    """
    return Sqrt()(x)


class Rsqrt(OfFloat):
    """x**(-1/2); infinite at 0, NaN below."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * (-0.5 * (y * square(y)))]


@public
def rsqrt(x: Any) -> Tensor:
    """1 / sqrt(x); infinite at 0, NaN below.

    >>> import asg
    >>> asg.run(asg.rsqrt([4.0, 16.0]), {}).tolist()
    [0.5, 0.25]
    """
    return Rsqrt()(x)


class Exp(OfFloat):
    """e**x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * y]


@public
def exp(x: Any) -> Tensor:
    """e**x.

    >>> import asg
    >>> asg.run(asg.exp([0.0, float("-inf")]), {}).tolist()
    [1.0, 0.0]
    """
    return Exp()(x)


class Expm1(OfFloat):
    """e**x - 1, exact for small x. The gradient is exp(x): from the output it would cancel."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * exp(x)]


@public
def expm1(x: Any) -> Tensor:
    """e**x - 1, accurate also for small x.

    >>> import asg
    >>> asg.run(asg.expm1([0.0, float("-inf")]), {}).tolist()
    [0.0, -1.0]
    """
    return Expm1()(x)


class Log(OfFloat):
    """The natural logarithm; -infinity at 0, NaN below."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / x]


@public
def log(x: Any) -> Tensor:
    """The natural logarithm; -infinity at 0, NaN below.

    >>> import asg
    >>> asg.run(asg.log([1.0, 0.0]), {}).tolist()
    [0.0, -inf]
    """
    return Log()(x)


class Log1p(OfFloat):
    """log(1 + x), exact for small x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / (1 + x)]


@public
def log1p(x: Any) -> Tensor:
    """log(1 + x), accurate also for small x; -infinity at -1, NaN below.

    >>> import asg
    >>> asg.run(asg.log1p([0.0, -1.0]), {}).tolist()
    [0.0, -inf]
    """
    return Log1p()(x)


class Log2(OfFloat):
    """The logarithm to base 2; -infinity at 0, NaN below."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy / (math.log(2) * x)]


@public
def log2(x: Any) -> Tensor:
    """The logarithm to base 2; -infinity at 0, NaN below.

    >>> import asg
    >>> asg.run(asg.log2([1.0, 8.0]), {}).tolist()
    [0.0, 3.0]
    """
    return Log2()(x)


class Sin(OfFloat):
    """The sine of an angle in radians."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * cos(x)]


@public
def sin(x: Any) -> Tensor:
    """The sine of an angle in radians; NaN of infinities.

    >>> import asg
    >>> asg.run(asg.sin([0.0]), {}).tolist()
    [0.0]
    """
    return Sin()(x)


class Cos(OfFloat):
    """The cosine of an angle in radians."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [-(dy * sin(x))]


@public
def cos(x: Any) -> Tensor:
    """The cosine of an angle in radians; NaN of infinities.

    >>> import asg
    >>> asg.run(asg.cos([0.0]), {}).tolist()
    [1.0]
    """
    return Cos()(x)


class Tanh(OfFloat):
    """(e**x - e**-x) / (e**x + e**-x)."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * (1 - square(y))]


@public
def tanh(x: Any) -> Tensor:
    """The hyperbolic tangent, from -1 to 1.

    >>> import asg
    >>> asg.run(asg.tanh([0.0, 100.0]), {}).tolist()
    [0.0, 1.0]
    """
    return Tanh()(x)


class Sigmoid(OfFloat):
    """1 / (1 + e**-x), accurate at both ends."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (y,), (dy,) = outputs, cotangents
        return [dy * (y * (1 - y))]


@public
def sigmoid(x: Any) -> Tensor:
    """1 / (1 + e**-x), the logistic function: from 0 to 1.

    >>> import asg
    >>> asg.run(asg.sigmoid([0.0, 1000.0, -1000.0]), {}).tolist()
    [0.5, 1.0, 0.0]
    """
    return Sigmoid()(x)


class Erf(OfFloat):
    """2 / sqrt(pi) times the integral of e**(-t**2) from 0 to x."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [dy * (2 / math.sqrt(math.pi) * exp(-square(x)))]


@public
def erf(x: Any) -> Tensor:
    """The error function, 2 / sqrt(pi) times the integral of e**(-t**2) from 0 to x.

    >>> import asg
    >>> asg.run(asg.erf([0.0, 10.0]), {}).tolist()
    [0.0, 1.0]
    """
    return Erf()(x)


class Rounding(OfFloat, abstract=True):
    """A float to a whole float. Constant between jumps: no gradient."""

    differentiable: ClassVar[bool] = False


class Floor(Rounding):
    """The largest whole number that is not above x."""


class Ceil(Rounding):
    """The smallest whole number that is not below x."""


class Round(Rounding):
    """The nearest whole number, the even one of two."""


class Trunc(Rounding):
    """x without its fraction: the whole number next to x towards 0."""


def _rounded(op: Op, x: Any) -> Tensor:
    """Integers are whole already."""
    tensor = as_tensor(x)
    if not hasattr(tensor, "__asg_pattern__") and tensor.dtype.is_integer:
        return tensor
    return op(tensor)


@public
def floor(x: Any) -> Tensor:
    """The largest whole number not above x, in the dtype of x; integers as they are.

    >>> import asg
    >>> asg.run(asg.floor([1.5, -1.5]), {}).tolist()
    [1.0, -2.0]
    """
    return _rounded(Floor(), x)


@public
def ceil(x: Any) -> Tensor:
    """The smallest whole number not below x, in the dtype of x; integers as they are.

    >>> import asg
    >>> asg.run(asg.ceil([1.5, -1.5]), {}).tolist()
    [2.0, -1.0]
    """
    return _rounded(Ceil(), x)


@public
def round(x: Any) -> Tensor:
    """The nearest whole number, in the dtype of x; halves go to the even one.

    >>> import asg
    >>> asg.run(asg.round([0.5, 1.5, -2.6]), {}).tolist()
    [0.0, 2.0, -3.0]
    """
    return _rounded(Round(), x)


@public
def trunc(x: Any) -> Tensor:
    """x without its fraction, in the dtype of x; integers as they are.

    >>> import asg
    >>> asg.run(asg.trunc([1.5, -1.5]), {}).tolist()
    [1.0, -1.0]
    """
    return _rounded(Trunc(), x)
