"""Metrics of scores as rankings: the area under the ROC curve, and average precision.

Exact values need every score: they are for arrays (`update`) and for single batches (`once`). With
``thresholds`` the counters are those of a few thresholds, and a step can hold them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from asg.compiler import compile
from asg.core.convert import as_tensor
from asg.core.dtype import float64
from asg.core.errors import DtypeError, OperandError, StateError
from asg.core.graph import Graph
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.classification import divided, is_count
from asg.metrics.labels import TASKS, Task, class_labels, columns, one_hot_decisions, yes_or_no
from asg.metrics.metric import Metric, Tensors, as_result, operand_inputs
from asg.metrics.operands import NAN

Average = Literal["macro", "weighted", "none"]
Thresholds = int | Sequence[float] | None


class Ranking(Metric):
    """One number for the ranking of each class by its scores, and their average.

    Called with (scores, target, sample_weight=None). Binary: answers 0 and 1 of the scores' shape.
    Multilabel: the same, a ranking for each label along ``axis``. Multiclass: integers without
    ``axis``; each class is ranked against the rest.

    Args:
        task: "binary", "multiclass" or "multilabel".
        num_classes: how many classes or labels; 1 for binary tasks, where it may be left out.
        average: "macro" (mean of classes), "weighted" (by how often each is true) or "none".
        thresholds: None is exact; an int spaces so many evenly on [0, 1]; or the numbers
            themselves, in any order. Only scores on different sides of a threshold are told apart.
        axis: of the classes, or of the labels.
    """

    higher_is_better = True

    def __init__(
        self,
        task: Task = "binary",
        num_classes: int | None = None,
        average: Average = "macro",
        *,
        thresholds: Thresholds = None,
        axis: int = 1,
    ) -> None:
        """See the class."""
        classes = 1 if num_classes is None and task == "binary" else num_classes
        if not is_count(classes) or classes is None or (task == "binary" and classes != 1):
            raise OperandError(
                f"{type(self).__name__}: num_classes={num_classes!r} must be a positive int "
                "(1, or left out, for a binary task)"
            )
        self.thresholds = _descending(type(self).__name__, thresholds)
        each = (classes, 0 if self.thresholds is None else len(self.thresholds))
        super().__init__(above_true=each, above_false=each, true=(classes,), false=(classes,))
        self.require(task in TASKS, "task", task, f"must be one of {', '.join(map(repr, TASKS))}")
        known = average in ("macro", "weighted", "none")
        self.require(known, "average", average, "must be 'macro', 'weighted' or 'none'")
        self.require(type(axis) is int, "axis", axis, "must be an int")
        self.task, self.num_classes, self.average, self.axis = task, classes, average, axis
        self._batches: list[list[np.ndarray[Any, Any]]] = []

    # -- one class -------------------------------------------------------------------------------

    def area(self, above_true: Tensor, above_false: Tensor, true: Tensor, false: Tensor) -> Tensor:
        """From counts at descending thresholds ``[classes, thresholds]`` and of all."""
        raise NotImplementedError

    def exact(self, scores: Tensor, true: Tensor, false: Tensor) -> Tensor:
        """From all scores, and weights of those that are true and false: vectors."""
        raise NotImplementedError

    # -- all classes -----------------------------------------------------------------------------

    def _parts(self, prediction: Any, target: Any, weight: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Scores, weights where true, weights where false: ``[examples, classes]``."""
        scores = as_tensor(prediction)
        if not scores.dtype.is_float:
            raise DtypeError(f"scores are {scores.type}, floating numbers are needed")
        if self.task == "multiclass":
            labels = class_labels(scores, target, weight, self.axis, None)
            _, true, weights = one_hot_decisions(labels, self.num_classes)
        else:
            axis = self.axis if self.task == "multilabel" else None
            _, true, weights = yes_or_no(scores, target, weight, axis, 0.0, None)
        table = columns(scores, None if self.task == "binary" else self.axis).astype(float64)
        table = call("assume_shape", table, (table.shape[0], self.num_classes))
        return table, weights * true, weights * (1.0 - true)

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        scores, true, false = self._parts(prediction, target, sample_weight)
        limits = as_tensor(np.array(self.thresholds, np.float64))
        above = (call("expand_dims", scores, 2) >= limits).astype(float64)
        return {
            "above_true": (above * call("expand_dims", true, 2)).sum(0),
            "above_false": (above * call("expand_dims", false, 2)).sum(0),
            "true": true.sum(0),
            "false": false.sum(0),
        }

    def value(self, counters: Tensors) -> Tensor:
        names = ("above_true", "above_false", "true", "false")
        areas = self.area(*(counters[name] for name in names))
        return self._averaged(areas, counters["true"])

    def _averaged(self, areas: Tensor, true: Tensor) -> Tensor:
        if self.average == "none":
            return areas[0] if self.task == "binary" else areas
        if self.average == "macro":
            return areas.mean()
        return divided((areas * true).sum(), true.sum(), NAN)

    # -- exact -----------------------------------------------------------------------------------

    def __call__(self, *operands: Any) -> Any:
        """Add a batch in a step.

        Raises:
            StateError: it is exact.
        """
        if self.thresholds is None:
            raise StateError(
                f"an exact {type(self).__name__} needs the scores of all batches, and a step holds "
                "counters only\n  repair: give thresholds=200, say; or collect the predictions and "
                "use update(...) and compute(), outside of the step"
            )
        return super().__call__(*operands)

    def once(self, *operands: Any) -> Any:
        """The value for these operands alone, as graph."""
        if self.thresholds is not None:
            return super().once(*operands)
        scores, true, false = self._parts(*operands, *[None] * (3 - len(operands)))
        areas = [self.exact(scores[:, i], true[:, i], false[:, i]) for i in range(self.num_classes)]
        return self._averaged(call("stack", areas, 0), true.sum(0))

    def update(self, *arrays: Any) -> None:
        """Add a batch of arrays; an exact metric keeps copies of all of them."""
        if self.thresholds is not None:
            return super().update(*arrays)
        given = [np.array(array) for array in arrays]
        Graph({"value": self.once(*operand_inputs(given))})  # refuses what does not fit
        if self._batches and len(self._batches[0]) != len(given):
            raise OperandError("weights are given with some batches and not with others")
        self._batches.append(given)
        return None

    def compute(self) -> Any:
        """The value of all arrays since `reset`; NaN without any."""
        if self.thresholds is not None:
            return super().compute()
        if not self._batches:
            return NAN
        arrays = [np.concatenate(parts) for parts in zip(*self._batches, strict=True)]
        inputs = operand_inputs(arrays)
        program = compile(Graph({"value": self.once(*inputs)}, name="compute"))
        feeds = {f"operand_{i}": array for i, array in enumerate(arrays)}
        return as_result(program(**feeds)["value"])

    def reset(self) -> None:
        """Forget the arrays."""
        super().reset()
        self._batches = []


