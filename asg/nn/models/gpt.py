"""GPT-2: a transformer that predicts the next token. Names and layouts of Hugging Face's files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive
from asg.nn.decoding import KeyValues, text_positions, visible_columns
from asg.nn.dropout import Dropout
from asg.nn.embedding import Embedding
from asg.nn.init import normal, zeros
from asg.nn.linear import Linear
from asg.nn.models.parts import (
    activation_named,
    mask_of_keys,
    merge_heads,
    require_fields,
    require_multiple,
    require_tokens,
    split_heads,
)
from asg.nn.module import Module, ModuleList
from asg.nn.norm import LayerNorm
from asg.nn.positions import first_rows
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode
from asg.state.variable import Initialiser, Variable


class InputMajorLinear(Module):
    """``x @ weight + bias``: `Linear` with the weight the other way round, as GPT-2 stores it.

    Attributes:
        weight: ``[in_features, out_features]``.
        bias: ``[out_features]``, zeros; None without bias.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool, dtype: Any, init: Initialiser
    ) -> None:
        """``init`` is of the weight."""
        self.weight = Variable("weight", (in_features, out_features), init, dtype)
        self.bias = Variable("bias", (out_features,), zeros(), dtype) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[..., in_features]`` to ``[..., out_features]``."""
        y = call("matmul", x, self.weight)
        return y if self.bias is None else y + self.bias

    def describe(self) -> str:
        rows, columns = self.weight.type.shape
        return f"{rows}, {columns}, bias={self.bias is not None}"


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The sizes and rates of a `GPT`; those of GPT-2 small unless told otherwise.

    Names are those of Hugging Face's `GPT2Config`, and of its config.json.

    Attributes:
        vocab_size: number of tokens.
        n_positions: the longest text.
        n_embd: features of a token.
        n_layer: blocks.
        n_head: heads of each; divides n_embd.
        n_inner: features inside the feed-forward parts; 4 n_embd unless given.
        activation_function: theirs: relu, gelu, gelu_new (its tanh form), silu or tanh.
        resid_pdrop: dropout at the end of both branches of a block.
        embd_pdrop: dropout of the embeddings.
        attn_pdrop: dropout of the attention weights.
        layer_norm_epsilon: of all norms.
        initializer_range: standard deviation of first weights; smaller where branches end.
        tie_word_embeddings: the weight of lm_head is that of the embedding.
        bias: of projections and norms (nanoGPT may leave it out; Hugging Face always has it).
        dtype: of the variables.

    Raises:
        OperandError: a value of another kind or out of range.
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None
    activation_function: str = "gelu_new"
    resid_pdrop: float = 0.1
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    layer_norm_epsilon: float = 1e-5
    initializer_range: float = 0.02
    tie_word_embeddings: bool = True
    bias: bool = True
    dtype: Any = float32

    def __post_init__(self) -> None:
        """Check every value."""
        require_fields(
            self,
            positive=("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"),
            rates=("resid_pdrop", "embd_pdrop", "attn_pdrop"),
            numbers=("layer_norm_epsilon", "initializer_range"),
            flags=("tie_word_embeddings", "bias"),
        )
        require_positive(n_inner=self.hidden)
        require_multiple(self, "n_embd", "n_head")
        activation_named("activation_function", self.activation_function)

    @property
    def hidden(self) -> int:
        """Features inside the feed-forward parts."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner

    def norm(self) -> LayerNorm:
        """A norm of tokens."""
        return LayerNorm(self.n_embd, self.layer_norm_epsilon, bias=self.bias, dtype=self.dtype)

    def projection(self, inputs: int, outputs: int, ends_branch: bool = False) -> InputMajorLinear:
        """A projection; what ends one of the two branches of each block begins smaller."""
        std = self.initializer_range / (sqrt(2 * self.n_layer) if ends_branch else 1.0)
        return InputMajorLinear(inputs, outputs, self.bias, self.dtype, normal(0.0, std))

    def table(self, rows: int) -> Embedding:
        """A vector for each of so many integers."""
        init = normal(0.0, self.initializer_range)
        return Embedding(rows, self.n_embd, dtype=self.dtype, init=init)


