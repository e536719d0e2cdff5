"""Every optimizer of torch.optim over its arguments: the same parameters for 20 steps."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from asg import optim
from tests.optim.problem import (
    START,
    assert_same,
    phase_of,
    session_of,
    trained,
    trained_by_torch,
)

torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
STEPS = 20


def grid(**choices: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Every combination."""
    return [dict(zip(choices, each, strict=True)) for each in product(*choices.values())]


BOTH = (False, True)
DECAYS = (0.0, 0.2)
GRIDS: dict[str, list[dict[str, Any]]] = {
    "SGD": [
        *grid(lr=(0.02,), momentum=(0.0, 0.9), weight_decay=DECAYS),
        *grid(lr=(0.001,), momentum=(0.5,), weight_decay=DECAYS, maximize=(True,)),
        *grid(lr=(0.02,), momentum=(0.8,), dampening=(0.3,), weight_decay=DECAYS),
        *grid(lr=(0.02,), momentum=(0.8,), nesterov=(True,), weight_decay=DECAYS),
    ],
    "Adam": grid(
        lr=(0.05,), betas=((0.9, 0.99),), weight_decay=DECAYS, amsgrad=BOTH, maximize=BOTH
    ),
    "AdamW": grid(lr=(0.05,), eps=(1e-3,), weight_decay=DECAYS, amsgrad=BOTH, maximize=BOTH),
    "Adamax": grid(lr=(0.05,), weight_decay=DECAYS, maximize=BOTH),
    "NAdam": [
        *grid(lr=(0.05,), weight_decay=DECAYS, maximize=BOTH),
        *grid(momentum_decay=(0.1,), weight_decay=(0.2,), decoupled_weight_decay=BOTH),
    ],
    "RAdam": [
        *grid(lr=(0.05,), weight_decay=DECAYS, maximize=BOTH),
        *grid(betas=((0.8, 0.9),), weight_decay=(0.2,), decoupled_weight_decay=BOTH),
    ],
    "RMSprop": [
        *grid(lr=(0.02,), momentum=(0.0, 0.9), centered=BOTH, weight_decay=DECAYS),
        *grid(alpha=(0.9,), eps=(1e-4,), maximize=BOTH),
    ],
    "Adagrad": [
        *grid(lr=(0.1,), lr_decay=(0.0, 0.1), weight_decay=DECAYS),
        *grid(initial_accumulator_value=(0.5,), eps=(1e-3,), maximize=BOTH),
    ],
    "Adadelta": grid(lr=(1.0,), rho=(0.9, 0.5), weight_decay=DECAYS, maximize=BOTH),
    "ASGD": [
        *grid(lr=(0.02,), weight_decay=DECAYS, maximize=BOTH),
        *grid(lr=(0.05,), lambd=(0.1,), alpha=(0.5,), t0=(3.0,)),
    ],
    "Rprop": [
        *grid(lr=(0.02,), etas=((0.5, 1.2), (0.3, 1.5))),
        *grid(step_sizes=((1e-2, 0.05),), maximize=BOTH),
    ],
    "Adafactor": [
        *grid(lr=(0.05,), weight_decay=DECAYS, maximize=BOTH),
        *grid(lr=(0.9,), beta2_decay=(-0.5,), eps=((1e-3, 0.1),), d=(1.0, 2.0)),
    ],
}
CORNERS = 5  # of each grid, spread over it; the rest is slow


def cases() -> list[Any]:
    """All of the grids, each with its id."""
    found = []
    for name, each in GRIDS.items():
        quick = {round(i * (len(each) - 1) / (CORNERS - 1)) for i in range(CORNERS)}
        for number, options in enumerate(each):
            marks = () if number in quick else (pytest.mark.slow,)
            found.append(pytest.param(name, options, marks=marks, id=f"{name}-{options}"))
    return found


@pytest.mark.parametrize(("name", "options"), cases())
def test_the_parameters_are_those_of_pytorch(name: str, options: dict[str, Any]) -> None:
    ours = trained(getattr(optim, name.lower())(**options), STEPS)
    theirs = trained_by_torch(torch, lambda p: getattr(torch.optim, name)(p, **options), STEPS)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", GRIDS)
def test_defaults_are_those_of_pytorch(name: str) -> None:
    ours = trained(getattr(optim, name.lower())(), 3)
    assert_same(ours, trained_by_torch(torch, getattr(torch.optim, name), 3))


def test_the_average_of_asgd_is_that_of_pytorch() -> None:
    kept: list[Any] = []

    def make(p: list[Any]) -> Any:
        kept.append(torch.optim.ASGD(p, lr=0.02, t0=3.0))
        return kept[0]

    trained_by_torch(torch, make, STEPS)
    session = session_of(optim.asgd(0.02, t0=3.0))
    for step in range(STEPS):
        session(phase=phase_of(step))
    state = session.state_dict()
    ours = {name: state[f"optimizer.asgd.average.{name}"] for name in START}
    theirs = {n: s["ax"].numpy() for n, s in zip(START, kept[0].state.values(), strict=True)}
    assert_same([ours], [theirs])
