"""Normalisations over trailing axes: composites with the gradient one derives by hand.

The operands after ``x`` are optional, so the ops take one to three: a layer stays one box.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, as_shape, require_equal
from asg.ops.elementwise import add, multiply
from asg.ops.elementwise_unary import rsqrt
from asg.ops.operand import respelled, widened
from asg.ops.shape import shape_text

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class TrailingNorm(Op, abstract=True):
    """Operands ``x``, then optionally a weight (and a bias) over the normalised axes of ``x``."""

    axis: tuple[int, ...]
    eps: float
    category: ClassVar[str] = "norm"
    promotes: ClassVar[slice | None] = slice(None)
    operand_names: ClassVar[tuple[str, ...]] = ("x", "weight", "bias")

    def infer(self, *operands: TensorType) -> TensorType:
        if not 1 <= len(operands) <= len(self.operand_names):
            raise TypeProblem(
                f"{len(operands)} operands given, expected {', '.join(self.operand_names)}",
                error=OperandError,
            )
        x = operands[0].require_float()
        self._check_axes(x)
        for name, operand in zip(self.operand_names[1:], operands[1:], strict=False):
            self._check_parameter(name, operand, x)
        return x

    def _check_axes(self, x: TensorType) -> None:
        if not self.axis or self.axis != tuple(range(x.ndim))[-len(self.axis) :]:
            raise TypeProblem(
                f"axes {self.axis} are not the last axes of {x}",
                "normalisation is over trailing axes; permute_dims brings them to the end",
            )

    def _check_parameter(self, name: str, operand: TensorType, x: TensorType) -> None:
        wanted = x.shape[x.ndim - len(self.axis) :]
        reason = f"{name} {operand} does not have the normalised shape {shape_text(wanted)}"
        if operand.ndim != len(wanted):
            raise TypeProblem(reason, f"give it the shape {shape_text(wanted)}")
        for given, size in zip(operand.shape, wanted, strict=True):
            require_equal(given, size, reason, f"give it the shape {shape_text(wanted)}")

    def operand_name(self, position: int) -> str:
        """``x``, ``weight`` or ``bias``."""
        return self.operand_names[position]

    def centered(self, x: Tensor) -> Tensor:
        """``x`` with the part removed that the normalisation ignores."""
        raise NotImplementedError(type(self).__name__)

    def normalized(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` centered and scaled to mean square one, and that scale."""
        off = self.centered(x)
        scale = rsqrt((off * off).mean(self.axis, keepdims=True) + self.eps)
        return off * scale, scale

    def decompose(self, *operands: Tensor) -> Tensor:
        x, *parameters = operands
        result, _ = self.normalized(widened(x))
        for combine, each in zip((multiply, add), parameters, strict=False):
            trailing = x.shape[x.ndim - len(self.axis) :]
            result = combine(result, widened(respelled(each, trailing)))
        return result.astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        def by_x() -> Tensor:
            result, scale = self.normalized(widened(inputs[0]))
            pull = widened(cotangents[0])
            pull = pull * widened(inputs[1]) if len(inputs) > 1 else pull
            along = (pull * result).mean(self.axis, keepdims=True)
            return ((self.centered(pull) - result * along) * scale).astype(inputs[0].dtype)

        def by_weight() -> Tensor:
            result, _ = self.normalized(widened(inputs[0]))
            return (widened(cotangents[0]) * result).astype(inputs[0].dtype)

        rules: list[Callable[[], Tensor]] = [by_x, by_weight, lambda: cotangents[0]]
        return rules[: len(inputs)]


class LayerNorm(TrailingNorm):
    """``y = (x - mean) / sqrt(var + eps) * weight + bias`` over the last axes.

    The variance is that of the population. Operands: x, then optionally weight, bias.
    """

    def centered(self, x: Tensor) -> Tensor:
        return x - x.mean(self.axis, keepdims=True)


class RMSNorm(TrailingNorm):
    """``y = x / sqrt(mean(x^2) + eps) * weight`` over the last axes. Operands: x, then weight."""

    name: ClassVar[str] = "rms_norm"
    operand_names: ClassVar[tuple[str, ...]] = ("x", "weight")

    def centered(self, x: Tensor) -> Tensor:
        return x


def _trailing_axes(x: Tensor, normalized_shape: Any) -> tuple[int, ...]:
    """The last axes of ``x``, whose sizes are ``normalized_shape``."""
    sizes = as_shape(normalized_shape)
    first = x.ndim - len(sizes)
    if not sizes or first < 0:
        raise TypeProblem(
            f"normalized_shape {shape_text(sizes)} does not name last axes of {x.type}",
            f"give their sizes, such as {shape_text(x.shape[-1:])}",
        )
    for given, size in zip(sizes, x.shape[first:], strict=True):
        require_equal(given, size, f"normalized_shape {shape_text(sizes)} is not how {x.type} ends")
    return tuple(range(first, x.ndim))


@public
def layer_norm(
    x: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last axes of ``x``.

    Args:
        x: floating numbers.
        normalized_shape: the sizes of the axes normalised over, which are the last ones.
        weight: optional factor of that shape.
        bias: optional summand of that shape.
        eps: added to the (population) variance.

    Raises:
        ShapeError: a shape is not how that of ``x`` ends.
        DtypeError: ``x`` is not floating.

    Source: Ba, Kiros and Hinton, "Layer normalization", https://arxiv.org/abs/1607.06450.

    >>> import asg
    >>> x = asg.constant([[1.0, 3.0], [5.0, 5.0]])
    >>> asg.run(asg.layer_norm(x, 2, eps=3.0)).tolist()
    [[-0.5, 0.5], [0.0, 0.0]]
    """
    x = as_tensor(x)
    op = LayerNorm(_trailing_axes(x, normalized_shape), _number(eps))
    if weight is None:
        return op(x) if bias is None else op(x) + bias
    return op(x, weight) if bias is None else op(x, weight, bias)


@public
def rms_norm(x: Any, normalized_shape: Any, weight: Any = None, eps: float = 1e-6) -> Tensor:
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last axes of ``x``; as `layer_norm`.

    Source: Zhang and Sennrich, "Root mean square layer normalization",
    https://arxiv.org/abs/1910.07467.

    >>> import asg
    >>> asg.run(asg.rms_norm(asg.constant([2.0, 2.0, 0.0, 0.0]), 4, eps=2.0)).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    x = as_tensor(x)
    op = RMSNorm(_trailing_axes(x, normalized_shape), _number(eps))
    return op(x) if weight is None else op(x, weight)


def _number(eps: object) -> float:
    if isinstance(eps, bool) or not isinstance(eps, int | float) or not eps >= 0:
        raise TypeProblem(f"eps is {eps!r}, a number >= 0 is needed", error=OperandError)
    return float(eps)
