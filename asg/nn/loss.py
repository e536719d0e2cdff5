"""Losses as modules: functions of (prediction, target) with PyTorch's arguments and buffers.

Weights of classes are variables of role "statistic": saved with the module, and not trained. Losses
that ask for a margin are in `asg.nn.margin_loss`.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dtype import fits, float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.function import (
    Flag,
    Fraction,
    FunctionModule,
    Int,
    NonNegative,
    Number,
    Positive,
    Reduction,
    Rule,
    one_of,
)
from asg.state.variable import Variable


def class_weight(name: str, value: Any, dtype: Any) -> Variable | None:
    """A loss's buffer of these numbers; None for None.

    It is called ``loss.name`` as long as the loss is no part of a module: a model that is a single
    layer may have a variable of the plain name.
    """
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise OperandError(f"{name}={value!r} must be an array of numbers")
    return Variable(f"loss.{name}", array.shape, array, dtype, role="statistic")


def _fraction_or_none(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= 1)


class WeightedLoss(FunctionModule):
    """A loss with buffers."""

    def _adopt(self, name: str, value: Any) -> None:
        """Keep the name that a loss by itself gives its buffer."""
        before = value.name if isinstance(value, Variable) else ""
        super()._adopt(name, value)
        if before and not self._name:
            value.name = before


class L1Loss(FunctionModule):
    """``|x - target|``, of equal shapes."""

    function = "l1_loss"
    reduction: Reduction = "mean"


class MSELoss(FunctionModule):
    """``(x - target)^2``, of equal shapes.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.MSELoss()(asg.constant([1.0, 2.0]), [1.0, 4.0])).item()
    2.0
    """

    function = "mse_loss"
    reduction: Reduction = "mean"


class SmoothL1Loss(FunctionModule):
    """``d^2 / (2 beta)`` where ``|d| < beta``, else ``|d| - beta / 2``; ``d = x - target``."""

    function = "smooth_l1_loss"
    reduction: Reduction = "mean"
    beta: NonNegative = 1.0


class HuberLoss(FunctionModule):
    """``d^2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``; ``d = x - target``."""

    function = "huber_loss"
    reduction: Reduction = "mean"
    delta: Positive = 1.0


class CrossEntropyLoss(WeightedLoss):
    """``-log softmax(logits)[target]``; the classes are axis 1 (axis 0 of a vector).

    Targets are class indices, or class weights (probabilities) of the shape of the logits. See
    `asg.cross_entropy`; here ``ignore_index`` is -100 by default, as in PyTorch.

    Attributes:
        weight: ``[classes]``: factors of the classes, a buffer; None without.

    >>> import asg
    >>> from asg import nn
    >>> loss = nn.CrossEntropyLoss(weight=[1.0, 3.0])
    >>> loss.weight
    <statistic 'loss.weight': f32[2]>
    >>> logits = asg.constant([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]])
    >>> losses = asg.run(nn.CrossEntropyLoss(reduction="none")(logits, [0, 0, -100]))
    >>> [round(float(loss), 4) for loss in losses]
    [0.6931, 0.0067, 0.0]
    """

    function = "cross_entropy"
    weight: Variable | None = None
    ignore_index: Int = -100
    reduction: Reduction = "mean"
    label_smoothing: Fraction = 0.0

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        label_smoothing: float = 0.0,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.CrossEntropyLoss`; ``dtype`` is that of the weight."""
        held = class_weight("weight", weight, dtype)
        super().__init__(held, ignore_index, reduction, label_smoothing)

    def forward(self, logits: Any, target: Any) -> Any:
        """Logits ``[N, C, ...]`` and indices ``[N, ...]`` or weights ``[N, C, ...]``."""
        target = as_tensor(target)
        ignored = ignored_label(target, self.ignore_index)
        return call(self.function, logits, target, **self.options() | {"ignore_index": ignored})


