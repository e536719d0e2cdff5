"""Samples of losses with margins and of regions: both sides of every joint, wrong labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.margins import (
    CosineEmbeddingLoss,
    DiceLoss,
    HingeEmbeddingLoss,
    HingeLoss,
    MarginRankingLoss,
    MultilabelMarginLoss,
    MultiMarginLoss,
    TripletMarginLoss,
)
from asg.ops.soft_margins import SoftMarginLoss
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

X = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2], [1.3, 0.4, -0.8, 2.2]])
Y = np.array([[-0.2, 0.5, 1.4, -1.9], [1.6, -1.3, 0.9, 0.7], [0.3, 2.4, -1.8, 0.6]])
Z = np.array([[0.9, -0.5, 1.1, 0.4], [-0.3, 0.8, -1.9, 1.2], [0.1, 1.4, -0.2, 1.7]])
SIDES = np.array([[1, -1, 1, -1], [-1, -1, 1, 1], [1, 1, -1, -1]], np.int32)
PAIR: tuple[SymbolicShape, ...] = (("batch", "n"), ("batch", "n"))
TRIPLE: tuple[SymbolicShape, ...] = (*PAIR, ("batch", "n"))


def _up(x: Any) -> Any:
    return np.where(x > 0, x, 0.0)


def _embedding(margin: float) -> Callable[..., Any]:
    return lambda x, t: np.where(t == 1, x, _up(margin - x))


PAIRS: list[tuple[Op, Callable[..., Any]]] = [
    (HingeLoss(), lambda x, t: _up(1 - t * x)),
    (HingeLoss(True), lambda x, t: _up(1 - t * x) ** 2),
    (HingeEmbeddingLoss(), _embedding(1.0)),
    (HingeEmbeddingLoss(0.4), _embedding(0.4)),
    (SoftMarginLoss(), lambda x, t: np.logaddexp(0.0, -t * x)),
]


def _pairs(op: Op, oracle: Callable[..., Any]) -> list[Sample]:
    return [
        Sample(op, (X, SIDES), oracle, PAIR),
        Sample(op, (X, SIDES), oracle, (("batch", "n"), (3, 4)), label="spelled apart"),
        Sample(op, (np.array(0.4), np.array(1)), oracle, ((), ())),
        Sample(op, (np.empty((0, 3)), np.empty((0, 3), np.int32)), oracle, PAIR, label="no rows"),
    ]


register_samples(sample for op, oracle in PAIRS for sample in _pairs(op, oracle))


def _ranking(margin: float) -> Callable[..., Any]:
    return lambda a, b, t: _up(margin - t * (a - b))


def _cosine(margin: float) -> Callable[..., Any]:
    def value(a: Array, b: Array, t: Array) -> Any:
        lengths = [np.sqrt((each**2).sum(-1) + 1e-12) for each in (a, b)]
        cosine = (a * b).sum(-1) / lengths[0] / lengths[1]
        return np.where(t == 1, 1 - cosine, _up(cosine - margin))

    return value


def _triplet(op: TripletMarginLoss) -> Callable[..., Any]:
    def distance(a: Array, b: Array) -> Any:
        return (np.abs(a - b + op.eps) ** op.p).sum(-1) ** (1 / op.p)

    def value(anchor: Array, near: Array, far: Array) -> Any:
        apart = distance(anchor, far)
        apart = np.minimum(apart, distance(near, far)) if op.swap else apart
        return _up(op.margin + distance(anchor, near) - apart)

    return value


def _triplets(op: TripletMarginLoss, **facts: Any) -> Sample:
    return Sample(op, (X, Y, Z), _triplet(op), TRIPLE, **facts)


VECTORS: tuple[SymbolicShape, ...] = (*PAIR, ("batch",))
SIGNS = SIDES[:, 0].copy()
NOTHING = np.empty((0, 4))

register_samples(
    [
        Sample(MarginRankingLoss(), (X, Y, SIDES), _ranking(0.0), TRIPLE),
        Sample(MarginRankingLoss(0.7), (X, Y, SIDES), _ranking(0.7),
               (("batch", "n"), (3, 4), (3, "n")), label="spelled apart"),
        Sample(MarginRankingLoss(), (NOTHING, NOTHING, NOTHING), _ranking(0.0), TRIPLE),
        Sample(CosineEmbeddingLoss(), (X, Y, SIGNS), _cosine(0.0), VECTORS),
        Sample(CosineEmbeddingLoss(-0.9), (X, Z, -SIGNS), _cosine(-0.9),
               (("batch", "n"), (3, 4), (3,)), label="spelled apart"),
        Sample(CosineEmbeddingLoss(), (X[0], Y[0], np.array(1)), _cosine(0.0),
               (("n",), ("n",), ())),
        Sample(CosineEmbeddingLoss(), (NOTHING, NOTHING, np.empty(0)), _cosine(0.0), VECTORS,
               label="no rows"),
        _triplets(TripletMarginLoss(5.0)),
        _triplets(TripletMarginLoss(5.0, 1.0, 1e-6, True)),
        _triplets(TripletMarginLoss(4.0, 3.0)),
        Sample(TripletMarginLoss(1.0, 2.0, 0.0), (X[:1], X[:1], X[:1] + 5.0),
               lambda *arrays: np.zeros(1), TRIPLE, differentiate=(), label="equal"),
        Sample(TripletMarginLoss(), (NOTHING, NOTHING, NOTHING), _triplet(TripletMarginLoss()),
               TRIPLE, label="no rows"),
    ]
)  # fmt: skip


def _multi(op: MultiMarginLoss, x: Array, target: Array, *weight: Array, **facts: Any) -> Sample:
    def value(x: Array, target: Array, *weight: Array) -> Any:
        result = np.empty(target.shape)
        for place in np.ndindex(target.shape):
            label, row = int(target[place]), x[place]
            if not 0 <= label < len(row):
                result[place] = np.nan
                continue
            others = np.delete(row, label)
            total = (_up(op.margin - row[label] + others) ** op.p).sum()
            result[place] = total / len(row) * (weight[0][label] if weight else 1.0)
        return result

    return Sample(op, (x, target, *weight), value, **facts)


def _labels(x: Array, target: Array) -> Any:
    result = np.zeros(x.shape[:-1])
    for place in np.ndindex(x.shape[:-1]):
        row, listed = x[place], []
        for label in target[place]:
            if label < 0:
                break
            listed.append(int(label))
        for label in listed:
            for i in set(range(len(row))) - set(listed):
                result[place] += max(0.0, 1 - row[label] + row[i]) / len(row)
    return result


LABELS = np.array([2, 0, 3], np.int32)
SEVERAL = np.array([[3, 0, -1, 1], [-1, 2, 0, 1], [1, 1, 2, -1]], np.int64)
WEIGHTS = np.array([0.5, 2.0, 0.3, 1.1])


def _dice(smooth: float) -> Callable[..., Any]:
    def value(x: Array, target: Array) -> Any:
        x, target = x.reshape(len(x), -1), target.reshape(len(x), -1)
        total = x.sum(1) + target.sum(1) + smooth
        return 1 - (2 * (x * target).sum(1) + smooth) / total

    return value


BLOCK = np.abs(np.sin(np.arange(24.0) + 0.3)).reshape(2, 3, 4)

register_samples(
    [
        _multi(MultiMarginLoss(), X, LABELS, symbolic=(("batch", 4), ("batch",))),
        _multi(MultiMarginLoss(2, 0.7), X, LABELS.astype(np.uint8), WEIGHTS,
               symbolic=(("batch", 4), (3,), ("n",)), label="spelled apart"),
        _multi(MultiMarginLoss(), X[0], np.array(1), symbolic=((4,), ())),
        _multi(MultiMarginLoss(), NOTHING, np.empty(0, np.int32),
               symbolic=(("batch", 4), ("batch",)), label="no rows"),
        _multi(MultiMarginLoss(), X, np.array([4, -1, 2]), symbolic=(("batch", 4), ("batch",)),
               differentiate=(), label="labels outside"),
        Sample(MultilabelMarginLoss(), (X, SEVERAL), _labels, (("batch", 4), ("batch", 4))),
        Sample(MultilabelMarginLoss(), (X[0], SEVERAL[0].astype(np.int8)), _labels, ((4,), (4,))),
        Sample(MultilabelMarginLoss(), (NOTHING, np.empty((0, 4), np.int32)), _labels,
               (("batch", 4), ("batch", 4)), label="no rows"),
        Sample(DiceLoss(), (BLOCK, BLOCK[::-1].copy()), _dice(1.0),
               (("batch", "h", "w"), ("batch", "h", "w"))),
        Sample(DiceLoss(0.1), (BLOCK[0], BLOCK[1]), _dice(0.1), (("batch", "n"), (3, 4)),
               label="spelled apart"),
        Sample(DiceLoss(), (np.empty((0, 4)), np.empty((0, 4))), lambda x, t: np.empty(0), PAIR,
               label="no rows"),
    ]
)  # fmt: skip
