"""Metrics of classification that count decisions: accuracy, precision, recall, F-beta, ...

Where a quotient is 0 / 0 (a class that is never predicted has no precision) it is
``zero_division``: 0 by default, as in scikit-learn. With NaN, a mean leaves it out.
"""

from __future__ import annotations

from math import isnan
from typing import Any, ClassVar, Literal

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.labels import (
    TASKS,
    Decisions,
    Task,
    class_labels,
    one_hot_decisions,
    yes_or_no,
)
from asg.metrics.metric import Metric, Tensors
from asg.metrics.operands import of_shape
from asg.ops.compare import equal

Average = Literal["micro", "macro", "weighted", "none"]
AVERAGES = ("micro", "macro", "weighted", "none")


def is_number(value: object) -> bool:
    """A Python number, and no bool."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_count(value: object) -> bool:
    """A positive int."""
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def divided(numerator: Tensor, denominator: Tensor, otherwise: float) -> Tensor:
    """The quotient, and ``otherwise`` where the denominator is 0."""
    none = equal(denominator, 0.0)
    return call("where", none, otherwise, numerator / call("where", none, 1.0, denominator))


class Decided(Metric):
    """Options of what is decided: the task, the threshold, what is ignored."""

    def __init__(
        self, task: Task, threshold: float, ignore_index: int | None, axis: int,
        **counters: tuple[int, ...],
    ) -> None:  # fmt: skip
        """As the subclasses say."""
        super().__init__(**counters)
        self.require(task in TASKS, "task", task, f"must be one of {', '.join(map(repr, TASKS))}")
        self.require(is_number(threshold), "threshold", threshold, "must be a number")
        whole = ignore_index is None or type(ignore_index) is int
        self.require(whole, "ignore_index", ignore_index, "must be an int or None")
        self.require(type(axis) is int, "axis", axis, "must be an int")
        self.task, self.threshold = task, threshold
        self.ignore_index, self.axis = ignore_index, axis

    def answers(self, prediction: Any, target: Any, weight: Any) -> Decisions:
        """The decisions of tasks of yes and no."""
        axis = self.axis if self.task == "multilabel" else None
        return yes_or_no(prediction, target, weight, axis, self.threshold, self.ignore_index)


class Accuracy(Decided):
    """The share of right answers.

    Called with (prediction, target, sample_weight=None):

    * multiclass: floating scores, the classes along ``axis``, and integers without that axis; or
      class indices for both.
    * binary and multilabel: scores (compared with ``threshold``) or answers 0 and 1, and answers
      of the same shape. Every answer counts by itself; with ``subset`` a row of labels (``axis``)
      is right when all of its answers are, as in scikit-learn.

    Args:
        task: "multiclass", "binary" or "multilabel".
        threshold: scores above it are a yes; 0 for logits.
        ignore_index: targets that do not count.
        axis: of the classes, or of the labels.
        subset: of multilabel rows.

    Without any example it is NaN.

    >>> import asg
    >>> from asg import metrics
    >>> accuracy = metrics.Accuracy()
    >>> accuracy.update([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    >>> accuracy.compute()
    0.5
    """

    higher_is_better = True

    def __init__(
        self,
        task: Task = "multiclass",
        *,
        threshold: float = 0.5,
        ignore_index: int | None = None,
        axis: int = 1,
        subset: bool = False,
    ) -> None:
        """See the class."""
        super().__init__(task, threshold, ignore_index, axis, right=(), total=())
        good = isinstance(subset, bool) and (not subset or task == "multilabel")
        self.require(good, "subset", subset, "must be a bool, True for multilabel tasks only")
        self.subset = subset

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        if self.task == "multiclass":
            found = class_labels(prediction, target, sample_weight, self.axis, self.ignore_index)
            right, weight = equal(found.said, found.true), found.weight
        else:
            answers = self.answers(prediction, target, sample_weight)
            right, weight = equal(answers.said, answers.true), answers.weight
            if self.subset:
                right = (right | equal(weight, 0.0)).all(-1)
                weight = weight.mean(-1)
        return {"right": (right.astype(weight.dtype) * weight).sum(), "total": weight.sum()}

    def value(self, counters: Tensors) -> Tensor:
        return counters["right"] / counters["total"]


class TopKAccuracy(Metric):
    """The share of examples whose target is among the ``k`` best classes.

    Called with (scores, target, sample_weight=None): classes along ``axis``, targets without it. Of
    equal scores the earlier classes are the better ones, as in argmax. A score of NaN is none.

    >>> from asg import metrics
    >>> best = metrics.TopKAccuracy(2)
    >>> best.update([[0.1, 0.5, 0.4], [0.1, 0.5, 0.4]], [2, 0])
    >>> best.compute()
    0.5
    """

    higher_is_better = True

    def __init__(self, k: int = 5, *, ignore_index: int | None = None, axis: int = 1) -> None:
        """``k`` classes count as one answer."""
        super().__init__(right=(), total=())
        self.require(is_count(k), "k", k, "must be a positive int")
        self.require(type(axis) is int, "axis", axis, "must be an int")
        self.k, self.ignore_index, self.axis = k, ignore_index, axis

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        scores = call("moveaxis", prediction, self.axis, -1)
        y = of_shape(
            "target", target, scores.shape[:-1], "it has the scores' shape without classes"
        )
        labels = class_labels(scores, y, sample_weight, -1, self.ignore_index)
        rows = call("reshape", scores, (-1, scores.shape[-1]))
        place = call("iota", rows.shape, 1)
        true = call("expand_dims", labels.true.astype(place.dtype), 1)
        own = call("where", equal(place, true), rows, 0).sum(-1, keepdims=True)
        better = (rows > own) | (equal(rows, own) & (place < true))
        right, weight = better.sum(-1) < self.k, labels.weight
        return {"right": (right.astype(weight.dtype) * weight).sum(), "total": weight.sum()}

    def value(self, counters: Tensors) -> Tensor:
        return counters["right"] / counters["total"]


class ClassRatio(Decided):
    """A quotient of counts of each class, and its average.

    Called with (prediction, target, sample_weight=None) as `Accuracy`.

    Args:
        task: "multiclass", "binary" or "multilabel".
        num_classes: how many classes or labels; 1 for binary tasks, where it may be left out.
        average: "macro" (the mean of classes), "weighted" (weighted by how often they are true),
            "micro" (the quotient of sums) or "none" (one number for each class). The one class of
            a binary task is the "yes", whichever average.
        threshold: scores above it are a yes; 0 for logits.
        ignore_index: targets that do not count.
        axis: of the classes, or of the labels.
        zero_division: the quotient 0 / 0; NaN leaves such classes out of means.
    """

    higher_is_better = True

    def __init__(
        self,
        task: Task = "multiclass",
        num_classes: int | None = None,
        average: Average = "macro",
        *,
        threshold: float = 0.5,
        ignore_index: int | None = None,
        axis: int = 1,
        zero_division: float = 0.0,
    ) -> None:
        """See the class."""
        classes = 1 if num_classes is None and task == "binary" else num_classes
        if not is_count(classes) or classes is None or (task == "binary" and classes != 1):
            raise OperandError(
                f"{type(self).__name__}: num_classes={num_classes!r} must be a positive int "
                "(1, or left out, for a binary task)"
            )
        each = (classes,)
        super().__init__(
            task, threshold, ignore_index, axis, hits=each, said=each, true=each, total=each
        )
        known = ", ".join(map(repr, AVERAGES))
        self.require(average in AVERAGES, "average", average, f"must be one of {known}")
        self.require(is_number(zero_division), "zero_division", zero_division, "must be a number")
        self.num_classes, self.average, self.zero_division = classes, average, zero_division

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        if self.task == "multiclass":
            labels = class_labels(prediction, target, sample_weight, self.axis, self.ignore_index)
            said, true, weight = one_hot_decisions(labels, self.num_classes)
        else:
            said, true, weight = self.answers(prediction, target, sample_weight)
            said = of_shape("prediction", said, (said.shape[0], self.num_classes), "one per label")
        sums = {"hits": said * true, "said": said, "true": true, "total": 1.0}
        return {name: (weight * each).sum(0) for name, each in sums.items()}

    def quotient(self, counters: Tensors) -> tuple[Tensor, Tensor]:
        """Numerator and denominator for each class."""
        raise NotImplementedError

    def value(self, counters: Tensors) -> Tensor:
        top, bottom = self.quotient(counters)
        if self.average == "micro":
            return divided(top.sum(), bottom.sum(), self.zero_division)
        ratio = divided(top, bottom, self.zero_division)
        if self.average == "none":
            return ratio[0] if self.task == "binary" else ratio
        weight = counters["true"] if self.average == "weighted" else counters["true"] * 0.0 + 1.0
        if isnan(self.zero_division):
            weight = call("where", equal(bottom, 0.0), 0.0, weight)
            ratio = call("where", equal(bottom, 0.0), 0.0, ratio)
        return divided((weight * ratio).sum(), weight.sum(), self.zero_division)


class Precision(ClassRatio):
    """Of what was said to be a class, the share that is: ``tp / (tp + fp)``.

    >>> from asg import metrics
    >>> precision = metrics.Precision("binary")
    >>> precision.update([0.9, 0.8, 0.1], [1, 0, 1])
    >>> precision.compute()
    0.5
    """

    def quotient(self, counters: Tensors) -> tuple[Tensor, Tensor]:
        return counters["hits"], counters["said"]


class Recall(ClassRatio):
    """Of what is a class, the share that was said to be: ``tp / (tp + fn)``.

    The macro average is known as balanced accuracy.
    """

    def quotient(self, counters: Tensors) -> tuple[Tensor, Tensor]:
        return counters["hits"], counters["true"]


class Specificity(ClassRatio):
    """Of what is not a class, the share that was not said to be: ``tn / (tn + fp)``."""

    def quotient(self, counters: Tensors) -> tuple[Tensor, Tensor]:
        missed = counters["total"] - counters["true"]
        return missed - counters["said"] + counters["hits"], missed


class FBeta(ClassRatio):
    """``(1 + b^2) precision recall / (b^2 precision + recall)``: recall counts b times as much.

    Computed as ``(1 + b^2) tp / (b^2 (tp + fn) + tp + fp)``, which is 0 / 0 only without any of
    them.
    """

    beta: float = 1.0

    def __init__(
        self,
        beta: float,
        task: Task = "multiclass",
        num_classes: int | None = None,
        average: Average = "macro",
        **options: Any,
    ) -> None:
        """``beta`` is positive; the rest as in `ClassRatio`."""
        super().__init__(task, num_classes, average, **options)
        self.require(is_number(beta) and beta > 0, "beta", beta, "must be a positive number")
        self.beta = beta

    def quotient(self, counters: Tensors) -> tuple[Tensor, Tensor]:
        squared = self.beta * self.beta
        return (
            counters["hits"] * (1.0 + squared),
            counters["true"] * squared + counters["said"],
        )


class F1(FBeta):
    """The harmonic mean of precision and recall: `FBeta` with ``beta = 1``."""

    def __init__(
        self,
        task: Task = "multiclass",
        num_classes: int | None = None,
        average: Average = "macro",
        **options: Any,
    ) -> None:
        """Arguments as `ClassRatio`."""
        super().__init__(1.0, task, num_classes, average, **options)


class ConfusionMatrix(Decided):
    """How often class i (row) was said to be class j (column), ``[classes, classes]``.

    Called with (prediction, target, sample_weight=None) as `Accuracy`; the classes of a binary
    task are no and yes.

    Args:
        task: "multiclass" or "binary".
        num_classes: 2 for binary tasks, where it may be left out.
        normalize: "true" divides rows by their sums, "pred" columns, "all" everything by the sum
            (0 / 0 is 0, as in scikit-learn); None counts.
        threshold: scores above it are a yes; 0 for logits.
        ignore_index: targets that do not count.
        axis: of the classes.

    >>> from asg import metrics
    >>> confusion = metrics.ConfusionMatrix("multiclass", 3)
    >>> confusion.update([0, 2, 2], [0, 1, 2])
    >>> confusion.compute().tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
    """

    SUMS: ClassVar[dict[str, tuple[int, ...]]] = {"true": (1,), "pred": (0,), "all": (0, 1)}

    def __init__(
        self,
        task: Task = "multiclass",
        num_classes: int | None = None,
        normalize: Literal["true", "pred", "all"] | None = None,
        *,
        threshold: float = 0.5,
        ignore_index: int | None = None,
        axis: int = 1,
    ) -> None:
        """See the class."""
        classes = 2 if num_classes is None and task == "binary" else num_classes
        if not is_count(classes) or classes is None or (task == "binary" and classes != 2):
            raise OperandError(
                f"ConfusionMatrix: num_classes={num_classes!r} must be a positive int (2, or left "
                "out, for a binary task)"
            )
        super().__init__(task, threshold, ignore_index, axis, counts=(classes, classes))
        self.require(task != "multilabel", "task", task, "has no single matrix")
        known = normalize is None or normalize in self.SUMS
        self.require(known, "normalize", normalize, "must be 'true', 'pred', 'all' or None")
        self.num_classes, self.normalize = classes, normalize

    def batch(self, prediction: Any, target: Any, sample_weight: Any = None) -> Tensors:
        if self.task == "multiclass":
            labels = class_labels(prediction, target, sample_weight, self.axis, self.ignore_index)
            said, true, weight = one_hot_decisions(labels, self.num_classes)
        else:
            said, true, weight = (
                call("concat", [1.0 - each, each] if place < 2 else [each, each], 1)
                for place, each in enumerate(self.answers(prediction, target, sample_weight))
            )
        return {"counts": call("matmul", (true * weight).T, said)}

    def value(self, counters: Tensors) -> Tensor:
        counts = counters["counts"]
        if self.normalize is None:
            return counts
        return divided(counts, counts.sum(self.SUMS[self.normalize], keepdims=True), 0.0)