def _descending(name: str, thresholds: Thresholds) -> tuple[float, ...] | None:
    if thresholds is None:
        return None
    if isinstance(thresholds, int):
        if isinstance(thresholds, bool) or thresholds < 2:
            raise OperandError(f"{name}: thresholds={thresholds!r} must be an int of at least 2")
        return tuple(i / (thresholds - 1) for i in reversed(range(thresholds)))
    limits = np.sort(np.asarray(thresholds, np.float64).ravel())[::-1]
    if not limits.size or np.isnan(limits).any():
        raise OperandError(f"{name}: thresholds={thresholds!r} must be numbers")
    return tuple(limits.tolist())


class AUROC(Ranking):
    """The area under the curve of true against false positive rates (ROC), by trapezoids.

    It is the probability that a "yes" scores above a "no", equal scores counting half. NaN when
    there is no "yes" or no "no".

    >>> from asg import metrics
    >>> auroc = metrics.AUROC()
    >>> auroc.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> auroc.compute()
    0.75
    """

    def area(self, above_true: Tensor, above_false: Tensor, true: Tensor, false: Tensor) -> Tensor:
        rates = []
        for above, total in ((above_true, true), (above_false, false)):
            points = call("concat", [above, call("expand_dims", total, 1)], 1)
            points = call("pad", points, ((0, 0), (1, 0)), 0.0)
            rates.append(points / call("expand_dims", call("where", total > 0.0, total, NAN), 1))
        high, wide = rates
        steps = (high[:, 1:] + high[:, :-1]) * (wide[:, 1:] - wide[:, :-1])
        return steps.sum(1) * 0.5

    def exact(self, scores: Tensor, true: Tensor, false: Tensor) -> Tensor:
        order = call("argsort", scores)
        ascending = call("take", scores, order, axis=0)
        behind = _before(false, order)
        lower, equal_or_lower = (
            call("take", behind, call("searchsorted", ascending, scores, side), axis=0)
            for side in ("left", "right")
        )
        pairs = true.sum() * false.sum()
        wins = (true * (lower + equal_or_lower)).sum() * 0.5
        return wins / call("where", pairs > 0.0, pairs, NAN)


class AveragePrecision(Ranking):
    """The mean precision over thresholds, ``sum (recall_i - recall_{i-1}) precision_i``.

    0 when there is no "yes", as in scikit-learn.

    >>> from asg import metrics
    >>> precision = metrics.AveragePrecision()
    >>> precision.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])
    >>> round(precision.compute(), 4)
    0.8333
    """

    def area(self, above_true: Tensor, above_false: Tensor, true: Tensor, false: Tensor) -> Tensor:
        hits, misses = (
            call("concat", [above, call("expand_dims", total, 1)], 1)
            for above, total in ((above_true, true), (above_false, false))
        )
        gained = hits - call("pad", hits, ((0, 0), (1, 0)), 0.0)[:, :-1]
        precision = divided(hits, hits + misses, 0.0)
        return divided((gained * precision).sum(1), true, 0.0)

    def exact(self, scores: Tensor, true: Tensor, false: Tensor) -> Tensor:
        order = call("argsort", scores)
        first = call("searchsorted", call("take", scores, order, axis=0), scores)
        hits, misses = (
            each.sum() - call("take", _before(each, order), first, axis=0) for each in (true, false)
        )
        precision = divided(hits, hits + misses, 0.0)
        return divided((true * precision).sum(), true.sum(), 0.0)


def _before(weight: Tensor, order: Tensor) -> Tensor:
    """The weight of the first so many in this order."""
    return call("pad", call("cumsum", call("take", weight, order, axis=0), 0), ((1, 0),), 0.0)
