"""Losses that ask for a margin, and the overlap of regions (dice).

At the joint of ``max(0, ...)`` the slope is that of the sloping side, as in PyTorch's clamp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dtype import int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.compare import equal, greater, less, logical_and
from asg.ops.elementwise import clip, pow, where
from asg.ops.elementwise_unary import abs, rsqrt, sqrt
from asg.ops.index import take, take_along_axis
from asg.ops.leaf import iota
from asg.ops.loss_parts import (
    PairLoss,
    Reduction,
    reduced,
    require_class_weight,
    require_exact_shape,
)
from asg.ops.operand import require_number, respelled, widened
from asg.ops.shape import expand_dims
from asg.ops.statistics import element_count


def _positive(x: Tensor) -> Tensor:
    """``max(x, 0)`` with slope 1 at 0."""
    return clip(x, 0.0, None)


class HingeLoss(PairLoss):
    """``y = max(0, 1 - target * x)``, squared if ``squared``; targets are -1 and 1."""

    squared: bool = False

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        short = _positive(1.0 - x * respelled(target, x.shape))
        return short * short if self.squared else short


class HingeEmbeddingLoss(PairLoss):
    """``y = x`` where target is 1, ``max(0, margin - x)`` where it is -1; else the sum of both."""

    margin: float = 1.0

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        side = respelled(target, x.shape)
        unlike = where(equal(side, 1.0), 0.0, _positive(self.margin - x))
        return unlike + where(equal(side, -1.0), 0.0, x)


class LikeOperands(Op, abstract=True):
    """Floating operands of equal shapes."""

    category: ClassVar[str] = "loss"
    promotes: ClassVar[slice | None] = slice(None)

    def infer_equal(self, operands: Sequence[TensorType]) -> TensorType:
        """The type of the first; the others have its shape."""
        first = operands[0].require_float()
        for position, each in enumerate(operands[1:], 1):
            require_exact_shape(
                self.operand_name(position), each, first.shape,
                f"losses do not broadcast: it is like {self.operand_name(0)}",
            )  # fmt: skip
        return first


class MarginRankingLoss(LikeOperands):
    """``y = max(0, -target * (x1 - x2) + margin)``."""

    margin: float = 0.0

    def infer(self, x1: TensorType, x2: TensorType, target: TensorType) -> TensorType:
        return self.infer_equal((x1, x2, target))

    def decompose(self, x1: Tensor, x2: Tensor, target: Tensor) -> Tensor:
        off = x1 - respelled(x2, x1.shape)
        return _positive(self.margin - respelled(target, x1.shape) * off)


class CosineEmbeddingLoss(Op):
    """``y = 1 - cos(x1, x2)`` where target is 1, ``max(0, cos(x1, x2) - margin)`` where it is -1.

    The cosine is over the last axis, ``x1 . x2 / sqrt((|x1|^2 + 1e-12) (|x2|^2 + 1e-12))``.
    """

    margin: float = 0.0
    category: ClassVar[str] = "loss"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x1: TensorType, x2: TensorType, target: TensorType) -> TensorType:
        x1.require_float("x1").require_axis(-1)
        require_exact_shape("x2", x2, x1.shape, "it is like x1")
        require_exact_shape("target", target, x1.shape[:-1], "one for each vector")
        return x1.with_shape(x1.shape[:-1])

    def decompose(self, x1: Tensor, x2: Tensor, target: Tensor) -> Tensor:
        left, right = widened(x1), widened(respelled(x2, x1.shape))
        side = widened(respelled(target, x1.shape[:-1]))
        # Two roots, not that of the product, which overflows earlier.
        lengths = [rsqrt((each * each).sum(-1) + 1e-12) for each in (left, right)]
        cosine = (left * right).sum(-1) * lengths[0] * lengths[1]
        unlike = where(equal(side, -1.0), _positive(cosine - self.margin), 0.0)
        return (unlike + where(equal(side, 1.0), 1.0 - cosine, 0.0)).astype(x1.dtype)


class TripletMarginLoss(LikeOperands):
    """``y = max(0, margin + d(anchor, positive) - d(anchor, negative))`` over the last axis.

    ``d(a, b) = (sum |a - b + eps|^p)^(1/p)``. With ``swap``, the second distance is the lesser of
    those of the negative from anchor and positive.
    """

    margin: float = 1.0
    p: float = 2.0
    eps: float = 1e-6
    swap: bool = False

    def infer(self, anchor: TensorType, positive: TensorType, negative: TensorType) -> TensorType:
        if not self.p >= 1:
            raise TypeProblem(f"p is {self.p}", "give a norm: p >= 1", OperandError)
        anchor.require_axis(-1)
        return self.infer_equal((anchor, positive, negative)).with_shape(anchor.shape[:-1])

    def decompose(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        first, near, far = (
            widened(respelled(each, anchor.shape)) for each in (anchor, positive, negative)
        )
        apart = self._distance(first, far)
        if self.swap:
            other = self._distance(near, far)
            apart = where(less(other, apart), other, apart)
        return _positive(self._distance(first, near) - apart + self.margin).astype(anchor.dtype)

    def _distance(self, a: Tensor, b: Tensor) -> Tensor:
        off = abs(a - b + self.eps)
        if self.p == 1:
            return off.sum(-1)
        total = (off * off if self.p == 2 else pow(off, self.p)).sum(-1)
        apart = greater(total, 0.0)
        # The slope of a root at 0 is infinite: equal vectors, without eps, take 0.
        safe = where(apart, total, 1.0)
        return where(apart, sqrt(safe) if self.p == 2 else pow(safe, 1.0 / self.p), 0.0)


class MultiMarginLoss(Op):
    """``y = sum over i != target of max(0, margin - x[target] + x[i])^p * weight[target] / C``.

    Over the last axis of C classes. Operands: x, integer targets, then optionally weights of the
    classes. A target that is no class gives NaN, as loss and as gradient.
    """

    p: int = 1
    margin: float = 1.0
    category: ClassVar[str] = "loss"

    def infer(self, *operands: TensorType) -> TensorType:
        if len(operands) not in (2, 3):
            raise TypeProblem(
                f"{len(operands)} operands given, expected x, target, perhaps weight",
                error=OperandError,
            )
        x, target = operands[:2]
        x.require_float().require_axis(-1)
        target.require_integer("target")
        require_exact_shape("target", target, x.shape[:-1], "one class for each row of x")
        if len(operands) == 3:
            require_class_weight(operands[2], x, x.ndim - 1)
        if self.p not in (1, 2):
            raise TypeProblem(f"p is {self.p!r}", "choose 1 or 2", OperandError)
        return x.with_shape(x.shape[:-1])

    def operand_name(self, position: int) -> str:
        """``x``, ``target`` or ``weight``."""
        return ("x", "target", "weight")[position]

    def decompose(self, *operands: Tensor) -> Tensor:
        x, target, *weight = operands
        wide, label = widened(x), respelled(target, x.shape[:-1])
        label = label.astype(int32) if label.dtype.itemsize < 4 else label
        own = equal(iota(x.shape, x.ndim - 1, label.dtype), expand_dims(label, x.ndim - 1))
        score = where(own, wide, 0.0).sum(-1, keepdims=True)
        short = _positive(self.margin - score + wide)
        short = where(own, 0.0, short * short if self.p == 2 else short)
        if weight:
            place = where(own.any(-1), label, 0)
            short = short * expand_dims(take(weight[0].astype(wide.dtype), place, 0), x.ndim - 1)
        losses = short.sum(-1) / element_count(x, (x.ndim - 1,), wide.dtype)
        # A factor, so that the gradient is NaN, too, where the target is no class.
        return (losses * where(own.any(-1), 1.0, float("nan"))).astype(x.dtype)


class MultilabelMarginLoss(Op):
    """``y = sum over targets j, others i of max(0, 1 - x[target[j]] + x[i]) / C``.

    Over the last axis of C classes. The targets of a row are its entries before the first negative
    one; a repeated target counts again. A target of C or more gives NaN.
    """

    category: ClassVar[str] = "loss"

    def infer(self, x: TensorType, target: TensorType) -> TensorType:
        x.require_float().require_axis(-1)
        target.require_integer("target")
        if not target.dtype.is_signed:
            raise TypeProblem("target cannot hold the -1 that ends it", "cast it to int32")
        require_exact_shape("target", target, x.shape, "one entry for each class, padded with -1")
        return x.with_shape(x.shape[:-1])

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        wide, label, last = widened(x), respelled(target, x.shape), x.ndim - 1
        label = label.astype(int32) if label.dtype.itemsize < 4 else label
        place = iota(x.shape, last)
        ended = where(less(label, 0), place, 2**31 - 1).min(-1, keepdims=True)
        listed = less(place, ended)
        chosen = where(listed, label, 0)
        classes = iota((*x.shape, x.shape[-1]), last + 1, label.dtype)
        hits = logical_and(equal(classes, expand_dims(chosen, last + 1)),
                           expand_dims(listed, last + 1))  # fmt: skip
        others = expand_dims(~hits.any(last), last)
        wrong = logical_and(listed, ~hits.any(last + 1)).any(last)
        place = where(hits.any(last + 1), chosen, 0)
        score = expand_dims(take_along_axis(wide, place, last), last + 1)
        short = _positive(1.0 - score + expand_dims(wide, last))
        counted = logical_and(expand_dims(listed, last + 1), others)
        total = where(counted, short, 0.0).sum((last, last + 1))
        losses = total / element_count(x, (last,), wide.dtype)
        return (losses * where(wrong, float("nan"), 1.0)).astype(x.dtype)


class DiceLoss(PairLoss):
    """``y = 1 - (2 sum(x target) + smooth) / (sum(x) + sum(target) + smooth)`` of each example.

    Sums are over every axis but the first.
    """

    smooth: float = 1.0

    def infer(self, x: TensorType, target: TensorType) -> TensorType:
        if x.ndim < 2:
            raise TypeProblem(f"x {x} has one axis", "give it the shape [examples, ...]")
        return super().infer(x, target).with_shape(x.shape[:1])

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        wide, region = widened(x), widened(respelled(target, x.shape))
        rest = tuple(range(1, x.ndim))
        shared = (wide * region).sum(rest) * 2.0 + self.smooth
        total = wide.sum(rest) + region.sum(rest) + self.smooth
        return (1.0 - shared / total).astype(x.dtype)


# -- functions -----------------------------------------------------------------------------------


@public
def hinge_loss(x: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``max(0, 1 - target * x)`` for targets -1 and 1, of equal shapes.

    >>> import asg
    >>> asg.run(asg.hinge_loss(asg.constant([0.5, 3.0]), [1, -1], reduction="none")).tolist()
    [0.5, 4.0]
    """
    return reduced(HingeLoss()(x, target), reduction)


