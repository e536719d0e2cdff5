"""Smooth activations composed of exponentials: selu, celu, mish, softsign, tanhshrink, softmin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TypeProblem, normalize_axis
from asg.ops.activation import Activation, AlongAxis, elu, softmax, softplus
from asg.ops.compare import greater
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import abs, expm1, reciprocal, tanh
from asg.ops.operand import require_number, widened

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]

_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


class SELU(Activation):
    """``y = scale * x`` for positive x, else ``scale * alpha * (exp(x) - 1)``.

    scale = 1.0507..., alpha = 1.6732...; the derivative at 0 is scale * alpha.
    """

    def decompose(self, x: Tensor) -> Tensor:
        return elu(x, _SELU_ALPHA) * _SELU_SCALE


class CELU(Activation):
    """``y = x`` for positive x, else ``alpha * (exp(x / alpha) - 1)``; the derivative at 0 is 1."""

    alpha: float = 1.0

    def decompose(self, x: Tensor) -> Tensor:
        positive = greater(x, 0.0)
        return where(positive, x, expm1(where(positive, 0.0, x) / self.alpha) * self.alpha)


class Mish(Activation):
    """``y = x * tanh(softplus(x))``."""

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        return (wide * tanh(softplus(wide))).astype(x.dtype)


class Softsign(Activation):
    """``y = x / (1 + |x|)``."""

    def decompose(self, x: Tensor) -> Tensor:
        return x / (abs(x) + 1.0)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        # 1 / (1 + |x|)^2, which the rule of a quotient finds as a difference of near equals.
        share = reciprocal(abs(inputs[0]) + 1.0)
        return [cotangents[0] * share * share]


class Tanhshrink(Activation):
    """``y = x - tanh(x)``."""

    def decompose(self, x: Tensor) -> Tensor:
        return x - tanh(x)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        bent = tanh(inputs[0])
        return [cotangents[0] * (bent * bent)]


class Softmin(AlongAxis):
    """``y = exp(-x) / sum(exp(-x))`` along ``axis``: the softmax of -x."""

    def decompose(self, x: Tensor) -> Tensor:
        return softmax(-x, self.axis)


# -- functions -----------------------------------------------------------------------------------


@public
def selu(x: Any) -> Tensor:
    """``1.0507 * x`` where positive, else ``1.0507 * 1.6733 * (exp(x) - 1)``.

    Source: Klambauer et al., "Self-normalizing neural networks", https://arxiv.org/abs/1706.02515.

    >>> import asg
    >>> [round(float(y), 4) for y in asg.run(asg.selu(asg.constant([-1000.0, 1.0])))]
    [-1.7581, 1.0507]
    """
    return SELU()(x)


@public
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` where positive, else ``alpha * (exp(x / alpha) - 1)``; the derivative at 0 is 1.

    Raises:
        OperandError: ``alpha`` is not a positive number.

    Source: Barron, "Continuously differentiable ELUs", https://arxiv.org/abs/1704.07483.

    >>> import asg
    >>> asg.run(asg.celu(asg.constant([-1000.0, 3.0]), 2.0)).tolist()
    [-2.0, 3.0]
    """
    number = require_number("alpha", alpha)
    if not number > 0:
        raise TypeProblem(f"alpha is {number}", "it must be positive", OperandError)
    return CELU(number)(x)


@public
def mish(x: Any) -> Tensor:
    """``x * tanh(softplus(x))``.

    Source: Misra, "Mish", https://arxiv.org/abs/1908.08681.

    >>> import asg
    >>> asg.run(asg.mish(asg.constant([-1000.0, 0.0, 1000.0]))).tolist()
    [-0.0, 0.0, 1000.0]
    """
    return Mish()(x)


@public
def softsign(x: Any) -> Tensor:
    """``x / (1 + |x|)``; NaN for infinite ``x``.

    >>> import asg
    >>> asg.run(asg.softsign(asg.constant([-1.0, 0.0, 3.0]))).tolist()
    [-0.5, 0.0, 0.75]
    """
    return Softsign()(x)


@public
def tanhshrink(x: Any) -> Tensor:
    """``x - tanh(x)``.

    >>> import asg
    >>> asg.run(asg.tanhshrink(asg.constant([-1000.0, 0.0, 1000.0]))).tolist()
    [-999.0, 0.0, 999.0]
    """
    return Tanhshrink()(x)


@public
def softmin(x: Any, axis: int = -1) -> Tensor:
    """``exp(-x) / sum(exp(-x))`` along ``axis``: the softmax of ``-x``.

    Raises:
        ShapeError: the axis does not exist or has no elements.

    >>> import asg
    >>> asg.run(asg.softmin(asg.constant([0.0, 0.0, 1e9]))).tolist()
    [0.5, 0.5, 0.0]
    """
    x = as_tensor(x)
    return Softmin(normalize_axis(axis, x.ndim))(x)
