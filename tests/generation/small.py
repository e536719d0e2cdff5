"""A small language model for the tests, with weights wide enough to make texts of it."""

from __future__ import annotations

from typing import Any

import numpy as np

import asg
from asg import nn

VOCABULARY = 11
PROMPTS = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [4], [5, 6, 10]]


def gpt(**changes: Any) -> nn.models.GPT:
    config = {
        "vocab_size": VOCABULARY, "n_positions": 40, "n_embd": 8, "n_layer": 2, "n_head": 2,
        "initializer_range": 0.6, "dtype": "float64",
    }  # fmt: skip
    return nn.models.GPT(nn.models.GPTConfig(**{**config, **changes}))


class Logits:
    """The logits after a text, by the whole forward: what generating is compared with."""

    def __init__(self, model: Any, state: Any = None) -> None:
        with asg.training_mode(False):
            graph = asg.Graph(y=model(asg.input("tokens", (1, "time"), "int32")))
        weights = {**model.state_dict(), **(state or {})}
        held = [graph.input_names[slot.input] for slot in graph.state]
        self.session = asg.compile(graph).start(state={name: weights[name] for name in held})

    def __call__(self, text: list[int]) -> Any:
        return self.session(tokens=np.array([text], np.int32))["y"][0, -1]

    def greedy(self, text: list[int], count: int) -> list[int]:
        for _ in range(count):
            text = [*text, int(np.argmax(self(text)))]
        return text
