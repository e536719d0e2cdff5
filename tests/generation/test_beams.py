"""Beam search against searching everything, and against Hugging Face's library."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import asg
from asg.generation import Generator, Options
from asg.generation.beams import Beams
from tests.generation.small import PROMPTS, Logits, gpt

DEPTH, VOCABULARY, STOP = 3, 4, 3


def tiny() -> Any:
    return gpt(vocab_size=VOCABULARY, n_embd=6, n_layer=1, initializer_range=1.0)


def log_shares(logits: Any) -> Any:
    return logits - logits.max() - np.log(np.exp(logits - logits.max()).sum())


def best_of_all(logits: Logits, prompt: list[int], penalty: float, stops: bool) -> list[int]:
    """The best of all texts of DEPTH tokens, and of shorter ones that end with STOP."""
    scores: dict[tuple[int, ...], float] = {}
    text: tuple[int, ...]
    for text in product(range(VOCABULARY), repeat=DEPTH):
        score = 0.0
        made: list[int] = []
        for token in text:
            score += log_shares(logits([*prompt, *made]))[token]
            made.append(token)
            if stops and token == STOP:
                break
        scores[tuple(made)] = score / len(made) ** penalty
    return list(max(scores.items(), key=lambda entry: entry[1])[0])


@pytest.mark.parametrize(
    ("penalty", "stops"), [(0.0, True), (1.0, True), (2.0, True), (-1.0, True), (1.0, False)]
)
def test_beams_enough_for_all_texts_find_the_best(penalty: float, stops: bool) -> None:
    model, prompts = tiny(), [[1, 2], [0], [2, 2, 1, 0], [1]]
    found = Generator(
        model, num_beams=VOCABULARY**DEPTH, length_penalty=penalty, early_stopping="never",
        stop_tokens=(STOP,) if stops else (),
    )(prompts, DEPTH)[:, 4:]  # fmt: skip
    logits = Logits(model)
    for row, prompt in zip(found, prompts, strict=True):
        best = best_of_all(logits, prompt, penalty, stops)
        assert row.tolist() == best + [0] * (len(row) - len(best))


def test_one_beam_takes_the_likeliest_token() -> None:
    """`Generator` makes no search for one beam; this is the search itself."""
    search, logits = Beams(Options(), 4), np.random.default_rng(1).normal(size=(4, 2, 5))
    state: Any = search.first(asg.constant(logits[0]), {"limit": asg.constant(4)})
    for made, each in enumerate(logits):
        choice = search.advance(asg.constant(each), state, asg.constant(made), lambda x: x)
        state = choice.state
    assert asg.run(choice.results["ended"])
    found = asg.run(choice.results["texts"])
    assert found.T.tolist() == logits.argmax(-1).tolist()


@pytest.mark.slow
def test_backends_agree() -> None:
    options: dict[str, Any] = {"num_beams": 2, "stop_tokens": (3,), "repetition_penalty": 1.2}
    ours, theirs = (Generator(tiny(), backend=b, **options) for b in ("numpy", "jax"))
    assert (ours([[1, 2], [0]], 7) == theirs([[1, 2], [0]], 7)).all()


def test_stream_is_refused() -> None:
    with pytest.raises(asg.core.errors.OperandError, match="no token is settled early"):
        Generator(gpt(), num_beams=2).stream([1])


# -- Hugging Face ----------------------------------------------------------------------------------

SETTINGS: list[dict[str, Any]] = [
    {"stop_tokens": (4, 7), "min_new_tokens": 3, "repetition_penalty": 1.7},
    {"num_beams": 4, "stop_tokens": (4,)},
    {"num_beams": 3, "stop_tokens": (4, 7), "early_stopping": True},
    {"num_beams": 3, "stop_tokens": (4, 7), "early_stopping": "never", "length_penalty": 2.0},
    {"num_beams": 3, "stop_tokens": (4, 7), "length_penalty": 0.0, "min_new_tokens": 4},
]
MORE_SETTINGS: list[dict[str, Any]] = [
    {},
    {"repetition_penalty": 1.7},
    {"stop_tokens": (4, 7), "min_new_tokens": 3},
    {"num_beams": 2},
    {"num_beams": 3, "stop_tokens": (4, 7), "length_penalty": -1.0},
    {"num_beams": 3, "stop_tokens": (7,), "repetition_penalty": 1.3},
]


@pytest.fixture(scope="module")
def theirs() -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is an optional oracle")
    library = pytest.importorskip("transformers", reason="an optional oracle")
    model = gpt()
    config = library.GPT2Config(vocab_size=11, n_positions=40, n_embd=8, n_layer=2, n_head=2)
    network = library.GPT2LMHeadModel(config).double().eval()
    weights = {name: torch.from_numpy(array) for name, array in model.state_dict().items()}
    network.load_state_dict(weights)
    return torch, network, model


@pytest.mark.parametrize(
    "options",
    [*SETTINGS, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE_SETTINGS)],
)
def test_texts_are_those_of_hugging_face(theirs: Any, options: dict[str, Any]) -> None:
    torch, network, model = theirs
    given = dict(options)
    stops = list(given.pop("stop_tokens", ())) or None
    length, width = 9, max(map(len, PROMPTS))
    tokens = np.array([[0] * (width - len(text)) + text for text in PROMPTS])
    seen = np.array([[0] * (width - len(text)) + [1] * len(text) for text in PROMPTS])
    ours = Generator(model, **options)(PROMPTS, length)
    for row in range(len(PROMPTS)):  # alone: their repetition penalty counts padding as seen
        with torch.no_grad():
            text = network.generate(
                torch.tensor(tokens[row : row + 1, width - seen[row].sum() :]),
                attention_mask=torch.ones(1, int(seen[row].sum()), dtype=torch.long),
                max_new_tokens=length, do_sample=False, eos_token_id=stops, pad_token_id=0,
                **given,
            )[0].tolist()  # fmt: skip
        wanted = text[len(PROMPTS[row]) :]
        found = ours[row, width:].tolist()
        assert found[: len(wanted)] == wanted and not any(found[len(wanted) :]), row
