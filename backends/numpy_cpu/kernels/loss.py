"""Cross entropy: one softmax gives the loss and, where it is asked for, the slope."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from asg.core.types import TensorType
from asg.ops import loss as ops

from ..extremes import extreme_calls
from ..kernel import Array, Call, Scratch, kernel
from ..sums import sum_call

Labelled = ops.CrossEntropy | ops.CrossEntropyAndSlope

FEW = 512
"""Labels. Calls cost more than the numbers, and a sum of two dtypes saves one."""


def _is_wide(op: Labelled, types: tuple[TensorType, ...]) -> bool:
    """Sixteen-bit floats take the decomposition, which computes in float32."""
    return types[0].dtype.itemsize > 2


@kernel(ops.CrossEntropy, accepts=_is_wide)
def cross_entropy(
    op: ops.CrossEntropy, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    logits, (loss,) = inputs[0], outputs
    return _calls(op, inputs, loss, scratch(logits.shape, logits.dtype), scratch, slope=False)


@kernel(ops.CrossEntropyAndSlope, accepts=_is_wide, inplace=((1, 0),))
def cross_entropy_and_slope(
    op: ops.CrossEntropyAndSlope, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    loss, work = outputs
    return _calls(op, inputs, loss, work, scratch, slope=True)


def _calls(
    op: Labelled, inputs: list[Array], loss: Array, work: Array, scratch: Scratch, slope: bool
) -> list[Call]:
    """``log(sum(exp(z))) - z[label]``, z = logits - max; work is z, exp(z), then the slope."""
    logits, target = inputs
    axis, shape = (op.axis,), work.shape
    if not loss.size:
        return []
    total = scratch((*shape[: op.axis], 1, *shape[op.axis + 1 :]), work.dtype)
    labels = _Labels(op, target, shape, scratch)
    normalise: list[Call] = [(np.divide, (work, total, work))] if slope else []
    column = total.reshape(loss.shape)
    return [
        *extreme_calls(np.maximum, logits, axis, total, True, scratch),
        (np.subtract, (logits, total, work)),
        (labels.find, ()),
        (work.reshape(-1).take, (labels.index, None, loss.reshape(-1), "clip")),
        *_smoothed(op, work, loss, scratch),
        (np.exp, (work, work)),
        sum_call(work, axis, total, True),
        *normalise,
        (np.log, (column, column)),
        (np.subtract, (column, loss, loss)),
        *(_slope_calls(op, labels, work) if slope else []),
        *labels.mark_calls(loss, *([np.moveaxis(work, op.axis, -1)] if slope else [])),
    ]


def _smoothed(op: Labelled, work: Array, loss: Array, scratch: Scratch) -> list[Call]:
    """What was picked, smoothed with the mean of its row."""
    if not op.label_smoothing:
        return []
    mean = scratch(loss.shape, loss.dtype)
    return [
        (np.multiply, (loss, 1.0 - op.label_smoothing, loss)),
        sum_call(work, (op.axis,), mean, False),
        (np.multiply, (mean, op.label_smoothing / work.shape[op.axis], mean)),
        (np.add, (loss, mean, loss)),
    ]


def _slope_calls(op: Labelled, labels: _Labels, work: Array) -> list[Call]:
    """The smoothed one-hot target off the softmax."""
    hit = work.dtype.type(1.0 - op.label_smoothing)
    spread: list[Call] = []
    if op.label_smoothing:
        spread = [(np.subtract, (work, op.label_smoothing / work.shape[op.axis], work))]
    return [*spread, (np.subtract.at, (work.reshape(-1), labels.index, hit))]


class _Labels:
    """The places of the labels' classes in the logits laid out flat, worked out in each step.

    A label that is ignored or no class stands for class 0, until `mark_calls` set its row.
    """

    def __init__(
        self, op: Labelled, target: Array, shape: tuple[int, ...], scratch: Scratch
    ) -> None:
        self.target, self.ignored_label = target, op.ignore_index
        self.classes, self.inner = shape[op.axis], prod(shape[op.axis + 1 :])
        self.places = scratch(target.shape, np.intp)
        self.unsigned = self.places.view(np.uintp)  # in which negative numbers are the largest
        self.index = self.places.reshape(-1)
        self.starts = _starts(prod(shape[: op.axis]), self.classes, self.inner)
        self.seen = _whole_numbers(target) if self.inner == 1 and op.ignore_index is None else None
        self.wrong = scratch(target.shape, np.bool_)
        self.ignored = scratch(target.shape, np.bool_)
        self.all_known = True

    def find(self) -> None:
        if self.seen is not None and np.maximum.reduce(self.seen[1]) < self.classes:
            self.all_known = True
            np.add(self.seen[0], self.starts, self.index)
            return
        places = self.places
        np.copyto(places, self.target, "unsafe")
        if self.ignored_label is not None:
            np.equal(self.target, self.ignored_label, self.ignored)
            np.copyto(places, 0, "no", self.ignored)
        self.all_known = bool(np.maximum.reduce(self.unsigned, None) < self.classes)
        if not self.all_known:
            np.greater_equal(self.unsigned, self.classes, self.wrong)
            np.copyto(places, 0, "no", self.wrong)
        if self.inner > 1:
            np.multiply(places, self.inner, places)
        np.add(self.index, self.starts, self.index)

    def mark_calls(self, *results: Array) -> list[Call]:
        """NaN in rows (or numbers) of labels that are no class, zeros in those of ignored ones."""
        calls: list[Call] = [(self._mark_wrong, results)]
        if self.ignored_label is not None:
            for rows in results:
                beside = (1,) * (rows.ndim - self.ignored.ndim)
                ignored = self.ignored.reshape(self.ignored.shape + beside)
                calls.append((np.copyto, (rows, 0, "no", ignored)))
        return calls

    def _mark_wrong(self, *results: Array) -> None:
        if not self.all_known:
            for rows in results:
                rows[self.wrong] = np.nan


def _whole_numbers(target: Array) -> tuple[Array, Array] | None:
    """Few labels in a row, and the same without signs, by which negative ones are the largest."""
    if target.dtype != np.int32 or not target.flags.c_contiguous or target.size > FEW:
        return None
    flat = target.reshape(-1)
    return flat, flat.view(np.uint32)


@lru_cache(maxsize=64)
def _starts(outer: int, classes: int, inner: int) -> Array:
    """Where each row of classes begins; shared by all programs, so read-only."""
    starts: Array = np.arange(outer)[:, None] * (classes * inner) + np.arange(inner)
    starts = starts.reshape(-1)
    starts.flags.writeable = False
    return starts
