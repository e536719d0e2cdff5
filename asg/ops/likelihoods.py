"""Losses that are negative logarithms of probabilities, beside `asg.ops.loss.cross_entropy`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis, require_less_equal
from asg.ops.activation import softplus
from asg.ops.cast import stop_gradient
from asg.ops.compare import equal, greater, isinf, less, logical_and
from asg.ops.elementwise import maximum, where
from asg.ops.elementwise_unary import abs, exp, log, log1p, sigmoid
from asg.ops.loss_parts import (
    PairLoss,
    Reduction,
    reduced,
    reduced_weighted,
    require_class_weight,
    require_exact_shape,
    require_index,
    spread_labels,
    without_axis,
    without_ignored,
)
from asg.ops.operand import require_number, respelled, widened
from asg.ops.shape import broadcast_to
from asg.ops.statistics import element_count

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class BinaryCrossEntropyWithLogits(PairLoss):
    """``y = log(1 + exp(x)) - x * target``: x is a logit, the target a probability of "yes"."""

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        # Not softplus(x) - x * target, which cancels: for x = 1e4, target = 1 the answer is e^-x.
        wide, weight = widened(x), widened(respelled(target, x.shape))
        certain = maximum(wide, 0.0) - wide * weight
        return (certain + log1p(exp(-abs(wide)))).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, target = inputs
        return [
            lambda: (sigmoid(x) - target) * cotangents[0],
            lambda: -x * cotangents[0],
        ]


class WeightedBinaryCrossEntropy(Op):
    """``y = pos_weight * target * log(1 + exp(-x)) + (1 - target) * log(1 + exp(x))``.

    The weight of "yes" broadcasts to the shape of the logits.
    """

    category: ClassVar[str] = "loss"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, target: TensorType, pos_weight: TensorType) -> TensorType:
        x.require_float()
        require_exact_shape("target", target, x.shape, "losses do not broadcast: target is like x")
        require_exact_shape("pos_weight", pos_weight, x.shape, "it broadcasts to x")
        return x

    def decompose(self, x: Tensor, target: Tensor, pos_weight: Tensor) -> Tensor:
        wide, yes = widened(x), widened(respelled(target, x.shape))
        weight = widened(respelled(pos_weight, x.shape))
        losses = weight * yes * softplus(-wide) + (1.0 - yes) * softplus(wide)
        return losses.astype(x.dtype)


class BinaryCrossEntropy(PairLoss):
    """``y = -target * log(x) - (1 - target) * log(1 - x)``: x is a probability.

    Logarithms are at least -100, and the slope is ``(x - target) / max(x (1 - x), 1e-12)``, so
    that both are finite at 0 and 1 (as in PyTorch). NaN for x outside [0, 1].
    """

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        wide, yes = widened(x), widened(respelled(target, x.shape))
        certain, ruled_out = maximum(log(wide), -100.0), maximum(log1p(-wide), -100.0)
        return (-(yes * certain) - (1.0 - yes) * ruled_out).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, target = (widened(each) for each in inputs)
        pull = widened(cotangents[0])

        def by_x() -> Tensor:
            slope = (x - target) / maximum(x * (1.0 - x), 1e-12)
            return (slope * pull).astype(inputs[0].dtype)

        def by_target() -> Tensor:
            odds = maximum(log1p(-x), -100.0) - maximum(log(x), -100.0)
            return (odds * pull).astype(inputs[1].dtype)

        return [by_x, by_target]


class FocalLoss(PairLoss):
    """``y = a * (1 - p)^gamma * binary cross entropy``, p the probability of the right answer.

    ``a`` is alpha for "yes" and ``1 - alpha`` for "no" (None: 1). x is a logit.
    """

    alpha: float | None = 0.25
    gamma: float = 2.0

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        wide, yes = widened(x), widened(respelled(target, x.shape))
        wrong = yes * sigmoid(-wide) + (1.0 - yes) * sigmoid(wide)
        losses = yes * softplus(-wide) + (1.0 - yes) * softplus(wide)
        # The slope of a power below 1 is infinite at 0.
        losses = losses * maximum(wrong, 1e-30) ** self.gamma
        if self.alpha is not None:
            losses = losses * (yes * self.alpha + (1.0 - yes) * (1.0 - self.alpha))
        return losses.astype(x.dtype)


class NllLoss(Op):
    """``y = -weight[target] * x[target]`` along ``axis``: x is a logarithm of probabilities.

    Operands: x, integer targets, then optionally weights of the classes. 0 where the target is
    ``ignore_index``; any other target that is no class gives NaN, as loss and as gradient.
    """

    axis: int
    ignore_index: int | None = None
    category: ClassVar[str] = "loss"

    def infer(self, *operands: TensorType) -> TensorType:
        if len(operands) not in (2, 3):
            raise TypeProblem(
                f"{len(operands)} operands given, expected x, target, perhaps weight",
                error=OperandError,
            )
        x, target = operands[:2]
        x.require_float().require_axis(self.axis)
        require_less_equal(1, x.shape[self.axis], "there are no classes")
        target.require_integer("target")
        require_index("ignore_index", self.ignore_index, target.dtype)
        wanted = without_axis(x.shape, self.axis)
        require_exact_shape("target", target, wanted, "class indices have the shape of x without")
        if len(operands) == 3:
            require_class_weight(operands[2], x, self.axis)
        return x.with_shape(wanted)

    def operand_name(self, position: int) -> str:
        """``x``, ``target`` or ``weight``."""
        return ("x", "target", "weight")[position]

    def decompose(self, *operands: Tensor) -> Tensor:
        x, target, *weight = operands
        wide = widened(x)
        weights = spread_labels(
            target, wide, self.axis, self.ignore_index, weight=weight[0] if weight else None
        )
        # A class that does not count may have probability 0, whose logarithm is -inf.
        counted = where(logical_and(equal(weights, 0.0), isinf(wide)), 0.0, wide)
        losses = (-(weights * counted).sum(self.axis)).astype(x.dtype)
        return without_ignored(losses, target, self.ignore_index)


class KlDivergence(PairLoss):
    """``y = target * (log(target) - x)``: x is a logarithm of probabilities.

    With ``log_target`` the target is one too: ``exp(target) * (target - x)``. A target of 0 adds
    0, and its slope there is taken as ``-x``.
    """

    log_target: bool = False
    name: ClassVar[str] = "kl_div"

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        wide, goal = widened(x), widened(respelled(target, x.shape))
        if self.log_target:
            return (exp(goal) * (goal - wide)).astype(x.dtype)
        known = equal(goal, 0.0)
        return (goal * (log(where(known, 1.0, goal)) - wide)).astype(x.dtype)


class PoissonNllLoss(PairLoss):
    """``y = exp(x) - target * x``; without ``log_input``, ``x - target * log(x + eps)``.

    ``full`` adds Stirling's ``target log(target) - target + log(2 pi target) / 2`` for targets
    above 1.
    """

    log_input: bool = True
    full: bool = False
    eps: float = 1e-8

    def decompose(self, x: Tensor, target: Tensor) -> Tensor:
        wide, goal = widened(x), widened(respelled(target, x.shape))
        losses = exp(wide) - goal * wide if self.log_input else wide - goal * log(wide + self.eps)
        if self.full:
            many = greater(goal, 1.0)
            count = where(many, goal, 1.0)
            stirling = count * log(count) - count + log(count * (2.0 * math.pi)) * 0.5
            losses = losses + where(many, stirling, 0.0)
        return losses.astype(x.dtype)


class GaussianNllLoss(Op):
    """``y = (log(v) + (x - target)^2 / v) / 2``, ``v = max(var, eps)``.

    The gradient by var is that by v, also below eps. ``full`` adds ``log(2 pi) / 2``.
    """

    full: bool = False
    eps: float = 1e-6
    category: ClassVar[str] = "loss"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, target: TensorType, var: TensorType) -> TensorType:
        x.require_float()
        require_exact_shape("target", target, x.shape, "losses do not broadcast: target is like x")
        require_exact_shape("var", var, x.shape, "it broadcasts to x")
        if not self.eps > 0:
            raise TypeProblem(f"eps is {self.eps}", "it must be positive", OperandError)
        return x

    def decompose(self, x: Tensor, target: Tensor, var: Tensor) -> Tensor:
        wide, goal = widened(x), widened(respelled(target, x.shape))
        spread = widened(respelled(var, x.shape))
        lifted = spread - stop_gradient(spread) + self.eps
        spread = where(less(spread, self.eps), lifted, spread)
        off = wide - goal
        losses = (log(spread) + off * off / spread) * 0.5
        if self.full:
            losses = losses + 0.5 * math.log(2.0 * math.pi)
        return losses.astype(x.dtype)


# -- functions -----------------------------------------------------------------------------------


@public
def binary_cross_entropy_with_logits(
    logits: Any,
    target: Any,
    weight: Any = None,
    *,
    pos_weight: Any = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross entropy of yes and no: ``log(1 + exp(x)) - x * target``, x the logit of "yes".

    Finite, with finite gradients, for every finite logit.

    Args:
        logits: floating scores; no sigmoid before.
        target: probabilities of "yes" (0, 1 or between), of the same shape, of any dtype.
        weight: optional factor of each loss; broadcasts to the logits.
        pos_weight: optional factor of the part of "yes"; broadcasts to the logits.
        reduction: ``"mean"`` (over elements, weighted or not), ``"sum"`` or ``"none"``.

    Raises:
        ShapeError: the target has another shape, or a weight does not broadcast.

    >>> import asg
    >>> logits = asg.constant([0.0, 1000.0])
    >>> losses = asg.run(asg.binary_cross_entropy_with_logits(logits, [1, 0], reduction="none"))
    >>> [round(float(loss), 4) for loss in losses]
    [0.6931, 1000.0]
    """
    logits = as_tensor(logits)
    if pos_weight is None:
        losses = BinaryCrossEntropyWithLogits()(logits, target)
    else:
        wide = broadcast_to(_like(pos_weight, logits), logits.shape)
        losses = WeightedBinaryCrossEntropy()(logits, target, wide)
    return reduced(_scaled(losses, weight), reduction)


