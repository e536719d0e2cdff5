"""Optimizers that PyTorch lacks, or computes in few digits, against their papers' formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from tests.optim.problem import START, Array, assert_same, trained

STEPS = 20
Arrays = dict[str, Array]
Rule = Callable[[Array, Array, int, dict[str, Any]], Any]


def _norm(x: Array) -> Any:
    return np.sqrt((x * x).sum())


def gradient_by_hand(p: Arrays, step: int) -> Arrays:
    """Of ``weight * sum(cosh(p - 0.3))``, whose weight changes from step to step."""
    return {name: weight_at(step) * np.sinh(each - 0.3) for name, each in p.items()}


def weight_at(step: int) -> float:
    return 1.0 + step % 3


def ours(optimizer: Any, start: Arrays = START, backend: str = "numpy") -> list[Arrays]:
    parameters = {n: asg.parameter(n, a.shape, a, "float64") for n, a in start.items()}
    weight = asg.input("weight", (), "float64")
    shifted = [parameter - 0.3 for parameter in parameters.values()]
    loss = weight * sum(((asg.exp(x) + asg.exp(-x)) / 2.0).sum() for x in shifted)
    step = asg.train_step(loss, optimizer=optimizer)
    session, found = asg.compile(step, backend).start(), []
    for number in range(STEPS):
        session(weight=np.float64(weight_at(number)))
        found.append(session.state_dict(role="parameter"))
    return found


def by_hand(rule: Rule,
            start: Arrays = START) -> list[Arrays]:  # fmt: skip
    """``p <- rule(p, g, t, memory)`` for each parameter, with a memory of its own."""
    p = {name: array.copy() for name, array in start.items()}
    memory: dict[str, dict[str, Any]] = {name: {} for name in p}
    found = []
    for step in range(STEPS):
        g = gradient_by_hand(p, step)
        p = {name: rule(p[name], g[name], step + 1, memory[name]) for name in p}
        found.append(p)
    return found


def adabelief(p: Array, g: Array, t: int, memory: dict[str, Any]) -> Any:
    m = memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    s = memory["s"] = 0.99 * memory.get("s", 0.0) + 0.01 * (g - m) ** 2 + 1e-8
    step = (m / (1 - 0.9**t)) / (np.sqrt(s / (1 - 0.99**t)) + 1e-8)
    return p - 0.05 * (step + 0.1 * p)


def lion(p: Array, g: Array, t: int, memory: dict[str, Any]) -> Any:
    m = memory.get("m", 0.0)
    memory["m"] = 0.99 * m + 0.01 * g
    return p - 0.02 * (np.sign(0.9 * m + 0.1 * g) + 0.2 * p)


def lamb(p: Array, g: Array, t: int, memory: dict[str, Any]) -> Any:
    m = memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    v = memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g * g
    u = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6) + 0.1 * p
    return p - 0.05 * _norm(p) / _norm(u) * u


def lars(nesterov: bool) -> Rule:
    def rule(p: Array, g: Array, t: int, memory: dict[str, Any]) -> Any:
        u = g + 0.1 * p
        scaled = -5.0 * 0.01 * _norm(p) / (_norm(u) + 1e-3) * u
        b = memory["b"] = 0.8 * memory.get("b", 0.0) + scaled
        return p + (scaled + 0.8 * b if nesterov else b)

    return rule


def muon(rule: str | None, nesterov: bool) -> Rule:
    def orthogonal(x: Array) -> Array:
        if x.shape[0] > x.shape[1]:
            return orthogonal(x.T).T
        x = x / max(_norm(x), 1e-7)
        for _ in range(5):
            s = x @ x.T
            x = 3.4445 * x - 4.7750 * (s @ x) + 2.0315 * (s @ s @ x)
        return x

    def update(p: Array, g: Array, t: int, memory: dict[str, Any]) -> Any:
        m = memory["m"] = 0.95 * memory.get("m", 0.0) + 0.05 * g
        u = orthogonal(0.05 * g + 0.95 * m if nesterov else m)
        a, b = p.shape
        ratio = max(1.0, a / b) ** 0.5 if rule is None else 0.2 * max(a, b) ** 0.5
        return p * (1 - 0.05 * 0.1) - 0.05 * ratio * u

    return update


MATRICES = {"tall": START["matrix"], "wide": START["matrix"].T + 0.1}
CASES: dict[str, tuple[Callable[[], optim.Transform], Any, Arrays]] = {
    "adabelief": (
        lambda: optim.adabelief(0.05, (0.9, 0.99), 1e-8, weight_decay=0.1), adabelief, START
    ),
    "lion": (lambda: optim.lion(0.02, weight_decay=0.2), lion, START),
    "lamb": (lambda: optim.lamb(0.05, weight_decay=0.1), lamb, START),
    "lars": (lambda: optim.lars(5.0, 0.8, 0.1, 0.01, 1e-3), lars(False), START),
    "lars nesterov": (
        lambda: optim.lars(5.0, 0.8, 0.1, 0.01, 1e-3, nesterov=True), lars(True), START
    ),
    "muon": (lambda: optim.muon(0.05), muon(None, True), MATRICES),
    "muon plain": (lambda: optim.muon(0.05, nesterov=False), muon(None, False), MATRICES),
    "muon rms": (
        lambda: optim.muon(0.05, adjust_lr_fn="match_rms_adamw"), muon("rms", True), MATRICES
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_parameters_are_those_of_the_formula(name: str) -> None:
    make, rule, start = CASES[name]
    assert_same(ours(make(), start), by_hand(rule, start), 1e-11)


@pytest.mark.parametrize("name", ["muon", pytest.param("lamb", marks=pytest.mark.slow)])
def test_xla_agrees(name: str) -> None:
    make, rule, start = CASES[name]
    assert_same(ours(make(), start, "jax"), by_hand(rule, start), 1e-11)


@pytest.mark.parametrize("rule", [None, pytest.param("match_rms_adamw", marks=pytest.mark.slow)])
def test_muon_is_near_the_bfloat16_of_pytorch(rule: str | None) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    found = ours(optim.muon(0.05, adjust_lr_fn=rule), MATRICES)
    p = {name: torch.tensor(array, requires_grad=True) for name, array in MATRICES.items()}
    optimizer = torch.optim.Muon([*p.values()], lr=0.05, adjust_lr_fn=rule)
    for step in range(STEPS):
        values = {name: each.detach().numpy() for name, each in p.items()}
        for name, gradient in gradient_by_hand(values, step).items():
            p[name].grad = torch.tensor(gradient)
        optimizer.step()
    for name, each in p.items():
        np.testing.assert_allclose(found[-1][name], each.detach().numpy(), atol=0.02)


def test_muon_refuses_what_is_no_matrix() -> None:
    with pytest.raises(asg.AsgError, match=r"scalar: f64\[\], vector: f64\[3\], kernel"):
        trained(optim.muon(), 1)


def test_lamb_spares_what_it_is_told_to() -> None:
    spared = by_hand(lambda p, g, t, m: p - 0.05 * lamb_direction(p, g, t, m))
    found = ours(optim.lamb(0.05, no_trust="*"))
    assert_same(found, spared, 1e-11)


def lamb_direction(p: Array, g: Array, t: int, memory: dict[str, Any]) -> Any:
    m = memory["m"] = 0.9 * memory.get("m", 0.0) + 0.1 * g
    v = memory["v"] = 0.999 * memory.get("v", 0.0) + 0.001 * g * g
    direction: Array = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-6)
    return direction
