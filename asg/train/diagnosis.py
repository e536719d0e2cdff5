"""Why a loss is no finite number: what the examples have to do with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from asg.core.types import TensorType
from asg.data import Dataset

if TYPE_CHECKING:
    from asg.train.loop import Fit

Array = np.ndarray[Any, Any]
IGNORED = -100  # the class that a cross entropy leaves out


def fault_of_data(fit: Fit) -> str:
    """What is wrong with the examples of a training, or "" when they are not to blame.

    Examples that are no arrays in memory are looked at as far as the last batch.
    """
    dataset = getattr(fit.loader, "dataset", None)
    whole = isinstance(dataset, Dataset) and getattr(fit.loader, "transform", None) is None
    arrays = list(dataset.arrays.values()) if whole else fit.arrays  # type: ignore[union-attr]
    where = "example" if whole else "example of the last batch"
    for name, array in zip(fit.model.inputs, arrays, strict=False):
        if fault := _not_finite(name, np.asarray(array), where):
            return fault
    return _out_of_range(fit, np.asarray(arrays[-1]), where)


def _not_finite(name: str, array: Array, where: str) -> str:
    if array.dtype.kind != "f":
        return ""
    strange = ~np.isfinite(array.reshape(len(array), -1))
    if not strange.any():
        return ""
    first, count = int(strange.any(1).argmax()), int(strange.sum())
    values = f"{count} values that are" if count > 1 else "a value that is"
    return f"{name!r} has {values} not finite, the first in {where} {first}"


def _out_of_range(fit: Fit, labels: Array, where: str) -> str:
    """Labels of classes that the network does not have."""
    classes = _classes(fit, labels)
    if classes is None:
        return ""
    rows = labels.reshape(len(labels), -1)
    strange = ((rows < 0) | (rows >= classes)) & (rows != IGNORED)
    if not strange.any():
        return ""
    place = int(strange.any(1).argmax())
    value = rows[place][strange[place]][0]
    name = list(fit.model.inputs)[-1]
    return (
        f"{name!r} has the label {value} in {where} {place}, and the network tells the classes "
        f"0...{classes - 1} apart"
    )


def _classes(fit: Fit, labels: Array) -> int | None:
    """How many the network tells apart: scores [examples, classes, ...] of labels [examples, ...].

    None when its result is something else.
    """
    results = fit.model.graph("prediction").results
    scores: TensorType = next(iter(results.values())).type
    if labels.dtype.kind not in "iu" or len(results) > 1 or len(scores.shape) != labels.ndim + 1:
        return None
    count = scores.shape[1 if labels.ndim == 1 else -1]
    return count if isinstance(count, int) else None
