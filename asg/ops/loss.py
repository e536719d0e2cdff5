"""Losses: composites that stay finite at extreme logits, with the short gradient.

Each op gives the loss of every example; the functions then reduce (``"mean"``, ``"sum"`` or
``"none"``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dtype import float32, int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis
from asg.ops.activation import log_softmax
from asg.ops.compare import equal, isinf, isnan, less, logical_and, not_equal
from asg.ops.elementwise import clip, minimum, where
from asg.ops.elementwise_unary import abs, exp, sign
from asg.ops.index import take_along_axis
from asg.ops.leaf import iota
from asg.ops.loss_parts import (
    PairLoss,
    Reduction,
    along_axis,
    reduced,
    reduced_weighted,
    require_class_weight,
    require_exact_shape,
    require_fraction,
    require_index,
    spread_labels,
    without_axis,
    without_ignored,
)
from asg.ops.operand import require_number, respelled, widened
from asg.ops.reduce import require_elements
from asg.ops.shape import expand_dims, squeeze
from asg.ops.statistics import element_count

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]

_OUTSIDE = 2**31 - 1


class _OfLabels(Op, abstract=True):
    """What the two ops below share: logits along ``axis`` against integer labels."""

    axis: int
    label_smoothing: float = 0.0
    ignore_index: int | None = None
    category: ClassVar[str] = "loss"

    def _losses(self, logits: TensorType, target: TensorType) -> TensorType:
        logits.require_float("logits")
        target.require_integer("target")
        require_elements(logits, (self.axis,), self.name)
        require_fraction("label_smoothing", self.label_smoothing)
        require_index("ignore_index", self.ignore_index, target.dtype)
        wanted = without_axis(logits.shape, self.axis)
        reason = "class indices have the shape of logits without"
        require_exact_shape("target", target, wanted, reason)
        return logits.with_shape(wanted)

    def _loss(self, log_probability: Tensor, target: Tensor) -> Tensor:
        index = expand_dims(self._index(target), self.axis)
        loss = -squeeze(take_along_axis(log_probability, index, self.axis), self.axis)
        if self.label_smoothing:
            spread = -log_probability.mean(self.axis)
            loss = loss * (1.0 - self.label_smoothing) + spread * self.label_smoothing
        return without_ignored(loss, target, self.ignore_index)

    def _index(self, target: Tensor) -> Tensor:
        """Targets as places to take from: ignored ones somewhere, negative ones nowhere.

        (A negative place would count from the end.)
        """
        target = target.astype(int32) if target.dtype.itemsize < 4 else target
        if self.ignore_index is not None:
            target = where(equal(target, self.ignore_index), 0, target)
        return where(less(target, 0), _OUTSIDE, target) if target.dtype.is_signed else target

    def _only_counted(self, rows: Tensor, loss: Tensor, target: Tensor) -> Tensor:
        """NaN in rows whose loss is NaN, zeros in those that are ignored."""
        spoilt = rows * expand_dims(where(isnan(loss), float("nan"), 1.0).astype(rows.dtype),
                                    self.axis)  # fmt: skip
        if self.ignore_index is None:
            return spoilt
        return where(expand_dims(equal(target, self.ignore_index), self.axis), 0.0, spoilt)


class CrossEntropy(_OfLabels):
    """``y = -log softmax(logits)[target]`` along ``axis``, for integer targets.

    With ``label_smoothing`` s, ``(1 - s) * that + s * mean(-log softmax(logits))``. Examples whose
    target is ``ignore_index`` have loss 0. Any other target outside ``0 <= target < classes``
    (negative ones too) gives NaN, as loss and as gradient: a wrong label must not go unseen.
    """

    def infer(self, logits: TensorType, target: TensorType) -> TensorType:
        return self._losses(logits, target)

    def decompose(self, logits: Tensor, target: Tensor) -> Tensor:
        target = respelled(target, without_axis(logits.shape, self.axis))
        log_probability = log_softmax(widened(logits), self.axis)
        return self._loss(log_probability, target).astype(logits.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [lambda: self._by_logits(*inputs, *cotangents), None]

    def _by_logits(self, logits: Tensor, target: Tensor, pull: Tensor) -> Tensor:
        both = CrossEntropyAndSlope(self.axis, self.label_smoothing, self.ignore_index)
        _, slope = both.apply(logits, target)
        counted = without_ignored(pull, target, self.ignore_index).astype(slope.dtype)
        return (slope * expand_dims(counted, self.axis)).astype(logits.dtype)


class CrossEntropyAndSlope(_OfLabels):
    """`CrossEntropy`, and its derivative ``softmax(logits) - smoothed one-hot`` by the logits.

    The derivative of an ignored example is 0, of one whose label is no class NaN; for 16-bit logits
    it is float32. Both together cost hardly more than the loss alone.
    """

    def infer(self, logits: TensorType, target: TensorType) -> tuple[TensorType, TensorType]:
        losses = self._losses(logits, target)
        wide = float32 if logits.dtype.itemsize == 2 else logits.dtype
        return losses, logits.with_dtype(wide)

    def decompose(self, logits: Tensor, target: Tensor) -> Tensors:
        target = respelled(target, without_axis(logits.shape, self.axis))
        log_probability = log_softmax(widened(logits), self.axis)
        loss = self._loss(log_probability, target)
        off = exp(log_probability) - self._wanted(log_probability, target)
        return loss.astype(logits.dtype), self._only_counted(off, loss, target)

    def _wanted(self, like: Tensor, target: Tensor) -> Tensor:
        """The smoothed one-hot target."""
        index = self._index(target)
        hit = equal(iota(like.shape, self.axis, index.dtype), expand_dims(index, self.axis))
        wanted = hit.astype(like.dtype)
        if not self.label_smoothing:
            return wanted
        even = wanted.mean(self.axis, keepdims=True)  # one over the number of classes
        return wanted * (1.0 - self.label_smoothing) + even * self.label_smoothing

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [lambda: self._by_logits(*inputs, *outputs, *cotangents), None]

    def _by_logits(
        self, logits: Tensor, target: Tensor, loss: Tensor, slope: Tensor, *pulls: Tensor
    ) -> Tensor:
        """``slope * pull + p * (q - sum(p * q))``: q is the pull on the slope, p the softmax."""
        target = respelled(target, loss.shape)
        pull, by_slope = pulls
        probability = exp(log_softmax(widened(logits), self.axis))
        weighted = probability * by_slope
        bend = weighted - probability * weighted.sum(self.axis, keepdims=True)
        counted = without_ignored(pull, target, self.ignore_index).astype(slope.dtype)
        by_loss = slope * expand_dims(counted, self.axis)
        return (by_loss + self._only_counted(bend, loss, target)).astype(logits.dtype)


class WeightedCrossEntropy(Op):
    """``y = sum(w * -log softmax(logits))`` along ``axis``; w is the smoothed one-hot target times
    the weights of the classes.

    0 where the target is ``ignore_index``; any other target that is no class gives NaN.
    """

    axis: int
    label_smoothing: float = 0.0
    ignore_index: int | None = None
    category: ClassVar[str] = "loss"

    def infer(self, logits: TensorType, target: TensorType, weight: TensorType) -> TensorType:
        plain = CrossEntropy(self.axis, self.label_smoothing, self.ignore_index)
        require_class_weight(weight, logits, self.axis)
        return plain.infer(logits, target)

    def decompose(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        wide = widened(logits)
        spread = spread_labels(
            target, wide, self.axis, self.ignore_index, self.label_smoothing, weight
        )
        losses = SoftCrossEntropy(self.axis)(wide, spread).astype(logits.dtype)
        return without_ignored(losses, target, self.ignore_index)


class SoftCrossEntropy(Op):
    """``y = -sum(target * log softmax(logits))`` along ``axis``, for targets that are weights.

    A target of 0 contributes 0, also where the logit is -inf.
    """

    axis: int
    category: ClassVar[str] = "loss"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, logits: TensorType, target: TensorType) -> TensorType:
        logits.require_float("logits")
        require_elements(logits, (self.axis,), self.name)
        require_exact_shape(
            "target", target, logits.shape, "class weights have the shape of logits"
        )
        return logits.with_shape(without_axis(logits.shape, self.axis))

    def decompose(self, logits: Tensor, target: Tensor) -> Tensor:
        log_probability = log_softmax(widened(logits), self.axis)
        weight = widened(respelled(target, logits.shape))
        idle = logical_and(equal(weight, 0.0), isinf(log_probability))
        terms = weight * where(idle, 0.0, log_probability)
        return (-terms.sum(self.axis)).astype(logits.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        logits, target = (widened(each) for each in inputs)
        pull = expand_dims(widened(cotangents[0]), self.axis)

        def by_logits() -> Tensor:
            probability = exp(log_softmax(logits, self.axis))
            total = target.sum(self.axis, keepdims=True)
            return ((probability * total - target) * pull).astype(inputs[0].dtype)

        def by_target() -> Tensor:
            return (-log_softmax(logits, self.axis) * pull).astype(inputs[1].dtype)

        return [by_logits, by_target]


class SquaredError(PairLoss):
    """``y = (x - target)^2``."""

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        off = x - respelled(target, x.shape)
        return off * off

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, target = inputs
        return [
            lambda: (x - target) * (cotangents[0] * 2.0),
            lambda: (target - x) * (cotangents[0] * 2.0),
        ]


class AbsoluteError(PairLoss):
    """``y = |x - target|``; where they are equal the gradient is 0."""

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        return abs(x - respelled(target, x.shape))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, target = inputs
        return [
            lambda: sign(x - target) * cotangents[0],
            lambda: sign(target - x) * cotangents[0],
        ]


class HuberLoss(PairLoss):
    """``y = d^2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``; d = x - target."""

    delta: float = 1.0

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        far = abs(x - respelled(target, x.shape))
        near = minimum(far, self.delta)
        return near * (far - near * 0.5)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, target = inputs
        return [
            lambda: clip(x - target, -self.delta, self.delta) * cotangents[0],
            lambda: clip(target - x, -self.delta, self.delta) * cotangents[0],
        ]


class SmoothL1Loss(PairLoss):
    """``y = d^2 / (2 beta)`` where ``|d| < beta``, else ``|d| - beta / 2``; d = x - target."""

    beta: float = 1.0

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        return HuberLoss(self.beta)(x, respelled(target, x.shape)) / self.beta

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, target = inputs
        return [
            lambda: clip((x - target) / self.beta, -1.0, 1.0) * cotangents[0],
            lambda: clip((target - x) / self.beta, -1.0, 1.0) * cotangents[0],
        ]


# -- functions -----------------------------------------------------------------------------------


@public
def cross_entropy(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    axis: int | None = None,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross entropy of classes: ``-log softmax(logits)[target]``; finite for every finite logit.

    Args:
        logits: floating, one score per class along ``axis``; no softmax before.
        target: class indices, integers of the shape of ``logits`` without ``axis``; or class
            weights (probabilities), floating, of the shape of ``logits``.
        weight: optional factors, one per class. With class indices the mean is divided by the
            weights that count, as in PyTorch, and not by the number of examples.
        axis: the axis of the classes; by default, as in PyTorch, 1 (and 0 for a vector).
        label_smoothing: how much of the target is spread evenly over all classes, in [0, 1].
        ignore_index: examples with this class index count for nothing, in the mean neither.
        reduction: ``"mean"`` over examples, ``"sum"``, or ``"none"`` for the loss of each.

    A class index outside ``0 <= target < classes`` gives NaN, for its example and so for the mean.
    With every example ignored the mean is 0 / 0, NaN.

    Raises:
        ShapeError: the target has neither of the two shapes.
        DtypeError: the logits are not floating, or the target is bool.
        OperandError: label_smoothing, ignore_index or reduction is none of the above.

    Source: label smoothing of Szegedy et al., https://arxiv.org/abs/1512.00567.

    >>> import asg
    >>> logits = asg.constant([[0.0, 0.0], [1000.0, 0.0]])
    >>> losses = asg.run(asg.cross_entropy(logits, [0, 1], reduction="none"))
    >>> [round(float(loss), 4) for loss in losses]
    [0.6931, 1000.0]
    """
    logits, target = as_tensor(logits), as_tensor(target)
    place = normalize_axis(min(1, logits.ndim - 1) if axis is None else axis, logits.ndim, "logits")
    smoothing = require_fraction("label_smoothing", label_smoothing)
    if target.dtype.is_integer and weight is not None:
        weight = as_tensor(weight)
        losses = WeightedCrossEntropy(place, smoothing, ignore_index)(logits, target, weight)
        counted = spread_labels(target, logits, place, ignore_index, weight=weight)
        return reduced_weighted(losses, counted, reduction)
    if target.dtype.is_integer:
        losses = CrossEntropy(place, smoothing, ignore_index)(logits, target)
        if ignore_index is None or reduction != "mean":
            return reduced(losses, reduction)
        counted = not_equal(target, ignore_index).astype(losses.dtype)
        return losses.sum() / counted.sum()
    if ignore_index is not None:
        raise TypeProblem(
            "ignore_index needs class indices, the target holds class weights",
            "give such examples weight 0",
            OperandError,
        )
    target.type.require_float("target")
    if smoothing:
        count = element_count(logits, (place,), target.dtype)
        target = target * (1.0 - smoothing) + smoothing / count
    if weight is not None:
        weight = as_tensor(weight)
        require_class_weight(weight.type, logits.type, place)
        target = target * along_axis(weight, logits, place)
    return reduced(SoftCrossEntropy(place)(logits, target), reduction)


