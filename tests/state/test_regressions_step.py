"""Training steps that once trained the wrong thing, or refused without saying why."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import GraphError, OperandError, ShapeError, StateError


class Scaled(nn.Module):
    def __init__(self) -> None:
        self.line = nn.Linear(3, 1)

    def forward(self, x: asg.Tensor) -> asg.Tensor:
        out: asg.Tensor = self.line(x)
        return out


def build(net: Any, loss: Any = asg.mse_loss, optimizer: Any = None, **options: Any) -> asg.Graph:
    chosen = optim.sgd(0.1) if optimizer is None else optimizer
    step = asg.train_step(net, loss=loss, optimizer=chosen, **options)
    graph: asg.Graph = step(x=("batch", 3), y=("batch", 1))
    return graph


def test_a_parameter_outside_the_model_is_refused_by_name() -> None:
    temperature = asg.parameter("temperature", (), init=1.0)
    with pytest.raises(GraphError, match="not among the model's: 'temperature'"):
        build(Scaled(), lambda p, y: asg.mse_loss(p * temperature, y))
    temperature.trainable = False
    names = build(Scaled(), lambda p, y: asg.mse_loss(p * temperature, y)).input_names
    assert "temperature" in names


def test_a_metric_cannot_take_the_place_of_the_loss() -> None:
    with pytest.raises(OperandError, match="called 'loss'"):
        build(Scaled(), metrics={"loss": lambda p, y: asg.mean(p)})
    weight = asg.parameter("w", (), init=2.0)
    with pytest.raises(OperandError, match="called 'loss'"):
        asg.train_step(weight * weight, optimizer=optim.sgd(0.1), metrics={"loss": weight})


def test_metrics_of_several_values_are_results_of_their_own() -> None:
    step = build(Scaled(), metrics={"m": lambda p, y: {"low": p.min(), "high": p.max()}})
    assert list(step.results) == ["loss", "m.low", "m.high"]


@pytest.mark.parametrize("optimizer", [0.1, optim.sgd, "adam"])
def test_what_is_no_optimizer_is_refused(optimizer: Any) -> None:
    with pytest.raises(OperandError, match=r"make one: asg\.optim\.sgd"):
        build(Scaled(), optimizer=optimizer)


def transform(update: Any, init: Any = lambda parameters: {}) -> optim.Transform:
    return optim.Transform("mine", init, update)


def test_updates_of_other_names_are_refused() -> None:
    with pytest.raises(OperandError, match=r"line\.bias, line\.weight"):
        build(Scaled(), optimizer=transform(lambda g, s, p: ({}, s)))
    with pytest.raises(OperandError, match="returns \\(updates, state\\)"):
        build(Scaled(), optimizer=transform(lambda g, s, p: g))


def test_numbers_may_be_the_first_state_of_an_optimizer() -> None:
    def update(g: Any, s: Any, p: Any) -> Any:
        return {name: -0.1 * each for name, each in g.items()}, {"count": s["count"] + 1}

    session = asg.compile(
        build(Scaled(), optimizer=transform(update, lambda p: {"count": 0}))
    ).start()
    for _ in range(3):
        session(x=np.ones((2, 3), np.float32), y=np.ones((2, 1), np.float32))
    assert session.state_dict()["optimizer.count"] == 3


def test_a_variable_is_a_loss() -> None:
    weight = asg.parameter("w", (), init=2.0)
    session = asg.compile(asg.train_step(weight, optimizer=optim.sgd(0.5))).start()
    session()
    assert session.state_dict()["w"] == 1.5


def test_a_loss_tensor_with_dropout_keys_is_refused() -> None:
    net = nn.Sequential(line=nn.Linear(3, 3), drop=nn.Dropout(0.5))
    x = asg.input("x", ("batch", 3))
    with asg.StateTrace(training=True):
        loss = net(x).mean()
    with pytest.raises(StateError, match=r"drop\.key"):
        asg.train_step(loss, optimizer=optim.sgd(0.1))


def test_schedules_of_float64_models_have_float64_digits() -> None:
    weight = asg.parameter("w", (), init=1.0, dtype="float64")
    rate = optim.warmup(0.1, 3, optim.cosine(0.1, 4, 0.01))
    session = asg.compile(asg.train_step(weight * 1.0, optimizer=optim.sgd(rate))).start()
    wanted = 1.0
    for step in range(9):
        session()
        late = min(max(step - 3, 0) / 4, 1.0)
        wave = 0.01 + 0.09 * (1 + np.cos(np.pi * late)) / 2
        wanted -= 0.1 * (step + 1) / 3 if step < 3 else wave
        assert abs(session.state_dict()["w"] - wanted) < 1e-14


def test_a_schedule_is_a_scalar() -> None:
    with pytest.raises(ShapeError, match="learning rate is a scalar"):
        build(Scaled(), optimizer=optim.sgd(lambda step: asg.ones((1,))))


@pytest.mark.parametrize("make", [optim.adam, optim.adamw])
def test_betas_are_two(make: Any) -> None:
    with pytest.raises(OperandError, match="must be a pair"):
        make(1e-3, betas=(0.9,))


@pytest.mark.parametrize("rate", [True, np.float32(0.1), "0.1"])
def test_rates_are_python_numbers(rate: Any) -> None:
    with pytest.raises(OperandError, match="must be a Python number"):
        optim.sgd(rate)