class NLLLoss(WeightedLoss):
    """``-weight[target] * x[target]`` for logarithms of probabilities ``[N, C, ...]``.

    Attributes:
        weight: ``[classes]``: factors of the classes, a buffer; None without.
    """

    function = "nll_loss"
    weight: Variable | None = None
    ignore_index: Int = -100
    reduction: Reduction = "mean"

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: Reduction = "mean",
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.NLLLoss`; ``dtype`` is that of the weight."""
        super().__init__(class_weight("weight", weight, dtype), ignore_index, reduction)

    def forward(self, x: Any, target: Any) -> Any:
        """Logarithms ``[N, C, ...]`` and class indices ``[N, ...]``."""
        target = as_tensor(target)
        ignored = ignored_label(target, self.ignore_index)
        return call(self.function, x, target, **self.options() | {"ignore_index": ignored})


class BCELoss(WeightedLoss):
    """``-target * log(x) - (1 - target) * log(1 - x)``: x is a probability.

    Attributes:
        weight: factors that broadcast to ``x``, a buffer; None without.
    """

    function = "binary_cross_entropy"
    weight: Variable | None = None
    reduction: Reduction = "mean"

    def __init__(
        self, weight: Any = None, reduction: Reduction = "mean", dtype: Any = float32
    ) -> None:
        """Arguments as `torch.nn.BCELoss`; ``dtype`` is that of the weight."""
        super().__init__(class_weight("weight", weight, dtype), reduction)


class BCEWithLogitsLoss(WeightedLoss):
    """``log(1 + exp(x)) - x * target``: x is a logit.

    Attributes:
        weight: factors of each loss that broadcast to ``x``, a buffer; None without.
        pos_weight: factors of the part of "yes", likewise.

    >>> import asg
    >>> from asg import nn
    >>> loss = nn.BCEWithLogitsLoss(pos_weight=[3.0])
    >>> list(loss.state_dict())
    ['pos_weight']
    """

    function = "binary_cross_entropy_with_logits"
    weight: Variable | None = None
    reduction: Reduction = "mean"
    pos_weight: Variable | None = None

    def __init__(
        self,
        weight: Any = None,
        reduction: Reduction = "mean",
        pos_weight: Any = None,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.BCEWithLogitsLoss`; ``dtype`` is that of the weights."""
        held = class_weight("weight", weight, dtype)
        super().__init__(held, reduction, class_weight("pos_weight", pos_weight, dtype))


class KLDivLoss(FunctionModule):
    """``target * (log(target) - x)``: x is a logarithm of probabilities.

    ``reduction="batchmean"`` (the sum divided by the size of axis 0) is the divergence.
    """

    function = "kl_div"
    reduction: Annotated[str, one_of("none", "mean", "sum", "batchmean")] = "mean"
    log_target: Flag = False


class PoissonNLLLoss(FunctionModule):
    """``exp(x) - target * x``; without ``log_input``, ``x - target * log(x + eps)``."""

    function = "poisson_nll_loss"
    log_input: Flag = True
    full: Flag = False
    eps: Number = 1e-8
    reduction: Reduction = "mean"


class GaussianNLLLoss(FunctionModule):
    """``(log(v) + (x - target)^2 / v) / 2`` with ``v = max(var, eps)``."""

    function = "gaussian_nll_loss"
    full: Flag = False
    eps: Positive = 1e-6
    reduction: Reduction = "mean"

    def __init__(
        self, *, full: bool = False, eps: float = 1e-6, reduction: Reduction = "mean"
    ) -> None:
        """Arguments as `torch.nn.GaussianNLLLoss`."""
        super().__init__(full, eps, reduction)

    def forward(self, x: Any, target: Any, var: Any) -> Any:
        """``var`` is like ``x``, lacks its last axis (one variance for a row), or is a number."""
        x = as_tensor(x)
        if not isinstance(var, int | float):
            var = as_tensor(var)
            var = call("expand_dims", var, -1) if 0 < var.ndim == x.ndim - 1 else var
        return call(self.function, x, target, var, **self.options())


class FocalLoss(FunctionModule):
    """``a * (1 - p)^gamma * -log(p)``, p the probability of the right answer; Lin et al., 2017.

    ``a`` is ``alpha`` for "yes" and ``1 - alpha`` for "no" (None: 1). Predictions are logits.
    """

    function = "focal_loss"
    alpha: Annotated[float | None, Rule("in [0, 1], or None", _fraction_or_none)] = 0.25
    gamma: NonNegative = 2.0
    reduction: Reduction = "mean"


class DiceLoss(FunctionModule):
    """``1 - (2 sum(x target) + smooth) / (sum(x) + sum(target) + smooth)`` of each example."""

    function = "dice_loss"
    smooth: NonNegative = 1.0
    reduction: Reduction = "mean"


class CTCLoss(FunctionModule):
    """``-log P(target)`` over all ways to spell it with blanks and repeats; Graves et al., 2006.

    Called with (log_probs, targets, input_lengths, target_lengths), see `asg.ctc_loss`.
    """

    function = "ctc_loss"
    blank: Annotated[int, Rule("an int of at least 0", lambda v: type(v) is int and v >= 0)] = 0
    reduction: Reduction = "mean"
    zero_infinity: Flag = False


def ignored_label(target: Tensor, label: int) -> int | None:
    """The label to ignore; None where no target can equal it: it is negative, and they are not."""
    if label >= 0:
        return label
    return label if target.dtype.is_integer and fits(label, target.dtype) else None
