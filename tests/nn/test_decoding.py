"""Logits of texts gone on with equal those of the whole text, at every position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.tree import flatten, map_tree
from asg.nn import models

LENGTHS = (7, 4, 1)
CASES: dict[str, Callable[[str], Any]] = {
    "gpt": lambda dtype: models.GPT(
        models.GPTConfig(
            vocab_size=11, n_positions=12, n_embd=8, n_layer=2, n_head=2, dtype=dtype,
            initializer_range=0.7,
        )
    ),
    "lstm": lambda dtype: models.LSTMLanguageModel(11, 5, 6, dtype=dtype),
    "mamba": lambda dtype: models.MambaLM(
        models.MambaConfig(
            d_model=6, n_layer=2, vocab_size=11, dtype=dtype,
            ssm_cfg={"d_state": 3, "d_conv": 3},
        )
    ),
}  # fmt: skip
GRID = [
    *((case, dtype, "numpy") for case in CASES for dtype in ("float32", "float64")),
    ("gpt", "float64", "jax"),
    *(pytest.param(*case, "jax", marks=pytest.mark.slow)
      for case in (("gpt", "float32"), ("mamba", "float64"), ("lstm", "float32"))),
]  # fmt: skip


def started(graph: asg.Graph, model: Any, backend: str = "numpy") -> Any:
    weights = model.state_dict()
    held = [graph.input_names[slot.input] for slot in graph.state]
    return asg.compile(graph, backend).start(state={name: weights[name] for name in held})


def whole(model: Any, tokens: Any) -> Any:
    with asg.training_mode(False):
        graph = asg.Graph(y=model(asg.input("tokens", tokens.shape, "int32")))
    return started(graph, model)(tokens=tokens)["y"][:, :, :11]


def decoding(model: Any, rows: int, columns: int, time: int, backend: str) -> Any:
    """(tokens, past, padding) and the cache by name, to logits and the next cache."""
    with asg.training_mode(False):
        first = model.first_cache(rows, columns)
        names = iter(keys := [f"kept{i}" for i, _ in enumerate(flatten(first))])
        cache = map_tree(lambda x: asg.input(next(names), x.shape, x.dtype), first)
        tokens = asg.input("tokens", (rows, time), "int32")
        past, padding = asg.input("past", (), "int32"), asg.input("padding", (rows,), "int32")
        logits, after = model.decode(tokens, cache, past, padding)
        # A use of every input, as a state-space model has none for some.
        used = asg.sum(past) + asg.sum(padding) + asg.sum(tokens)
    graph = asg.Graph(y=logits, used=used, **dict(zip(keys, flatten(after).values(), strict=True)))
    zeros = flatten(asg.run(first)).values()
    return started(graph, model, backend), dict(zip(keys, zeros, strict=True))


@pytest.mark.parametrize(("case", "dtype", "backend"), GRID)
def test_logits_at_every_position_are_those_of_the_whole_text(
    case: str, dtype: str, backend: str
) -> None:
    """Three texts of 7, 4 and 1 tokens behind padding, then four tokens, one at a time."""
    model, rng = CASES[case](dtype), np.random.default_rng(3)
    text = rng.integers(0, 11, (3, 11)).astype(np.int32)
    padding = np.array([7 - length for length in LENGTHS], np.int32)
    wanted = [whole(model, text[row : row + 1, at:])[0] for row, at in enumerate(padding)]
    prefill, cache = decoding(model, 3, 16, 7, backend)
    step, _ = decoding(model, 3, 16, 1, backend)
    rounding = 1e-6 if dtype == "float32" else 1e-10
    session, tokens, past = prefill, text[:, :7], 0
    for end in range(7, 11):
        found = dict(session(tokens=tokens, past=np.int32(past), padding=padding, **cache))
        for row, start in enumerate(padding):
            scale = max(1.0, np.abs(wanted[row]).max())
            error = np.abs(np.asarray(found["y"])[row] - wanted[row][end - 1 - start]).max()
            assert error < rounding * scale, (row, end)
        cache = {name: found[name] for name in cache}
        session, tokens, past = step, text[:, end : end + 1], end