class GPTAttention(Module):
    """Causal attention; queries, keys and values are one product."""

    def __init__(self, config: GPTConfig) -> None:
        width = config.n_embd
        self.c_attn = config.projection(width, 3 * width)
        self.c_proj = config.projection(width, width, ends_branch=True)
        self.num_heads, self.rate = config.n_head, config.attn_pdrop
        self.resid_dropout = Dropout(config.resid_pdrop)
        self.key = RandomStream()

    def forward(self, x: Tensor, mask: Tensor | None, kept: KeyValues | None = None) -> Tensor:
        """With ``kept`` also of what came before, and the mask is all that hides."""
        q, k, v = (
            split_heads(each, self.num_heads) for each in call("split", self.c_attn(x), 3, axis=-1)
        )
        if kept is not None:
            k, v = kept.extended(k, v)
        rate = self.rate if self.rate and chosen_mode("GPT") else 0.0
        heads = call(
            "scaled_dot_product_attention", q, k, v, mask, rate, is_causal=kept is None,
            dropout_key=self.key.next() if rate else None,
        )  # fmt: skip
        y: Tensor = self.resid_dropout(self.c_proj(merge_heads(heads)))
        return y


class GPTFeedForward(Module):
    """Two projections with the activation between them."""

    def __init__(self, config: GPTConfig) -> None:
        self.c_fc = config.projection(config.n_embd, config.hidden)
        self.c_proj = config.projection(config.hidden, config.n_embd, ends_branch=True)
        self.dropout = Dropout(config.resid_pdrop)
        self.activation = activation_named("activation_function", config.activation_function)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.dropout(self.c_proj(self.activation(self.c_fc(x))))
        return y


class GPTBlock(Module):
    """Attention and feed-forward network, each on the normalised sum of all before it."""

    def __init__(self, config: GPTConfig) -> None:
        self.ln_1 = config.norm()
        self.attn = GPTAttention(config)
        self.ln_2 = config.norm()
        self.mlp = GPTFeedForward(config)

    def forward(self, x: Tensor, mask: Tensor | None, kept: KeyValues | None = None) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask, kept)
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class GPTBody(Module):
    """Everything but the prediction: tokens to features."""

    def __init__(self, config: GPTConfig) -> None:
        self.wte = config.table(config.vocab_size)
        self.wpe = config.table(config.n_positions)
        self.drop = Dropout(config.embd_pdrop)
        self.h = ModuleList(GPTBlock(config) for _ in range(config.n_layer))
        self.ln_f = config.norm()

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        places = first_rows(self.wpe.weight, tokens.shape[-1], 0, "GPT")
        return self._through(self.wte(tokens) + places, mask, [None] * len(self.h))

    def step(
        self, tokens: Tensor, kept: Sequence[KeyValues], past: Tensor, padding: Tensor
    ) -> Tensor:
        """Features of the next tokens of texts; see `asg.nn.decoding`."""
        time, columns = tokens.shape[1], kept[0].keys.shape[2]
        longest = self.wpe.num_embeddings
        places = self.wpe(text_positions(past, time, padding, longest))
        mask = visible_columns(past, time, columns, padding)
        return self._through(self.wte(tokens) + places, mask, kept)

    def _through(self, x: Tensor, mask: Tensor | None, kept: Sequence[KeyValues | None]) -> Tensor:
        x = self.drop(x)
        for block, own in zip(self.h, kept, strict=True):
            x = block(x, mask, own)
        y: Tensor = self.ln_f(x)
        return y


