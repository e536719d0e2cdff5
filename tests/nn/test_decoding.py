"""Logits of texts gone on with equal those of the whole text, at every position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
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
    "transformer": lambda dtype: models.TransformerLM(11, 8, 2, 2, 16, dtype=dtype),
    "transformer with a padding token": lambda dtype: models.TransformerLM(
        11, 8, 2, 2, 16, norm_first=True, max_length=11, padding_idx=4, dtype=dtype
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


@pytest.mark.parametrize("bias", [True, False])
def test_attention_in_parts_is_causal_attention(bias: bool) -> None:
    layer = nn.MultiheadAttention(8, 2, bias=bias, batch_first=True, dtype="float64")
    x = asg.constant(np.random.default_rng(0).normal(size=(2, 5, 8)))
    zeros = asg.zeros((2, 2, 6, 4), "float64")
    with asg.training_mode(False):
        whole, _ = layer(x, x, x, need_weights=False, is_causal=True)
        parts, past = [], 0
        kept = nn.KeyValues(zeros, zeros, asg.constant(0))
        for size in (2, 1, 2):
            kept.past = asg.constant(past)
            mask = nn.visible_columns(kept.past, size, 6, asg.zeros(2, "int32"))
            parts.append(layer.step(x[:, past : past + size], kept, mask))
            past += size
        graph = asg.Graph(whole=whole, parts=asg.concat(parts, 1))
    found = asg.compile(graph).start()()
    np.testing.assert_allclose(found["parts"], found["whole"], atol=1e-12)


@pytest.mark.parametrize("options", [{"add_bias_kv": True}, {"add_zero_attn": True}])
def test_attention_with_keys_of_its_own_has_no_step(options: dict[str, bool]) -> None:
    layer, zeros = nn.MultiheadAttention(8, 2, **options), asg.zeros((2, 2, 6, 4))
    kept = nn.KeyValues(zeros, zeros, asg.constant(0))
    with pytest.raises(asg.core.errors.OperandError, match="has no place for bias_kv"):
        layer.step(asg.zeros((2, 1, 8)), kept, asg.full((2, 1, 1, 6), True))


def test_sizes_that_do_not_fit() -> None:
    model = CASES["gpt"]("float32")
    with asg.training_mode(False), pytest.raises(asg.core.errors.ShapeError, match="block of 9"):
        model.decode(
            asg.zeros((1, 9), "int32"), model.first_cache(1, 8), asg.constant(0),
            asg.zeros(1, "int32"),
        )  # fmt: skip
