"""One continuation of every text: the likeliest token, or one that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.generation.options import Options
from asg.generation.sampling import chosen, one_of


class Choice(NamedTuple):
    """What a search chose.

    Attributes:
        tokens: int32 ``[rows]``, the next of every row.
        order: int32 ``[rows]``, the row that each of them continues; None when it is its own.
        state: of the search, for the next token.
        results: of the step: "ended", whether no text goes on, and what the caller shows.
    """

    tokens: Tensor
    order: Tensor | None
    state: dict[str, Tensor]
    results: dict[str, Tensor]


class Sampling:
    """Rows are texts. The key of token n is the given key with n folded in."""

    def __init__(self, options: Options) -> None:
        """See `Options`."""
        self.options = options

    def first(self, like: Tensor, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """No text has ended."""
        state = {"done": call("full", like.shape[:1], False)}
        return {**state, "key": feeds["key"]} if self.options.temperature else state

    def advance(
        self, logits: Tensor, state: Mapping[str, Tensor], made: Tensor,
        adjust: Callable[[Tensor], Tensor],
    ) -> Choice:  # fmt: skip
        """A token of every text that has not ended, the pad token of others."""
        options, done = self.options, state["done"]
        key = call("fold_in", state["key"], made) if options.temperature else None
        tokens = call("where", done, options.pad_token, chosen(adjust(logits), key, options))
        done = call("logical_or", done, one_of(tokens, options.stop_tokens))
        results = {"tokens": tokens, "ended": call("all", done)}
        return Choice(tokens, None, {**state, "done": done}, results)
