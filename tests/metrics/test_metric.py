"""Metrics in training and evaluation steps: names, sessions, resets; collections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import metrics, nn, optim
from asg.core.errors import FeedError, GraphError, OperandError, StateError

RANDOM = np.random.default_rng(4)
X = RANDOM.normal(size=(30, 4)).astype(np.float32)
Y = RANDOM.integers(0, 3, 30).astype(np.int32)
BATCH: dict[str, Any] = {"x": ("batch", 4), "y": (("batch",), "int32")}


def scored() -> dict[str, Any]:
    return {"accuracy": metrics.Accuracy(), "matrix": metrics.ConfusionMatrix(num_classes=3)}


def sessions(backend: str = "numpy", shared: bool = False) -> tuple[asg.Session, asg.Session]:
    model, first = nn.Linear(4, 3), scored()
    second = first if shared else scored()
    train = asg.train_step(model, loss=nn.cross_entropy, optimizer=optim.sgd(0.1), metrics=first)
    test = asg.eval_step(model, loss=nn.cross_entropy, metrics=second)
    session = asg.compile(train(**BATCH), backend=backend).start(0)
    return session, session.attach(asg.compile(test(**BATCH), backend=backend))


def logits(session: asg.Session) -> Any:
    state = session.state_dict("parameter")
    return X @ state["weight"].T + state["bias"]


@pytest.mark.parametrize(("backend", "shared"), [("numpy", False), ("numpy", True), ("jax", False)])
def test_training_and_evaluation_count_by_themselves(backend: str, shared: bool) -> None:
    session, evaluation = sessions(backend, shared)
    right = []
    for start in (0, 8, 13):
        part = slice(start, start + 8)
        right += [logits(session)[part].argmax(1) == Y[part]]
        found = session(x=X[part], y=Y[part])
        np.testing.assert_allclose(found["accuracy"], np.concatenate(right).mean())
    assert np.asarray(found["matrix"]).sum() == 24
    for start, count in ((0, 10), (10, 25)):
        part = slice(start, count)
        found = evaluation(x=X[part], y=Y[part])
        wanted = (logits(session)[:count].argmax(1) == Y[:count]).mean()
        np.testing.assert_allclose(found["accuracy"], wanted)
    counted = session.state_dict("metric")
    assert counted["metrics.accuracy.total"] == 24
    assert evaluation.state_dict("metric")["metrics.accuracy.total"] == 25
    session.reset()
    assert session.state_dict("metric")["metrics.accuracy.total"] == 0
    assert evaluation.state_dict("metric")["metrics.accuracy.total"] == 25
    evaluation.reset("metric")
    assert not evaluation.state_dict("metric")["metrics.matrix.counts"].any()
    assert np.asarray(session(x=X[:5], y=Y[:5])["matrix"]).sum() == 5


def test_counters_are_no_parameters_and_are_resumed() -> None:
    session, _ = sessions()
    session(x=X, y=Y)
    held = session.state_dict()
    assert {name for name in held if name.startswith("metrics.")} == {
        "metrics.accuracy.right", "metrics.accuracy.total", "metrics.matrix.counts",
    }  # fmt: skip
    other, _ = sessions()
    other.load_state_dict(held)
    assert other(x=X, y=Y)["matrix"].sum() == 60
    assert session(x=X, y=Y)["matrix"].sum() == 60
    with pytest.raises(FeedError, match=r"metrics\.matrix\.counts"):
        other.load_state_dict({k: v for k, v in held.items() if "matrix" not in k})


def test_a_session_may_be_reset_by_role() -> None:
    model = nn.Linear(4, 3)
    step = asg.train_step(model, loss=nn.cross_entropy, optimizer=optim.sgd(0.1, momentum=0.9))
    session = asg.compile(step(**BATCH)).start(seed=3)
    first = session.state_dict()
    for _ in range(2):  # what was handed out before is not the array that steps write to
        session(x=X, y=Y)
        session.reset("optimizer")
        held = session.state_dict()
        assert not held["optimizer.momentum.buffer.weight"].any()
        assert not np.array_equal(held["weight"], first["weight"])
        session.reset("parameter", seed=3)
        for name, array in session.state_dict().items():
            np.testing.assert_array_equal(array, first[name])
    session.reset()  # has no metrics
    with pytest.raises(OperandError, match="role 'metrics' is not one of"):
        session.reset("metrics")


def test_names_are_those_of_the_step() -> None:
    both = metrics.Collection({"top": metrics.TopKAccuracy(2), "all": metrics.Accuracy()})
    step = asg.eval_step(
        nn.Linear(4, 3), loss=nn.cross_entropy,
        metrics={"scores": both, "plain": nn.accuracy, "mean": metrics.Accuracy()},
    )(**BATCH)  # fmt: skip
    assert list(step.results) == ["loss", "scores.top", "scores.all", "plain", "mean"]
    held = {step.input_names[slot.input] for slot in step.state}
    assert held >= {
        "metrics.scores.top.right", "metrics.scores.all.total", "metrics.mean.right",
    }  # fmt: skip
    assert str(asg.parse(str(step))) == str(step)
    with asg.StateTrace() as trace, pytest.raises((GraphError, StateError), match="accuracy"):
        x, y = asg.input("x", ("n", 3)), asg.input("y", ("n",), "int32")
        trace.close({"a": metrics.Accuracy()(x, y), "b": metrics.Accuracy()(x, y)})


def test_outside_of_a_step_it_says_what_to_do() -> None:
    with pytest.raises(StateError, match=r"once\(\.\.\.\) with tensors, or update"):
        metrics.Accuracy()(asg.input("x", ("n", 3)), asg.input("y", ("n",), "int32"))


def test_arrays_that_do_not_agree_add_nothing() -> None:
    accuracy = metrics.Accuracy()
    accuracy.update([0, 1, 1], [0, 1, 0])
    with pytest.raises(FeedError):
        accuracy.update([0, 1], [0, 1, 0])
    assert accuracy.compute() == 2 / 3
    accuracy.reset()
    assert np.isnan(accuracy.compute())


def test_one_s_own_metric() -> None:
    class Share(metrics.Metric):
        higher_is_better = True

        def __init__(self) -> None:
            super().__init__(positive=(), total=())

        def batch(self, x: Any) -> dict[str, asg.Tensor]:
            count = (x > 0.0).astype("float64")
            return {"positive": count.sum(), "total": (count * 0.0 + 1.0).sum()}

        def value(self, counters: dict[str, asg.Tensor]) -> asg.Tensor:
            return counters["positive"] / counters["total"]

    share = Share()
    share.update([1.0, -1.0])
    share.update([2.0])
    assert share.compute() == 2 / 3


def test_collections() -> None:
    both = metrics.Collection({"error": metrics.MaxError(), "r2": metrics.R2()})
    assert both.directions == {"error": False, "r2": True}
    assert both.is_better("error", 1.0, than=2.0) and not both.is_better("error", 2.0, than=1.0)
    assert both.is_better("r2", 0.5, than=0.1) and not both.is_better("r2", 0.5, than=0.5)
    nan = float("nan")
    assert both.is_better("r2", 0.0, than=nan) and not both.is_better("r2", nan, than=0.0)
    assert not both.is_better("error", nan, than=nan)
    both.update([1.0, 2.0], [1.0, 3.0])
    assert both.compute() == {"error": 1.0, "r2": 0.5}
    once = both.once(asg.constant([1.0, 2.0]), [1.0, 3.0])
    assert {name: float(value) for name, value in asg.run(once).items()} == both.compute()
    both.reset()
    assert np.isnan(both["r2"].compute())
    spread = metrics.Collection({"std": metrics.Std()})
    with pytest.raises(OperandError, match="neither direction"):
        spread.is_better("std", 1.0, than=0.0)
    with pytest.raises(OperandError, match="no metric 'x'; there are std"):
        spread.is_better("x", 1.0, than=0.0)
    wrong: list[Any] = [{"a": nn.accuracy}, {}]
    for given in wrong:
        with pytest.raises(OperandError, match="takes metrics by name"):
            metrics.Collection(given)
