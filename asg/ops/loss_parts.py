"""What losses share: exact shapes, checks of numbers, weights of classes, and the reduction."""

from __future__ import annotations

from typing import ClassVar, Literal

from asg.core.dtype import DType, fits, int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, require_equal
from asg.ops.compare import equal
from asg.ops.elementwise import where
from asg.ops.leaf import iota
from asg.ops.operand import respelled
from asg.ops.shape import expand_dims, reshape, shape_text
from asg.ops.statistics import element_count

Reduction = Literal["none", "mean", "sum"]


class PairLoss(Op, abstract=True):
    """The loss of each element of a prediction against the element of a target."""

    category: ClassVar[str] = "loss"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, target: TensorType) -> TensorType:
        x.require_float()
        require_exact_shape("target", target, x.shape, "losses do not broadcast: target is like x")
        return x


def without_axis(shape: Shape, axis: int) -> Shape:
    """The shape of one number for each row along ``axis``."""
    return (*shape[:axis], *shape[axis + 1 :])


def require_exact_shape(name: str, given: TensorType, wanted: Shape, reason: str) -> None:
    """Exactly that shape: a loss that broadcasts compares every example with every other."""
    problem = f"{name} is {given}, expected shape {shape_text(wanted)}; {reason}"
    if given.ndim != len(wanted):
        raise TypeProblem(problem, "reshape it, or squeeze the axis too many")
    for size, expected in zip(given.shape, wanted, strict=True):
        require_equal(size, expected, problem)


def require_index(name: str, value: object, dtype: DType) -> None:
    """None, or an int that a label of the dtype can equal."""
    if value is not None and not (type(value) is int and fits(value, dtype)):
        raise TypeProblem(f"{name} is {value!r}, no {dtype.name} equals that", error=OperandError)


def require_fraction(name: str, value: object) -> float:
    """A number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise TypeProblem(f"{name} is {value!r}, a number in [0, 1] is needed", error=OperandError)
    return float(value)


def require_class_weight(weight: TensorType, classes: TensorType, axis: int) -> None:
    """A vector with one number per class."""
    reason = "one weight for each class"
    weight.require_float("weight")
    require_exact_shape("weight", weight, (classes.shape[axis],), reason)


def along_axis(weight: Tensor, x: Tensor, axis: int) -> Tensor:
    """A vector with the size of one axis of ``x``, shaped to broadcast against ``x``."""
    vector = respelled(weight, (x.shape[axis],))
    return reshape(vector, (x.shape[axis], *[1] * (x.ndim - axis - 1)))


def spread_labels(
    target: Tensor,
    like: Tensor,
    axis: int,
    ignore_index: int | None = None,
    smoothing: float = 0.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Weights of classes, of the type of ``like``, that stand for class indices.

    One-hot, smoothed, times the weights of the classes; zeros for an ignored example, and NaN for
    one whose label is no class, so that its loss and gradient are NaN.
    """
    label = respelled(target, without_axis(like.shape, axis))
    if label.dtype.itemsize < 4:
        label = label.astype(int32)
    found = equal(iota(like.shape, axis, label.dtype), expand_dims(label, axis))
    hit = found.astype(like.dtype)
    if smoothing:
        hit = hit * (1.0 - smoothing) + smoothing / element_count(like, (axis,), like.dtype)
    if weight is not None:
        hit = hit * along_axis(weight.astype(like.dtype), like, axis)
    hit = where(found.any(axis, keepdims=True), hit, float("nan"))
    if ignore_index is not None:
        hit = where(expand_dims(equal(label, ignore_index), axis), 0.0, hit)
    return respelled(hit, like.shape)


def without_ignored(losses: Tensor, target: Tensor, ignore_index: int | None) -> Tensor:
    """0 for ignored examples, whose gradient is then 0 as well, whatever the mean is divided by."""
    if ignore_index is None:
        return losses
    label = respelled(target, losses.shape)
    return where(equal(label, ignore_index), 0.0, losses)


def reduced(losses: Tensor, reduction: str) -> Tensor:
    """Each loss, their mean or their sum."""
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise TypeProblem(
            f"reduction is {reduction!r}", "choose 'none', 'mean' or 'sum'", OperandError
        )
    return losses.mean() if reduction == "mean" else losses.sum()


def reduced_weighted(losses: Tensor, weights: Tensor, reduction: str) -> Tensor:
    """As `reduced`, the mean being the sum of the losses divided by the sum of the weights."""
    if reduction == "mean":
        return losses.sum() / weights.sum()
    return reduced(losses, reduction)
