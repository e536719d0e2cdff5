"""Metrics of classification against scikit-learn: averages, zero division, weights, ignored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle

import asg
from asg import metrics, nn
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.metrics.streaming import assert_value, in_step

RANDOM = np.random.default_rng(0)
SCORES = RANDOM.normal(size=(40, 5))
TARGET = RANDOM.integers(0, 4, 40)  # class 4 is never true
LABELS = np.where(RANDOM.random(40) < 0.5, TARGET, RANDOM.integers(0, 5, 40))
LABELS[LABELS == 2] = 3  # and class 2 is never said
WEIGHT = RANDOM.random(40) + 0.1
CHANCE = RANDOM.random(40)
YES = RANDOM.integers(0, 2, 40)
SEVERAL = RANDOM.random((40, 3))
SEVERAL_YES = RANDOM.integers(0, 2, (40, 3))
AVERAGES = ["micro", "macro", "weighted", "none"]
RATIOS: list[tuple[Any, Any, dict[str, Any]]] = [
    (metrics.Precision, oracle.precision_score, {}),
    (metrics.Recall, oracle.recall_score, {}),
    (metrics.F1, oracle.f1_score, {}),
    (metrics.FBeta, oracle.fbeta_score, {"beta": 2.0}),
    (metrics.FBeta, oracle.fbeta_score, {"beta": 0.5}),
]


def weighted(weight: Any) -> dict[str, Any]:
    return {} if weight is None else {"sample_weight": weight}


def given(*arrays: Any) -> list[Any]:
    return [array for array in arrays if array is not None]


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_accuracy(weight: Any) -> None:
    options = weighted(weight)
    for prediction, said in ((LABELS, LABELS), (SCORES, SCORES.argmax(1))):
        wanted = oracle.accuracy_score(TARGET, said, **options)
        assert_value(metrics.Accuracy(), given(prediction, TARGET, weight), wanted)
    wanted = oracle.accuracy_score(YES, CHANCE > 0.5, **options)
    assert_value(metrics.Accuracy("binary"), given(CHANCE, YES, weight), wanted)
    logit = np.log(CHANCE / (1.0 - CHANCE))
    assert_value(metrics.Accuracy("binary", threshold=0.0), given(logit, YES, weight), wanted)
    answers = (CHANCE > 0.5).astype(np.int32)
    assert_value(metrics.Accuracy("binary"), given(answers, YES.astype(bool), weight), wanted)
    subset = oracle.accuracy_score(SEVERAL_YES, SEVERAL > 0.5, **options)
    assert_value(
        metrics.Accuracy("multilabel", subset=True), given(SEVERAL, SEVERAL_YES, weight), subset
    )
    each = np.average(((SEVERAL > 0.5) == SEVERAL_YES).mean(1), weights=weight)
    assert_value(metrics.Accuracy("multilabel"), given(SEVERAL, SEVERAL_YES, weight), each)


def test_accuracy_of_pixels_and_other_axes() -> None:
    scores, target = RANDOM.normal(size=(12, 3, 2, 4)), RANDOM.integers(0, 3, (12, 2, 4))
    wanted = (scores.argmax(1) == target).mean()
    assert_value(metrics.Accuracy(), [scores, target], wanted)
    assert_value(metrics.Accuracy(axis=-1), [np.moveaxis(scores, 1, -1), target], wanted)
    recall = oracle.recall_score(target.ravel(), scores.argmax(1).ravel(), average="macro")
    assert_value(metrics.Recall(num_classes=3), [scores, target], recall)
    x, y = asg.constant(SCORES), asg.constant(TARGET)
    both = asg.run([nn.accuracy(x, y), metrics.functional.accuracy(x, y)])
    np.testing.assert_allclose(both[0], both[1], rtol=1e-7)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("k", [1, 2, 4, 5])
def test_top_k(k: int, weight: Any) -> None:
    wanted = oracle.top_k_accuracy_score(
        TARGET, SCORES, k=k, labels=range(5), **weighted(weight)
    ) if k < 5 else 1.0  # fmt: skip
    assert_value(metrics.TopKAccuracy(k), given(SCORES, TARGET, weight), wanted)


def test_top_k_of_equal_scores_takes_the_earlier() -> None:
    scores = np.array([[1.0, 1.0, 1.0], [0.0, 2.0, 2.0], [3.0, 3.0, 1.0], [-np.inf, 0.0, 0.0]])
    for k, hits in ((1, [1, 0, 0, 0]), (2, [1, 1, 1, 1]), (3, [1, 1, 1, 1])):
        target = np.array([0, 2, 1, 2])
        assert_value(metrics.TopKAccuracy(k), [scores, target], np.mean(hits))
        found = asg.run(metrics.functional.accuracy(asg.constant(scores), target))
        assert k != 1 or found == np.mean(hits)


ZEROS = [0.0, 1.0, float("nan")]


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("ours", "theirs", "options"), RATIOS)
def test_ratios_of_classes(ours: Any, theirs: Any, options: Any, average: str) -> None:
    assert_ratio(ours, theirs, options, average, 0.0, WEIGHT)


@pytest.mark.parametrize("zero", ZEROS[1:])
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("ours", "theirs", "options"), RATIOS[:2])
def test_what_zero_division_is(
    ours: Any, theirs: Any, options: Any, average: str, zero: float
) -> None:
    assert_ratio(ours, theirs, options, average, zero, None)


@pytest.mark.slow
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("zero", ZEROS)
@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("ours", "theirs", "options"), RATIOS)
def test_all_ratios_of_classes(
    ours: Any, theirs: Any, options: Any, average: str, zero: float, weight: Any
) -> None:
    assert_ratio(ours, theirs, options, average, zero, weight)


def assert_ratio(
    ours: Any, theirs: Any, options: Any, average: str, zero: float, weight: Any
) -> None:
    wanted = theirs(
        TARGET, LABELS, labels=range(5), average=None if average == "none" else average,
        zero_division=zero, **options, **weighted(weight),
    )  # fmt: skip
    metric = ours(**options, num_classes=5, average=average, zero_division=zero)
    assert_value(metric, given(LABELS, TARGET, weight), wanted)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize(("ours", "theirs", "options"), RATIOS)
def test_ratios_of_answers(ours: Any, theirs: Any, options: Any, average: Any) -> None:
    wanted = theirs(YES, CHANCE > 0.3, **options)
    metric = ours(**options, task="binary", average=average, threshold=0.3)
    assert_value(metric, [CHANCE, YES], wanted)
    wanted = theirs(
        SEVERAL_YES, SEVERAL > 0.5, average=None if average == "none" else average, **options,
        sample_weight=WEIGHT,
    )  # fmt: skip
    metric = ours(**options, task="multilabel", num_classes=3, average=average)
    assert_value(metric, [SEVERAL, SEVERAL_YES, WEIGHT], wanted)


def test_specificity() -> None:
    matrix = oracle.multilabel_confusion_matrix(TARGET, LABELS, labels=range(5))
    right, wrong = matrix[:, 0, 0], matrix[:, 0, 1]
    each = right / (right + wrong)
    weight = np.bincount(TARGET, minlength=5)
    for average, wanted in (
        ("none", each), ("macro", each.mean()), ("weighted", np.average(each, weights=weight)),
        ("micro", right.sum() / (right + wrong).sum()),
    ):  # fmt: skip
        metric: Any = metrics.Specificity(num_classes=5, average=average)  # type: ignore[arg-type]
        assert_value(metric, [LABELS, TARGET], wanted)
    wanted = oracle.recall_score(YES, CHANCE > 0.5, pos_label=0)
    assert_value(metrics.Specificity("binary"), [CHANCE, YES], wanted)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion(normalize: Any, weight: Any) -> None:
    options = {"normalize": normalize, **weighted(weight)}
    wanted = oracle.confusion_matrix(TARGET, LABELS, labels=range(5), **options)
    metric = metrics.ConfusionMatrix("multiclass", 5, normalize)
    assert_value(metric, given(LABELS, TARGET, weight), wanted)
    wanted = oracle.confusion_matrix(YES, CHANCE > 0.4, **options)
    metric = metrics.ConfusionMatrix("binary", normalize=normalize, threshold=0.4)
    assert_value(metric, given(CHANCE, YES, weight), wanted)


def test_ignored_targets_do_not_count() -> None:
    kept = np.arange(40) % 3 > 0
    target = np.where(kept, TARGET, -100)
    wanted = (LABELS == TARGET)[kept].mean()
    assert_value(metrics.Accuracy(ignore_index=-100), [LABELS, target], wanted)
    assert_value(metrics.TopKAccuracy(1, ignore_index=-100), [SCORES, target],
                 (SCORES.argmax(1) == TARGET)[kept].mean())  # fmt: skip
    recall = oracle.recall_score(TARGET[kept], LABELS[kept], average="macro", labels=range(5),
                                 zero_division=0)  # fmt: skip
    metric = metrics.Recall(num_classes=5, ignore_index=-100)
    assert_value(metric, [LABELS, target], recall)
    answers = np.where(kept, YES, -1)
    assert_value(metrics.Precision("binary", ignore_index=-1), [CHANCE, answers],
                 oracle.precision_score(YES[kept], CHANCE[kept] > 0.5))  # fmt: skip
    rows = np.where(RANDOM.random((40, 3)) < 0.3, -1, SEVERAL_YES)
    right = ((SEVERAL > 0.5) == rows) | (rows < 0)
    hidden = (rows >= 0).mean(1)
    assert_value(metrics.Accuracy("multilabel", subset=True, ignore_index=-1), [SEVERAL, rows],
                 np.average(right.all(1), weights=hidden))  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_in_a_step(backend: str) -> None:
    both = metrics.Collection(
        {"accuracy": metrics.Accuracy(), "confusion": metrics.ConfusionMatrix(num_classes=5)}
    )
    results = in_step(both, [SCORES, TARGET], backend)
    assert 11 in results and 40 in results
    for stop, found in results.items():
        said = SCORES[:stop].argmax(1)
        np.testing.assert_allclose(found["value.accuracy"], (said == TARGET[:stop]).mean())
        wanted = oracle.confusion_matrix(TARGET[:stop], said, labels=range(5))
        np.testing.assert_array_equal(found["value.confusion"], wanted)


def test_what_is_no_class_is_not_passed_over() -> None:
    wrong = np.where(np.arange(40) == 7, 5, TARGET)
    broken = np.where(np.arange(40)[:, None] == 7, np.nan, SCORES)
    for metric, arrays in (
        (metrics.Accuracy(), [SCORES, wrong]),
        (metrics.Accuracy(), [broken, TARGET]),
        (metrics.TopKAccuracy(2), [SCORES, wrong]),
        (metrics.Recall(num_classes=5), [LABELS, wrong]),
        (metrics.ConfusionMatrix(num_classes=5), [LABELS, wrong - 6]),
        (metrics.Precision("binary"), [CHANCE, YES * 2]),
        (metrics.Precision("binary"), [np.where(YES == 0, np.nan, CHANCE), YES]),
        (metrics.Accuracy("multilabel"), [SEVERAL, SEVERAL_YES + 1]),
    ):
        metric.update(*arrays)
        assert np.isnan(metric.compute()).all()


def test_nothing_counted() -> None:
    assert np.isnan(metrics.Accuracy().compute())
    assert np.isnan(metrics.TopKAccuracy().compute())
    assert metrics.F1(num_classes=3).compute() == 0.0
    assert (
        metrics.F1(num_classes=3, average="none", zero_division=1.0).compute().tolist() == [1.0] * 3
    )
    assert metrics.ConfusionMatrix("binary").compute().tolist() == [[0.0, 0.0], [0.0, 0.0]]


word: Any = "a"
MADE: list[tuple[Any, str]] = [
    (lambda: metrics.Accuracy(word), "Accuracy: task='a' must be one of 'binary'"),
    (lambda: metrics.Accuracy(subset=True), "subset=True must be a bool, True for multilabel"),
    (lambda: metrics.Accuracy("binary", threshold=word), "threshold='a' must be a number"),
    (lambda: metrics.Accuracy(ignore_index=word), "ignore_index='a' must be an int or None"),
    (lambda: metrics.Accuracy(axis=word), "axis='a' must be an int"),
    (lambda: metrics.TopKAccuracy(0), "k=0 must be a positive int"),
    (lambda: metrics.Precision(), "Precision: num_classes=None must be a positive int"),
    (lambda: metrics.Precision("binary", 2), "num_classes=2"),
    (lambda: metrics.Recall(num_classes=3, average=word), "average='a' must be one of"),
    (lambda: metrics.Recall(num_classes=3, zero_division=word), "zero_division='a'"),
    (lambda: metrics.FBeta(0.0, num_classes=3), r"beta=0\.0 must be a positive number"),
    (lambda: metrics.ConfusionMatrix("multilabel", 3), "task='multilabel' has no single matrix"),
    (lambda: metrics.ConfusionMatrix("binary", normalize=word), "normalize='a'"),
]


@pytest.mark.parametrize(("make", "message"), MADE)
def test_wrong_options_are_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


CALLED: list[tuple[Any, list[Any], type[Exception], str]] = [
    (metrics.Accuracy(), [SCORES, TARGET[:, None, None]], ShapeError, "prediction is"),
    (metrics.Accuracy(), [SCORES, TARGET * 1.0], DtypeError, "class indices are integers"),
    (metrics.Accuracy(), [LABELS * 1.0, TARGET], DtypeError, "class indices are integers"),
    (metrics.Accuracy("binary"), [CHANCE, YES[:, None]], ShapeError, "target is"),
    (metrics.Accuracy(), [LABELS, TARGET, WEIGHT[None]], ShapeError, "sample_weight is"),
    (metrics.TopKAccuracy(2), [SCORES, SCORES], ShapeError, "target is"),
    (metrics.Recall("multilabel", 4), [SEVERAL, SEVERAL_YES], ShapeError, "one per label"),
]


@pytest.mark.parametrize(("metric", "arrays", "error", "message"), CALLED)
def test_wrong_operands_are_refused(metric: Any, arrays: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        metric.once(*(asg.constant(array) for array in arrays))
