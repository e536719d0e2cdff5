"""The first optimizers against formulas written out in NumPy; clipping; simple schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from asg.optim import Transform
from asg.optim.moments import bias_correction

Array = np.ndarray[Any, Any]
STEPS = 7
START = np.array([1.0, -2.0, 0.5, 3.0])
TARGET = np.array([0.3, 0.1, -0.7, 2.0])


def gradient_at(p: Array, step: int) -> Array:
    """Of sum((p - TARGET)^2 * (1 + step mod 3)): changes from step to step."""
    gradient: Array = 2.0 * (p - TARGET) * (1.0 + step % 3)
    return gradient


def trajectory(transform: Transform, backend: str = "numpy") -> list[Array]:
    """The parameter after each step of the compiled training step, in float64."""
    p = asg.parameter("p", (4,), init=START, dtype="float64")
    weight = asg.input("weight", (), dtype="float64")
    loss = asg.sum((p - TARGET) ** 2.0) * weight
    step = asg.train_step(loss, optimizer=transform)
    session = asg.compile(step, backend=backend).start(seed=0)
    found = []
    for number in range(STEPS):
        session(weight=np.float64(1.0 + number % 3))
        found.append(session.state_dict()["p"])
    return found


def follow(update: Callable[[Array, Array, int], Array]) -> list[Array]:
    p, found = START.copy(), []
    for number in range(STEPS):
        p = update(p, gradient_at(p, number), number)
        found.append(p.copy())
    return found


def sgd_by_hand(lr: float, momentum: float, nesterov: bool, decay: float) -> list[Array]:
    buffer = np.zeros(4)

    def update(p: Array, g: Array, number: int) -> Array:
        nonlocal buffer
        g = g + decay * p
        buffer = momentum * buffer + g
        following: Array = p - lr * (g + momentum * buffer if nesterov else buffer)
        return following

    return follow(update)


def adam_by_hand(lr: float, betas: tuple[float, float], l2: float, decoupled: float) -> list[Array]:
    first, second = np.zeros(4), np.zeros(4)

    def update(p: Array, g: Array, number: int) -> Array:
        nonlocal first, second
        g = g + l2 * p
        first = betas[0] * first + (1 - betas[0]) * g
        second = betas[1] * second + (1 - betas[1]) * g * g
        m = first / (1 - betas[0] ** (number + 1))
        v = second / (1 - betas[1] ** (number + 1))
        following: Array = p - lr * (m / (np.sqrt(v) + 1e-8) + decoupled * p)
        return following

    return follow(update)


CASES: dict[str, tuple[Callable[[], Transform], Callable[[], list[Array]]]] = {
    "sgd": (lambda: optim.sgd(0.1), lambda: sgd_by_hand(0.1, 0.0, False, 0.0)),
    "sgd momentum": (lambda: optim.sgd(0.05, 0.9), lambda: sgd_by_hand(0.05, 0.9, False, 0.0)),
    "sgd nesterov": (
        lambda: optim.sgd(0.05, 0.9, nesterov=True),
        lambda: sgd_by_hand(0.05, 0.9, True, 0.0),
    ),
    "sgd decay": (
        lambda: optim.sgd(0.05, 0.5, weight_decay=0.1),
        lambda: sgd_by_hand(0.05, 0.5, False, 0.1),
    ),
    "adam": (lambda: optim.adam(0.1), lambda: adam_by_hand(0.1, (0.9, 0.999), 0.0, 0.0)),
    "adam l2": (
        lambda: optim.adam(0.1, (0.8, 0.95), weight_decay=0.1),
        lambda: adam_by_hand(0.1, (0.8, 0.95), 0.1, 0.0),
    ),
    "adamw": (lambda: optim.adamw(0.1), lambda: adam_by_hand(0.1, (0.9, 0.999), 0.0, 0.01)),
    "adam without memory": (
        lambda: optim.adam(0.1, (0.0, 0.0)),
        lambda: adam_by_hand(0.1, (0.0, 0.0), 0.0, 0.0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_trajectory_is_that_of_the_formula(name: str) -> None:
    transform, reference = CASES[name]
    for found, wanted in zip(trajectory(transform()), reference(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


def test_backends_agree() -> None:
    transform, _ = CASES["sgd nesterov"]
    for left, right in zip(trajectory(transform()), trajectory(transform(), "jax"), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)


def test_bias_correction_does_not_cancel_in_float32() -> None:
    count = asg.input("count", (), dtype="int32")
    found = asg.run(bias_correction(0.999, count, asg.float32), {count: 1})
    assert abs(float(found) - 0.001) < 1e-9


def test_clip_by_global_norm_scales_all_gradients_together() -> None:
    a, b = asg.input("a", (2,), "float64"), asg.input("b", (), "float64")
    clipped, _ = optim.clip_by_global_norm(1.0).update({"a": a, "b": b}, {}, {})
    large = asg.run(clipped, {a: np.array([3.0, 0.0]), b: np.float64(4.0)})
    np.testing.assert_allclose(large["a"], [0.6, 0.0], rtol=1e-6)
    np.testing.assert_allclose(large["b"], 0.8, rtol=1e-6)
    small = asg.run(clipped, {a: np.array([0.3, 0.0]), b: np.float64(0.4)})
    np.testing.assert_array_equal(small["a"], [0.3, 0.0])


def test_clip_by_value() -> None:
    a = asg.input("a", (3,))
    clipped, _ = optim.clip_by_value(1.0).update({"a": a}, {}, {})
    assert asg.run(clipped["a"], {a: [-5.0, 0.5, 2.0]}).tolist() == [-1.0, 0.5, 1.0]


def rates(schedule: optim.Schedule, count: int) -> list[float]:
    step = asg.input("step", (), "int32")
    rate = schedule(step)
    return [float(asg.run(rate, {step: number})) for number in range(count)]


def test_schedules() -> None:
    np.testing.assert_allclose(rates(optim.constant(0.5), 2), [0.5, 0.5])
    np.testing.assert_allclose(rates(optim.linear(1.0, 0.0, 4), 6), [1, 0.75, 0.5, 0.25, 0, 0])
    wanted = [0.1 + 0.9 * (1 + np.cos(np.pi * min(k / 4, 1))) / 2 for k in range(6)]
    np.testing.assert_allclose(rates(optim.cosine(1.0, 4, end=0.1), 6), wanted, rtol=1e-6)
    found = rates(optim.warmup(1.0, 4, then=optim.linear(1.0, 0.0, 2)), 8)
    np.testing.assert_allclose(found, [0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.0, 0.0])


def test_schedule_drives_the_update() -> None:
    p = asg.parameter("p", (), init=0.0, dtype="float64")
    step = asg.train_step(p * 1.0, optimizer=optim.sgd(optim.linear(1.0, 0.0, 2)))
    session = asg.compile(step).start()
    found = []
    for _ in range(3):
        session()
        found.append(float(session.state_dict()["p"]))
    np.testing.assert_allclose(found, [-1.0, -1.5, -1.5])


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: optim.sgd(-1.0), "lr"),
        (lambda: optim.sgd(0.1, momentum=1.5), "momentum"),
        (lambda: optim.sgd(0.1, nesterov=True), "nesterov"),
        (lambda: optim.adam(betas=(0.9, 1.0)), "beta2"),
        (lambda: optim.clip_by_global_norm(-1.0), "max_norm"),
        (lambda: optim.chain(), "chain"),
        (lambda: optim.cosine(1.0, 0), "steps"),
    ],
)
def test_wrong_arguments_are_named(make: Callable[[], object], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        make()


def test_bias_corrections_are_written_once_for_each_dtype() -> None:
    types = ("float32", "float64", "float32", "float64")
    parameters = [asg.parameter(f"p{i}", (3,), init=1.0, dtype=t) for i, t in enumerate(types)]
    squares = [asg.sum(each.read() ** 2.0).astype("float32") for each in parameters]
    step = asg.train_step(asg.sum(asg.stack(squares)), optimizer=optim.adam(0.1))
    corrections = [node for node in step.nodes if node.op.name == "expm1"]
    assert sorted(node.output.dtype.name for node in corrections) == [*types[::2], *types[1::2]]
