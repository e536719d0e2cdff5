"""Texts with a cache are those of the whole forward, from every kind of weights and prompts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import asg
from asg import nn
from asg.compiler.driver import Executable
from asg.core.errors import AsgError, Diverged, FeedError, OperandError, StateError
from asg.core.state_slot import ROLES
from asg.generation import Generator, Options, stream
from asg.generation.prompts import rounded
from asg.nn import models
from tests.generation.small import PROMPTS, VOCABULARY, Logits, gpt

MODELS: dict[str, Callable[[], Any]] = {
    "gpt": gpt,
    "lstm": lambda: models.LSTMLanguageModel(VOCABULARY, 5, 6, dtype="float64"),
    "mamba": lambda: models.MambaLM(
        models.MambaConfig(d_model=6, n_layer=2, vocab_size=VOCABULARY, dtype="float64",
                           pad_vocab_size_multiple=1)
    ),
    "transformer": lambda: models.TransformerLM(
        VOCABULARY, 8, 2, 1, 16, max_length=14, dtype="float64"
    ),
    "whole forward": lambda: nn.Sequential(
        models.LSTMLanguageModel(VOCABULARY, 5, 6, dtype="float64")
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_greedy_texts_are_those_of_the_whole_forward(name: str) -> None:
    model = MODELS[name]()
    logits = Logits(model)
    found = asg.generate(model, PROMPTS, 6)
    for row, prompt in zip(found, PROMPTS, strict=True):
        assert row.tolist() == [0] * (9 - len(prompt)) + logits.greedy(prompt, 6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["gpt", "mamba"])
def test_half_precision(name: str, dtype: str) -> None:
    """Choices are made in float32; the first token is that of the whole forward."""
    config = models.MambaConfig(d_model=6, n_layer=1, vocab_size=11, dtype=dtype)
    model: Any = gpt(dtype=dtype) if name == "gpt" else models.MambaLM(config)
    found = asg.generate(model, PROMPTS, 3)
    assert found[0, 9] == np.argmax(Logits(model)(PROMPTS[0]).astype(float)[:11])
    drawn = asg.generate(model, PROMPTS, 3, temperature=1.0, top_p=0.9)
    assert drawn.shape == asg.generate(model, PROMPTS, 3, num_beams=2).shape == (3, 12)


@pytest.mark.parametrize("name", ["gpt", pytest.param("lstm", marks=pytest.mark.slow)])
def test_same_seed_same_text_on_both_backends(name: str) -> None:
    model, options = MODELS[name](), Options(temperature=1.0, top_p=0.9)
    ours, theirs = (
        Generator(model, backend=backend, options=options) for backend in ("numpy", "jax")
    )
    first = ours(PROMPTS, 6, seed=5)
    assert (first == theirs(PROMPTS, 6, seed=5)).all()
    assert (first == ours(PROMPTS, 6, seed=5)).all() and (first != ours(PROMPTS, 6, seed=6)).any()
    assert (ours(PROMPTS[:2], 6, seed=5) == first[:2]).all()


def test_top_k_of_one_is_greedy() -> None:
    model = gpt()
    assert (asg.generate(model, PROMPTS, 6, temperature=1.0, top_k=1)
            == asg.generate(model, PROMPTS, 6)).all()  # fmt: skip


def test_a_text_alone_and_as_it_comes() -> None:
    model = gpt()
    text = asg.generate(model, PROMPTS[2], 5)
    assert text.shape == (8,) and text.dtype == np.int32
    assert list(stream(model, PROMPTS[2], 5)) == text[3:].tolist()
    columns = list(stream(model, PROMPTS, 5))
    assert (np.stack(columns, 1) == asg.generate(model, PROMPTS, 5)[:, 9:]).all()
    assert (asg.generate(model, np.array([[1, 2]]), 5)[0] == asg.generate(model, (1, 2), 5)).all()


def test_one_stream_at_a_time() -> None:
    generator = Generator(gpt())
    first, second = generator.stream([1, 2], 4), generator.stream([3, 4], 4)
    token = next(first)
    assert [3, 4, *second] == Logits(gpt()).greedy([3, 4], 4)
    with pytest.raises(StateError, match="has begun other texts"):
        next(first)
    third, fourth = generator.stream([1, 2], 4), generator.stream([3, 4], 1)
    assert [next(third), *fourth][0] == token
    with pytest.raises(StateError, match="has begun other texts"):
        next(third)
    assert [token] == Logits(gpt()).greedy([1, 2], 1)[2:]


def test_stop_tokens_end_texts() -> None:
    model = gpt()
    free = asg.generate(model, PROMPTS, 8)[:, 9:]
    stop = int(free[0, 2])
    found = asg.generate(model, PROMPTS, 8, stop_tokens=(stop,), pad_token=10)[:, 9:]
    for row, wanted in zip(found.tolist(), free.tolist(), strict=True):
        end = wanted.index(stop) + 1 if stop in wanted else 8
        assert row[:end] == wanted[:end] and row[end:] == [10] * (found.shape[1] - end)
    one = asg.generate(model, PROMPTS[0], 8, stop_tokens=stop)[9:].tolist()
    assert one == free[0, : free[0].tolist().index(stop) + 1].tolist()
    late = asg.generate(model, PROMPTS, 8, stop_tokens=(stop,), min_new_tokens=8)[:, 9:]
    assert late.shape == (3, 8) and not (late[:, :8] == stop).any()


def test_repetition_penalty_of_prompt_and_new_tokens() -> None:
    model = gpt()
    logits = Logits(model)
    found = asg.generate(model, PROMPTS, 6, repetition_penalty=3.0)
    for row, prompt in zip(found.tolist(), PROMPTS, strict=True):
        text = list(prompt)
        for _ in range(6):
            values = logits(text).copy()
            seen = np.isin(np.arange(VOCABULARY), text)
            values[seen] = np.where(values > 0, values / 3.0, values * 3.0)[seen]
            text.append(int(values.argmax()))
        assert row[9 - len(prompt) :] == text


def test_whole_forward_of_a_model_that_does_not_tell_its_longest_text() -> None:
    model = nn.Sequential(MODELS["transformer"]())
    found = asg.generate(model, [1] * 9, 6, longest_text=14)
    assert found.tolist() == Logits(model).greedy([1] * 9, 6)
    with pytest.raises(OperandError, match="the 14 tokens the model can read"):
        asg.generate(model, [1] * 9, 7, longest_text=14)


# -- weights ---------------------------------------------------------------------------------------


def test_weights_of_every_kind() -> None:
    model, other = gpt(), {name: array * 1.3 for name, array in gpt().state_dict().items()}
    wanted = Logits(model, other).greedy([1, 2], 5)
    assert asg.generate(model, [1, 2], 5).tolist() != wanted
    assert asg.generate(model, [1, 2], 5, state=other).tolist() == wanted
    only = {name: array for name, array in other.items() if name != "transformer.wte.weight"}
    assert asg.generate(model, [1, 2], 5, state=only).tolist() == wanted  # tied to lm_head
    session = Logits(model, other).session
    assert asg.generate(model, [1, 2], 5, state=session).tolist() == wanted
    model.load_state_dict(other)
    assert asg.generate(model, [1, 2], 5).tolist() == wanted


def test_a_model_that_is_trained_on() -> None:
    x = np.random.default_rng(0).integers(0, VOCABULARY, (8, 6)).astype(np.int32)
    model = asg.Model(
        gpt(), lambda y, t: nn.functional.cross_entropy(asg.swapaxes(y, 1, 2), t), "adam"
    )
    generator = Generator(model)
    first = generator([1, 2], 5).tolist()
    assert first == Logits(gpt()).greedy([1, 2], 5)
    for _ in range(2):
        model.fit((x[:, :-1], x[:, 1:]), epochs=5, batch_size=8)
        assert generator([1, 2], 5).tolist() == Logits(gpt(), model.weights()).greedy([1, 2], 5)


def test_a_module_inside_another_and_a_function() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            self.inner = gpt()

        def forward(self, tokens: asg.Tensor) -> asg.Tensor:
            y: asg.Tensor = self.inner(tokens)
            return y

    outer = Outer()
    wanted = Logits(outer).greedy([1, 2], 5)
    assert asg.generate(outer, [1, 2], 5, longest_text=40).tolist() == wanted
    assert asg.generate(outer.inner, [1, 2], 5).tolist() == wanted
    assert asg.generate(lambda tokens: outer(tokens), [1, 2], 5).tolist() == wanted


# -- programs --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt", "whole forward"])
def test_no_token_is_compiled_for(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Any] = []
    build = Executable.build

    def counted(self: Executable, shapes: Any) -> Any:
        built.append(shapes)
        return build(self, shapes)

    monkeypatch.setattr(Executable, "build", counted)
    generator = Generator(MODELS[name](), temperature=1.0)
    generator([1, 2, 3], 5)
    assert len(built) == 3  # the first weights, prefill, decode
    generator([4, 5, 6, 7], 8, seed=3)
    generator([4], 1)
    assert len(built) == 3
    for count in range(1, 8):
        generator([[1]] * count, 2)
    assert len(generator._programs) == 4


def test_role_of_the_cache() -> None:
    """No part of the module; a session resets it, and its weights stay."""
    model = gpt()
    generator = Generator(model)
    wanted = generator([1, 2], 5)
    (programs,) = generator._programs.values()
    session = programs._decode
    held = session.state_dict("cache")
    assert "cache" in ROLES and not held.keys() & model.state_dict().keys()
    assert held["generation.kept.model.0.keys"].shape == (1, 2, 16, 4)
    assert held["generation.made"] == 5 and np.any(held["generation.kept.model.1.values"])
    session.reset("cache")
    assert not any(array.any() for array in session.state_dict("cache").values())
    assert not programs._prefill.state_dict("cache")["generation.made"]  # the same state
    assert (generator([1, 2], 5) == wanted).all()


@pytest.mark.parametrize(
    ("size", "wanted"), [(1, 8), (8, 8), (9, 10), (16, 16), (17, 20), (129, 160), (1024, 1024)]
)
def test_rounded_sizes(size: int, wanted: int) -> None:
    assert rounded(size) == wanted


# -- errors ----------------------------------------------------------------------------------------

WRONG: list[tuple[Any, dict[str, Any], type[AsgError], str]] = [
    ([], {}, OperandError, r"the prompt is \[\]"),
    ("text", {}, OperandError, "the prompt is 'text'"),
    ([[]], {}, OperandError, "prompt 0 is"),
    ([[1], [1.5]], {}, OperandError, r"prompt 1 is \[1.5\]"),
    ([1, -1], {}, OperandError, "negative"),
    ([[1], [2, 11]], {}, OperandError, "prompt 1 has token 11, outside of the vocabulary of 11"),
    ([1], {"max_new_tokens": 0}, OperandError, "max_new_tokens=0"),
    ([1], {"max_new_tokens": 2.0}, OperandError, "max_new_tokens=2.0"),
    ([1] * 36, {"max_new_tokens": 6}, OperandError, "the 40 tokens the model can read"),
    ([1], {"stop_tokens": 11}, OperandError, "token 11 is outside of the vocabulary of 11"),
    ([1], {"temperature": 1.0, "top_k": 12}, OperandError, "top_k=12 of a vocabulary of 11"),
    ([1], {"temprature": 1.0}, OperandError, "temprature: no option of generating"),
    ([1], {"seed": "x"}, OperandError, "a seed is an integer"),
    ([1], {"longest_text": 41}, OperandError, "longest_text=41"),
    ([1], {"longest_text": 0}, OperandError, "longest_text=0"),
    ([1], {"state": 3}, OperandError, "state=3 must be a session"),
    ([1], {"state": {"w": np.ones(3)}}, FeedError, "'w': no variables of GPT"),
    ([1], {"state": {"lm_head.weight": np.ones((11, 8))}}, FeedError, "the weights lack"),
]


@pytest.mark.parametrize(("prompt", "arguments", "error", "message"), WRONG)
def test_wrong_arguments(
    prompt: Any, arguments: dict[str, Any], error: type[AsgError], message: str
) -> None:
    with pytest.raises(error, match=message):
        asg.generate(gpt(), prompt, **arguments)


def test_the_longest_text_is_possible() -> None:
    """The model reads 40 tokens, and the last new one is not read."""
    found = asg.generate(gpt(), [1] * 36, 5)
    assert found.tolist() == Logits(gpt()).greedy([1] * 36, 5)


def test_models_that_are_none() -> None:
    with pytest.raises(OperandError, match="is no language model"):
        asg.generate(3, [1])
    with pytest.raises(OperandError, match=r"the model gives f32\[1, \d+\]; a language model"):
        asg.generate(lambda tokens: tokens.astype("float32"), [1])
    with pytest.raises(Diverged, match="the logits of new token 1 are not all numbers"):
        asg.generate(lambda x: asg.full((*x.shape, 3), float("nan")), [1])
