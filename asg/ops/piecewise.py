"""Activations made of straight and parabolic pieces, with PyTorch's derivatives at the joints.

Each states its own gradient: a decomposition would halve it at ties or multiply 0 by infinity.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.activation import Activation, leaky_relu
from asg.ops.compare import greater, greater_equal, less, less_equal, logical_and
from asg.ops.distributions import uniform
from asg.ops.elementwise import clip, where
from asg.ops.elementwise_unary import abs
from asg.ops.operand import require_number, widened
from asg.ops.shape import reshape

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


def _between(low: float, x: Tensor, high: float) -> Tensor:
    return logical_and(greater(x, low), less(x, high))


class Hardtanh(Activation):
    """``y = min(max(x, low), high)``; the derivative at both bounds is 0."""

    low: float = -1.0
    high: float = 1.0

    def infer(self, x: TensorType) -> TensorType:
        if not self.low < self.high:
            raise TypeProblem(
                f"min_val {self.low} is not below max_val {self.high}",
                "give min_val < max_val",
                OperandError,
            )
        return super().infer(x)

    def decompose(self, x: Tensor) -> Tensor:
        return clip(x, self.low, self.high)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [where(_between(self.low, inputs[0], self.high), cotangents[0], 0.0)]


class ReLU6(Activation):
    """``y = min(max(x, 0), 6)``; the derivative at 0 and at 6 is 0."""

    def decompose(self, x: Tensor) -> Tensor:
        return clip(x, 0.0, 6.0)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [where(_between(0.0, inputs[0], 6.0), cotangents[0], 0.0)]


class Hardsigmoid(Activation):
    """``y = min(max(x + 3, 0), 6) / 6``; the derivative at -3 and at 3 is 0."""

    def decompose(self, x: Tensor) -> Tensor:
        return clip(x + 3.0, 0.0, 6.0) / 6.0

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [where(_between(-3.0, inputs[0], 3.0), cotangents[0] / 6.0, 0.0)]


class Hardswish(Activation):
    """``y = x * min(max(x + 3, 0), 6) / 6``; the derivative at -3 is 0, at 3 it is 1."""

    def decompose(self, x: Tensor) -> Tensor:
        # Not x itself: -inf times 0 would be NaN.
        kept = where(less_equal(x, -3.0), 0.0, x)
        return kept * (clip(x + 3.0, 0.0, 6.0) / 6.0)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (pull,) = inputs, cotangents
        parabola = pull * (clip(x, -3.0, 3.0) / 3.0 + 0.5)
        return [where(less_equal(x, -3.0), 0.0, where(greater_equal(x, 3.0), pull, parabola))]


class Threshold(Activation):
    """``y = x`` where ``x > threshold``, else ``value``; the derivative at the threshold is 0."""

    threshold: float
    value: float

    def decompose(self, x: Tensor) -> Tensor:
        return where(less_equal(x, self.threshold), self.value, x)


class Hardshrink(Activation):
    """``y = x`` where ``|x| > width``, else 0; the derivative at both ends is 0."""

    width: float = 0.5

    def decompose(self, x: Tensor) -> Tensor:
        return where(less_equal(abs(x), self.width), 0.0, x)


class Softshrink(Activation):
    """``y = x - width`` above ``width``, ``x + width`` below ``-width``, else 0.

    The derivative at both ends is 0.
    """

    width: float = 0.5

    def decompose(self, x: Tensor) -> Tensor:
        return x - clip(x, -self.width, self.width)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [where(less_equal(abs(inputs[0]), self.width), 0.0, cotangents[0])]


class PReLU(Activation):
    """``y = x`` for positive x, else ``weight * x``; the derivative by x at 0 is the weight.

    The weight is one number, or has one for each of the channels, which are axis 1 of x.
    """

    promotes: ClassVar[slice | None] = slice(None)
    broadcasts: ClassVar[bool] = False  # the weights lie along axis 1

    def infer(self, x: TensorType, weight: TensorType) -> TensorType:  # type: ignore[override]
        x.require_float()
        if weight.ndim > 1 or (weight.ndim == 1 and weight.shape != (1,) and x.ndim < 2):
            raise TypeProblem(
                f"weight {weight} is neither one number nor one per channel of {x}",
                "give a scalar, or a vector with the size of axis 1 of x",
            )
        if weight.ndim == 1 and weight.shape != (1,):
            require_equal(
                weight.shape[0], x.shape[1], f"weight {weight} does not fit the channels of {x}",
                "give one number, or one for each element of axis 1",
            )  # fmt: skip
        return x

    def decompose(self, x: Tensor, weight: Tensor) -> Tensor:
        if weight.shape == (1,):
            slope = reshape(weight, ())
        elif weight.ndim:
            slope = reshape(weight, (x.shape[1], *[1] * (x.ndim - 2)))
        else:
            slope = weight
        # Positive x are kept out of the product: 0 * inf in the gradient by weight would be NaN.
        return where(greater(x, 0.0), x, slope * where(greater(x, 0.0), 0.0, x))


# -- functions -----------------------------------------------------------------------------------


@public
def hardtanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """``min(max(x, min_val), max_val)``; the derivative at both bounds is 0 (that of `clip` is 1).

    Raises:
        OperandError: ``min_val`` is not below ``max_val``.
        DtypeError: ``x`` is not floating.

    >>> import asg
    >>> asg.run(asg.hardtanh(asg.constant([-2.0, 0.5, 2.0]))).tolist()
    [-1.0, 0.5, 1.0]
    """
    return Hardtanh(require_number("min_val", min_val), require_number("max_val", max_val))(x)


@public
def relu6(x: Any) -> Tensor:
    """``min(max(x, 0), 6)``; the derivative at 0 and at 6 is 0.

    Source: Howard et al., "MobileNets", https://arxiv.org/abs/1704.04861.

    >>> import asg
    >>> asg.run(asg.relu6(asg.constant([-1.0, 3.0, 9.0]))).tolist()
    [0.0, 3.0, 6.0]
    """
    return ReLU6()(x)


@public
def hardsigmoid(x: Any) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6``; the derivative at -3 and at 3 is 0.

    >>> import asg
    >>> asg.run(asg.hardsigmoid(asg.constant([-4.0, 0.0, 4.0]))).tolist()
    [0.0, 0.5, 1.0]
    """
    return Hardsigmoid()(x)


