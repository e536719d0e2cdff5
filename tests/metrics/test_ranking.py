"""AUROC and average precision against scikit-learn: exact, with ties, and by thresholds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle

import asg
from asg import metrics
from asg.core.errors import DtypeError, OperandError, ShapeError, StateError
from tests.metrics.streaming import assert_value, in_step

RANDOM = np.random.default_rng(2)
SMOOTH = RANDOM.random(50)
TIED = np.round(SMOOTH * 6.0) / 6.0
YES = (RANDOM.random(50) < 0.3 + 0.4 * SMOOTH).astype(np.int64)
WEIGHT = RANDOM.random(50) + 0.1
TABLE = RANDOM.random((50, 3))
CHANCES = TABLE / TABLE.sum(1, keepdims=True)
CLASSES = RANDOM.integers(0, 3, 50)
SEVERAL = RANDOM.integers(0, 2, (50, 3))
BOTH: list[tuple[Any, Any]] = [
    (metrics.AUROC, oracle.roc_auc_score),
    (metrics.AveragePrecision, oracle.average_precision_score),
]


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("scores", [SMOOTH, TIED, TIED * 0.0], ids=["smooth", "tied", "equal"])
@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_exact(ours: Any, theirs: Any, scores: Any, weight: Any) -> None:
    wanted = theirs(YES, scores, sample_weight=weight)
    arrays = [scores, YES] if weight is None else [scores, YES, weight]
    assert_value(ours(), arrays, wanted)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_thresholds_at_the_scores_are_exact(ours: Any, theirs: Any, weight: Any) -> None:
    arrays = [TIED, YES] if weight is None else [TIED, YES, weight]
    wanted = theirs(YES, TIED, sample_weight=weight)
    assert_value(ours(thresholds=np.unique(TIED).tolist()), arrays, wanted)
    assert_value(ours(thresholds=7), arrays, wanted)  # 0, 1/6, ..., 1
    smooth = theirs(YES, np.floor(SMOOTH * 10.0), sample_weight=weight)
    assert_value(ours(thresholds=11), [SMOOTH, *arrays[1:]], smooth)


@pytest.mark.parametrize("average", ["macro", "weighted", "none"])
@pytest.mark.parametrize(("ours", "theirs"), BOTH)
def test_several_classes(ours: Any, theirs: Any, average: Any) -> None:
    name = None if average == "none" else average
    wanted = theirs(SEVERAL, TABLE, average=name)
    assert_value(ours("multilabel", 3, average), [TABLE, SEVERAL], wanted)
    against_rest = theirs(np.eye(3)[CLASSES], CHANCES, average=name)
    assert_value(ours("multiclass", 3, average), [CHANCES, CLASSES], against_rest)
    coarse = theirs(np.eye(3)[CLASSES], np.floor(CHANCES * 8.0), average=name)
    assert_value(ours("multiclass", 3, average, thresholds=9), [CHANCES, CLASSES], coarse)


@pytest.mark.parametrize("thresholds", [None, 5])
def test_one_sided_targets(thresholds: Any) -> None:
    for target in (np.ones(50, np.int64), np.zeros(50, np.int64)):
        assert_value(metrics.AUROC(thresholds=thresholds), [SMOOTH, target], np.nan)
        precision = metrics.AveragePrecision(thresholds=thresholds)
        assert_value(precision, [SMOOTH, target], float(target[0]))


@pytest.mark.parametrize("thresholds", [None, 5])
def test_what_is_no_score_is_not_passed_over(thresholds: Any) -> None:
    for scores, target in ((np.where(YES == 1, np.nan, SMOOTH), YES), (SMOOTH, YES * 2)):
        assert_value(metrics.AUROC(thresholds=thresholds), [scores, target], np.nan)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_in_a_step(backend: str) -> None:
    pair = metrics.Collection(
        {"area": metrics.AUROC(thresholds=7), "mean": metrics.AveragePrecision(thresholds=7)}
    )
    results = in_step(pair, [TIED, YES], backend)
    for stop in (11, 50):
        found = results[stop]
        area = oracle.roc_auc_score(YES[:stop], TIED[:stop])
        np.testing.assert_allclose(found["value.area"], area, rtol=1e-12)
        mean = oracle.average_precision_score(YES[:stop], TIED[:stop])
        np.testing.assert_allclose(found["value.mean"], mean, rtol=1e-12)
    with pytest.raises(StateError, match="needs the scores of all batches"):
        in_step(metrics.AUROC(), [TIED, YES])


def test_exact_metrics_forget_and_keep_copies() -> None:
    metric, scores = metrics.AUROC(), SMOOTH.copy()
    assert np.isnan(metric.compute())
    metric.update(scores, YES)
    scores[:] = 0.0
    np.testing.assert_allclose(metric.compute(), oracle.roc_auc_score(YES, SMOOTH))
    with pytest.raises(OperandError, match="with some batches and not with others"):
        metric.update(SMOOTH, YES, WEIGHT)
    metric.reset()
    metric.update(TIED, YES)
    np.testing.assert_allclose(metric.compute(), oracle.roc_auc_score(YES, TIED))


word: Any = "a"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.AUROC("multiclass"), "AUROC: num_classes=None must be a positive int"),
        (lambda: metrics.AUROC(thresholds=1), "thresholds=1 must be an int of at least 2"),
        (lambda: metrics.AUROC(thresholds=[]), r"thresholds=\[\] must be numbers"),
        (lambda: metrics.AUROC(average=word), "average='a'"),
        (lambda: metrics.AUROC(word, 1), "task='a'"),
        (lambda: metrics.AveragePrecision(axis=word), "axis='a' must be an int"),
    ],
)
def test_wrong_options_are_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


@pytest.mark.parametrize(
    ("metric", "arrays", "error"),
    [
        (metrics.AUROC(), [YES, YES], DtypeError),
        (metrics.AUROC(), [SMOOTH, SEVERAL], ShapeError),
        (metrics.AUROC("multilabel", 2), [TABLE, SEVERAL], ShapeError),
    ],
)
def test_wrong_operands_are_refused(metric: Any, arrays: Any, error: Any) -> None:
    with pytest.raises(error):
        metric.update(*arrays)
    with pytest.raises(error):
        metric.once(*(asg.constant(array) for array in arrays))
