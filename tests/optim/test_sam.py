"""SAM, and the loss at other parameters that train_step builds for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from tests.optim.problem import (
    START,
    TARGET,
    Array,
    assert_same,
    loss_of,
    phase_of,
    session_of,
    trained,
)


def sam_by_torch(torch: Any, rho: float, adaptive: bool, steps: int) -> list[dict[str, Array]]:
    p = {name: torch.tensor(array, requires_grad=True) for name, array in START.items()}
    optimizer, found = torch.optim.SGD([*p.values()], lr=0.01, momentum=0.9), []
    target = torch.tensor(TARGET)
    for step in range(steps):
        here = torch.autograd.grad(loss_of(p, phase_of(step), torch, target), [*p.values()])
        sizes = [each.abs() if adaptive else torch.ones_like(each) for each in p.values()]
        length = sum(((s * g) ** 2).sum() for s, g in zip(sizes, here, strict=True)).sqrt()
        there = {
            name: (each + rho * s * s * g / (length + 1e-12)).detach().requires_grad_()
            for (name, each), s, g in zip(p.items(), sizes, here, strict=True)
        }
        moved = torch.autograd.grad(
            loss_of(there, phase_of(step), torch, target), [*there.values()]
        )
        for each, gradient in zip(p.values(), moved, strict=True):
            each.grad = gradient
        optimizer.step()
        found.append({name: each.detach().numpy().copy() for name, each in p.items()})
    return found


@pytest.mark.parametrize(("rho", "adaptive"), [(0.05, False), (0.5, True)])
def test_sam_is_two_gradients(rho: float, adaptive: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    found = trained(optim.sam(optim.sgd(0.01, 0.9), rho, adaptive), 20)
    assert_same(found, sam_by_torch(torch, rho, adaptive, 20))


def test_sam_without_rho_is_its_optimizer() -> None:
    assert_same(trained(optim.sam(optim.adam(0.05), 0.0), 3), trained(optim.adam(0.05), 3), 1e-12)


def test_sam_has_the_state_of_its_optimizer() -> None:
    state = session_of(optim.sam(optim.adam(0.05))).state_dict(role="optimizer")
    assert "optimizer.sam.adam.m.kernel" in state
    assert len(state) == 1 + 2 * len(START)


class Noisy(nn.Module):
    """Draws random numbers and keeps a running statistic, once a step."""

    def __init__(self) -> None:
        self.weight = asg.parameter("weight", (64,), 1.0, "float64")
        self.seen = asg.Variable("seen", (), 0.0, "float64", role="statistic")
        self.stream = asg.RandomStream()

    def forward(self, x: Any) -> Any:
        noise = asg.laplace(self.stream.next(), (64,), dtype="float64")
        product = self.weight.read() * x * noise
        self.seen.write(self.seen.read() + product.sum())
        return product


def test_noise_and_statistics_belong_to_the_step() -> None:
    """Both gradients see the same noise, and what the model writes is written once."""
    x = asg.input("x", (64,), "float64")

    def session(optimizer: Any) -> Any:
        def loss(prediction: Any, target: Any) -> Any:
            return (prediction * target).sum()

        step = asg.train_step(Noisy(), loss=loss, optimizer=optimizer)
        return asg.compile(step(x=x, y=((64,), "float64"))).start(seed=3)

    plain, sharp = session(optim.sgd(0.1)), session(optim.sam(optim.sgd(0.1), rho=10.0))
    for _ in range(3):
        feeds = {"x": np.ones(64), "y": np.ones(64)}
        assert plain(**feeds)["loss"] == sharp(**feeds)["loss"]
    # the loss is linear, so its gradient is the same everywhere if the noise is the same
    for name, array in plain.state_dict().items():
        np.testing.assert_allclose(sharp.state_dict()[name], array, rtol=1e-12, err_msg=name)


def test_zero_gradients_make_no_nan() -> None:
    w = asg.parameter("w", (2,), 1.0)
    step = asg.train_step(0.0 * w.read().sum(), optimizer=optim.sam(optim.sgd(0.1)))
    session = asg.compile(step).start()
    session()
    assert session.state_dict()["w"].tolist() == [1.0, 1.0]


def test_nothing_comes_before_sam() -> None:
    with pytest.raises(asg.AsgError, match="put clip_by_global_norm into the optimizer that sam"):
        optim.chain(optim.clip_by_global_norm(1.0), optim.sam(optim.sgd(0.1)))
    optim.sam(optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1)))


def test_update_needs_evaluate() -> None:
    one = {"w": asg.ones((2,))}
    with pytest.raises(asg.AsgError, match="needs evaluate"):
        optim.sam(optim.sgd(0.1)).update(one, {}, one)


def test_evaluate_takes_values_of_the_same_types() -> None:
    def update(g: Any, state: Any, p: Any, evaluate: Any) -> Any:
        return evaluate({"w": p["w"].astype("float64")})[1], state

    wide = optim.Transform("wide", lambda p: {}, update, evaluates=True)
    with pytest.raises(asg.AsgError, match=r"f64\[2\] for 'w', which is f32\[2\]"):
        asg.train_step(asg.parameter("w", (2,), 1.0).read().sum(), optimizer=wide)
