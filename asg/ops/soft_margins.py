"""Losses that ask for a margin without a joint: logistic, of one answer or of several."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.ops.activation import softplus
from asg.ops.likelihoods import binary_cross_entropy_with_logits
from asg.ops.loss_parts import PairLoss, Reduction, along_axis, reduced, require_class_weight
from asg.ops.operand import respelled, widened


class SoftMarginLoss(PairLoss):
    """``y = log(1 + exp(-target * x))``; targets are -1 and 1."""

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        side = widened(respelled(target, x.shape))
        return softplus(-(side * widened(x))).astype(x.dtype)


@public
def soft_margin_loss(x: Any, target: Any, *, reduction: Reduction = "mean") -> Tensor:
    """``log(1 + exp(-target * x))`` for targets -1 and 1, of equal shapes; finite for finite x.

    >>> import asg
    >>> losses = asg.soft_margin_loss(asg.constant([0.0, 1000.0]), [1, -1], reduction="none")
    >>> asg.run(losses).astype(float).round(4).tolist()
    [0.6931, 1000.0]
    """
    return reduced(SoftMarginLoss()(x, target), reduction)


@public
def multilabel_soft_margin_loss(
    x: Any, target: Any, weight: Any = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """The mean over classes (last axis) of `binary_cross_entropy_with_logits`.

    Args:
        x: floating logits of C classes.
        target: for each class 0, 1 or a probability, of the same shape.
        weight: optional factors, one for each class.
        reduction: ``"mean"`` (over examples), ``"sum"`` or ``"none"``.

    >>> import asg
    >>> asg.run(asg.multilabel_soft_margin_loss(asg.constant([[0.0, 1000.0]]), [[1, 1]])).round(4)
    np.float32(0.3466)
    """
    x = as_tensor(x)
    x.type.require_float().require_axis(-1)
    losses = binary_cross_entropy_with_logits(x, target, reduction="none")
    if weight is not None:
        weight = as_tensor(weight)
        require_class_weight(weight.type, x.type, x.ndim - 1)
        losses = losses * along_axis(weight.astype(x.dtype), x, x.ndim - 1)
    return reduced(losses.mean(-1), reduction)
