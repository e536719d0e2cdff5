"""BERT: an encoder of texts, and two models on it. Names of Hugging Face's files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive, require_probability
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
from asg.state.variable import Variable


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """The sizes and rates of a `BertModel`; those of BERT base, uncased, unless told otherwise.

    Names are those of Hugging Face's class of this name, and of its config.json.

    Attributes:
        vocab_size: number of tokens.
        hidden_size: features of a token.
        num_hidden_layers: layers of the encoder.
        num_attention_heads: heads of each; divides hidden_size.
        intermediate_size: features inside the feed-forward parts.
        hidden_act: their function: relu, gelu, gelu_new (its tanh form), silu or tanh.
        hidden_dropout_prob: dropout of embeddings and at the end of branches.
        attention_probs_dropout_prob: dropout of the attention weights.
        max_position_embeddings: the longest text.
        type_vocab_size: kinds of segments.
        initializer_range: standard deviation of first weights.
        layer_norm_eps: of all norms.
        pad_token_id: the token whose embedding begins as zeros and stays; None for none.
        classifier_dropout: dropout before a classifier; hidden_dropout_prob unless given.
        dtype: of the variables.

    Raises:
        OperandError: a value of another kind or out of range.
    """

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    classifier_dropout: float | None = None
    dtype: Any = float32

    def __post_init__(self) -> None:
        """Check every value."""
        require_fields(
            self,
            positive=(
                "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
                "intermediate_size", "max_position_embeddings", "type_vocab_size",
            ),
            rates=("hidden_dropout_prob", "attention_probs_dropout_prob"),
            numbers=("initializer_range", "layer_norm_eps"),
        )  # fmt: skip
        require_probability("classifier_dropout", self.classifier_rate)
        require_multiple(self, "hidden_size", "num_attention_heads")
        activation_named("hidden_act", self.hidden_act)

    @property
    def classifier_rate(self) -> float:
        """Dropout before a classifier."""
        given = self.classifier_dropout
        return self.hidden_dropout_prob if given is None else given

    def norm(self) -> LayerNorm:
        """A norm of tokens."""
        return LayerNorm(self.hidden_size, self.layer_norm_eps, dtype=self.dtype)

    def dense(self, inputs: int, outputs: int) -> Linear:
        """A dense layer with first values of BERT."""
        init = normal(0.0, self.initializer_range)
        layer = Linear(inputs, outputs, dtype=self.dtype, init=init)
        assert layer.bias is not None
        layer.bias.set_initial(zeros())
        return layer

    def table(self, rows: int, padding: int | None = None) -> Embedding:
        """A vector for each of so many integers."""
        init = normal(0.0, self.initializer_range)
        return Embedding(rows, self.hidden_size, padding, dtype=self.dtype, init=init)


class BertEmbeddings(Module):
    """The sum of three tables, normalised."""

    def __init__(self, config: BertConfig) -> None:
        self.word_embeddings = config.table(config.vocab_size, config.pad_token_id)
        self.position_embeddings = config.table(config.max_position_embeddings)
        self.token_type_embeddings = config.table(config.type_vocab_size)
        self.LayerNorm = config.norm()
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, tokens: Tensor, kinds: Tensor | None) -> Tensor:
        table = self.token_type_embeddings
        x = self.word_embeddings(tokens) + (table.weight[0] if kinds is None else table(kinds))
        positions = self.position_embeddings.weight
        x = x + first_rows(positions, tokens.shape[-1], 0, "BertModel")
        y: Tensor = self.dropout(self.LayerNorm(x))
        return y


class BertSelfAttention(Module):
    """Every token looks at every other one."""

    def __init__(self, config: BertConfig) -> None:
        self.query, self.key, self.value = (
            config.dense(config.hidden_size, config.hidden_size) for _ in range(3)
        )
        self.num_heads = config.num_attention_heads
        self.rate = config.attention_probs_dropout_prob
        self.random = RandomStream()

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (
            split_heads(project(x), self.num_heads)
            for project in (self.query, self.key, self.value)
        )
        rate = self.rate if self.rate and chosen_mode("BertModel") else 0.0
        return merge_heads(
            call(
                "scaled_dot_product_attention", q, k, v, mask, rate,
                dropout_key=self.random.next() if rate else None,
            )
        )  # fmt: skip


class BertOutput(Module):
    """The end of a branch: back to the features of a token, added, normalised."""

    def __init__(self, inputs: int, config: BertConfig) -> None:
        self.dense = config.dense(inputs, config.hidden_size)
        self.LayerNorm = config.norm()
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, branch: Tensor, x: Tensor) -> Tensor:
        y: Tensor = self.LayerNorm(x + self.dropout(self.dense(branch)))
        return y


class BertAttention(Module):
    """Self-attention and the end of its branch."""

    def __init__(self, config: BertConfig) -> None:
        self.self = BertSelfAttention(config)
        self.output = BertOutput(config.hidden_size, config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        y: Tensor = self.output(self.self(x, mask), x)
        return y


class BertIntermediate(Module):
    """A dense layer and the activation."""

    def __init__(self, outputs: int, config: BertConfig) -> None:
        self.dense = config.dense(config.hidden_size, outputs)
        self.activation = activation_named("hidden_act", config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.dense(x))


class BertLayer(Module):
    """Attention and feed-forward network, normalised after each."""

    def __init__(self, config: BertConfig) -> None:
        self.attention = BertAttention(config)
        self.intermediate = BertIntermediate(config.intermediate_size, config)
        self.output = BertOutput(config.intermediate_size, config)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        x = self.attention(x, mask)
        y: Tensor = self.output(self.intermediate(x), x)
        return y


class BertEncoder(Module):
    """The layers one after the other."""

    def __init__(self, config: BertConfig) -> None:
        self.layer = ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        for layer in self.layer:
            x = layer(x, mask)
        return x


class BertPooler(Module):
    """What stands for a text as a whole."""

    def __init__(self, config: BertConfig) -> None:
        self.dense = config.dense(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """The first token of each text."""
        return call("tanh", self.dense(x[:, 0]))


class BertModel(Module):
    """The encoder of BERT: features of every token, and of the text as a whole.

    Attributes:
        config: what it was made with.
        embeddings: of words, positions and segments, normalised.
        encoder: the layers.
        pooler: a dense layer on the first token; None without.

    Source: Devlin et al., https://arxiv.org/abs/1810.04805; names as `BertModel` of Hugging Face.

    >>> import asg
    >>> from asg import nn
    >>> config = nn.models.BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    >>> with asg.training_mode(False):
    ...     tokens, text = nn.models.BertModel(config)(asg.input("x", ("batch", "time"), "int32"))
    >>> str(tokens.type), str(text.type)
    ('f32[batch, time, 16]', 'f32[batch, 16]')
    """

    def __init__(self, config: BertConfig | None = None, add_pooling_layer: bool = True) -> None:
        """BERT base, uncased, without a configuration."""
        config = BertConfig() if config is None else config
        if not isinstance(add_pooling_layer, bool):
            raise OperandError(f"add_pooling_layer={add_pooling_layer!r} must be True or False")
        self.config = config
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertEncoder(config)
        self.pooler = BertPooler(config) if add_pooling_layer else None

    def forward(
        self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None
    ) -> tuple[Tensor, Tensor | None]:
        """``(features [batch, time, hidden_size], pooled [batch, hidden_size] or None)``.

        Args:
            input_ids: integers ``[batch, time]``.
            attention_mask: ``[batch, time]``, 0 or False hides a token from all others.
            token_type_ids: integers ``[batch, time]``, the segment of each token; by default 0.

        Raises:
            ShapeError: other axes, or a text longer than max_position_embeddings.
            DtypeError: not integers.
        """
        tokens = require_tokens("BertModel", input_ids)
        kinds = None if token_type_ids is None else _kinds(token_type_ids)
        x = self.encoder(self.embeddings(tokens, kinds), mask_of_keys(attention_mask))
        return x, None if self.pooler is None else self.pooler(x)


def _kinds(token_type_ids: Any) -> Tensor:
    kinds = as_tensor(token_type_ids)
    if kinds.ndim != 2:
        raise ShapeError(f"token_type_ids is {kinds.type}; it must be [batch, time]")
    return kinds


class BertPredictions(Module):
    """From features to the vocabulary; decoder and bias are shared as in Hugging Face's files."""

    def __init__(self, config: BertConfig, table: Variable) -> None:
        self.transform = BertTransform(config)
        self.decoder = config.dense(config.hidden_size, config.vocab_size)
        self.decoder.weight = table
        assert self.decoder.bias is not None
        self.bias: Variable = self.decoder.bias

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.decoder(self.transform(x))
        return y


