"""The two graphs of generating: `prefill` reads the prompts, `decode` goes on by one token.

Both choose a token of every text, and write what `decode` reads into variables of role "cache".
Prefill reads none of them, so that it begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from asg.core.convert import as_tensor
from asg.core.dtype import int32, uint32
from asg.core.graph import Graph
from asg.core.origin import scope
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.tree import flatten, map_tree
from asg.generation.beams import Beams
from asg.generation.decoders import require_logits
from asg.generation.options import Options
from asg.generation.sampling import marked, penalised, wide, without
from asg.generation.search import Choice, Sampling
from asg.nn.decoding import Decoder
from asg.ops.leaf import input as make_input
from asg.state.step import map_names
from asg.state.trace import StateTrace
from asg.state.variable import Variable

PREFIX = "generation"


class Sizes(NamedTuple):
    """Of the arrays: each has its own programs.

    Attributes:
        rows: texts.
        width: columns for the prompts.
        columns: all of them.
    """

    rows: int
    width: int
    columns: int


class Steps(NamedTuple):
    """See the module.

    Attributes:
        prefill: from tokens ``[rows, width]``, padding ``[rows]`` and, where they count, key and
            limit (of new tokens).
        decode: without inputs.
        vocabulary: how many tokens there are.
    """

    prefill: Graph
    decode: Graph
    vocabulary: int


class Search(Protocol):
    """How a token is chosen; its state is a dict of tensors, axis 0 of texts or of nothing."""

    def first(self, like: Tensor, feeds: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The state before the first token, for logits like these."""

    def advance(
        self, logits: Tensor, state: Mapping[str, Tensor], made: Tensor,
        adjust: Callable[[Tensor], Tensor],
    ) -> Choice:  # fmt: skip
        """Choose, after ``made`` tokens; ``adjust`` is what options do to logits before."""


def build_steps(model: Decoder, sizes: Sizes, options: Options) -> Steps:
    """Both graphs, in evaluation mode.

    Raises:
        OperandError: the model gives no logits, or an option names no token of its vocabulary.
    """
    search: Search = (
        Beams(options, sizes.columns - sizes.width) if options.num_beams > 1 else Sampling(options)
    )
    with StateTrace(training=False) as trace:
        first, logits = _read_prompts(model, sizes, options, search)
        variables = map_names(_variable, first, PREFIX)
        results = _chosen(search, options, logits, first, variables)
        prefill = trace.close(results, "prefill")
    with StateTrace(training=False) as trace:
        state = map_tree(lambda variable: variable.read(), variables)
        logits = _next(model, sizes, state)
        results = _chosen(search, options, logits, state, variables)
        decode = trace.close(results, "decode")
    vocabulary = logits.shape[-1]
    assert isinstance(vocabulary, int)
    return Steps(prefill, decode, vocabulary)


def _read_prompts(
    model: Decoder, sizes: Sizes, options: Options, search: Search
) -> tuple[dict[str, Any], Tensor]:
    """The state before the first new token, and its logits, for all beams."""
    rows, width, columns = sizes
    tokens = make_input("tokens", (rows, width), int32)
    padding = make_input("padding", (rows,), int32)
    feeds = {"key": make_input("key", (2,), uint32), "limit": make_input("limit", (), int32)}
    with scope("model"):
        cache = model.first_cache(rows, columns)
        logits, cache = model.decode(tokens, cache, call("constant", 0, int32), padding)
    logits = wide(require_logits(as_tensor(logits), 2, "[rows, vocabulary]"))
    options.check_vocabulary(logits)
    kept = {"model": cache, "padding": padding}
    if options.repetition_penalty != 1.0:
        of_text = call("iota", (rows, width), 1) >= call("expand_dims", padding, 1)
        kept["seen"] = marked(call("full", logits.shape, False), tokens, of_text)
    if options.num_beams > 1:
        logits, kept = map_tree(lambda x: call("repeat", x, options.num_beams, 0), (logits, kept))
    made = call("constant", 0, int32)
    return {"kept": kept, "made": made, "search": search.first(logits, feeds)}, logits


def _variable(name: str, like: Tensor) -> Variable:
    role = "random_key" if name == f"{PREFIX}.search.key" else "cache"
    return Variable(name, like.shape, 0, like.dtype, role=role)


def _next(model: Decoder, sizes: Sizes, state: dict[str, Any]) -> Tensor:
    """The logits after the last tokens; ``state`` gets what the model keeps now."""
    kept = state["kept"]
    tokens = call("expand_dims", state["tokens"], 1)
    past = state["made"] + (sizes.width - 1)
    with scope("model"):
        logits, cache = model.decode(tokens, kept["model"], past, kept["padding"])
    state["kept"] = {**kept, "model": cache}
    return wide(as_tensor(logits))


def _chosen(
    search: Search, options: Options, logits: Tensor, state: dict[str, Any],
    variables: dict[str, Any],
) -> dict[str, Tensor]:  # fmt: skip
    """The next token of every text; writes all variables, and makes those of the tokens."""
    made, kept = state["made"], state["kept"]

    def adjust(values: Tensor) -> Tensor:
        if "seen" in kept:
            values = penalised(values, kept["seen"], options.repetition_penalty)
        if options.min_new_tokens:
            early = call("less", made, options.min_new_tokens)
            values = without(values, options.stop_tokens, early)
        return values

    with scope("choice"):
        choice = search.advance(logits, state["search"], made, adjust)
        kept = _of_rows(kept, choice)
    after = {"kept": kept, "made": made + 1, "search": choice.state, "tokens": choice.tokens}
    if "tokens" not in variables:
        variables["tokens"] = _variable(f"{PREFIX}.tokens", choice.tokens)
    values = flatten(after)
    for name, variable in flatten(variables).items():
        variable.write(values[name])
    valid = call("logical_not", call("any", call("isnan", logits)))
    return {**choice.results, "valid": valid}


def _of_rows(kept: dict[str, Any], choice: Choice) -> dict[str, Any]:
    """What is kept of the texts that go on."""
    order, tokens = choice.order, choice.tokens
    if order is not None:
        kept = map_tree(lambda x: call("take", x, order, 0), kept)
    if "seen" in kept:
        column = call("expand_dims", tokens, 1)
        valid = call("full", column.shape, True)
        kept = {**kept, "seen": marked(kept["seen"], column, valid)}
    return kept