@public
def hardswish(x: Any) -> Tensor:
    """``x * min(max(x + 3, 0), 6) / 6``; the derivative at -3 is 0, at 3 it is 1.

    Source: Howard et al., "Searching for MobileNetV3", https://arxiv.org/abs/1905.02244.

    >>> import asg
    >>> asg.run(asg.hardswish(asg.constant([-4.0, 0.0, 4.0]))).tolist()
    [0.0, 0.0, 4.0]
    """
    return Hardswish()(x)


@public
def threshold(x: Any, threshold: float, value: float) -> Tensor:
    """``x`` where ``x > threshold``, else ``value``; the derivative at the threshold is 0.

    >>> import asg
    >>> asg.run(asg.threshold(asg.constant([0.5, 1.0, 2.0]), 1.0, -7.0)).tolist()
    [-7.0, -7.0, 2.0]
    """
    return Threshold(require_number("threshold", threshold), require_number("value", value))(x)


@public
def hardshrink(x: Any, lambd: float = 0.5) -> Tensor:
    """``x`` where ``|x| > lambd``, else 0; the derivative at both ends is 0.

    Raises:
        OperandError: ``lambd`` is negative or not a number.

    >>> import asg
    >>> asg.run(asg.hardshrink(asg.constant([-1.0, 0.25, 2.0]))).tolist()
    [-1.0, 0.0, 2.0]
    """
    return Hardshrink(_width(lambd))(x)


@public
def softshrink(x: Any, lambd: float = 0.5) -> Tensor:
    """``x`` moved towards 0 by ``lambd``, and 0 where that passes 0; derivative 0 at both ends.

    Raises:
        OperandError: ``lambd`` is negative or not a number.

    >>> import asg
    >>> asg.run(asg.softshrink(asg.constant([-1.0, 0.25, 2.0]))).tolist()
    [-0.5, 0.0, 1.5]
    """
    return Softshrink(_width(lambd))(x)


@public
def prelu(x: Any, weight: Any) -> Tensor:
    """``x`` where positive, else ``weight * x``; the derivative by x at 0 is the weight.

    Args:
        x: floating numbers.
        weight: one number, or a vector with one for each channel (axis 1 of ``x``).

    Raises:
        ShapeError: the weight has another shape.

    Source: He et al., "Delving deep into rectifiers", https://arxiv.org/abs/1502.01852.

    >>> import asg
    >>> asg.run(asg.prelu(asg.constant([[-2.0, -2.0, 3.0]]), [0.5, 0.25, 0.5])).tolist()
    [[-1.0, -0.5, 3.0]]
    """
    return PReLU()(x, weight)


@public
def rrelu(x: Any, lower: float = 1.0 / 8.0, upper: float = 1.0 / 3.0, key: Any = None) -> Tensor:
    """``x`` where positive, else ``a * x``, each ``a`` uniform on [lower, upper].

    Args:
        x: floating numbers.
        lower: the least slope.
        upper: the greatest.
        key: draws the slopes; without one every slope is ``(lower + upper) / 2``, as in evaluation.

    Raises:
        OperandError: ``lower`` exceeds ``upper``.

    Source: Xu et al., "Empirical evaluation of rectified activations",
    https://arxiv.org/abs/1505.00853.

    >>> import asg
    >>> x = asg.constant([-2.0, 3.0])
    >>> asg.run(asg.rrelu(x, 0.25, 0.75)).tolist()
    [-1.0, 3.0]
    >>> -1.5 <= asg.run(asg.rrelu(x, 0.25, 0.75, asg.random_key(0))).tolist()[0] <= -0.5
    True
    """
    low, high = require_number("lower", lower), require_number("upper", upper)
    if not low <= high:
        raise TypeProblem(f"lower {low} exceeds upper {high}", error=OperandError)
    if key is None or low == high:
        return leaky_relu(x, (low + high) / 2.0)
    x = as_tensor(x)
    x.type.require_float()
    slope = uniform(key, x.shape, low=low, high=high, dtype=widened(x).dtype).astype(x.dtype)
    return where(greater(x, 0.0), x, x * slope)


def _width(lambd: object) -> float:
    number = require_number("lambd", lambd)
    if not number >= 0:
        raise TypeProblem(f"lambd is {number}", "it must not be negative", OperandError)
    return number
