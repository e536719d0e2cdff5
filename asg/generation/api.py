"""generate and stream: one call from a model and a prompt to a text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from asg.generation.generator import Array, Generator


def generate(
    model: Any,
    prompt_tokens: Any,
    max_new_tokens: int = 20,
    *,
    seed: int = 0,
    state: Any = None,
    backend: Any = None,
    longest_text: int | None = None,
    **options: Any,
) -> Array:
    """Texts that a language model goes on with; greedy unless told otherwise.

    It compiles two programs. Keep a `Generator` to call them again.

    Args:
        model: a module, or an `asg.Model` with its weights.
        prompt_tokens: the tokens of a text, or a list of texts, which may differ in length.
        max_new_tokens: how many follow at most.
        seed: of what is drawn; the same on every backend.
        state: weights: a session, or arrays by name; see `Generator`.
        backend: see `asg.compile`.
        longest_text: see `Generator`.
        options: the fields of `asg.generation.Options`: temperature, top_k, top_p,
            repetition_penalty, min_new_tokens, stop_tokens, pad_token, num_beams, length_penalty,
            early_stopping.

    Returns:
        int32 ``[texts, columns]``, or for one text its tokens, the prompt included; see
        `Generator.__call__`, also for errors.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.LSTMLanguageModel(9, 4, 8, num_layers=1, dropout=0.0)
    >>> asg.generate(model, [1, 2, 3], max_new_tokens=4).shape
    (7,)
    >>> asg.generate(model, [[1, 2, 3], [4]], 4, temperature=0.8, top_p=0.9, seed=1).shape
    (2, 7)
    """
    generator = Generator(model, state=state, backend=backend, longest_text=longest_text, **options)
    return generator(prompt_tokens, max_new_tokens, seed)


def stream(
    model: Any,
    prompt_tokens: Any,
    max_new_tokens: int = 20,
    *,
    seed: int = 0,
    state: Any = None,
    backend: Any = None,
    longest_text: int | None = None,
    **options: Any,
) -> Iterator[Any]:
    """The new tokens one by one, as soon as they are chosen; arguments as `generate`.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.LSTMLanguageModel(9, 4, 8, num_layers=1, dropout=0.0)
    >>> tokens = list(asg.generation.stream(model, [1, 2, 3], max_new_tokens=4))
    >>> [1, 2, 3, *tokens] == asg.generate(model, [1, 2, 3], max_new_tokens=4).tolist()
    True
    """
    generator = Generator(model, state=state, backend=backend, longest_text=longest_text, **options)
    return generator.stream(prompt_tokens, max_new_tokens, seed)
