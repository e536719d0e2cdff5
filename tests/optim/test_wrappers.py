"""What goes around, or behind, an optimizer: accumulation, lookahead, averages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asg
from asg import optim
from tests.optim.problem import (
    ALL,
    START,
    Array,
    assert_same,
    graph,
    phase_of,
    session_of,
    trained,
)


def linear_session(optimizer: Any, backend: str = "numpy") -> Any:
    """A loss that is the mean over a batch, whose rows may be split into micro-batches."""
    w = asg.parameter("w", (3,), np.array([0.5, -1.0, 2.0]), "float64")
    x, y = asg.input("x", ("batch", 3), "float64"), asg.input("y", ("batch",), "float64")
    loss = (asg.tanh(x @ w.read()) - y) ** 2.0
    return asg.compile(asg.train_step(loss.mean(), optimizer=optimizer), backend).start()


@settings(max_examples=10)
@given(st.integers(1, 4), st.sampled_from(["sgd", "adam", "adafactor", "lamb"]), st.integers(0, 99))
def test_micro_batches_are_one_batch(k: int, name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, parts = linear_session(ALL[name]()), linear_session(optim.accumulate(k, ALL[name]()))
    for _ in range(2):
        x, y = rng.normal(size=(2 * k, 3)), rng.normal(size=2 * k)
        whole(x=x, y=y)
        before = parts.state_dict()["w"]
        for part in range(k):
            np.testing.assert_array_equal(parts.state_dict()["w"], before)
            parts(x=x[2 * part : 2 * part + 2], y=y[2 * part : 2 * part + 2])
    np.testing.assert_allclose(parts.state_dict()["w"], whole.state_dict()["w"], rtol=1e-9)


def test_schedules_count_the_updates() -> None:
    halved = optim.accumulate(3, optim.sgd(optim.exponential(0.1, 0.5)))
    w = asg.parameter("w", (), 0.0, "float64")
    session = asg.compile(asg.train_step(-1.0 * w, optimizer=halved)).start()
    found = []
    for _ in range(9):
        session()
        found.append(float(session.state_dict()["w"]))
    np.testing.assert_allclose(found[2::3], [0.1, 0.15, 0.175], rtol=1e-6)


def test_accumulation_on_xla() -> None:
    rng = np.random.default_rng(0)
    sessions = [linear_session(optim.accumulate(2, optim.adam(0.1)), b) for b in ("jax", "numpy")]
    for _ in range(4):
        x, y = rng.normal(size=(2, 3)), rng.normal(size=2)
        for session in sessions:
            session(x=x, y=y)
    left, right = (session.state_dict() for session in sessions)
    for name, array in right.items():
        np.testing.assert_allclose(left[name], array, rtol=1e-9, err_msg=name)


def sgd_steps(slow: Callable[[dict[str, Array], int], dict[str, Array]], steps: int) -> Any:
    """SGD with rate 1 on a gradient of -1 everywhere, and what `slow` makes of it."""
    w, found = {"w": np.array([1.0, 2.0])}, []
    for step in range(steps):
        w = slow({"w": w["w"] + 1.0}, step)
        found.append(w)
    return found


def counted(*pieces: optim.Transform) -> Any:
    w = asg.parameter("w", (2,), np.array([1.0, 2.0]), "float64")
    step = asg.train_step(-1.0 * w.read().sum(), optimizer=optim.chain(optim.sgd(1.0), *pieces))
    return asg.compile(step).start()


def test_lookahead() -> None:
    memory = np.array([1.0, 2.0])

    def slow(p: dict[str, Array], step: int) -> dict[str, Array]:
        nonlocal memory
        if step % 3 != 2:
            return p
        memory = memory + 0.4 * (p["w"] - memory)
        return {"w": memory}

    session, found = counted(optim.lookahead(3, 0.4)), []
    for _ in range(10):
        session()
        found.append(session.state_dict(role="parameter"))
    assert_same(found, sgd_steps(slow, 10), 1e-12)
    state = session.state_dict()
    np.testing.assert_allclose(state["optimizer.lookahead.slow.w"], memory)


@pytest.mark.parametrize(("start", "every"), [(0, 1), (3, 1), (2, 3)])
def test_averages_are_those_of_their_formulas(start: int, every: int) -> None:
    session = counted(optim.ema(0.9, start, every), optim.swa(start, every))
    values = [np.array([2.0, 3.0]) + step for step in range(10)]
    due = values[start::every]
    moving = due[0]
    for value in due[1:]:
        moving = 0.9 * moving + 0.1 * value
    for _ in values:
        session()
    state = session.state_dict()
    np.testing.assert_allclose(state["w"], values[-1])
    np.testing.assert_allclose(state["optimizer.ema.average.w"], moving, rtol=1e-12)
    np.testing.assert_allclose(state["optimizer.swa.average.w"], np.mean(due, axis=0), rtol=1e-12)


def test_averages_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    utils = torch.optim.swa_utils
    rules = {
        "ema": (optim.ema(0.9), utils.get_ema_multi_avg_fn(0.9)),
        "swa": (optim.swa(), utils.get_swa_multi_avg_fn()),
    }
    for name, (piece, rule) in rules.items():
        session = session_of(optim.chain(optim.adam(0.05), piece))
        model = torch.nn.ParameterDict({n: torch.tensor(a) for n, a in START.items()})
        averaged = utils.AveragedModel(model, multi_avg_fn=rule)
        for step in range(20):
            session(phase=phase_of(step))
            with torch.no_grad():
                for key, array in session.state_dict(role="parameter").items():
                    model[key].copy_(torch.tensor(array))
            averaged.update_parameters(model)
        found = optim.averaged_parameters(session)
        wanted = {key: averaged.module[key].detach().numpy() for key in START}
        assert found.keys() == START.keys()
        assert_same([found], [wanted])
        assert abs(found["vector"] - session.state_dict()["vector"]).max() > 1e-3, name


def test_averages_before_their_start_are_the_parameters() -> None:
    session = counted(optim.swa(start=5))
    session()
    np.testing.assert_array_equal(optim.averaged_parameters(session)["w"], [2.0, 3.0])


def test_averages_evaluate_a_model() -> None:
    session = counted(optim.swa())
    for _ in range(3):
        session()
    w = asg.parameter("w", (2,), 0.0, "float64")
    with asg.StateTrace() as trace:
        total = asg.compile(trace.close({"total": w.read().sum()}))
    assert total.start(state=optim.averaged_parameters(session))()["total"] == 7.0


def test_frozen_parameters_have_no_average_but_their_value() -> None:
    w = asg.parameter("w", (), 1.0)
    still = asg.parameter("still", (), 5.0, trainable=False)
    step = asg.train_step(w * still, optimizer=optim.chain(optim.sgd(0.1), optim.ema(0.5)))
    session = asg.compile(step).start()
    session()
    assert optim.averaged_parameters(session)["still"] == 5.0


def test_there_may_be_no_average() -> None:
    with pytest.raises(asg.AsgError, match="keeps no averages"):
        optim.averaged_parameters(session_of(optim.adam()))
    both = session_of(optim.chain(optim.sgd(0.1), optim.ema(), optim.swa()))
    with pytest.raises(asg.AsgError, match="several averages of 'scalar'"):
        optim.averaged_parameters(both)


WRAPPED: dict[str, Callable[[], optim.Transform]] = {
    "accumulate": lambda: optim.accumulate(2, optim.adam(0.05)),
    "lookahead": lambda: optim.chain(optim.adam(0.05), optim.lookahead(2)),
    "ema": lambda: optim.chain(optim.adam(0.05), optim.ema(0.9)),
    "swa": lambda: optim.chain(optim.adam(0.05), optim.swa(1, 2)),
    "sam": lambda: optim.sam(optim.adam(0.05)),
    "groups": lambda: optim.groups({"matrix": optim.adam(0.05)}, optim.sgd(0.01, 0.9)),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_resumed_run_is_the_uninterrupted_one(name: str) -> None:
    first, whole = session_of(WRAPPED[name]()), session_of(WRAPPED[name]())
    for step in range(3):
        first(phase=phase_of(step))
    resumed = asg.compile(graph(WRAPPED[name]())).start(seed=1, state=first.state_dict())
    for step in range(3, 6):
        resumed(phase=phase_of(step))
    for step in range(6):
        whole(phase=phase_of(step))
    wanted = whole.state_dict()
    for key, array in resumed.state_dict().items():
        np.testing.assert_array_equal(array, wanted[key], err_msg=key)


@pytest.mark.parametrize(
    "name",
    [
        "sam",
        pytest.param("lookahead", marks=pytest.mark.slow),
        pytest.param("ema", marks=pytest.mark.slow),
    ],
)
def test_backends_agree(name: str) -> None:
    assert_same(trained(WRAPPED[name](), 3, "jax"), trained(WRAPPED[name](), 3), 1e-10)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: optim.accumulate(0, optim.sgd()), "k=0"),
        (lambda: optim.accumulate(2, optim.sam(optim.sgd())), "cannot wrap sam"),
        (lambda: optim.lookahead(k=0), "k=0"),
        (lambda: optim.lookahead(alpha=1.5), "alpha"),
        (lambda: optim.ema(1.0), "decay"),
        (lambda: optim.swa(start=-1), "start"),
        (lambda: optim.swa(every=0), "every"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        make()
