"""Residual and feed-forward blocks against the same things written in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.core.errors import OperandError
from tests.nn.oracle import assert_like_pytorch


@pytest.mark.parametrize("activation", [None, "ReLU"])
@pytest.mark.parametrize("shortcut", [False, True])
def test_residual(shortcut: bool, activation: str | None) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    ours = nn.Residual(
        nn.Linear(4, 4, dtype="float64"),
        nn.Linear(4, 4, bias=False, dtype="float64") if shortcut else None,
        nn.ReLU() if activation else None,
    )
    parts = {"module": torch.nn.Linear(4, 4)}
    parts |= {"shortcut": torch.nn.Linear(4, 4, bias=False)} if shortcut else {}

    def theirs(block: Any, x: Any) -> Any:
        y = block["module"](x) + (block["shortcut"](x) if shortcut else x)
        return torch.relu(y) if activation else y

    x = np.random.default_rng(0).normal(size=(3, 4))
    assert_like_pytorch(
        ours, torch.nn.ModuleDict(parts), [x], their_call=theirs, symbolic_batch=True
    )


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("activation", [None, "Tanh"])
def test_feed_forward(bias: bool, activation: str | None) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    chosen = nn.Tanh() if activation else None
    ours = nn.FeedForward(4, 7, chosen, 0.5, bias, "float64")
    theirs = torch.nn.ModuleDict(
        {"fc1": torch.nn.Linear(4, 7, bias), "fc2": torch.nn.Linear(7, 4, bias)}
    )
    function = torch.tanh if activation else torch.nn.functional.gelu
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    assert_like_pytorch(
        ours, theirs, [x], symbolic_batch=True,
        their_call=lambda both, y: both["fc2"](function(both["fc1"](y))),
    )  # fmt: skip


def test_feed_forward_drops_hidden_features_in_training() -> None:
    layer = nn.FeedForward(2, 400, nn.ReLU(), dropout=0.25)
    ones = {name: np.ones_like(array) for name, array in layer.state_dict().items()}
    layer.load_state_dict(ones | {"fc2.bias": np.zeros(2)})
    with asg.StateTrace(training=True) as trace:
        step = trace.close({"y": layer(asg.ones((1, 2)))})
    for backend in ("numpy", "jax"):
        found = asg.compile(step, backend=backend).start(seed=1)()["y"][0]
        kept = found / 3.0 * 0.75  # each kept feature is 3 / 0.75
        assert kept[0] == kept[1] == round(float(kept[0])) and 250 < kept[0] < 350


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.Residual(3), "module=3"),  # type: ignore[arg-type]
        (lambda: nn.Residual(nn.ReLU(), shortcut=abs), "shortcut="),  # type: ignore[arg-type]
        (lambda: nn.Residual(nn.ReLU(), activation="relu"), "activation='relu'"),  # type: ignore[arg-type]
        (lambda: nn.FeedForward(0, 4), "dim=0"),
        (lambda: nn.FeedForward(4, 2.0), "hidden=2.0"),  # type: ignore[arg-type]
        (lambda: nn.FeedForward(4, 4, activation="relu"), "activation='relu'"),  # type: ignore[arg-type]
        (lambda: nn.FeedForward(4, 4, dropout=2.0), "p=2.0"),
        (lambda: nn.FeedForward(4, 4, bias=1), "bias=1"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_refused(make: Any, message: str) -> None:
    with pytest.raises(OperandError, match=message):
        make()


def test_branches_of_other_shapes_are_refused() -> None:
    with pytest.raises(asg.AsgError, match="5"):
        nn.Residual(nn.Linear(4, 5))(asg.input("x", ("n", 4)))
