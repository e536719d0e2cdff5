"""What holds of every optimizer: resuming, zero gradients, zero rates, frozen parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from tests.optim.problem import ALL, START, assert_same, graph, phase_of, session_of, trained

RATED: dict[str, Callable[[Any], optim.Transform]] = {
    "sgd": lambda rate: optim.sgd(rate, momentum=0.9),
    "asgd": lambda rate: optim.asgd(rate),
    "adafactor": lambda rate: optim.adafactor(rate, weight_decay=0.1),
    **{
        name: getattr(optim, name)
        for name in ("adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "adagrad",
                     "adadelta", "adabelief", "lion", "lamb", "lars")
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ALL)
def test_a_resumed_run_is_the_uninterrupted_one(name: str) -> None:
    wanted = trained(ALL[name](), 6)
    first = session_of(ALL[name]())
    for step in range(3):
        first(phase=phase_of(step))
    resumed = asg.compile(graph(ALL[name]())).start(seed=1, state=first.state_dict())
    found = []
    for step in range(3, 6):
        resumed(phase=phase_of(step))
        found.append(resumed.state_dict(role="parameter"))
    assert_same(found, wanted[3:], 0.0)


@pytest.mark.parametrize("name", ALL)
def test_the_state_goes_by_the_names_of_the_parameters(name: str) -> None:
    session = session_of(ALL[name]())
    state = session.state_dict(role="optimizer")
    assert all(key.startswith("optimizer.") for key in state)
    counters = [key for key, array in state.items() if array.ndim == 0 and "scalar" not in key]
    assert all(key.endswith((".count", ".product")) for key in counters), counters
    assert {key.rpartition(".")[2] for key in state if key not in counters} <= START.keys()


@pytest.mark.parametrize("dtype", ["bfloat16", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ALL)
def test_zero_gradients_make_no_nan(name: str, dtype: str) -> None:
    w = asg.parameter("w", (2, 2), 1.5, dtype)
    zero = asg.parameter("zero", (3,), 0.0, dtype)
    loss = (w.read().sum() + zero.read().sum()) * 0.0
    optimizer = ALL[name]() if name != "adamw" else optim.adamw(0.1)
    session = asg.compile(asg.train_step(loss, optimizer=optimizer)).start()
    for _ in range(3):
        session()
    for key, array in session.state_dict().items():
        assert np.isfinite(array.astype(np.float64)).all(), key
        assert array.dtype.name == dtype or array.ndim == 0, key
    assert (session.state_dict()["zero"] == 0).all()


@pytest.mark.parametrize("name", RATED)
def test_a_rate_of_zero_moves_nothing(name: str) -> None:
    assert_same(trained(RATED[name](0.0), 3), [START] * 3, 0.0)


@pytest.mark.parametrize("name", RATED)
def test_a_schedule_of_one_value_is_that_number(name: str) -> None:
    scheduled = trained(RATED[name](optim.constant(0.03)), 4)
    assert_same(scheduled, trained(RATED[name](0.03), 4), 1e-12)


@pytest.mark.parametrize("name", ALL)
def test_frozen_parameters_stay(name: str) -> None:
    free = asg.parameter("vector", (3,), 1.0, "float64")
    frozen = asg.parameter("still", (3,), 2.0, "float64", trainable=False)
    loss = (free * free + frozen * free).sum()
    optimizer = ALL[name]() if name != "adamw" else optim.adamw(0.1)
    session = asg.compile(asg.train_step(loss, optimizer=optimizer)).start()
    session()
    state = session.state_dict()
    assert (state["still"] == 2.0).all()
    assert (state["vector"] != 1.0).all()
    assert not [key for key in state if key.startswith("optimizer") and "still" in key]


@pytest.mark.parametrize(
    "name",
    [
        "adafactor",
        pytest.param("adamw", marks=pytest.mark.slow),
        pytest.param("radam", marks=pytest.mark.slow),
        pytest.param("asgd", marks=pytest.mark.slow),
    ],
)
def test_backends_agree(name: str) -> None:
    assert_same(trained(ALL[name](), 4, "jax"), trained(ALL[name](), 4), 1e-10)


def test_momentum_betas_and_decay_may_be_schedules() -> None:
    def rising(start: float) -> optim.Schedule:
        return optim.linear(start, 0.99, 10)

    makers: list[Callable[[Any], optim.Transform]] = [
        lambda f: optim.sgd(0.02, f(0.5), weight_decay=f(0.1)),
        lambda f: optim.adam(0.02, (f(0.5), f(0.9))),
        lambda f: optim.adamw(0.02, weight_decay=f(0.1)),
    ]
    for make in makers:
        constant = trained(make(lambda value: value), 3)
        assert_same(trained(make(optim.constant), 3), constant, 1e-12)
        moving = trained(make(rising), 3)
        assert abs(moving[-1]["vector"] - constant[-1]["vector"]).max() > 1e-4


def test_no_parameters_is_an_error() -> None:
    with pytest.raises(asg.AsgError, match="no trainable parameter"):
        asg.train_step(asg.input("x", ()) * 1.0, optimizer=optim.adam())
    with pytest.raises(asg.AsgError, match="at least one"):
        optim.global_norm({})


def test_clipping_takes_a_norm_of_5_to_1() -> None:
    g = {"a": asg.constant([3.0, 0.0]), "b": asg.constant(4.0)}
    clipped = optim.clip_by_global_norm(1.0).update(g, {}, g)[0]
    norms = asg.run({"before": optim.global_norm(g), "after": optim.global_norm(clipped)})
    assert norms["before"] == 5.0
    assert abs(norms["after"] - 1.0) < 1e-6


def test_adaptive_clipping_goes_by_unit() -> None:
    rng = np.random.default_rng(0)
    p, g = rng.normal(size=(4, 3, 2)), 3.0 * rng.normal(size=(4, 3, 2))
    p[1] = 0.0
    found = optim.adaptive_clip(0.5).update({"p": asg.constant(g)}, {}, {"p": asg.constant(p)})[0]
    for row, (unit, gradient) in enumerate(zip(p, g, strict=True)):
        limit = 0.5 * max(float(np.linalg.norm(unit)), 1e-3)
        factor = min(1.0, limit / np.linalg.norm(gradient))
        np.testing.assert_allclose(asg.run(found["p"])[row], factor * gradient, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: optim.adam(betas=(0.9,)), "betas"),  # type: ignore[arg-type]
        (lambda: optim.adamax(betas=(-0.1, 0.9)), "beta1"),
        (lambda: optim.nadam(momentum_decay=-1.0), "momentum_decay"),
        (lambda: optim.radam(betas=(0.9, 0.5)), "beta2"),
        (lambda: optim.rmsprop(alpha=1.5), "alpha"),
        (lambda: optim.adagrad(lr_decay=-1.0), "lr_decay"),
        (lambda: optim.adadelta(rho=-1.0), "rho"),
        (lambda: optim.asgd(lambd=-1.0), "lambd"),
        (lambda: optim.rprop(etas=(1.2, 0.5)), "etas"),
        (lambda: optim.rprop(step_sizes=(1.0, 0.5)), "step_sizes"),
        (lambda: optim.adafactor(beta2_decay=0.1), "beta2_decay"),
        (lambda: optim.adafactor(d=0.5), "d=0.5"),
        (lambda: optim.muon(adjust_lr_fn="best"), "adjust_lr_fn='best'"),
        (lambda: optim.muon(ns_steps=0), "ns_steps"),
        (lambda: optim.lamb(eps=-1.0), "eps"),
        (lambda: optim.sgd(0.1, dampening=0.1), "dampening"),
        (lambda: optim.sgd(0.1, 0.9, 0.1, nesterov=True), "nesterov"),
        (lambda: optim.sgd(0.1, no_decay="*"), "no_decay"),
        (lambda: optim.adamw(no_decay=3), "no_decay: 3 selects"),  # type: ignore[arg-type]
        (lambda: trained(optim.adamw(no_decay="*.bias"), 1), "'\\*.bias' selects no parameter"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        make()
