"""Small training steps of every kind of network, for tests of plans and profiles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import asg
from asg import nn, optim
from asg.core.graph import Graph
from asg.nn.models.gpt import GPT, GPTConfig

Array = np.ndarray[Any, Any]
TOKENS, LENGTH = 11, 6


class Kind(NamedTuple):
    """A network and the shapes of one example."""

    network: Callable[[], nn.Module]
    x: tuple[int, ...]
    y: tuple[int, ...]
    classes: int
    dtype: str = "float32"


class Recurrent(nn.Module):
    """Embedding, LSTM, projection."""

    def __init__(self) -> None:
        self.embed = nn.Embedding(TOKENS, 8)
        self.lstm = nn.LSTM(8, 12, batch_first=True)
        self.project = nn.Linear(12, TOKENS)

    def forward(self, tokens: Any) -> Any:
        """Scores of every next token."""
        return self.project(self.lstm(self.embed(tokens))[0])


def _mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 4))


def _cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(48, 4),
    )  # fmt: skip


def _gpt() -> nn.Module:
    return GPT(GPTConfig(vocab_size=TOKENS, n_positions=LENGTH, n_embd=8, n_layer=1, n_head=2))


KINDS = {
    "mlp": Kind(_mlp, (10,), (), 4),
    "cnn": Kind(_cnn, (1, 8, 8), (), 4),
    "gpt": Kind(_gpt, (LENGTH,), (LENGTH,), TOKENS, "int32"),
    "lstm": Kind(Recurrent, (LENGTH,), (LENGTH,), TOKENS, "int32"),
}


def step_of(name: str) -> Graph:
    """The training step, with a symbolic batch."""
    kind = KINDS[name]

    def loss(scores: Any, target: Any) -> Any:
        rows = asg.reshape(scores, (-1, kind.classes))
        return asg.mean(asg.cross_entropy(rows, asg.reshape(target, (-1,))))

    build = asg.train_step(kind.network(), loss=loss, optimizer=optim.adam(1e-3))
    return build(x=(("batch", *kind.x), kind.dtype), y=(("batch", *kind.y), "int32"))


def feeds_of(name: str, batch: int) -> dict[str, Array]:
    """Arrays for a step."""
    kind, random = KINDS[name], np.random.default_rng(batch)
    tokens = random.integers(0, kind.classes, (batch, *kind.y)).astype(np.int32)
    if kind.dtype == "int32":
        return {"x": random.integers(0, TOKENS, (batch, *kind.x)).astype(np.int32), "y": tokens}
    return {"x": random.normal(size=(batch, *kind.x)).astype(np.float32), "y": tokens}
