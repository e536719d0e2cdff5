"""L-BFGS against torch.optim.LBFGS: every state, with and without its line search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import optim
from tests.optim.problem import (
    START,
    TARGET,
    Array,
    assert_same,
    loss_of,
    session_of,
    trained,
)

CASES: dict[str, dict[str, Any]] = {
    "defaults": {"lr": 0.1},
    "one step": {"lr": 0.1, "max_iter": 1},
    "short history": {"lr": 0.5, "history_size": 3, "max_iter": 2},
    "wolfe": {"line_search_fn": "strong_wolfe"},
    "wolfe one step": {"line_search_fn": "strong_wolfe", "max_iter": 1, "max_eval": 25},
    "wolfe short": {"line_search_fn": "strong_wolfe", "max_iter": 3, "history_size": 2},
    "wolfe far": {"line_search_fn": "strong_wolfe", "lr": 30.0, "max_iter": 4},
    "wolfe near": {"line_search_fn": "strong_wolfe", "lr": 1e-3, "max_iter": 4},
    "wolfe few evaluations": {"line_search_fn": "strong_wolfe", "lr": 1e-3, "max_eval": 2},
}


def by_torch(torch: Any, options: dict[str, Any], steps: int) -> tuple[list[Any], Any]:
    """A full batch: the phase stays 0.3."""
    p = {name: torch.tensor(array, requires_grad=True) for name, array in START.items()}
    optimizer = torch.optim.LBFGS([*p.values()], **options)
    target, found = torch.tensor(TARGET), []

    def closure() -> Any:
        optimizer.zero_grad()
        loss = loss_of(p, 0.3, torch, target)
        loss.backward()
        return loss

    for _ in range(steps):
        loss = optimizer.step(closure)
        arrays = {name: each.detach().numpy().copy() for name, each in p.items()}
        found.append({**arrays, "loss": loss.detach().numpy()})
    return found, optimizer.state_dict()["state"][0]


def by_asg(options: dict[str, Any], steps: int, backend: str = "numpy") -> tuple[list[Any], Any]:
    session, found = session_of(optim.lbfgs(**options), backend), []
    for _ in range(steps):
        results = session(phase=np.float64(0.3))
        found.append({**session.state_dict(role="parameter"), "loss": results["loss"]})
    state = session.state_dict(role="optimizer")
    return found, {key.removeprefix("optimizer.lbfgs."): each for key, each in state.items()}


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_are_those_of_pytorch(name: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    found, state = by_asg(CASES[name], 20)
    wanted, memory = by_torch(torch, CASES[name], 20)
    assert_same(found, wanted)
    assert state["evaluations"] == memory["func_evals"]
    assert state["iterations"] == memory["n_iter"]
    assert state["pairs"] == len(memory["old_dirs"])


def test_the_state_is_that_of_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    options = {"line_search_fn": "strong_wolfe", "max_iter": 2, "history_size": 4}
    _, state = by_asg(options, 3)
    _, memory = by_torch(torch, options, 3)
    wanted: dict[str, Any] = {
        "y_history": torch.stack(memory["old_dirs"]),
        "s_history": torch.stack(memory["old_stps"]),
        "ro": torch.stack(memory["ro"]),
        "scale": memory["H_diag"],
        "direction": memory["d"],
        "t": memory["t"],
        "gradient": memory["prev_flat_grad"],
        "loss": memory["prev_loss"],
    }
    for name, each in wanted.items():
        array = np.asarray(each)
        pairs = len(array) if name.endswith("history") or name == "ro" else None
        mine = state[name] if pairs is None else state[name][-pairs:]
        np.testing.assert_allclose(mine, array, rtol=1e-8, atol=1e-10, err_msg=name)


def test_xla_agrees() -> None:
    options = {"line_search_fn": "strong_wolfe", "max_iter": 4, "history_size": 5}
    left, right = (by_asg(options, 4, backend)[0] for backend in ("jax", "numpy"))
    assert_same(left, right)


def test_a_resumed_run_is_the_uninterrupted_one() -> None:
    def optimizer() -> Any:
        return optim.lbfgs(line_search_fn="strong_wolfe", max_iter=2, history_size=5)

    first, whole = session_of(optimizer()), session_of(optimizer())
    for _ in range(3):
        first(phase=0.3)
    second = session_of(optimizer())
    second.load_state_dict(first.state_dict())
    for _ in range(3):
        second(phase=0.3)
    for _ in range(6):
        whole(phase=0.3)
    wanted = whole.state_dict()
    for key, array in second.state_dict().items():
        np.testing.assert_array_equal(array, wanted[key], err_msg=key)


def test_rosenbrock_in_many_dimensions() -> None:
    x = asg.parameter("x", (20,), -0.5, "float64")
    a, b = x[1:], x[:-1]
    loss = (100.0 * (a - b**2.0) ** 2.0 + (1.0 - b) ** 2.0).sum()
    optimizer = optim.lbfgs(line_search_fn="strong_wolfe", max_iter=50)
    session = asg.compile(asg.train_step(loss, optimizer=optimizer)).start()
    for _ in range(4):
        session()
    np.testing.assert_allclose(session.state_dict()["x"], np.ones(20), atol=1e-5)


def test_a_minimum_is_left_alone() -> None:
    w = asg.parameter("w", (3,), 0.0)
    for search in (None, "strong_wolfe"):
        step = asg.train_step((w * w).sum(), optimizer=optim.lbfgs(line_search_fn=search))
        session = asg.compile(step).start()
        for _ in range(3):
            session()
        assert session.state_dict()["w"].tolist() == [0.0, 0.0, 0.0]
        assert session.state_dict()["optimizer.lbfgs.evaluations"] == 3


def test_dtypes_may_be_mixed() -> None:
    wide = asg.parameter("wide", (2,), 1.0, "float64")
    narrow: Array = np.array([2.0, -1.0], np.float32)
    other = asg.parameter("narrow", (2,), narrow)
    loss = ((wide.read() - other.read().astype("float64") * 2.0) ** 2.0).sum()
    loss = loss + ((other.read() - 3.0) ** 2.0).sum().astype("float64")
    optimizer = optim.lbfgs(line_search_fn="strong_wolfe")
    session = asg.compile(asg.train_step(loss, optimizer=optimizer)).start()
    for _ in range(3):
        session()
    np.testing.assert_allclose(session.state_dict()["narrow"], [3.0, 3.0], atol=1e-3)
    assert session.state_dict()["narrow"].dtype == np.float32


def test_it_may_be_the_rule_of_a_group() -> None:
    optimizer = optim.groups(
        {"matrix": optim.lbfgs(line_search_fn="strong_wolfe")}, default=optim.sgd(0.0)
    )
    found = trained(optimizer, 1)[0]
    assert not np.allclose(found["matrix"], START["matrix"])
    np.testing.assert_array_equal(found["kernel"], START["kernel"])


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"lr": -1.0}, "lr"),
        ({"lr": 0.0, "line_search_fn": "strong_wolfe"}, "lr=0"),
        ({"max_iter": 0}, "max_iter"),
        ({"max_eval": 0}, "max_eval"),
        ({"history_size": 0}, "history_size"),
        ({"line_search_fn": "armijo"}, "line_search_fn='armijo'"),
        ({"tolerance_grad": -1.0}, "tolerance_grad"),
    ],
)
def test_wrong_arguments_are_named(options: dict[str, Any], word: str) -> None:
    with pytest.raises(asg.AsgError, match=word):
        optim.lbfgs(**options)


def test_nothing_comes_before_it() -> None:
    with pytest.raises(asg.AsgError, match="clip_by_value before it would do nothing"):
        optim.chain(optim.clip_by_value(1.0), optim.lbfgs())