@public
def squared_hinge_loss(x: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``max(0, 1 - target * x)^2`` for targets -1 and 1, of equal shapes.

    >>> import asg
    >>> x = asg.constant([0.5, 3.0])
    >>> asg.run(asg.squared_hinge_loss(x, [1, -1], reduction="none")).tolist()
    [0.25, 16.0]
    """
    return reduced(HingeLoss(True)(x, target), reduction)


@public
def hinge_embedding_loss(
    x: Any, target: Any, *, margin: float = 1.0, reduction: Reduction = "mean"
) -> Tensor:
    """``x`` where the target is 1, ``max(0, margin - x)`` where it is -1: x is a distance.

    >>> import asg
    >>> x = asg.constant([0.5, 0.25])
    >>> asg.run(asg.hinge_embedding_loss(x, [1, -1], reduction="none")).tolist()
    [0.5, 0.75]
    """
    return reduced(HingeEmbeddingLoss(require_number("margin", margin))(x, target), reduction)


@public
def margin_ranking_loss(
    x1: Any, x2: Any, target: Any, *, margin: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    """``max(0, -target * (x1 - x2) + margin)``: target 1 wants x1 above x2, -1 below.

    >>> import asg
    >>> asg.run(asg.margin_ranking_loss(asg.constant([1.0]), [3.0], [1])).tolist()
    2.0
    """
    op = MarginRankingLoss(require_number("margin", margin))
    return reduced(op(x1, x2, target), reduction)


@public
def cosine_embedding_loss(
    x1: Any, x2: Any, target: Any, *, margin: float = 0.0, reduction: Reduction = "mean"
) -> Tensor:
    """``1 - cos(x1, x2)`` where the target is 1, ``max(0, cos(x1, x2) - margin)`` where it is -1.

    Args:
        x1: floating vectors along the last axis.
        x2: likewise, of the same shape.
        target: 1 or -1 for each pair of vectors.
        margin: cosines of unlike pairs below it cost nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> import asg
    >>> asg.run(asg.cosine_embedding_loss(asg.constant([[1.0, 0.0]]), [[0.0, 2.0]], [1])).tolist()
    1.0
    """
    op = CosineEmbeddingLoss(require_number("margin", margin))
    return reduced(op(x1, x2, target), reduction)


@public
def triplet_margin_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``, of vectors (last axis).

    Args:
        anchor: floating vectors; all three have equal shapes.
        positive: what should be near.
        negative: what should be farther, by the margin.
        margin: by how much.
        p: the norm of the distance, ``(sum |a - b + eps|^p)^(1/p)``, at least 1.
        eps: keeps the distance of equal vectors differentiable.
        swap: take the lesser of the negative's distances from anchor and positive.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> import asg
    >>> near, far = [[1.0, 0.0]], [[0.0, 0.0]]
    >>> asg.run(asg.triplet_margin_loss(asg.constant([[1.0, 0.0]]), near, far)).round(3).tolist()
    0.0
    """
    op = TripletMarginLoss(
        require_number("margin", margin), require_number("p", p), require_number("eps", eps),
        bool(swap),
    )  # fmt: skip
    return reduced(op(anchor, positive, negative), reduction)


@public
def multi_margin_loss(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    p: int = 1,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """``sum over i != target of max(0, margin - x[target] + x[i])^p / C`` over the last axis.

    Args:
        x: floating scores of C classes.
        target: class indices; one that is no class gives NaN.
        weight: optional factors, that of the target class counts.
        p: 1 or 2.
        margin: by how much the target's score should exceed the others.
        reduction: ``"mean"`` (over examples), ``"sum"`` or ``"none"``.

    >>> import asg
    >>> asg.run(asg.multi_margin_loss(asg.constant([[1.0, 1.0]]), [0])).tolist()
    0.5
    """
    given = () if weight is None else (as_tensor(weight),)
    return reduced(
        MultiMarginLoss(p, require_number("margin", margin))(x, target, *given), reduction
    )


@public
def multilabel_margin_loss(x: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``sum over targets j, others i of max(0, 1 - x[j] + x[i]) / C`` over the last axis.

    Args:
        x: floating scores of C classes.
        target: integers of the shape of ``x``: in each row the classes that apply, then -1.
        reduction: ``"mean"`` (over examples), ``"sum"`` or ``"none"``.

    Computes all pairs of classes, C^2 numbers for each example.

    >>> import asg
    >>> x = asg.constant([[0.1, 0.2, 0.4, 0.8]])
    >>> asg.run(asg.multilabel_margin_loss(x, [[3, 0, -1, 1]])).astype(float).round(4).tolist()
    0.85
    """
    return reduced(MultilabelMarginLoss()(x, target), reduction)


@public
def dice_loss(x: Any, target: Any, *, smooth: float = 1.0, reduction: Reduction = "mean") -> Tensor:
    """``1 - (2 sum(x target) + smooth) / (sum(x) + sum(target) + smooth)`` of each example.

    Args:
        x: floating probabilities, [examples, ...]; sums are over every axis but the first.
        target: of the same shape, usually 0 and 1.
        smooth: added on both sides of the fraction; with 0, two empty regions give NaN.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Source: Milletari et al., "V-Net", https://arxiv.org/abs/1606.04797 (here without squares).

    >>> import asg
    >>> asg.run(asg.dice_loss(asg.constant([[1.0, 0.0]]), [[1.0, 0.0]])).tolist()
    0.0
    """
    return reduced(DiceLoss(require_number("smooth", smooth))(x, target), reduction)
