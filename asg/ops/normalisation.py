"""Normalisations with channels (axis 1 unless said), local response and length.

`asg.ops.norm` has those over trailing axes. Weight and bias are optional operands, so that a layer
stays one box. Variances are those of the population; half precision is computed in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import product
from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import (
    TensorType,
    TypeProblem,
    normalize_axis,
    require_equal,
    require_less_equal,
)
from asg.ops.compare import greater
from asg.ops.elementwise import add, multiply, pow, where
from asg.ops.elementwise_unary import rsqrt
from asg.ops.join import pad
from asg.ops.matrices import is_zero
from asg.ops.norm import LayerNorm
from asg.ops.operand import require_number, respelled, widened
from asg.ops.shape import reshape, shape_text
from asg.ops.slicing import Slice
from asg.ops.statistics import element_count

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class ChannelNorm(Op, abstract=True):
    """Operands ``x``, ..., then optionally a weight (and a bias) with one number per channel."""

    category: ClassVar[str] = "norm"
    promotes: ClassVar[slice | None] = slice(None)
    operand_names: ClassVar[tuple[str, ...]] = ("x", "weight", "bias")
    fewest: ClassVar[int] = 1

    @property
    def channel_axis(self) -> int:
        """The axis of the channels."""
        return 1

    def checked(self, operands: tuple[TensorType, ...]) -> TensorType:
        """The type of x, when there are as many operands as names and all fit its channels."""
        if not self.fewest <= len(operands) <= len(self.operand_names):
            raise TypeProblem(
                f"{len(operands)} operands given, expected {', '.join(self.operand_names)}",
                error=OperandError,
            )
        x = operands[0].require_float()
        if x.ndim < 2:
            raise TypeProblem(
                f"x {x} has no axis of channels besides that of the examples",
                "give it the shape [examples, channels, ...]",
            )
        x.require_axis(self.channel_axis)
        channels = x.shape[self.channel_axis]
        for name, operand in zip(self.operand_names[1:], operands[1:], strict=False):
            reason = f"{name} {operand} does not have one number for each of {channels} channels"
            if operand.ndim != 1:
                raise TypeProblem(reason, f"give it the shape {shape_text((channels,))}")
            require_equal(
                operand.shape[0], channels, reason, f"give it the shape {shape_text((channels,))}"
            )
        return x

    def infer(self, *operands: TensorType) -> Any:
        return self.checked(operands)

    def require_several(self, x: TensorType, axes: Sequence[int]) -> None:
        """A claim: more than one value is averaged, since one deviates from itself by 0."""
        require_less_equal(
            2, product(x.shape[i] for i in axes),
            f"{self.name} of {x} needs two values or more of a channel to tell their deviation",
            "normalise a larger batch or image, or by given statistics (batch_norm)",
        )  # fmt: skip

    def operand_name(self, position: int) -> str:
        """``x``, ..., ``weight`` or ``bias``."""
        return self.operand_names[position]

    def aligned(self, each: Tensor, x: Tensor) -> Tensor:
        """A vector over the channels, shaped to broadcast against ``x``; half precision widened."""
        channels = x.shape[self.channel_axis]
        after = x.ndim - self.channel_axis - 1
        return widened(reshape(respelled(each, (channels,)), (channels, *[1] * after)))

    def scaled(self, result: Tensor, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """``result * weight + bias``, as far as they are given, in the dtype of ``x``."""
        for combine, each in zip((multiply, add), parameters, strict=False):
            result = combine(result, self.aligned(each, x))
        return result.astype(x.dtype)


class GroupNorm(ChannelNorm):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias``.

    Mean and variance are those of each example's group of ``channels / groups`` channels.
    Operands: x [examples, channels, ...], then optionally weight, bias.
    """

    groups: int
    eps: float = 1e-5

    def infer(self, *operands: TensorType) -> TensorType:
        x = self.checked(operands)
        if type(self.groups) is not int or self.groups < 1:
            raise TypeProblem(f"{self.groups!r} groups", "give an int >= 1", OperandError)
        require_equal(
            x.shape[1] // self.groups * self.groups, x.shape[1],
            f"{x.shape[1]} channels do not divide into {self.groups} groups",
            "choose a number of groups that divides the channels",
        )  # fmt: skip
        return x

    def decompose(self, *operands: Tensor) -> Tensor:
        x, *parameters = operands
        each = x.shape[1] // self.groups * product(x.shape[2:])
        rows = reshape(widened(x), (x.shape[0], self.groups, each))
        return self.scaled(reshape(LayerNorm((2,), self.eps)(rows), x.shape), parameters, x)


