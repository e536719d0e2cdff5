"""Losses that ask for a margin, and distances, as modules with PyTorch's arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from asg.core.dtype import float32
from asg.nn.function import Flag, FunctionModule, Int, Number, Positive, Reduction, Rule
from asg.nn.loss import WeightedLoss, class_weight
from asg.state.variable import Variable

Norm = Annotated[float, Rule("a norm of at least 1", lambda v: type(v) in (int, float) and v >= 1)]


class HingeLoss(FunctionModule):
    """``max(0, 1 - target * x)`` for targets -1 and 1."""

    function = "hinge_loss"
    reduction: Reduction = "mean"


class SquaredHingeLoss(FunctionModule):
    """``max(0, 1 - target * x)^2`` for targets -1 and 1."""

    function = "squared_hinge_loss"
    reduction: Reduction = "mean"


class SoftMarginLoss(FunctionModule):
    """``log(1 + exp(-target * x))`` for targets -1 and 1."""

    function = "soft_margin_loss"
    reduction: Reduction = "mean"


class HingeEmbeddingLoss(FunctionModule):
    """``x`` where the target is 1, ``max(0, margin - x)`` where it is -1: x is a distance."""

    function = "hinge_embedding_loss"
    margin: Number = 1.0
    reduction: Reduction = "mean"


class MarginRankingLoss(FunctionModule):
    """``max(0, -target * (x1 - x2) + margin)``, called with (x1, x2, target)."""

    function = "margin_ranking_loss"
    margin: Number = 0.0
    reduction: Reduction = "mean"


class CosineEmbeddingLoss(FunctionModule):
    """``1 - cos`` of (x1, x2) where the target is 1, ``max(0, cos - margin)`` where it is -1."""

    function = "cosine_embedding_loss"
    margin: Number = 0.0
    reduction: Reduction = "mean"


class TripletMarginLoss(FunctionModule):
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``, d by the p-norm.

    >>> import asg
    >>> from asg import nn
    >>> a, b = asg.constant([[0.0, 0.0]]), asg.constant([[3.0, 4.0]])
    >>> asg.run(nn.TripletMarginLoss()(a, b, b)).round(3)
    np.float32(1.0)
    """

    function = "triplet_margin_loss"
    margin: Positive = 1.0
    p: Norm = 2.0
    eps: Number = 1e-6
    swap: Flag = False
    reduction: Reduction = "mean"


class TripletMarginWithDistanceLoss(FunctionModule):
    """`TripletMarginLoss` for a distance of your own: a function (or module) of two tensors."""

    function = "triplet_margin_with_distance_loss"
    distance_function: Callable[[Any, Any], Any] | None = None
    margin: Positive = 1.0
    swap: Flag = False
    reduction: Reduction = "mean"

    def __init__(
        self,
        *,
        distance_function: Callable[[Any, Any], Any] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: Reduction = "mean",
    ) -> None:
        """Arguments as `torch.nn.TripletMarginWithDistanceLoss`."""
        super().__init__(distance_function, margin, swap, reduction)
        known = distance_function is None or callable(distance_function)
        self.require(known, "distance_function", distance_function, "must be a function")


class MultiMarginLoss(WeightedLoss):
    """``sum over i != target of max(0, margin - x[target] + x[i])^p / C`` of each example.

    Attributes:
        weight: ``[classes]``: that of the target counts, a buffer; None without.
    """

    function = "multi_margin_loss"
    p: Annotated[Literal[1, 2], Rule("1 or 2", lambda v: type(v) is int and v in (1, 2))] = 1
    margin: Number = 1.0
    weight: Variable | None = None
    reduction: Reduction = "mean"

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Any = None,
        reduction: Reduction = "mean",
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.MultiMarginLoss`; ``dtype`` is that of the weight."""
        super().__init__(p, margin, class_weight("weight", weight, dtype), reduction)


class MultiLabelMarginLoss(FunctionModule):
    """``sum over targets j, others i of max(0, 1 - x[j] + x[i]) / C`` of each example."""

    function = "multilabel_margin_loss"
    reduction: Reduction = "mean"


class MultiLabelSoftMarginLoss(WeightedLoss):
    """The mean over classes of the cross entropy of yes and no; predictions are logits.

    Attributes:
        weight: ``[classes]``: factors of the classes, a buffer; None without.
    """

    function = "multilabel_soft_margin_loss"
    weight: Variable | None = None
    reduction: Reduction = "mean"

    def __init__(
        self, weight: Any = None, reduction: Reduction = "mean", dtype: Any = float32
    ) -> None:
        """Arguments as `torch.nn.MultiLabelSoftMarginLoss`; ``dtype`` is that of the weight."""
        super().__init__(class_weight("weight", weight, dtype), reduction)


class CosineSimilarity(FunctionModule):
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along axis ``dim``."""

    function = "cosine_similarity"
    renamed: ClassVar[dict[str, str]] = {"dim": "axis"}
    dim: Int = 1
    eps: Positive = 1e-8


class PairwiseDistance(FunctionModule):
    """``(sum |x1 - x2 + eps|^p)^(1/p)`` over the last axis."""

    function = "pairwise_distance"
    renamed: ClassVar[dict[str, str]] = {"keepdim": "keepdims"}
    p: Number = 2.0
    eps: Number = 1e-6
    keepdim: Flag = False
