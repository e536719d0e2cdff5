"""Scales that fall when a metric stops improving, against PyTorch's ReduceLROnPlateau."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from tests.optim.problem import START, TARGET, assert_same, graph, loss_of, phase_of

OPTIONS: list[dict[str, Any]] = [
    {"mode": "min", "factor": 0.5, "patience": 2},
    {"mode": "max", "factor": 0.3, "patience": 1, "cooldown": 3},
    {"mode": "min", "patience": 0, "threshold": 0.2, "threshold_mode": "abs", "cooldown": 1},
    {"mode": "max", "patience": 0, "threshold": 0.2, "threshold_mode": "abs", "eps": 1e-3},
    {"mode": "min", "factor": 0.5, "patience": 1, "threshold": 0.1, "threshold_mode": "rel"},
]


def scale_of(session: Any) -> float:
    return float(session.state_dict()["optimizer.plateau.scale"])


def fed(**options: Any) -> Any:
    """A session whose optimizer takes readings from outside."""
    plateau = optim.reduce_on_plateau(metric="fed", **options)
    return asg.compile(graph(optim.chain(optim.sgd(0.0), plateau))).start()


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_scales_are_the_rates_of_pytorch(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, min_lr=0.01, **options)
    session = fed(min_scale=0.01, **options)
    rng = np.random.default_rng(0)
    sign = -1.0 if options["mode"] == "min" else 1.0
    found, wanted = [], []
    for number in range(60):
        metric = sign * (min(number, 20) * 0.05 + 0.1 * rng.normal()) + 3.0
        scheduler.step(metric)
        wanted.append(optimizer.param_groups[0]["lr"])
        optim.feed_metric(session, metric)
        session(phase=0.0)
        session(phase=0.0)  # a reading counts once
        found.append(scale_of(session))
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found[-1] < 1.0


def test_a_run_by_its_own_loss_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    options: dict[str, Any] = {"factor": 0.5, "patience": 1}
    p = {name: torch.tensor(array, requires_grad=True) for name, array in START.items()}
    optimizer = torch.optim.SGD([*p.values()], lr=0.02, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    plateau = optim.reduce_on_plateau(**options)
    session = asg.compile(graph(optim.chain(optim.sgd(0.02, 0.9), plateau))).start()
    for step in range(20):
        optimizer.zero_grad()
        loss = loss_of(p, phase_of(step), torch, torch.tensor(TARGET))
        loss.backward()
        optimizer.step()
        scheduler.step(loss.detach())
        session(phase=phase_of(step))
        wanted = {name: each.detach().numpy() for name, each in p.items()}
        assert_same([session.state_dict(role="parameter")], [wanted])
    assert scale_of(session) == optimizer.param_groups[0]["lr"] / 0.02 < 1.0


def test_readings_may_be_means_of_steps() -> None:
    rng = np.random.default_rng(1)
    x, w = asg.input("x", (), "float64"), asg.parameter("w", (), 1.0, "float64")
    plateau = optim.reduce_on_plateau(factor=0.5, patience=0, every=3)
    step = asg.train_step(w * 0.0 + x, optimizer=optim.chain(optim.sgd(0.1), plateau))
    session = asg.compile(step).start()
    other = fed(factor=0.5, patience=0)
    for _ in range(5):
        values = rng.normal(size=3) + 2.0
        for value in values:
            session(x=value)
        optim.feed_metric(other, values.mean())
        other(phase=0.0)
        assert scale_of(session) == scale_of(other)
    assert scale_of(session) < 1.0


def test_the_scale_may_be_set_by_hand() -> None:
    w = asg.parameter("w", (), 0.0)
    plateau = optim.reduce_on_plateau(metric="fed")
    step = asg.train_step(-1.0 * w, optimizer=optim.chain(optim.sgd(1.0), plateau))
    session = asg.compile(step).start()
    session()
    session.load_state_dict({"optimizer.plateau.scale": np.float32(0.25)}, strict=False)
    session()
    assert session.state_dict()["w"] == 1.25


def test_a_resumed_run_is_the_uninterrupted_one() -> None:
    def optimizer() -> Any:
        return optim.chain(optim.adam(0.05), optim.reduce_on_plateau(patience=0, every=2))

    whole, first = (asg.compile(graph(optimizer())).start() for _ in range(2))
    for step in range(5):
        first(phase=phase_of(step))
    second = asg.compile(graph(optimizer())).start(state=first.state_dict())
    for step in range(10):
        whole(phase=phase_of(step))
    for step in range(5, 10):
        second(phase=phase_of(step))
    for key, array in whole.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[key], array, err_msg=key)


def test_xla_agrees() -> None:
    rates = []
    for backend in ("numpy", "jax"):
        plateau = optim.reduce_on_plateau(factor=0.5, patience=0)
        step = graph(optim.chain(optim.sgd(0.02), plateau))
        session = asg.compile(step, backend).start()
        for number in range(6):
            session(phase=np.float64(phase_of(number)))
        rates.append(scale_of(session))
    assert rates[0] == rates[1] < 1.0


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: optim.reduce_on_plateau("least"), "mode='least'"),
        (lambda: optim.reduce_on_plateau(factor=1.0), "factor"),
        (lambda: optim.reduce_on_plateau(patience=-1), "patience"),
        (lambda: optim.reduce_on_plateau(threshold=1.0), "threshold"),
        (lambda: optim.reduce_on_plateau(threshold_mode="part"), "threshold_mode"),
        (lambda: optim.reduce_on_plateau(cooldown=-1), "cooldown"),
        (lambda: optim.reduce_on_plateau(metric="accuracy"), "metric='accuracy'"),
        (lambda: optim.reduce_on_plateau(metric="fed", every=2), "every=2"),
        (lambda: optim.feed_metric(asg.compile(graph(optim.adam())).start(), 1.0), "no readings"),
        (lambda: optim.accumulate(2, optim.reduce_on_plateau()), "cannot wrap plateau"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        make()


def test_every_group_may_have_one() -> None:
    rule = optim.chain(optim.sgd(0.1), optim.reduce_on_plateau(patience=0, metric="fed"))
    session = asg.compile(graph(optim.groups({"matrix": rule}, default=rule))).start()
    for metric in (1.0, np.nan):
        optim.feed_metric(session, metric)
        session(phase=0.0)
    state = session.state_dict()
    scales = [array for key, array in state.items() if key.endswith(".plateau.scale")]
    np.testing.assert_allclose(scales, [0.1, 0.1])