class InstanceNorm(ChannelNorm):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias`` of each channel of each example.

    Operands: x [examples, channels, ...], then optionally weight, bias.
    """

    eps: float = 1e-5

    def infer(self, *operands: TensorType) -> TensorType:
        x = self.checked(operands)
        if x.ndim < 3:
            raise TypeProblem(
                f"x {x} has one number per channel, whose deviation from itself is 0",
                "give it the shape [examples, channels, ...]",
            )
        self.require_several(x, range(2, x.ndim))
        return x

    def decompose(self, *operands: Tensor) -> Tensor:
        x, *parameters = operands
        rows = reshape(widened(x), (*x.shape[:2], product(x.shape[2:])))
        return self.scaled(reshape(LayerNorm((2,), self.eps)(rows), x.shape), parameters, x)


class BatchNorm(ChannelNorm):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias`` with given mean and variance.

    Operands: x, mean, var, then optionally weight, bias; one number per element of ``axis``.
    """

    axis: int = 1
    eps: float = 1e-5
    operand_names: ClassVar[tuple[str, ...]] = ("x", "mean", "var", "weight", "bias")
    fewest: ClassVar[int] = 3

    @property
    def channel_axis(self) -> int:
        """The axis that mean and variance are given for."""
        return self.axis

    def decompose(self, *operands: Tensor) -> Tensor:
        x, mean, var, *parameters = operands
        scale = rsqrt(self.aligned(var, x) + self.eps)
        if parameters:
            scale = scale * self.aligned(parameters[0], x)
        result = (widened(x) - self.aligned(mean, x)) * scale
        if len(parameters) > 1:
            result = result + self.aligned(parameters[1], x)
        return result.astype(x.dtype)


