"""A hundred steps give one loss curve on both backends, dropout and running statistics included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim

Array = np.ndarray[Any, Any]
STEPS = 100


def mlp() -> tuple[nn.Module, dict[str, Array]]:
    net = nn.Sequential(
        nn.Linear(8, 32), nn.GELU(), nn.Dropout(0.3), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4)
    )
    random = np.random.default_rng(0)
    x = random.normal(size=(STEPS, 16, 8)).astype(np.float32)
    return net, {"x": x, "y": x[..., :4].argmax(-1).astype(np.int32)}


def cnn() -> tuple[nn.Module, dict[str, Array]]:
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ELU(), nn.MaxPool2d(2),
        nn.Dropout2d(0.2), nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(32, 16), nn.BatchNorm1d(16), nn.Dropout(0.3),
        nn.Linear(16, 4),
    )  # fmt: skip
    random = np.random.default_rng(1)
    x = random.normal(size=(STEPS, 8, 2, 8, 8)).astype(np.float32)
    halves = np.stack([x[..., :4, :4], x[..., 4:, :4], x[..., :4, 4:], x[..., 4:, 4:]])
    return net, {"x": x, "y": halves.sum(axis=(3, 4, 5)).argmax(0).astype(np.int32)}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        self.embedding = nn.Embedding(11, 12)
        self.lstm = nn.LSTM(12, 16, num_layers=2, batch_first=True, dropout=0.2)
        self.head = nn.Linear(16, 11)

    def forward(self, tokens: asg.Tensor) -> asg.Tensor:
        hidden, _ = self.lstm(self.embedding(tokens))
        out: asg.Tensor = self.head(hidden)
        return out


class Attending(nn.Module):
    def __init__(self) -> None:
        self.embedding = nn.Embedding(11, 16)
        self.position = nn.Embedding(12, 16)
        layer = nn.TransformerEncoderLayer(
            16, 2, 32, dropout=0.1, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, 2, nn.LayerNorm(16))
        self.head = nn.Linear(16, 11, bias=False)

    def forward(self, tokens: asg.Tensor) -> asg.Tensor:
        places = asg.arange(tokens.shape[1])
        hidden = self.blocks(self.embedding(tokens) + self.position(places), is_causal=True)
        out: asg.Tensor = self.head(hidden)
        return out


def tokens(net: nn.Module) -> tuple[nn.Module, dict[str, Array]]:
    random = np.random.default_rng(2)
    first = random.integers(0, 11, size=(STEPS, 4, 1))
    line = (first + np.arange(13) * random.integers(1, 3, size=(STEPS, 4, 1))) % 11
    line = line.astype(np.int32)
    return net, {"x": line[..., :-1], "y": line[..., 1:]}


def loss(prediction: asg.Tensor, target: asg.Tensor) -> asg.Tensor:
    classes = prediction.shape[-1]
    return nn.cross_entropy(prediction.reshape(-1, classes), target.reshape(-1))


def curve(net: nn.Module, feeds: dict[str, Array], backend: str) -> Array:
    step = asg.train_step(
        net, loss=loss, optimizer=optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(3e-3))
    )(
        x=(("batch", *feeds["x"].shape[2:]), feeds["x"].dtype.name),
        y=(("batch", *feeds["y"].shape[2:]), "int32"),
    )
    session = asg.compile(step, backend=backend).start(seed=5)
    losses = [session(x=x, y=y)["loss"] for x, y in zip(feeds["x"], feeds["y"], strict=True)]
    return np.array([float(value) for value in losses])


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(mlp, marks=pytest.mark.slow),
        pytest.param(cnn, marks=pytest.mark.slow),
        pytest.param(lambda: tokens(Recurrent()), id="lstm", marks=pytest.mark.slow),
        pytest.param(lambda: tokens(Attending()), id="gpt", marks=pytest.mark.slow),
    ],
)
def test_a_hundred_steps(model: Callable[[], tuple[nn.Module, dict[str, Array]]]) -> None:
    net, feeds = model()
    ours, theirs = (curve(net, feeds, backend) for backend in ("numpy", "jax"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    assert ours[-10:].mean() < ours[:10].mean()