@public
def binary_cross_entropy(
    x: Any, target: Any, weight: Any = None, *, reduction: Reduction = "mean"
) -> Tensor:
    """``-target * log(x) - (1 - target) * log(1 - x)``, x a *probability*, not a logit.

    Prefer `binary_cross_entropy_with_logits`, which loses no digits. Logarithms are taken as -100
    at least, and slopes are limited to 1e12, so that 0 and 1 give finite numbers (as in PyTorch).
    Outside [0, 1] the loss is NaN.

    Args:
        x: floating probabilities of "yes".
        target: probabilities of "yes" (0, 1 or between), of the same shape.
        weight: optional factor of each loss; broadcasts to ``x``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> import asg
    >>> x = asg.constant([0.0, 1.0])
    >>> asg.run(asg.binary_cross_entropy(x, [1, 1], reduction="none")).tolist()
    [100.0, 0.0]
    """
    return reduced(_scaled(BinaryCrossEntropy()(x, target), weight), reduction)


@public
def focal_loss(
    logits: Any,
    target: Any,
    *,
    alpha: float | None = 0.25,
    gamma: float = 2.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """``a * (1 - p)^gamma * -log(p)``, p the probability of the right answer to yes or no.

    Args:
        logits: floating scores of "yes".
        target: probabilities of "yes", usually 0 or 1, of the same shape.
        alpha: factor of "yes"; "no" gets ``1 - alpha``. None: both count 1.
        gamma: how much the answers that are right already are passed over; 0 not at all.
        reduction: ``"mean"``, ``"sum"`` or ``"none"`` (torchvision's default).

    Raises:
        OperandError: ``gamma`` is negative, or ``alpha`` not in [0, 1].

    Source: Lin et al., "Focal loss", https://arxiv.org/abs/1708.02002.

    >>> import asg
    >>> losses = asg.focal_loss(asg.constant([0.0, 1000.0]), [1.0, 1.0], reduction="none")
    >>> asg.run(losses).round(4).tolist()[1]
    0.0
    """
    if alpha is not None and not 0 <= require_number("alpha", alpha) <= 1:
        raise TypeProblem(f"alpha is {alpha}", "give 0 to 1, or None", OperandError)
    if not require_number("gamma", gamma) >= 0:
        raise TypeProblem(f"gamma is {gamma}", "it must not be negative", OperandError)
    op = FocalLoss(None if alpha is None else float(alpha), float(gamma))
    return reduced(op(logits, target), reduction)


@public
def nll_loss(
    x: Any,
    target: Any,
    weight: Any = None,
    *,
    axis: int | None = None,
    ignore_index: int | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """``-weight[target] * x[target]`` for logarithms of probabilities, such as `log_softmax`.

    Args:
        x: floating, one number per class along ``axis``.
        target: class indices, integers of the shape of ``x`` without ``axis``.
        weight: optional, one number per class. The mean is divided by the weights that count.
        axis: that of the classes; by default 1 (and 0 for a vector).
        ignore_index: examples with this index count for nothing.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    An index outside ``0 <= target < classes`` gives NaN.

    >>> import asg
    >>> asg.run(asg.nll_loss(asg.constant([[-1.0, -2.0], [-3.0, -4.0]]), [1, 0])).tolist()
    2.5
    """
    x, target = as_tensor(x), as_tensor(target)
    place = normalize_axis(min(1, x.ndim - 1) if axis is None else axis, x.ndim)
    given = () if weight is None else (as_tensor(weight),)
    losses = NllLoss(place, ignore_index)(x, target, *given)
    if weight is None and ignore_index is None:
        return reduced(losses, reduction)
    counted = spread_labels(target, x, place, ignore_index, weight=given[0] if given else None)
    return reduced_weighted(losses, counted, reduction)


@public
def kl_div(
    x: Any,
    target: Any,
    *,
    log_target: bool = False,
    reduction: Literal["none", "mean", "sum", "batchmean"] = "mean",
) -> Tensor:
    """``target * (log(target) - x)`` of each element: x is a *logarithm* of probabilities.

    Args:
        x: floating logarithms, such as `log_softmax` gives.
        target: probabilities of the same shape, or their logarithms.
        log_target: the target holds logarithms: ``exp(target) * (target - x)``.
        reduction: ``"batchmean"`` (the sum divided by the size of axis 0) is the divergence of
            distributions; ``"mean"`` (PyTorch's default) is over all elements.

    >>> import asg
    >>> x = asg.log_softmax(asg.constant([[0.0, 0.0]]))
    >>> round(float(asg.run(asg.kl_div(x, [[1.0, 0.0]], reduction="batchmean"))), 4)
    0.6931
    """
    losses = KlDivergence(bool(log_target))(x, target)
    if reduction != "batchmean":
        return reduced(losses, reduction)
    if not losses.ndim:
        raise TypeProblem("a scalar has no axis of examples", "choose 'sum'", OperandError)
    return losses.sum() / element_count(losses, (0,), losses.dtype)


@public
def poisson_nll_loss(
    x: Any,
    target: Any,
    *,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: Reduction = "mean",
) -> Tensor:
    """``exp(x) - target * x``: counts with the rate exp(x) (or x, without ``log_input``).

    Args:
        x: floating logarithms of rates; with ``log_input=False`` rates.
        target: counts, of the same shape.
        log_input: whether ``x`` holds logarithms.
        full: add Stirling's approximation of ``log(target!)`` for targets above 1.
        eps: added to rates inside the logarithm.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> import asg
    >>> asg.run(asg.poisson_nll_loss(asg.constant([0.0]), [3])).tolist()
    1.0
    """
    op = PoissonNllLoss(bool(log_input), bool(full), require_number("eps", eps))
    return reduced(op(x, target), reduction)


@public
def gaussian_nll_loss(
    x: Any,
    target: Any,
    var: Any,
    *,
    full: bool = False,
    eps: float = 1e-6,
    reduction: Reduction = "mean",
) -> Tensor:
    """``(log(v) + (x - target)^2 / v) / 2`` with ``v = max(var, eps)``.

    Args:
        x: floating means.
        target: samples, of the same shape.
        var: variances; broadcasts to ``x``. Its gradient is that by v, also below ``eps``.
        full: add ``log(2 pi) / 2``.
        eps: the least variance, positive.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    >>> import asg
    >>> asg.run(asg.gaussian_nll_loss(asg.constant([1.0]), [3.0], 1.0)).tolist()
    2.0
    """
    x = as_tensor(x)
    op = GaussianNllLoss(bool(full), require_number("eps", eps))
    return reduced(op(x, target, broadcast_to(_like(var, x), x.shape)), reduction)


def _like(value: Any, x: Tensor) -> Tensor:
    """A number in the dtype of ``x``; any other value as it is."""
    return as_tensor(value).astype(x.dtype) if isinstance(value, int | float) else as_tensor(value)


def _scaled(losses: Tensor, weight: Any) -> Tensor:
    if weight is None:
        return losses
    return losses * broadcast_to(_like(weight, losses), losses.shape)