class BatchNormTraining(ChannelNorm):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias`` with the batch's mean and variance.

    Operands: x, then optionally weight, bias. Outputs: y, and the mean and (population) variance
    over every axis but ``axis``, in float32 for half precision.
    """

    axis: int = 1
    eps: float = 1e-5

    @property
    def channel_axis(self) -> int:
        """The axis that is not averaged over."""
        return self.axis

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        x = self.checked(operands)
        self.require_several(x, self._others(x))
        dtype = float32 if x.dtype.itemsize == 2 else x.dtype
        each = TensorType(dtype, (x.shape[self.axis],))
        return x, each, each

    def _others(self, x: Tensor | TensorType) -> tuple[int, ...]:
        return tuple(i for i in range(x.ndim) if i != self.axis)

    def decompose(self, *operands: Tensor) -> Tensors:
        x, *parameters = operands
        wide, others = widened(x), self._others(x)
        mean = wide.mean(others)
        off = wide - self.aligned(mean, x)
        var = (off * off).mean(others)
        result = off * rsqrt(self.aligned(var, x) + self.eps)
        return self.scaled(result, parameters, x), mean, var

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, others = inputs[0], self._others(inputs[0])
        pull = widened(cotangents[0])

        def parts() -> tuple[Tensor, Tensor]:
            off = widened(x) - self.aligned(outputs[1], x)
            return off, rsqrt(self.aligned(outputs[2], x) + self.eps)

        def by_x() -> Tensor:
            # The sums are those of the other two gradients, and are computed once.
            off, scale = parts()
            result, count = off * scale, element_count(x, others, pull.dtype)
            mean = self.aligned(pull.sum(others) / count, x)
            along = self.aligned((pull * result).sum(others) / count, x)
            factor = scale * self.aligned(inputs[1], x) if len(inputs) > 1 else scale
            through = (pull - mean - result * along) * factor
            if not is_zero(cotangents[1]):
                through = through + self.aligned(cotangents[1], x) / count
            if not is_zero(cotangents[2]):
                through = through + off * (self.aligned(cotangents[2], x) * 2.0 / count)
            return through.astype(x.dtype)

        def by_weight() -> Tensor:
            off, scale = parts()
            return (pull * (off * scale)).sum(others).astype(x.dtype)

        def by_bias() -> Tensor:
            return pull.sum(others).astype(x.dtype)

        rules: list[Callable[[], Tensor]] = [by_x, by_weight, by_bias]
        return rules[: len(inputs)]


class LocalResponseNorm(Op):
    """``y = x / (k + alpha / size * sum of x^2 over size neighbouring channels)^beta``.

    The window of channel c reaches from ``c - size // 2`` to ``c + (size - 1) // 2``; what lies
    outside counts as 0.
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0
    category: ClassVar[str] = "norm"

    def infer(self, x: TensorType) -> TensorType:
        if type(self.size) is not int or self.size < 1:
            raise TypeProblem(f"size is {self.size!r}", "give an int >= 1", OperandError)
        if x.ndim < 2:
            raise TypeProblem(f"x {x} has no channels", "give it the shape [examples, channels]")
        return x.require_float()

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        width = (self.size // 2, (self.size - 1) // 2)
        padded = pad(wide * wide, ((0, 0), width, *[(0, 0)] * (x.ndim - 2)))
        total = Slice.along(1, 0, x.shape[1], padded)
        for first in range(1, self.size):
            total = total + Slice.along(1, first, x.shape[1] + first, padded)
        return (wide / pow(total * (self.alpha / self.size) + self.k, self.beta)).astype(x.dtype)


class L2Normalize(Op):
    """``y = x / max(|x|, eps)``, |x| the root of the sum of squares over ``axis``.

    Where ``|x| <= eps`` (at 0 too) the derivative is that of ``x / eps``.
    """

    axis: int
    eps: float = 1e-12
    category: ClassVar[str] = "norm"
    name: ClassVar[str] = "l2_normalize"

    def infer(self, x: TensorType) -> TensorType:
        if not self.eps > 0:
            raise TypeProblem(f"eps is {self.eps}", "it must be positive", OperandError)
        return x.require_float().require_axis(self.axis)

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        square = (wide * wide).sum(self.axis, keepdims=True)
        long = greater(square, self.eps**2)
        # The inner where keeps rsqrt, whose slope at 0 is infinite, away from short vectors.
        scale = where(long, rsqrt(where(long, square, 1.0)), 1.0 / self.eps)
        return (wide * scale).astype(x.dtype)


# -- functions -----------------------------------------------------------------------------------


@public
def group_norm(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over groups of channels of each example.

    Args:
        x: floating, [examples, channels, ...].
        num_groups: how many groups; it divides the channels.
        weight: optional factors, one per channel.
        bias: optional summands, one per channel.
        eps: added to the (population) variance.

    Raises:
        ShapeError: the groups do not divide the channels, or a parameter has another size.
        DtypeError: ``x`` is not floating.

    Source: Wu and He, "Group normalization", https://arxiv.org/abs/1803.08494.

    >>> import asg
    >>> asg.run(asg.group_norm(asg.constant([[1.0, 3.0, 5.0, 5.0]]), 2, eps=3.0)).tolist()
    [[-0.5, 0.5, 0.0, 0.0]]
    """
    return _applied(GroupNorm(num_groups, _eps(eps)), (x,), weight, bias)


@public
def instance_norm(x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over each channel of each example.

    As `group_norm` with a group for every channel. (With PyTorch's ``use_input_stats=False`` it is
    `batch_norm`.)

    Source: Ulyanov et al., "Instance normalization", https://arxiv.org/abs/1607.08022.

    >>> import asg
    >>> asg.run(asg.instance_norm(asg.constant([[[1.0, 3.0], [5.0, 5.0]]]), eps=3.0)).tolist()
    [[[-0.5, 0.5], [0.0, 0.0]]]
    """
    return _applied(InstanceNorm(_eps(eps)), (x,), weight, bias)


@public
def batch_norm(
    x: Any,
    mean: Any,
    var: Any,
    weight: Any = None,
    bias: Any = None,
    *,
    eps: float = 1e-5,
    axis: int = 1,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` with the mean and variance given.

    Args:
        x: floating, at least two axes.
        mean: one number for each element of ``axis``, such as running averages.
        var: likewise.
        weight: optional factors, likewise.
        bias: optional summands, likewise.
        eps: added to the variance.
        axis: that of the channels.

    Raises:
        ShapeError: an operand does not have one number per channel.
        DtypeError: ``x`` is not floating.

    Source: Ioffe and Szegedy, "Batch normalization", https://arxiv.org/abs/1502.03167.

    >>> import asg
    >>> x = asg.constant([[3.0, 5.0]])
    >>> asg.run(asg.batch_norm(x, [1.0, 5.0], [1.0, 1.0], eps=3.0)).tolist()
    [[1.0, 0.0]]
    """
    x = as_tensor(x)
    op = BatchNorm(normalize_axis(axis, x.ndim), _eps(eps))
    return _applied(op, (x, mean, var), weight, bias)


@public
def batch_norm_training(
    x: Any, weight: Any = None, bias: Any = None, *, eps: float = 1e-5, axis: int = 1
) -> Tensors:
    """``(y, mean, var)``: `batch_norm` with the mean and variance of ``x`` itself, and these two.

    The variance is that of the population, over every axis but ``axis``. PyTorch's running average
    takes the unbiased one, ``var * n / (n - 1)``.

    >>> import asg
    >>> y, mean, var = asg.batch_norm_training(asg.constant([[1.0], [3.0]]), eps=3.0)
    >>> [value.tolist() for value in asg.run([y, mean, var])]
    [[[-0.5], [0.5]], [2.0], [1.0]]
    """
    x = as_tensor(x)
    op = BatchNormTraining(normalize_axis(axis, x.ndim), _eps(eps))
    if weight is None:
        y, mean, var = op.apply(x)
        return (y if bias is None else _plus(op, y, bias)), mean, var
    return op.apply(x, weight) if bias is None else op.apply(x, weight, bias)


@public
def local_response_norm(
    x: Any, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """``x / (k + alpha / size * s)^beta``, s the sum of squares of ``size`` neighbouring channels.

    Args:
        x: floating, [examples, channels, ...].
        size: channels from ``c - size // 2`` to ``c + (size - 1) // 2`` count for channel c.
        alpha: factor of the mean square.
        beta: exponent.
        k: summand.

    Source: Krizhevsky, Sutskever and Hinton (2012), section 3.3.

    >>> import asg
    >>> x = asg.constant([[3.0, 0.0, 4.0]])
    >>> asg.run(asg.local_response_norm(x, 1, alpha=1.0, beta=1.0)).astype(float).round(3).tolist()
    [[0.3, 0.0, 0.235]]
    """
    numbers = {"alpha": alpha, "beta": beta, "k": k}
    return LocalResponseNorm(
        size, *[require_number(name, value) for name, value in numbers.items()]
    )(x)


@public
def l2_normalize(x: Any, axis: int = -1, eps: float = 1e-12) -> Tensor:
    """``x / max(|x|, eps)``, |x| the root of the sum of squares over ``axis``.

    PyTorch calls this ``normalize`` (over axis 1 unless told). A vector of zeros stays one, with
    derivative ``1 / eps``.

    Raises:
        ShapeError: the axis does not exist.
        OperandError: ``eps`` is not a positive number.

    >>> import asg
    >>> x = asg.constant([[3.0, 4.0], [0.0, 0.0]])
    >>> asg.run(asg.l2_normalize(x)).astype(float).round(3).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    x = as_tensor(x)
    return L2Normalize(normalize_axis(axis, x.ndim), require_number("eps", eps))(x)


def _applied(op: ChannelNorm, operands: tuple[Any, ...], weight: Any, bias: Any) -> Tensor:
    """One box where that is possible; a bias without weight is added behind it."""
    if weight is None:
        result = op(*operands)
        return result if bias is None else _plus(op, result, bias)
    return op(*operands, weight) if bias is None else op(*operands, weight, bias)


def _plus(op: ChannelNorm, result: Tensor, bias: Any) -> Tensor:
    bias = as_tensor(bias)
    channels = result.shape[op.channel_axis]
    if bias.ndim != 1:
        raise TypeProblem(f"bias {bias.type} is no vector", "give one number per channel")
    require_equal(bias.shape[0], channels, f"bias {bias.type} does not fit {channels} channels")
    return result + reshape(bias, (bias.shape[0], *[1] * (result.ndim - op.channel_axis - 1)))


def _eps(eps: object) -> float:
    number = require_number("eps", eps)
    if not number >= 0:
        raise TypeProblem(f"eps is {number}", "a number >= 0 is needed", OperandError)
    return number
