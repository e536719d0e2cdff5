"""Activations: composites, each with the gradient that is better than its decomposition's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis
from asg.ops.cast import stop_gradient
from asg.ops.elementwise import maximum, where
from asg.ops.elementwise_unary import abs, erf, exp, expm1, log, log1p, sigmoid
from asg.ops.operand import require_number, widened
from asg.ops.reduce import require_elements

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]
Approximation = Literal["none", "tanh"]


class Activation(Op, abstract=True):
    """A floating function of each element."""

    category: ClassVar[str] = "activation"
    broadcasts: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return x.require_float()


class AlongAxis(Op, abstract=True):
    """A floating function of each row along ``axis``, which needs elements."""

    axis: int
    category: ClassVar[str] = "activation"

    def infer(self, x: TensorType) -> TensorType:
        require_elements(x, (self.axis,), self.name)
        return x.require_float()


class Softmax(AlongAxis):
    """``y = exp(x) / sum(exp(x))`` along ``axis``; NaN in a row that is -inf throughout."""

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        raised = exp(wide - stop_gradient(wide.max(self.axis, keepdims=True)))
        return (raised / raised.sum(self.axis, keepdims=True)).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        weighted = cotangents[0] * outputs[0]
        return [weighted - outputs[0] * weighted.sum(self.axis, keepdims=True)]


class LogSoftmax(AlongAxis):
    """``y = x - log(sum(exp(x)))`` along ``axis``; exact where softmax underflows to 0."""

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        shifted = wide - stop_gradient(wide.max(self.axis, keepdims=True))
        return (shifted - log(exp(shifted).sum(self.axis, keepdims=True))).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        total = cotangents[0].sum(self.axis, keepdims=True)
        return [cotangents[0] - exp(outputs[0]) * total]


class ReLU(Activation):
    """``y = max(x, 0)``; the derivative at 0 is 0."""

    def decompose(self, x: Tensor) -> Tensor:
        return maximum(x, 0.0)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [where(inputs[0] > 0.0, cotangents[0], 0.0)]


class LeakyReLU(Activation):
    """``y = x`` for positive x, else ``slope * x``; the derivative at 0 is the slope."""

    slope: float = 0.01

    def decompose(self, x: Tensor) -> Tensor:
        return where(x > 0.0, x, x * self.slope)


class Elu(Activation):
    """``y = x`` for positive x, else ``alpha * (exp(x) - 1)``; the derivative at 0 is alpha."""

    alpha: float = 1.0

    def decompose(self, x: Tensor) -> Tensor:
        # Both branches are differentiated: without the minimum, exp would overflow in the other.
        return where(x > 0.0, x, expm1(where(x > 0.0, 0.0, x)) * self.alpha)


class SiLU(Activation):
    """``y = x * sigmoid(x)``, also called swish."""

    name: ClassVar[str] = "silu"

    def decompose(self, x: Tensor) -> Tensor:
        return x * sigmoid(x)


class Gelu(Activation):
    """``y = x * P(Z <= x)`` for a standard normal Z.

    ``approximate="none"`` is exact, ``x * (1 + erf(x / sqrt(2))) / 2``; ``"tanh"`` is
    ``x * (1 + tanh(z)) / 2 = x * sigmoid(2 z)``, ``z = sqrt(2 / pi) * (x + 0.044715 x^3)``.
    """

    approximate: str = "none"

    def infer(self, x: TensorType) -> TensorType:
        if self.approximate not in ("none", "tanh"):
            raise TypeProblem(
                f"approximate is {self.approximate!r}", "choose 'none' or 'tanh'", OperandError
            )
        return super().infer(x)

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        if self.approximate == "none":
            probability = (erf(wide * math.sqrt(0.5)) + 1.0) * 0.5
        else:
            inner = wide * (wide * wide * 0.044715 + 1.0)
            probability = sigmoid(inner * (2.0 * math.sqrt(2.0 / math.pi)))
        return (wide * probability).astype(x.dtype)


class Softplus(Activation):
    """``y = log(1 + exp(beta x)) / beta``, computed as ``max(x, 0) + log1p(exp(-|t|)) / beta``."""

    beta: float = 1.0

    def decompose(self, x: Tensor) -> Tensor:
        scaled = widened(x) * self.beta
        total = maximum(scaled, 0.0) + log1p(exp(-abs(scaled)))
        return (total / self.beta).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [cotangents[0] * sigmoid(inputs[0] * self.beta)]


# -- functions -----------------------------------------------------------------------------------


@public
def softmax(x: Any, axis: int = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along ``axis``: positive numbers that sum to one.

    Never overflows. A row that is -inf throughout has no answer and gives NaN.

    Raises:
        ShapeError: the axis does not exist or has no elements.
        DtypeError: ``x`` is not floating.

    >>> import asg
    >>> asg.run(asg.softmax(asg.constant([0.0, 0.0, -1e9]))).tolist()
    [0.5, 0.5, 0.0]
    """
    x = as_tensor(x)
    return Softmax(normalize_axis(axis, x.ndim))(x)