class GPT(Module):
    """The language model of GPT-2: logits of the next token at every position.

    Attributes:
        config: what it was made with.
        transformer: embeddings ``wte`` and ``wpe``, blocks ``h``, the last norm ``ln_f``.
        lm_head: to the vocabulary; its weight is that of ``wte`` when tied.

    Source: Radford et al., "Language models are unsupervised multitask learners", 2019; names as
    `GPT2LMHeadModel` of Hugging Face.

    >>> import asg
    >>> from asg import nn
    >>> config = nn.models.GPTConfig(vocab_size=65, n_embd=16, n_layer=1, n_head=2, bias=False)
    >>> with asg.training_mode(False):
    ...     y = nn.models.GPT(config)(asg.input("tokens", ("batch", "time"), "int32"))
    >>> str(y.type)
    'f32[batch, time, 65]'
    """

    def __init__(self, config: GPTConfig | None = None) -> None:
        """GPT-2 small without a configuration."""
        config = GPTConfig() if config is None else config
        self.config = config
        self.transformer = GPTBody(config)
        init = normal(0.0, config.initializer_range)
        self.lm_head = Linear(config.n_embd, config.vocab_size, False, config.dtype, init)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.transformer.wte.weight

    def forward(self, tokens: Any, attention_mask: Any = None) -> Tensor:
        """Integers ``[batch, time]`` to logits ``[batch, time, vocab_size]``.

        Args:
            tokens: logits at a position depend on the tokens up to it.
            attention_mask: ``[batch, time]``, 0 or False hides a token from all others.

        Raises:
            ShapeError: other axes, or a text longer than n_positions.
            DtypeError: not integers.
        """
        tokens = require_tokens("GPT", tokens)
        y: Tensor = self.lm_head(self.transformer(tokens, mask_of_keys(attention_mask)))
        return y

    @property
    def longest_text(self) -> int:
        """The most tokens of a text, n_positions."""
        return self.config.n_positions

    def first_cache(self, rows: int, columns: int) -> list[dict[str, Tensor]]:
        """Keys and values of every block, ``[rows, heads, columns, features of a head]``."""
        heads, width = self.config.n_head, self.config.n_embd // self.config.n_head
        zeros = call("zeros", (rows, heads, columns, width), self.config.dtype)
        return [{"keys": zeros, "values": zeros} for _ in range(self.config.n_layer)]

    def decode(
        self, tokens: Any, cache: Sequence[Any], past: Any, padding: Any
    ) -> tuple[Tensor, list[dict[str, Tensor]]]:
        """The logits after the next tokens of texts, and the next cache; see `nn.Decoder`.

        Raises:
            ShapeError: other axes, or more columns than the cache has.
            DtypeError: not integers.

        >>> import asg
        >>> from asg import nn
        >>> config = nn.models.GPTConfig(vocab_size=65, n_embd=16, n_layer=1, n_head=2)
        >>> model = nn.models.GPT(config)
        >>> with asg.training_mode(False):
        ...     tokens, cache = asg.input("tokens", (4, 1), "int32"), model.first_cache(4, 32)
        ...     logits, cache = model.decode(tokens, cache, asg.constant(7), asg.zeros(4, "int32"))
        >>> str(logits.type), str(cache[0]["keys"].type)
        ('f32[4, 65]', 'f32[4, 2, 32, 8]')
        """
        tokens, past, padding = require_tokens("GPT", tokens), as_tensor(past), as_tensor(padding)
        kept = [KeyValues(layer["keys"], layer["values"], past) for layer in cache]
        x = self.transformer.step(tokens, kept, past, padding)
        logits: Tensor = self.lm_head(x[:, -1])
        return logits, [{"keys": each.keys, "values": each.values} for each in kept]


def gpt2(**changes: Any) -> GPT:
    """GPT-2 small, 124,439,808 parameters; ``changes`` of its `GPTConfig`."""
    return GPT(GPTConfig(**changes))


def gpt2_medium(**changes: Any) -> GPT:
    """GPT-2 medium, 354,823,168 parameters; ``changes`` of its `GPTConfig`."""
    return GPT(GPTConfig(**{"n_layer": 24, "n_embd": 1024, "n_head": 16, **changes}))


def gpt2_large(**changes: Any) -> GPT:
    """GPT-2 large, 774,030,080 parameters; ``changes`` of its `GPTConfig`."""
    return GPT(GPTConfig(**{"n_layer": 36, "n_embd": 1280, "n_head": 20, **changes}))


def gpt2_xl(**changes: Any) -> GPT:
    """GPT-2 XL, 1,557,611,200 parameters; ``changes`` of its `GPTConfig`."""
    return GPT(GPTConfig(**{"n_layer": 48, "n_embd": 1600, "n_head": 25, **changes}))