class BertTransform(BertIntermediate):
    """The same with a norm."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__(config.hidden_size, config)
        self.LayerNorm = config.norm()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.LayerNorm(super().forward(x))
        return y


class BertHeads(Module):
    """A name before the names of the predictions."""

    _is_container = True

    def __init__(self, predictions: BertPredictions) -> None:
        self.predictions = predictions


class BertForMaskedLM(Module):
    """BERT with a prediction of every token, as it is trained: hidden tokens are filled in.

    Attributes:
        bert: a `BertModel` without pooler.
        cls: ``cls.predictions``; its decoder's weight is that of the word embeddings.
    """

    def __init__(self, config: BertConfig | None = None) -> None:
        """BERT base, uncased, without a configuration."""
        self.bert = BertModel(config, add_pooling_layer=False)
        table = self.bert.embeddings.word_embeddings.weight
        self.cls = BertHeads(BertPredictions(self.bert.config, table))

    def forward(
        self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None
    ) -> Tensor:
        """Logits ``[batch, time, vocab_size]``; arguments as `BertModel`."""
        x, _ = self.bert(input_ids, attention_mask, token_type_ids)
        y: Tensor = self.cls.predictions(x)
        return y


class BertForSequenceClassification(Module):
    """BERT with a classifier of whole texts.

    Attributes:
        bert: a `BertModel`.
        classifier: `Linear` on what its pooler gives.

    Raises:
        OperandError: ``num_labels`` is not a positive int.
    """

    def __init__(self, config: BertConfig | None = None, num_labels: int = 2) -> None:
        """BERT base, uncased, without a configuration."""
        require_positive(num_labels=num_labels)
        self.bert = BertModel(config)
        self.dropout = Dropout(self.bert.config.classifier_rate)
        self.classifier = self.bert.config.dense(self.bert.config.hidden_size, num_labels)

    def forward(
        self, input_ids: Any, attention_mask: Any = None, token_type_ids: Any = None
    ) -> Tensor:
        """Logits ``[batch, num_labels]``; arguments as `BertModel`."""
        _, pooled = self.bert(input_ids, attention_mask, token_type_ids)
        y: Tensor = self.classifier(self.dropout(pooled))
        return y


def bert_base(**changes: Any) -> BertModel:
    """BERT base, uncased, 109,482,240 parameters; ``changes`` of its `BertConfig`."""
    return BertModel(BertConfig(**changes))


def bert_large(**changes: Any) -> BertModel:
    """BERT large, uncased, 335,141,888 parameters; ``changes`` of its `BertConfig`."""
    large = {
        "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
        "intermediate_size": 4096,
    }  # fmt: skip
    return BertModel(BertConfig(**{**large, **changes}))
