"""Checkpoints keep less and change no number; own gradients are used; wrong uses are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.core.errors import AsgError

DEPTH, WIDTH, BATCH = 12, 16, 256


class Deep(nn.Module):
    """Blocks of three layers, each block checkpointed or not."""

    def __init__(self, checkpointed: bool) -> None:
        self.blocks = [
            nn.Sequential(*(nn.Linear(WIDTH, WIDTH), nn.Tanh()) * 3) for _ in range(DEPTH // 3)
        ]
        self._checkpointed = checkpointed

    def forward(self, x: asg.Tensor) -> asg.Tensor:
        for block in self.blocks:
            x = asg.checkpoint(block)(x) if self._checkpointed else block(x)
        return x


def session_of(checkpointed: bool, backend: str = "numpy") -> asg.Session:
    build = asg.train_step(Deep(checkpointed), loss=asg.mse_loss, optimizer=optim.sgd(0.1))
    graph = build(x=("batch", WIDTH), y=("batch", WIDTH))
    return asg.compile(graph, backend=backend).start(seed=0)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_a_checkpoint_changes_no_number(backend: str) -> None:
    random = np.random.default_rng(0)
    feeds = {name: random.standard_normal((5, WIDTH)).astype("f4") for name in "xy"}
    losses = []
    for checkpointed in (False, True):
        session = session_of(checkpointed, backend)
        losses.append([float(session(**feeds)["loss"]) for _ in range(4)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


def test_a_checkpoint_keeps_less() -> None:
    peaks = []
    for checkpointed in (False, True):
        program: Any = session_of(checkpointed).program((BATCH, WIDTH), (BATCH, WIDTH))
        peaks.append(program.plan.arena_bytes)
    assert peaks[1] < 0.7 * peaks[0]


def test_second_derivatives_pass_through_a_checkpoint() -> None:
    x = asg.input("x", (3,), "float64")
    plain: Callable[..., asg.Tensor] = lambda x: asg.sum(asg.sin(x) ** 3.0)  # noqa: E731
    v = asg.constant([1.0, 2.0, 3.0], "float64")
    both = [asg.hvp(function(x), x, v) for function in (plain, asg.checkpoint(plain))]
    left, right = asg.run(both, {x: np.array([0.1, 0.7, -1.0])})
    np.testing.assert_allclose(left, right, rtol=1e-12)


def test_a_checkpoint_takes_trees_and_values_from_outside() -> None:
    x, w = asg.input("x", (3,)), asg.parameter("w", (3,), init=2.0)
    found = asg.checkpoint(lambda p: {"y": p["a"] * w, "z": (p["a"] + p["b"],)})({"a": x, "b": x})
    loss = asg.sum(found["y"]) + asg.sum(found["z"][0])
    dx, dw = asg.run(asg.grad(loss, [x, w]), {x: [1.0, 2.0, 3.0], w: np.full(3, 2.0, "f4")})
    assert dx.tolist() == [4.0, 4.0, 4.0]
    assert dw.tolist() == [1.0, 2.0, 3.0]


def test_the_given_gradient_is_used_and_differentiated() -> None:
    straight = asg.custom_vjp(lambda x: asg.round(x), lambda x, y, dy: [dy[0] * x[0]])
    x = asg.input("x", (2,), "float64")
    y = asg.sum(straight(x))
    first = asg.grad(y, x)
    second = asg.grad(asg.sum(first), x)
    found = asg.run([y, first, second], {x: np.array([0.6, 2.2])})
    assert found[0] == 3.0
    assert found[1].tolist() == [0.6, 2.2]
    assert found[2].tolist() == [1.0, 1.0]


def test_an_operand_may_have_no_gradient_and_outputs_may_be_several() -> None:
    both = asg.custom_vjp(
        lambda x, y: (x + y, x * y), lambda x, y, dy: [dy[0] + dy[1] * x[1], None]
    )
    x, y = asg.input("x", ()), asg.input("y", ())
    a, b = both(x, y)
    found = asg.run(asg.grad(a * 2.0 + b, x), {x: 3.0, y: 5.0})
    assert float(found) == 7.0
    with pytest.raises(asg.AsgError, match="'y'"):
        asg.grad(a + b, y)


WRONG: dict[str, tuple[Callable[[asg.Tensor], Any], str]] = {
    "number of cotangents": (
        lambda x: asg.custom_vjp(lambda x: x * 2.0, lambda x, y, dy: [])(x), "0 cotangents for 1"),
    "type of a cotangent": (
        lambda x: asg.custom_vjp(lambda x: asg.sum(x), lambda x, y, dy: [dy[0]])(x),
        "cotangent of operand 0"),
    "values from outside": (
        lambda x: asg.custom_vjp(lambda y: y * x, lambda y, z, dy: [dy[0]])(x), "from outside"),
    "values from outside in backward": (
        lambda x: asg.custom_vjp(lambda y: y * 2.0, lambda y, z, dy: [dy[0] * x])(x),
        "backward uses tensors from outside"),
    "no tensor": (lambda x: asg.checkpoint(lambda x: "text")(x), "is no number"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_uses_are_refused(name: str) -> None:
    build, words = WRONG[name]
    with pytest.raises(AsgError, match=words):
        build(asg.input("x", (3,)))


def test_wrapped_functions_print_and_parse() -> None:
    x = asg.input("x", ("n",))
    graph = asg.Graph(y=asg.sum(asg.checkpoint(lambda x: asg.tanh(x) * 2.0)(x)))
    assert str(asg.parse(str(graph))) == str(graph)
