"""Schedules against PyTorch's, in float64, and against formulas where PyTorch has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest

import asg
from asg import optim
from tests.optim.problem import assert_same, trained, trained_by_torch

STEPS = 60
Array = np.ndarray[Any, Any]


def rates(schedule: optim.Schedule, steps: int = STEPS, dtype: str = "int64") -> Array:
    """Every rate at once: schedules work element by element."""
    count = asg.input("count", (steps,), dtype)
    found = asg.run(schedule(count), {count: np.arange(steps, dtype=dtype)})
    return np.broadcast_to(found, (steps,))


def rates_of_torch(make: Callable[[Any, Any], Any], steps: int = STEPS, key: str = "lr") -> Array:
    """`make` of (torch.optim.lr_scheduler, an optimizer with the rate 0.5)."""
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5, momentum=0.9)
    found = []
    with catch_warnings():
        simplefilter("ignore")  # of an optimizer that takes no step
        scheduler = make(torch.optim.lr_scheduler, optimizer)
        for _ in range(steps):
            found.append(optimizer.param_groups[0][key])
            scheduler.step()
    return np.array(found, np.float64)


CASES: dict[str, tuple[optim.Schedule, Callable[[Any, Any], Any]]] = {
    "ConstantLR": (
        optim.constant(0.5, factor=0.25, steps=7),
        lambda lib, o: lib.ConstantLR(o, factor=0.25, total_iters=7),
    ),
    "StepLR": (optim.step(0.5, 7, 0.3), lambda lib, o: lib.StepLR(o, 7, 0.3)),
    "MultiStepLR": (
        optim.multistep(0.5, [3, 20, 20, 50], 0.3),
        lambda lib, o: lib.MultiStepLR(o, [3, 20, 20, 50], 0.3),
    ),
    "ExponentialLR": (optim.exponential(0.5, 0.93), lambda lib, o: lib.ExponentialLR(o, 0.93)),
    "PolynomialLR": (
        optim.polynomial(0.5, 40, 1.7),
        lambda lib, o: lib.PolynomialLR(o, 40, 1.7),
    ),
    "LinearLR": (
        optim.linear(0.1, 0.4, 40),
        lambda lib, o: lib.LinearLR(o, 0.2, 0.8, total_iters=40),
    ),
    "CosineAnnealingLR up to T_max": (
        optim.cosine(0.5, 60, 0.01),
        lambda lib, o: lib.CosineAnnealingLR(o, 60, 0.01),
    ),
    "CosineAnnealingWarmRestarts": (
        optim.cosine_restarts(0.5, 7, end=0.01),
        lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 7, eta_min=0.01),
    ),
    "CosineAnnealingWarmRestarts T_mult": (
        optim.cosine_restarts(0.5, 5, multiply=3),
        lambda lib, o: lib.CosineAnnealingWarmRestarts(o, 5, 3),
    ),
    "CyclicLR": (
        optim.cyclic(0.1, 0.9, 7, 4),
        lambda lib, o: lib.CyclicLR(o, 0.1, 0.9, 7, 4),
    ),
    "CyclicLR triangular2": (
        optim.cyclic(0.1, 0.9, 7, mode="triangular2"),
        lambda lib, o: lib.CyclicLR(o, 0.1, 0.9, 7, mode="triangular2"),
    ),
    "CyclicLR exp_range": (
        optim.cyclic(0.1, 0.9, 7, 4, "exp_range", 0.97),
        lambda lib, o: lib.CyclicLR(o, 0.1, 0.9, 7, 4, "exp_range", 0.97),
    ),
    "LambdaLR": (
        optim.custom(0.5, lambda t: 1.0 / (1.0 + t)),
        lambda lib, o: lib.LambdaLR(o, lambda t: 1.0 / (1.0 + t)),
    ),
    "ChainedScheduler": (
        optim.chained(optim.exponential(0.5, 0.97), optim.constant(1.0, 0.2, 9)),
        lambda lib, o: lib.ChainedScheduler(
            [lib.ExponentialLR(o, 0.97), lib.ConstantLR(o, 0.2, total_iters=9)]
        ),
    ),
    "SequentialLR": (
        optim.sequential(
            [optim.linear(0.05, 0.5, 10), optim.exponential(0.5, 0.9), optim.constant(0.5)],
            [10, 30],
        ),
        lambda lib, o: lib.SequentialLR(
            o,
            [
                lib.LinearLR(o, 0.1, 1.0, total_iters=10),
                lib.ExponentialLR(o, 0.9),
                lib.ConstantLR(o, 1.0, total_iters=1),
            ],
            [10, 30],
        ),
    ),
}
ONE_CYCLE = [
    {"pct_start": 0.3, "anneal_strategy": "cos", "three_phase": False},
    {"pct_start": 0.31, "anneal_strategy": "linear", "three_phase": True},
    {"pct_start": 0.25, "anneal_strategy": "cos", "three_phase": True},
    {"pct_start": 0.0, "anneal_strategy": "linear", "three_phase": False},
]


@pytest.mark.parametrize("name", CASES)
def test_rates_are_those_of_pytorch(name: str) -> None:
    schedule, make = CASES[name]
    np.testing.assert_allclose(rates(schedule), rates_of_torch(make), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", CASES)
def test_float32_rates_are_the_same_to_its_digits(name: str) -> None:
    schedule, _ = CASES[name]
    found = rates(schedule, dtype="int32")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, rates(schedule), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", ONE_CYCLE, ids=str)
def test_one_cycle_of_rate_and_momentum(options: dict[str, Any]) -> None:
    def make(library: Any, optimizer: Any) -> Any:
        return library.OneCycleLR(optimizer, 0.9, total_steps=STEPS + 1, **options)

    rate = optim.one_cycle(0.9, STEPS + 1, **options)
    momentum = optim.one_cycle_momentum(STEPS + 1, **options)
    np.testing.assert_allclose(rates(rate), rates_of_torch(make), rtol=1e-8)
    np.testing.assert_allclose(rates(momentum), rates_of_torch(make, key="momentum"), rtol=1e-8)
    assert rates(rate, 2 * STEPS)[-1] == pytest.approx(0.9 / 25.0 / 1e4, rel=1e-12)


def test_the_momentum_of_a_cycle_goes_the_other_way() -> None:
    def make(library: Any, optimizer: Any) -> Any:
        return library.CyclicLR(
            optimizer, 0.1, 0.9, 7, 4, "exp_range", 0.97, base_momentum=0.7, max_momentum=0.95
        )

    found = rates(optim.cyclic(0.95, 0.7, 7, 4, "exp_range", 0.97))
    np.testing.assert_allclose(found, rates_of_torch(make, key="momentum"), rtol=1e-8)


def test_a_scheduled_run_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    options: dict[str, Any] = {"pct_start": 0.4, "anneal_strategy": "cos", "div_factor": 4.0}
    rate = optim.one_cycle(0.03, 21, **options)
    momentum = optim.one_cycle_momentum(21, 0.4, "cos")

    def schedule(optimizer: Any) -> Any:
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.03, total_steps=21, **options)

    def sgd(p: list[Any]) -> Any:
        return torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.1)

    def adamw(p: list[Any]) -> Any:
        return torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.99))

    found = trained(optim.sgd(rate, momentum, weight_decay=0.1), 20)
    assert_same(found, trained_by_torch(torch, sgd, 20, schedule))
    found = trained(optim.adamw(rate, (momentum, 0.99)), 20)
    assert_same(found, trained_by_torch(torch, adamw, 20, schedule))


def test_cosine_stays_at_its_end() -> None:
    found = rates(optim.cosine(1.0, 10, 0.25))
    np.testing.assert_allclose(found[10:], 0.25, rtol=1e-12)


def test_inverse_sqrt() -> None:
    t = np.arange(1.0, STEPS + 1)
    wanted = 0.3 * np.minimum(t / 10.0, np.sqrt(10.0 / t))
    np.testing.assert_allclose(rates(optim.inverse_sqrt(0.3, 10)), wanted, rtol=1e-12)


def test_warmup_and_cosine() -> None:
    found = rates(optim.warmup_cosine(0.3, 10, 40, end=0.1))
    k = np.arange(STEPS)
    wave = 0.1 + 0.2 * (1 + np.cos(np.pi * np.clip((k - 10) / 30, 0, 1))) / 2
    np.testing.assert_allclose(found, np.where(k < 10, 0.3 * (k + 1) / 10, wave), rtol=1e-12)


def test_polynomials_may_end_above_zero() -> None:
    found = rates(optim.polynomial(1.0, 10, 2.0, end=0.2))
    wanted = 0.2 + 0.8 * (1.0 - np.minimum(np.arange(STEPS) / 10.0, 1.0)) ** 2
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_restarts_late_in_a_run() -> None:
    count = asg.input("count", (2,), "int64")
    rate = optim.cosine_restarts(1.0, 1, multiply=2)(count)
    found = asg.run(rate, {count: np.array([2**30 - 1, 2**30 - 2])})
    assert found[0] == 1.0
    assert found[1] < 1e-6


def test_xla_agrees() -> None:
    count = asg.input("count", (3,), "int64")
    schedules = {name: each(count) for name, (each, _) in CASES.items()}
    feed = {count: np.array([0, 9, 31])}
    found, wanted = (asg.run(schedules, feed, backend=b) for b in ("jax", "numpy"))
    for name, rate in wanted.items():
        np.testing.assert_allclose(found[name], rate, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: optim.constant(0.1, factor=0.5), "factor"),
        (lambda: optim.linear(0.1, 0.2, 0), "steps"),
        (lambda: optim.polynomial(0.1, 5, -1.0), "power"),
        (lambda: optim.exponential(0.1, 0.0), "gamma"),
        (lambda: optim.step(0.1, 0), "step_size"),
        (lambda: optim.multistep(0.1, []), "milestone"),
        (lambda: optim.multistep(0.1, [1.5]), "milestones=1.5"),  # type: ignore[list-item]
        (lambda: optim.cosine_restarts(0.1, 5, 0), "multiply"),
        (lambda: optim.one_cycle(0.1, 50, 1.5), "pct_start"),
        (lambda: optim.one_cycle(0.1, 50, 0.6, three_phase=True), "pct_start"),
        (lambda: optim.one_cycle(0.1, 10, 0.1), "no steps"),
        (lambda: optim.one_cycle(0.1, 50, anneal_strategy="exp"), "anneal_strategy"),
        (lambda: optim.cyclic(0.1, 0.2, mode="square"), "mode"),
        (lambda: optim.cyclic(0.1, 0.2, gamma=0.9), "gamma"),
        (lambda: optim.inverse_sqrt(0.1, 0), "warmup_steps"),
        (lambda: optim.warmup_cosine(0.1, 10, 10), "steps"),
        (lambda: optim.chained(), "chained"),
        (lambda: optim.sequential([optim.constant(0.1)], [3]), "0 milestones"),
        (lambda: optim.sequential([optim.constant(0.1)] * 3, [3, 3]), "rise"),
        (lambda: optim.custom(0.1, 3.0), "function"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        make()