@public
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """``x - log(sum(exp(x)))`` along ``axis``: the logarithm of `softmax`, without its underflow.

    >>> import asg
    >>> asg.run(asg.log_softmax(asg.constant([0.0, -1000.0]))).tolist()
    [0.0, -1000.0]
    """
    x = as_tensor(x)
    return LogSoftmax(normalize_axis(axis, x.ndim))(x)


@public
def relu(x: Any) -> Tensor:
    """``max(x, 0)``; the derivative at 0 is 0.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> asg.run(asg.grad(asg.relu(x).sum(), x), {x: [-1.0, 0.0, 2.0]}).tolist()
    [0.0, 0.0, 1.0]
    """
    return ReLU()(x)


@public
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Tensor:
    """``x`` where positive, else ``negative_slope * x``; the derivative at 0 is the slope.

    >>> import asg
    >>> asg.run(asg.leaky_relu(asg.constant([-2.0, 3.0]), 0.5)).tolist()
    [-1.0, 3.0]
    """
    return LeakyReLU(require_number("negative_slope", negative_slope))(x)


@public
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """``x`` where positive, else ``alpha * (exp(x) - 1)``; the derivative at 0 is ``alpha``.

    Source: Clevert, Unterthiner and Hochreiter, https://arxiv.org/abs/1511.07289.

    >>> import asg
    >>> asg.run(asg.elu(asg.constant([-1000.0, 3.0]), 2.0)).tolist()
    [-2.0, 3.0]
    """
    return Elu(require_number("alpha", alpha))(x)


@public
def silu(x: Any) -> Tensor:
    """``x * sigmoid(x)``, also called swish.

    Source: Elfwing, Uchibe and Doya, https://arxiv.org/abs/1702.03118.

    >>> import asg
    >>> asg.run(asg.silu(asg.constant([-1000.0, 0.0, 1000.0]))).tolist()
    [-0.0, 0.0, 1000.0]
    """
    return SiLU()(x)


@public
def gelu(x: Any, approximate: Approximation = "none") -> Tensor:
    """``x * P(Z <= x)`` for a standard normal Z: ``x * (1 + erf(x / sqrt(2))) / 2``.

    Args:
        x: floating numbers.
        approximate: ``"tanh"`` for ``x * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x^3))) / 2``.

    Raises:
        OperandError: ``approximate`` is neither ``"none"`` nor ``"tanh"``.

    Source: Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415.

    >>> import asg
    >>> asg.run(asg.gelu(asg.constant([-10.0, 0.0, 10.0]))).tolist()
    [-0.0, 0.0, 10.0]
    """
    return Gelu(approximate)(x)


@public
def softplus(x: Any, beta: float = 1.0, threshold: float | None = None) -> Tensor:
    """``log(1 + exp(beta * x)) / beta``, without overflow.

    Args:
        x: floating numbers.
        beta: how sharply it bends.
        threshold: the result is ``x`` itself where ``beta * x`` exceeds it (PyTorch's default is
            20). None: nowhere; the formula needs no such help.

    Raises:
        OperandError: ``beta`` is not a positive number, or ``threshold`` no number.

    >>> import asg
    >>> asg.run(asg.softplus(asg.constant([-1000.0, 1000.0]))).tolist()
    [0.0, 1000.0]
    """
    if not require_number("beta", beta) > 0:
        raise TypeProblem(f"beta is {beta}", "it must be positive", OperandError)
    smooth = Softplus(float(beta))(x)
    if threshold is None:
        return smooth
    straight = as_tensor(x) * float(beta) > require_number("threshold", threshold)
    return where(straight, x, smooth)
