"""A small problem with parameters of every rank, trained by asg and by PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import asg
from asg import optim

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)
START: dict[str, Array] = {
    "scalar": np.array(0.7),
    "vector": RNG.normal(size=3),
    "matrix": RNG.normal(size=(4, 3)),
    "kernel": RNG.normal(size=(2, 3, 2, 2)),
}
TARGET = RNG.normal(size=4)


def loss_of(p: dict[str, Any], phase: Any, library: Any, target: Any) -> Any:
    """Neither quadratic nor convex; `phase` changes the gradients from step to step."""
    hidden = library.tanh(p["matrix"] @ p["vector"] + phase * p["scalar"])
    total = ((hidden - target) ** 2.0).sum() + (1.3 + phase) * (p["kernel"] ** 2.0).sum()
    total = total + library.sin(p["kernel"] * p["scalar"]).sum()
    total = total + library.exp(0.5 * p["vector"]).sum() + library.exp(-0.3 * p["vector"]).sum()
    return total + 0.1 * (p["matrix"] ** 2.0).sum() + p["scalar"] ** 4.0


def phase_of(step: int) -> float:
    return float(np.cos(2.0 * step))


def graph(optimizer: Any, start: dict[str, Array] = START, dtype: str = "float64") -> asg.Graph:
    """The training step, whose input is called phase."""
    parameters = {n: asg.parameter(n, a.shape, a, dtype) for n, a in start.items()}
    phase = asg.input("phase", (), dtype)
    values = {name: parameter.read() for name, parameter in parameters.items()}
    loss = loss_of(values, phase, asg, TARGET.astype(dtype))
    step: asg.Graph = asg.train_step(loss, optimizer=optimizer)
    return step


def session_of(optimizer: Any, backend: str = "numpy") -> Any:
    return asg.compile(graph(optimizer), backend=backend).start(seed=0)


def trained(optimizer: Any, steps: int, backend: str = "numpy") -> list[dict[str, Array]]:
    """The parameters after every step."""
    session, found = session_of(optimizer, backend), []
    for step in range(steps):
        session(phase=np.float64(phase_of(step)))
        found.append(session.state_dict(role="parameter"))
    return found


def trained_by_torch(
    torch: Any, make: Callable[[list[Any]], Any], steps: int, schedule: Any = None
) -> list[dict[str, Array]]:
    """The same by ``make(parameters)``, a torch.optim optimizer."""
    p = {name: torch.tensor(array, requires_grad=True) for name, array in START.items()}
    optimizer = make([*p.values()])
    scheduler = None if schedule is None else schedule(optimizer)
    target, found = torch.tensor(TARGET), []
    for step in range(steps):

        def closure(step: int = step) -> Any:
            optimizer.zero_grad()
            loss = loss_of(p, phase_of(step), torch, target)
            loss.backward()
            return loss

        optimizer.step(closure)
        if scheduler is not None:
            scheduler.step()
        found.append({name: each.detach().numpy().copy() for name, each in p.items()})
    return found


def assert_same(
    found: list[dict[str, Array]], wanted: list[dict[str, Array]], tolerance: float = 1e-8
) -> None:
    assert len(found) == len(wanted)
    for step, (ours, theirs) in enumerate(zip(found, wanted, strict=True)):
        for name, array in theirs.items():
            np.testing.assert_allclose(
                ours[name], array, rtol=tolerance, atol=tolerance, err_msg=f"{name}, step {step}"
            )


ALL: dict[str, Callable[[], optim.Transform]] = {
    "sgd": lambda: optim.sgd(0.02, momentum=0.9, dampening=0.1, weight_decay=0.1),
    "adam": lambda: optim.adam(0.05, amsgrad=True),
    "adamw": lambda: optim.adamw(0.05, no_decay=("vector", "s*")),
    "adamax": lambda: optim.adamax(0.05),
    "nadam": lambda: optim.nadam(0.05),
    "radam": lambda: optim.radam(0.05),
    "rmsprop": lambda: optim.rmsprop(0.02, momentum=0.5, centered=True),
    "adagrad": lambda: optim.adagrad(0.1, lr_decay=0.1),
    "adadelta": lambda: optim.adadelta(1.0),
    "asgd": lambda: optim.asgd(0.02, t0=2.0),
    "rprop": lambda: optim.rprop(0.02),
    "adafactor": lambda: optim.adafactor(0.05),
    "adabelief": lambda: optim.adabelief(0.05),
    "lion": lambda: optim.lion(0.02, weight_decay=0.1),
    "lamb": lambda: optim.lamb(0.05, weight_decay=0.1),
    "lars": lambda: optim.lars(5.0),
}
