"""Metrics of regression against scikit-learn; trackers against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics as oracle

import asg
from asg import metrics
from asg.core.errors import DtypeError, OperandError, ShapeError
from tests.metrics.streaming import assert_value, in_step

RANDOM = np.random.default_rng(1)
X, Y = RANDOM.normal(size=30), RANDOM.normal(size=30)
X2, Y2 = RANDOM.normal(size=(30, 3)), RANDOM.normal(size=(30, 3)) * [1.0, 5.0, 0.1]
WEIGHT = RANDOM.random(30) + 0.1
MEANS: list[tuple[Any, Any]] = [
    (metrics.MeanSquaredError, oracle.mean_squared_error),
    (metrics.RootMeanSquaredError, oracle.root_mean_squared_error),
    (metrics.MeanAbsoluteError, oracle.mean_absolute_error),
    (metrics.MeanAbsolutePercentageError, oracle.mean_absolute_percentage_error),
    (metrics.R2, oracle.r2_score),
    (metrics.ExplainedVariance, oracle.explained_variance_score),
]


@pytest.mark.parametrize(("ours", "theirs"), MEANS)
def test_as_scikit_learn(ours: Any, theirs: Any) -> None:
    assert_value(ours(), [X, Y], theirs(Y, X), 1e-11)
    assert_value(ours(), [X, Y, WEIGHT], theirs(Y, X, sample_weight=WEIGHT), 1e-11)
    assert_value(ours(), [X2, Y2], theirs(Y2.ravel(), X2.ravel()), 1e-11)
    spread = theirs(Y2.ravel(), X2.ravel(), sample_weight=np.repeat(WEIGHT, 3))
    assert_value(ours(), [X2, Y2, WEIGHT], spread, 1e-11)


def test_max_error() -> None:
    assert_value(metrics.MaxError(), [X, Y], oracle.max_error(Y, X))
    broken = np.where(np.arange(30) == 3, np.nan, X)
    assert_value(metrics.MaxError(), [broken, Y], np.nan)
    assert np.isnan(metrics.MaxError().compute())


@pytest.mark.parametrize(("ours", "theirs"), MEANS[4:])
def test_columns_are_scored_one_by_one(ours: Any, theirs: Any) -> None:
    assert_value(ours(3), [X2, Y2], theirs(Y2, X2), 1e-11)
    assert_value(ours(3), [X2, Y2, WEIGHT], theirs(Y2, X2, sample_weight=WEIGHT), 1e-11)
    constant = Y2 * [1.0, 0.0, 0.0]
    nearly = X2 * [1.0, 0.0, 1.0]
    assert_value(ours(3), [nearly, constant], theirs(constant, nearly), 1e-11)


def test_percentages_of_nothing() -> None:
    zero = np.where(np.arange(30) % 5 == 0, 0.0, Y)
    wanted = oracle.mean_absolute_percentage_error(zero, X)
    assert_value(metrics.MeanAbsolutePercentageError(), [X, zero], wanted)


def test_far_from_zero_nothing_cancels() -> None:
    far = Y + 1e8
    exact = oracle.r2_score(far - 1e8, X * 0.1 + (far - 1e8))
    assert_value(metrics.R2(), [X * 0.1 + far, far], exact, 1e-7)
    assert_value(metrics.Std(), [far], np.std(far - 1e8), 1e-8)  # sums of squares: 0 digits
    assert_value(metrics.Mean(), [far], far.mean(), 1e-15)


def test_nothing_counted() -> None:
    for metric in (*(ours for ours, _ in MEANS), metrics.Mean, metrics.Std):
        assert np.isnan(metric().compute())


def test_trackers() -> None:
    assert_value(metrics.Mean(), [X, WEIGHT], np.average(X, weights=WEIGHT))
    assert_value(metrics.Std(1.0), [X], X.std(ddof=1))
    variance = np.cov(X, aweights=WEIGHT, ddof=0)
    assert_value(metrics.Std(), [X, WEIGHT], np.sqrt(variance))
    assert np.isnan(asg.run(metrics.Std(1.0).once(asg.constant([3.0]))))
    extremes = metrics.MinMax()
    assert extremes.compute() == {"min": np.inf, "max": -np.inf}
    for part in (X[:3], X[3:3], X[3:]):
        extremes.update(part)
    assert extremes.compute() == {"min": X.min(), "max": X.max()}
    extremes.update([np.nan])
    assert np.isnan(list(extremes.compute().values())).all()


@pytest.mark.parametrize("debias", [False, True])
def test_moving_average(debias: bool) -> None:
    smooth = metrics.ExponentialMovingAverage(0.9, debias)
    average, losses = 0.0, X[:10] + 4.0
    for step, loss in enumerate(losses, 1):
        smooth.update(loss)
        average = 0.9 * average + 0.1 * loss
        wanted = average / (1.0 - 0.9**step) if debias else average
        np.testing.assert_allclose(smooth.compute(), wanted, rtol=1e-13)
    constant = metrics.ExponentialMovingAverage(0.0)
    constant.update(2.0)
    constant.update(3.0)
    assert constant.compute() == 3.0


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_in_a_step(backend: str) -> None:
    both = metrics.Collection({"r2": metrics.R2(), "largest": metrics.MaxError()})
    results = in_step(both, [X.astype(np.float32), Y], backend)
    x = X.astype(np.float32).astype(float)
    for stop in (11, 30):
        found = results[stop]
        np.testing.assert_allclose(found["value.r2"], oracle.r2_score(Y[:stop], x[:stop]), 1e-11)
        np.testing.assert_allclose(found["value.largest"], abs(Y - x)[:stop].max(), 1e-14)


word: Any = "a"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.R2(0), "R2: num_outputs=0 must be a positive int or None"),
        (lambda: metrics.Std(word), "Std: ddof='a' must be a number"),
        (lambda: metrics.ExponentialMovingAverage(1.0), r"decay=1\.0 must be in \[0, 1\)"),
        (lambda: metrics.ExponentialMovingAverage(debias=word), "debias='a'"),
    ],
)
def test_wrong_options_are_refused_when_made(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


@pytest.mark.parametrize(
    ("metric", "arrays", "error"),
    [
        (metrics.MeanSquaredError(), [X, Y[:, None]], ShapeError),
        (metrics.MeanSquaredError(), [X, Y[:7]], ShapeError),
        (metrics.MeanSquaredError(), [X, Y > 0], DtypeError),
        (metrics.MeanSquaredError(), [X, Y, WEIGHT[:7]], ShapeError),
        (metrics.R2(2), [X2, Y2], ShapeError),
        (metrics.R2(2), [X, Y], ShapeError),
    ],
)
def test_wrong_operands_are_refused(metric: Any, arrays: Any, error: Any) -> None:
    with pytest.raises(error):
        metric.once(*(asg.constant(array) for array in arrays))
