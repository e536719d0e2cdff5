"""Estimators: scikit-learn's own checks, its pipelines and searches, and classes of all kinds."""

from __future__ import annotations

import sys
from copy import deepcopy
from importlib import import_module
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is an optional library")

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import asg
from asg import nn, optim
from asg.core.errors import MissingLibrary, OperandError
from asg.sklearn import Classifier, Regressor
from asg.train.callbacks import EarlyStopping

QUICK = {
    "check_estimators_unfitted", "check_no_attributes_set_in_init", "check_fit_idempotent",
    "check_dict_unchanged", "check_estimators_pickle", "check_methods_subset_invariance",
    "check_estimators_nan_inf", "check_n_features_in", "check_classifiers_classes",
    "check_regressors_int",
}  # fmt: skip
OPTIONS: dict[str, Any] = {"hidden": (8,), "learning_rate": 0.02, "random_state": 0}
KINDS = [Classifier, Regressor]


def points(count: int = 90) -> tuple[Any, Any]:
    """Three groups of points in the plane, and which group."""
    random, groups = np.random.default_rng(0), np.arange(count) % 3
    centres = np.array([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    return centres[groups] + 0.3 * random.standard_normal((count, 2)), groups


@pytest.mark.parametrize("kind", KINDS)
def test_some_of_the_checks_of_scikit_learn(kind: Any) -> None:
    done = set()
    for estimator, check in estimator_checks_generator(kind(**OPTIONS, epochs=5)):
        name = check.func.__name__
        if name in QUICK:
            check(estimator)
            done.add(name)
    assert len(done) == len(QUICK) - 1  # one of them is of the other kind


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_all_checks_of_scikit_learn(kind: Any) -> None:
    results = check_estimator(kind(**OPTIONS, epochs=40), on_skip=None, on_fail=None)
    failed = {each["check_name"]: each["exception"] for each in results
              if each["status"] not in ("passed", "skipped")}  # fmt: skip
    assert failed == {} and len(results) > 45


def test_classes_are_those_that_were_given() -> None:
    x, groups = points()
    names = np.array(["red", "green", "blue"])[groups]
    fitted = Classifier(**OPTIONS, epochs=20).fit(x, names)
    assert fitted.classes_.tolist() == ["blue", "green", "red"]
    assert fitted.score(x, names) == 1.0
    chances = fitted.predict_proba(x)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-12)
    assert (fitted.classes_[chances.argmax(axis=1)] == fitted.predict(x)).all()


def test_it_is_a_model_of_asg() -> None:
    """The same network by `asg.Model`, to the bit; in the dtype of the data."""
    x, groups = points()
    fitted = Classifier(**OPTIONS, epochs=3).fit(x.astype(np.float32), groups)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    net = nn.models.MLP(2, (8, 3))
    model = asg.Model(net, "cross_entropy", optim.adam(0.02), seed=seed)
    model.fit((x.astype(np.float32), groups), epochs=3, batch_size=32)
    for name, array in model.weights().items():
        np.testing.assert_array_equal(fitted.weights_[name], array)
    assert fitted.history_.history["loss"] == model.history.history["loss"]
    assert Classifier(**OPTIONS, epochs=1).fit(x, groups).weights_["0.weight"].dtype == np.float64


def test_pipelines_searches_and_clones() -> None:
    x, groups = points()
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Classifier(**OPTIONS, epochs=10)),
        {"classifier__hidden": [(), (8,)]}, cv=2,
    )  # fmt: skip
    assert search.fit(100.0 * x, groups).best_score_ > 0.9
    chosen = search.best_estimator_["classifier"]
    copied = clone(chosen).set_params(epochs=1)
    assert copied.get_params() == {**chosen.get_params(), "epochs": 1}
    with pytest.raises(NotFittedError):
        copied.predict(x)


def test_an_estimator_without_its_programs_answers_the_same() -> None:
    x, groups = points()
    fitted = Classifier(**OPTIONS, epochs=2).fit(x, groups)
    copied = deepcopy(fitted)  # leaves out what pickle and joblib leave out
    assert "_model" in fitted.__dict__ and "_model" not in copied.__dict__
    np.testing.assert_array_equal(copied.predict_proba(x), fitted.predict_proba(x))


def test_regression_of_several_numbers_by_a_network_of_ones_own() -> None:
    x, _ = points()
    y = np.stack([x[:, 0] - x[:, 1], x[:, 1] + 1.0], axis=1)

    def net(features: int, outputs: int) -> nn.Module:
        return nn.Linear(features, outputs)

    stopping = EarlyStopping("loss", patience=20)
    options: dict[str, Any] = {
        "net": net,
        "optimizer": optim.sgd(0.1),
        "epochs": 60,
        "callbacks": [stopping],
    }
    fitted = Regressor(**options, random_state=0).fit(x, y)
    assert fitted.predict(x).shape == y.shape and fitted.score(x, y) > 0.9999
    np.testing.assert_allclose(fitted.weights_["weight"], [[1, -1], [0, 1]], atol=1e-3)
    one = Regressor(**options, random_state=0).fit(x, y[:, 0])
    assert one.predict(x).shape == (len(x),) and one.n_iter_ <= 60


def test_a_learning_rate_needs_the_name_of_an_optimizer() -> None:
    with pytest.raises(OperandError, match="learning_rate goes with the name"):
        Classifier(optimizer=optim.adam(), learning_rate=0.1).fit(*points())


def test_the_library_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("asg.sklearn")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingLibrary, match=r"pip install 'asg-compiler\[data\]'"):
        import_module("asg.sklearn")
