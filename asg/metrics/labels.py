"""From predictions and targets to decisions, one column for each class, with their weights.

Everything that is not a class makes the weight NaN, and with it the metric: a wrong label, or a
score that is NaN, must not go unseen.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from asg.core.convert import as_tensor
from asg.core.dtype import bool_, fits, float64, int64
from asg.core.errors import DtypeError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.operands import NAN, flat, of_shape, rows_of, weights_for
from asg.ops.compare import equal, not_equal

Task = Literal["binary", "multiclass", "multilabel"]
TASKS = ("binary", "multiclass", "multilabel")


class Decisions(NamedTuple):
    """Float64 of shape ``[examples, classes]``: 1 where said, 1 where true, and what it counts."""

    said: Tensor
    true: Tensor
    weight: Tensor


class Labels(NamedTuple):
    """Vectors of class indices (said, true), and float64 weights."""

    said: Tensor
    true: Tensor
    weight: Tensor


def class_labels(
    prediction: Any, target: Any, weight: Any, axis: int, ignore_index: int | None
) -> Labels:
    """Class indices of scores along ``axis``, or of a prediction that holds class indices; int64.

    With scores, a target that is no class has weight NaN.

    Raises:
        ShapeError: the target has neither the prediction's shape nor that without ``axis``.
        DtypeError: targets, or predictions of the target's shape, that are not integers.
    """
    x, y = as_tensor(prediction), as_tensor(target)
    _require_integer("target", y)
    if x.ndim == y.ndim + 1:
        scores = call("moveaxis", x, axis, -1)
        y = of_shape("target", y, scores.shape[:-1], "it has the scores' shape without the classes")
        said, y = scores.argmax(-1), y.astype(int64)
        size = scores.shape[-1]
        known = (y >= 0) & (y < (size if isinstance(size, int) else call("dim_size", size)))
        known = known & ~call("isnan", scores).any(-1) if x.dtype.is_float else known
    else:
        x = of_shape(
            "prediction", x, y.shape, "scores have one axis more than the target, labels none"
        )
        _require_integer("prediction", x)
        said, y, known = x, y.astype(int64), call("ones_like", y, bool_)
    weights = call("where", known, weights_for(weight, y.shape), NAN)
    weights = without_ignored(weights, y, ignore_index)
    return Labels(flat(said.astype(int64)), flat(y), flat(weights))


def within(labels: Labels, classes: int) -> Labels:
    """The same, with weight NaN where a label is not ``0 <= label < classes`` (and not ignored)."""
    said, true, weight = labels
    inside = (said >= 0) & (said < classes) & (true >= 0) & (true < classes)
    return Labels(said, true, call("where", inside | (equal(weight, 0.0)), weight, NAN))


def one_hot_decisions(labels: Labels, classes: int) -> Decisions:
    """A column for each class."""
    said, true, weight = within(labels, classes)
    chosen, wanted = (call("one_hot", x, classes, float64) for x in (said, true))
    weights = call("broadcast_to", call("expand_dims", weight, 1), chosen.shape)
    return Decisions(chosen, wanted, weights)


def yes_or_no(
    prediction: Any, target: Any, weight: Any, axis: int | None, threshold: float,
    ignore_index: int | None,
) -> Decisions:  # fmt: skip
    """Scores above the threshold, or answers 0 and 1, of every column along ``axis`` (None: one).

    Raises:
        ShapeError: the target is not like the prediction.
    """
    x = as_tensor(prediction)
    y = of_shape("target", target, x.shape, "it is like the prediction")
    if axis is not None and not x.ndim:
        raise ShapeError(f"prediction is {x.type}, it has no axis of labels")
    said = x > threshold if x.dtype.is_float else not_equal(x, 0)
    weights = _column_weights(weight, y, axis)
    proper = equal(y, 0) | equal(y, 1) if not y.dtype.is_bool else call("ones_like", y, bool_)
    if x.dtype.is_float:
        proper = proper & ~call("isnan", x)
    elif not x.dtype.is_bool:
        proper = proper & (equal(x, 0) | equal(x, 1))
    weights = without_ignored(call("where", proper, weights, NAN), y, ignore_index)
    answers = (said.astype(float64), _yes(y), weights)
    chosen, wanted, counted = (columns(each, axis) for each in answers)
    return Decisions(chosen, wanted, counted)


def _yes(y: Tensor) -> Tensor:
    return (y if y.dtype.is_bool else equal(y, 1)).astype(float64)


def columns(x: Tensor, axis: int | None) -> Tensor:
    """``[examples, labels]``; one column without an axis of labels."""
    return call("reshape", x, (-1, 1)) if axis is None else rows_of(x, axis)


def _column_weights(weight: Any, y: Tensor, axis: int | None) -> Tensor:
    """Weights for each answer, or for each example (the shape without the axis of labels)."""
    given = None if weight is None else as_tensor(weight)
    if axis is None or given is None or given.ndim != y.ndim - 1:
        return weights_for(given, y.shape)
    place = axis % y.ndim
    spread = weights_for(given, (*y.shape[:place], *y.shape[place + 1 :]))
    return call("broadcast_to", call("expand_dims", spread, place), y.shape)


def without_ignored(weights: Tensor, target: Tensor, ignore_index: int | None) -> Tensor:
    """Weight 0 where the target is the ignored one (which an unsigned target may never be)."""
    if ignore_index is None or target.dtype.is_bool or not fits(ignore_index, target.dtype):
        return weights
    return call("where", equal(target, ignore_index), 0.0, weights)


def _require_integer(name: str, labels: Tensor) -> None:
    if not labels.dtype.is_integer:
        raise DtypeError(f"{name} is {labels.type}; class indices are integers")
