"""Samples of losses: class indices and weights, smoothing, extremes, wrong labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.loss import (
    AbsoluteError,
    CrossEntropy,
    CrossEntropyAndSlope,
    HuberLoss,
    SmoothL1Loss,
    SoftCrossEntropy,
    SquaredError,
    WeightedCrossEntropy,
)
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

NAN = np.nan
LOGITS = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2], [1.3, 0.4, -0.8, 2.2]])
LABELS = np.array([2, 0, 3], np.int32)
WEIGHTS = np.array([[0.1, 0.2, 0.7, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 1.5, 0.0, 0.5]])
IMAGE = np.sin(np.arange(24.0) * 1.7).reshape(2, 3, 4) * 2.0
IMAGE_LABELS = np.array([[0, 2, 1, 1], [2, 2, 0, 1]], np.int32)
EXTREME = np.array([[1e4, -1e4, 0.0, 3.0], [-2e4, 1e4, 0.0, 9e3]])


def _log_softmax(x: Array, axis: int) -> Array:
    top = x - x.max(axis, keepdims=True)
    return np.asarray(top - np.log(np.exp(top).sum(axis, keepdims=True)))


def _of_indices(op: CrossEntropy) -> Callable[..., Any]:
    """One example after the other."""

    def value(logits: Array, target: Array) -> Any:
        if not target.size:
            return np.empty(target.shape)
        rows = np.moveaxis(_log_softmax(logits, op.axis), op.axis, -1)
        result = np.empty(target.shape)
        for place in np.ndindex(target.shape):
            result[place] = _one(op, rows[place], int(target[place]))
        return result

    return value


def _one(op: CrossEntropy, row: Array, label: int) -> float:
    if label == op.ignore_index:
        return 0.0
    if not 0 <= label < len(row):
        return NAN
    smoothing = op.label_smoothing
    return float(-(1.0 - smoothing) * row[label] - (smoothing * row.mean() if smoothing else 0.0))


def _indices(
    op: CrossEntropy,
    logits: Array,
    target: Array,
    symbolic: tuple[SymbolicShape, ...],
    **facts: Any,
) -> Sample:
    return Sample(op, (logits, target), _of_indices(op), symbolic, **facts)


BATCH: tuple[SymbolicShape, ...] = (("batch", 4), ("batch",))

register_samples(
    [
        _indices(CrossEntropy(1), LOGITS, LABELS, BATCH),
        _indices(CrossEntropy(1), LOGITS, LABELS, (("batch", "classes"), (3,)),
                 label="sizes spelled apart"),
        _indices(CrossEntropy(1, 0.1), LOGITS, LABELS, (("batch", "classes"), ("batch",))),
        _indices(CrossEntropy(1, 1.0), LOGITS, LABELS, BATCH),
        _indices(CrossEntropy(1), IMAGE, IMAGE_LABELS, (("batch", 3, "w"), ("batch", "w"))),
        _indices(CrossEntropy(2, 0.2), IMAGE, np.array([[0, 3, 1], [2, 2, 0]], np.int64),
                 (("batch", "t", 4), ("batch", "t"))),
        _indices(CrossEntropy(0), LOGITS[0], np.array(2, np.uint8), (("n",), ())),
        _indices(CrossEntropy(1), np.empty((0, 4)), np.empty(0, np.int32), BATCH, label="no rows"),
        _indices(CrossEntropy(1, 0.0, -100), LOGITS, np.array([-100, 1, 3], np.int32), BATCH),
        _indices(CrossEntropy(1, 0.3, 1), LOGITS, np.array([0, 1, 3], np.int8), BATCH),
        _indices(CrossEntropy(1), EXTREME, np.array([1, 0], np.int32), BATCH, differentiate=(),
                 label="extreme logits"),
        _indices(CrossEntropy(1), LOGITS, np.array([4, -1, 3], np.int32), BATCH,
                 kink=(np.stack([np.full(4, NAN), np.full(4, NAN),
                                 np.exp(_log_softmax(LOGITS, 1))[2] - np.eye(4)[3]]), None),
                 label="labels outside"),
        _indices(CrossEntropy(1), np.cos(np.arange(400.0)).reshape(2, 200),
                 np.array([127, -1], np.int8), (("batch", 200), ("batch",)), differentiate=(),
                 label="more classes than the labels can say"),
    ]
)  # fmt: skip


def _with_slope(
    op: CrossEntropyAndSlope,
    logits: Array,
    target: Array,
    symbolic: tuple[SymbolicShape, ...],
    **facts: Any,
) -> Sample:
    plain = CrossEntropy(op.axis, op.label_smoothing, op.ignore_index)
    loss = _of_indices(plain)

    def value(logits: Array, target: Array) -> Any:
        if not target.size:
            return np.empty(target.shape), np.empty(logits.shape)
        slope = np.exp(_log_softmax(logits, op.axis)) - op.label_smoothing / logits.shape[op.axis]
        rows = np.moveaxis(slope, op.axis, -1)
        for place in np.ndindex(target.shape):
            label = int(target[place])
            if label == op.ignore_index:
                rows[place] = 0.0
            elif not 0 <= label < rows.shape[-1]:
                rows[place] = NAN
            else:
                rows[(*place, label)] -= 1.0 - op.label_smoothing
        return loss(logits, target), slope

    return Sample(op, (logits, target), value, symbolic, **facts)


register_samples(
    [
        _with_slope(CrossEntropyAndSlope(1), LOGITS, LABELS, BATCH),
        _with_slope(CrossEntropyAndSlope(1, 0.1), LOGITS, LABELS, (("batch", "classes"), (3,))),
        _with_slope(CrossEntropyAndSlope(1, 0.2), IMAGE, IMAGE_LABELS,
                    (("batch", 3, "w"), ("batch", "w"))),
        _with_slope(CrossEntropyAndSlope(0), LOGITS[0], np.array(2, np.uint8), (("n",), ())),
        _with_slope(CrossEntropyAndSlope(1), np.empty((0, 4)), np.empty(0, np.int32), BATCH,
                    label="no rows"),
        _with_slope(CrossEntropyAndSlope(1, 0.3, 1), LOGITS, np.array([0, 1, 3], np.int8), BATCH),
        _with_slope(CrossEntropyAndSlope(1), LOGITS, np.array([4, -1, 3], np.int64), BATCH,
                    differentiate=(), label="labels outside"),
        _with_slope(CrossEntropyAndSlope(1), EXTREME, np.array([1, 0], np.int32), BATCH,
                    differentiate=(), label="extreme logits"),
        _with_slope(CrossEntropyAndSlope(1, 0.1, 2), np.cos(np.arange(120.0)).reshape(40, 3),
                    np.arange(40, dtype=np.uint64) % 3, (("batch", 3), ("batch",)),
                    differentiate=(), label="many rows"),
    ]
)  # fmt: skip


CLASS_WEIGHTS = np.array([0.5, 2.0, 0.3, 1.1])


def _weighted(
    op: WeightedCrossEntropy, logits: Array, target: Array, symbolic: Any, **facts: Any
) -> Sample:
    def value(logits: Array, target: Array, weight: Array) -> Any:
        rows = np.moveaxis(_log_softmax(logits, op.axis), op.axis, -1) if target.size else logits
        result = np.empty(target.shape)
        for place in np.ndindex(target.shape):
            label, row = int(target[place]), rows[place]
            if not 0 <= label < len(row) or label == op.ignore_index:
                result[place] = 0.0 if label == op.ignore_index else NAN
                continue
            spread = -op.label_smoothing * (row * weight).mean()
            result[place] = spread - (1.0 - op.label_smoothing) * weight[label] * row[label]
        return result

    weight = CLASS_WEIGHTS[: logits.shape[op.axis]]
    return Sample(op, (logits, target, weight), value, symbolic, **facts)


WEIGHTED: tuple[SymbolicShape, ...] = (("batch", 4), ("batch",), (4,))

register_samples(
    [
        _weighted(WeightedCrossEntropy(1), LOGITS, LABELS, WEIGHTED),
        _weighted(WeightedCrossEntropy(1, 0.2, 1), LOGITS, np.array([0, 1, 3], np.int8),
                  (("batch", 4), (3,), ("n",)), label="spelled apart"),
        _weighted(WeightedCrossEntropy(1), IMAGE, IMAGE_LABELS,
                  (("batch", 3, "w"), ("batch", "w"), (3,))),
        _weighted(WeightedCrossEntropy(1), np.empty((0, 4)), np.empty(0, np.int32), WEIGHTED,
                  label="no rows"),
        _weighted(WeightedCrossEntropy(1), EXTREME, np.array([1, 0], np.int32), WEIGHTED,
                  differentiate=(), label="extreme logits"),
        _weighted(WeightedCrossEntropy(1), LOGITS, np.array([4, -1, 3], np.int32), WEIGHTED,
                  differentiate=(), label="labels outside"),
    ]
)  # fmt: skip


def _of_weights(axis: int) -> Callable[..., Any]:
    def value(logits: Array, target: Array) -> Any:
        if not target.size:
            return np.empty(np.delete(target.shape, axis))
        return -np.where(target == 0, 0.0, target * _log_softmax(logits, axis)).sum(axis)

    return value


def _soft(
    axis: int, logits: Array, target: Array, symbolic: tuple[SymbolicShape, ...], **facts: Any
) -> Sample:
    return Sample(SoftCrossEntropy(axis), (logits, target), _of_weights(axis), symbolic, **facts)


PAIR: tuple[SymbolicShape, ...] = (("batch", "n"), ("batch", "n"))

register_samples(
    [
        _soft(1, LOGITS, WEIGHTS, PAIR),
        _soft(1, LOGITS, WEIGHTS, (("batch", "n"), (3, 4)), label="sizes spelled apart"),
        _soft(0, LOGITS, WEIGHTS, PAIR),
        _soft(1, IMAGE, np.abs(IMAGE[::-1]), (("batch", 3, "w"), ("batch", 3, "w"))),
        _soft(1, np.empty((0, 4)), np.empty((0, 4)), PAIR, label="no rows"),
        _soft(1, EXTREME, np.eye(4)[:2], PAIR, differentiate=(), label="extreme logits"),
        _soft(
            1,
            np.array([[-np.inf, 0.0, 1.0]]),
            np.array([[0.0, 0.5, 0.5]]),
            PAIR,
            differentiate=(),
            label="a class ruled out",
        ),
    ]
)


def _huber(delta: float) -> Callable[..., Any]:
    def value(x: Array, target: Array) -> Any:
        off = np.abs(x - target)
        return np.where(off <= delta, 0.5 * off**2, delta * (off - 0.5 * delta))

    return value


def _smooth(beta: float) -> Callable[..., Any]:
    return lambda x, target: _huber(beta)(x, target) / beta


PAIRS: list[tuple[Op, Callable[..., Any]]] = [
    (SquaredError(), lambda x, target: (x - target) ** 2),
    (AbsoluteError(), lambda x, target: np.abs(x - target)),
    (HuberLoss(), _huber(1.0)),
    (HuberLoss(0.4), _huber(0.4)),
    (SmoothL1Loss(0.4), _smooth(0.4)),
]


def _pairs(op: Op, oracle: Callable[..., Any]) -> list[Sample]:
    return [
        Sample(op, (LOGITS, WEIGHTS), oracle, PAIR),
        Sample(op, (LOGITS, WEIGHTS), oracle, (("batch", "n"), (3, 4)), label="spelled apart"),
        Sample(op, (np.array(1.7), np.array(0.2)), oracle, ((), ()), label="scalar"),
        Sample(op, (np.empty((0, 3)), np.empty((0, 3))), oracle, PAIR, label="no rows"),
    ]


register_samples(sample for op, oracle in PAIRS for sample in _pairs(op, oracle))
register_samples(
    [
        Sample(AbsoluteError(), (np.array([1.0, 2.0]), np.array([1.0, 0.0])),
               lambda x, target: np.abs(x - target), (("n",), ("n",)),
               kink=(np.array([0.0, 1.0]), np.array([0.0, -1.0])), label="equal"),
    ]
)  # fmt: skip
