"""Samples of negative logarithms of probabilities: certain, uncertain, extreme, wrong labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from asg.core.op import Op
from asg.ops.likelihoods import (
    BinaryCrossEntropy,
    BinaryCrossEntropyWithLogits,
    FocalLoss,
    GaussianNllLoss,
    KlDivergence,
    NllLoss,
    PoissonNllLoss,
    WeightedBinaryCrossEntropy,
)
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples

LOGITS = np.array([[0.3, -1.7, 2.4, 0.9], [-0.6, 1.1, -2.9, 0.2], [1.3, 0.4, -0.8, 2.2]])
SHARES = np.array([[0.1, 0.2, 0.7, 0.6], [0.25, 0.5, 0.75, 0.3], [0.9, 0.15, 0.35, 0.5]])
COUNTS = np.array([[2.0, 0.5, 3.0, 7.5], [0.2, 1.5, 4.0, 2.5], [3.5, 6.0, 0.8, 0.1]])
PAIR: tuple[SymbolicShape, ...] = (("batch", "n"), ("batch", "n"))
FAR = np.array([800.0, -800.0, 40.0, -40.0])
SURE = np.array([0.0, 1.0, 1.0, 0.0])


def _logistic(x: Array) -> Any:
    return np.logaddexp(0.0, x)


def _with_logits(x: Array, target: Array) -> Any:
    return target * _logistic(-x) + (1 - target) * _logistic(x)


def _probabilities(x: Array, target: Array) -> Any:
    return -target * np.log(x) - (1 - target) * np.log(1 - x)


def _focal(alpha: float | None, gamma: float) -> Callable[..., Any]:
    def value(x: Array, target: Array) -> Any:
        right = (target / (1 + np.exp(-x))) + (1 - target) / (1 + np.exp(x))
        share = 1.0 if alpha is None else alpha * target + (1 - alpha) * (1 - target)
        return share * (1 - right) ** gamma * _with_logits(x, target)

    return value


def _poisson(op: PoissonNllLoss) -> Callable[..., Any]:
    def value(x: Array, target: Array) -> Any:
        losses = np.exp(x) - target * x if op.log_input else x - target * np.log(x + op.eps)
        if not op.full:
            return losses
        stirling = target * np.log(target) - target + 0.5 * np.log(2 * np.pi * target)
        return losses + np.where(target > 1, stirling, 0.0)

    return value


PAIRS: list[tuple[Op, Callable[..., Any], Array, Array]] = [
    (BinaryCrossEntropyWithLogits(), _with_logits, LOGITS, SHARES),
    (BinaryCrossEntropy(), _probabilities, SHARES[::-1].copy(), SHARES),
    (FocalLoss(), _focal(0.25, 2.0), LOGITS, SHARES),
    (FocalLoss(None, 1.5), _focal(None, 1.5), LOGITS, SHARES),
    (KlDivergence(), lambda x, t: t * (np.log(t) - x), LOGITS, SHARES),
    (KlDivergence(True), lambda x, t: np.exp(t) * (t - x), LOGITS, LOGITS[::-1].copy()),
    (PoissonNllLoss(), _poisson(PoissonNllLoss()), LOGITS, COUNTS),
    (PoissonNllLoss(False, True), _poisson(PoissonNllLoss(False, True)), SHARES, COUNTS),
]


def _pairs(op: Op, oracle: Callable[..., Any], x: Array, target: Array) -> list[Sample]:
    return [
        Sample(op, (x, target), oracle, PAIR),
        Sample(op, (x, target), oracle, (("batch", "n"), (3, 4)), label="spelled apart"),
        Sample(op, (x[0, 0], target[0, 1]), oracle, ((), ()), label="scalar"),
        Sample(op, (np.empty((0, 3)), np.empty((0, 3))), oracle, PAIR, label="no rows"),
    ]


register_samples(sample for case in PAIRS for sample in _pairs(*case))

VECTORS: tuple[SymbolicShape, ...] = (("n",), ("n",))

register_samples(
    [
        Sample(BinaryCrossEntropyWithLogits(), (FAR, SURE), _with_logits, VECTORS,
               differentiate=(), label="extreme logits"),
        Sample(FocalLoss(), (FAR, SURE), lambda x, t: _with_logits(x, t) * np.where(t, 0.25, 0.75)
               * np.array([1.0, 1.0, 0.0, 0.0]), VECTORS, differentiate=(), label="extreme"),
        Sample(BinaryCrossEntropy(), (np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 1, 1, 0])),
               lambda x, t: np.array([0.0, 0.0, 100.0, 100.0]), VECTORS,
               kink=(np.array([0.0, 0.0, -1e12, 1e12]), None), label="certain"),
        Sample(KlDivergence(), (np.array([-2.0, -3.0]), np.array([0.0, 1.0])),
               lambda x, t: np.array([0.0, 3.0]), VECTORS,
               kink=(np.array([0.0, -1.0]), np.array([2.0, 4.0])), label="impossible"),
    ]
)  # fmt: skip

THREE: tuple[SymbolicShape, ...] = (("batch", "n"), ("batch", "n"), ("batch", "n"))


def _positive(x: Array, target: Array, weight: Array) -> Any:
    return weight * target * _logistic(-x) + (1 - target) * _logistic(x)


def _gaussian(op: GaussianNllLoss) -> Callable[..., Any]:
    def value(x: Array, target: Array, var: Array) -> Any:
        spread = np.maximum(var, op.eps)
        losses = 0.5 * (np.log(spread) + (x - target) ** 2 / spread)
        return losses + (0.5 * np.log(2 * np.pi) if op.full else 0.0)

    return value


def _triples(op: Op, oracle: Callable[..., Any], third: Array) -> list[Sample]:
    return [
        Sample(op, (LOGITS, SHARES, third), oracle, THREE),
        Sample(op, (LOGITS, SHARES, third), oracle, (("batch", "n"), (3, 4), (3, "n")),
               label="spelled apart"),
        Sample(op, (np.array(0.3), np.array(0.6), np.array(1.7)), oracle, ((), (), ())),
        Sample(op, (np.empty((0, 3)),) * 3, oracle, THREE, label="no rows"),
    ]  # fmt: skip


register_samples(_triples(WeightedBinaryCrossEntropy(), _positive, COUNTS))
register_samples(
    [
        *_triples(GaussianNllLoss(), _gaussian(GaussianNllLoss()), COUNTS),
        Sample(GaussianNllLoss(True, 0.3), (LOGITS, SHARES, COUNTS),
               _gaussian(GaussianNllLoss(True, 0.3)), THREE, differentiate=(0, 1),
               label="least variance"),
        Sample(WeightedBinaryCrossEntropy(), (FAR, SURE, np.full(4, 3.0)), _positive,
               (("n",), ("n",), ("n",)), differentiate=(), label="extreme"),
    ]
)  # fmt: skip


def _nll(op: NllLoss, x: Array, target: Array, *weight: Array, **facts: Any) -> Sample:
    def value(x: Array, target: Array, *weight: Array) -> Any:
        rows = np.moveaxis(x, op.axis, -1)
        result = np.empty(target.shape)
        for place in np.ndindex(target.shape):
            label = int(target[place])
            if label == op.ignore_index:
                result[place] = 0.0
            elif 0 <= label < rows.shape[-1]:
                share = weight[0][label] if weight else 1.0
                result[place] = -share * rows[place][label]
            else:
                result[place] = np.nan
        return result

    return Sample(op, (x, target, *weight), value, **facts)


LABELS = np.array([2, 0, 3], np.int32)
WEIGHTS = np.array([0.5, 2.0, 0.3, 1.1])

register_samples(
    [
        _nll(NllLoss(1), LOGITS, LABELS, symbolic=(("batch", 4), ("batch",))),
        _nll(NllLoss(1, 0), LOGITS, LABELS, WEIGHTS, symbolic=(("batch", "c"), (3,), ("c",))),
        _nll(NllLoss(0), LOGITS, np.array([2, 0, 1, 1], np.uint8), symbolic=((3, "n"), ("n",))),
        _nll(NllLoss(0), LOGITS[0], np.array(2), symbolic=(("c",), ())),
        _nll(NllLoss(1), np.empty((0, 4)), np.empty(0, np.int32),
             symbolic=(("batch", 4), ("batch",)), label="no rows"),
        _nll(NllLoss(1, -1), LOGITS, np.array([4, -2, -1], np.int32),
             symbolic=(("batch", 4), ("batch",)),
             kink=(np.array([[np.nan] * 4, [np.nan] * 4, [0.0] * 4]), None),
             label="labels outside"),
    ]
)  # fmt: skip