@public
def mse_loss(x: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Squared error, ``(x - target)^2``, of equal shapes.

    Raises:
        ShapeError: the shapes differ (they do not broadcast).

    >>> import asg
    >>> asg.run(asg.mse_loss(asg.constant([1.0, 2.0]), [1.0, 4.0])).tolist()
    2.0
    """
    return reduced(SquaredError()(x, target), reduction)


@public
def l1_loss(x: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """Absolute error, ``|x - target|``, of equal shapes; its gradient is 0 where they agree.

    >>> import asg
    >>> asg.run(asg.l1_loss(asg.constant([1.0, 2.0]), [1.0, 4.0])).tolist()
    1.0
    """
    return reduced(AbsoluteError()(x, target), reduction)


@public
def huber_loss(x: Any, target: Any, *, delta: float = 1.0, reduction: Reduction = "mean") -> Tensor:
    """Squared error near 0, absolute error far away: ``d^2 / 2`` or ``delta (|d| - delta / 2)``.

    Raises:
        OperandError: ``delta`` is not a positive number.

    >>> import asg
    >>> asg.run(asg.huber_loss(asg.constant([1.0, 5.0]), [2.0, 2.0], reduction="none")).tolist()
    [0.5, 2.5]
    """
    if isinstance(delta, bool) or not isinstance(delta, int | float) or not delta > 0:
        raise TypeProblem(f"delta is {delta!r}, a positive number is needed", error=OperandError)
    return reduced(HuberLoss(float(delta))(x, target), reduction)


@public
def smooth_l1_loss(
    x: Any, target: Any, *, beta: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """`huber_loss` divided by ``beta``: ``d^2 / (2 beta)`` near 0, ``|d| - beta / 2`` far away.

    Raises:
        OperandError: ``beta`` is negative or not a number. (0 makes it `l1_loss`.)

    Source: Girshick, "Fast R-CNN", https://arxiv.org/abs/1504.08083.

    >>> import asg
    >>> asg.run(asg.smooth_l1_loss(asg.constant([1.0, 5.0]), [2.0, 2.0], reduction="none")).tolist()
    [0.5, 2.5]
    """
    number = require_number("beta", beta)
    if not number >= 0:
        raise TypeProblem(f"beta is {number}", "it must not be negative", OperandError)
    op = SmoothL1Loss(number) if number else AbsoluteError()
    return reduced(op(x, target), reduction)
