"""Transformers for texts on the layers of `asg.nn`: classifier, language model, translator."""

from __future__ import annotations

from math import sqrt
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive
from asg.nn.decoding import KeyValues, text_positions, visible_columns
from asg.nn.dropout import Dropout
from asg.nn.embedding import Embedding
from asg.nn.init import normal
from asg.nn.linear import Linear
from asg.nn.models.parts import require_tokens
from asg.nn.module import Module
from asg.nn.norm import LayerNorm
from asg.nn.positions import LearnedPositions, SinusoidalPositions
from asg.nn.transformer import Transformer, TransformerEncoder, TransformerEncoderLayer


class TokenEmbedding(Module):
    """``dropout(sqrt(d_model) * tokens.weight[i] + position)``.

    Attributes:
        tokens: `Embedding`, normal with standard deviation 1 / sqrt(d_model).
        positions: `SinusoidalPositions`, or `LearnedPositions`.
    """

    def __init__(
        self, vocab_size: int, d_model: int, dropout: float, max_length: int | None,
        padding_idx: int | None, dtype: Any,
    ) -> None:  # fmt: skip
        """Positions are learned when there is a ``max_length``, else sines."""
        require_positive(d_model=d_model)
        self.factor = sqrt(d_model)
        init = normal(0.0, 1.0 / self.factor)
        self.tokens = Embedding(vocab_size, d_model, padding_idx, dtype=dtype, init=init)
        self.positions: Module = (
            SinusoidalPositions(d_model)
            if max_length is None
            else LearnedPositions(max_length, d_model, dtype)
        )
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Integers ``[batch, time]`` to ``[batch, time, d_model]``."""
        y: Tensor = self.dropout(self.positions(self.tokens(tokens) * self.factor))
        return y

    @property
    def longest_text(self) -> int | None:
        """``max_length``."""
        positions = self.positions
        return positions.max_length if isinstance(positions, LearnedPositions) else None

    def at(self, tokens: Tensor, positions: Tensor, most: Dim) -> Tensor:
        """`forward` of tokens that stand at these places of their texts, all below ``most``."""
        placed: Any = self.positions
        y: Tensor = self.dropout(placed.at(self.tokens(tokens) * self.factor, positions, most))
        return y

    def padding(self, tokens: Tensor) -> Tensor | None:
        """True where a token is padding; None when no token is."""
        row = self.tokens.padding_idx
        return None if row is None else call("equal", tokens, row)


class _EncoderModel(Module):
    """Embedding and encoder, which the classifier and the language model share."""

    def __init__(
        self,
        vocab_size: int,
        outputs: int,
        d_model: int,
        nhead: int,
        num_layers: int,
        dim_feedforward: int,
        dropout: float,
        activation: str,
        norm_first: bool,
        max_length: int | None,
        padding_idx: int | None,
        dtype: Any,
    ) -> None:
        """``outputs`` is what the last dense layer gives."""
        self.embedding = TokenEmbedding(
            vocab_size, d_model, dropout, max_length, padding_idx, dtype
        )
        layer = TransformerEncoderLayer(
            d_model, nhead, dim_feedforward, dropout, activation, batch_first=True,
            norm_first=norm_first, dtype=dtype,
        )  # fmt: skip
        last = LayerNorm(d_model, dtype=dtype) if norm_first else None
        self.encoder = TransformerEncoder(layer, num_layers, last)
        self.head = Linear(d_model, outputs, dtype=dtype)


class TransformerClassifier(_EncoderModel):
    """Classes of texts: a transformer encoder, the mean over its tokens, a dense layer.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762 (the encoder).

    Raises:
        OperandError: an argument of another kind or out of range.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.TransformerClassifier(100, 3, 16, 2, 1, 32, padding_idx=0)
    >>> with asg.training_mode(False):
    ...     str(model(asg.input("tokens", ("batch", "time"), "int32")).type)
    'f32[batch, 3]'
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        d_model: int = 256,
        nhead: int = 8,
        num_layers: int = 6,
        dim_feedforward: int = 1024,
        dropout: float = 0.1,
        activation: str = "relu",
        norm_first: bool = False,
        max_length: int | None = None,
        padding_idx: int | None = None,
        dtype: Any = float32,
    ) -> None:
        """The arguments of the model.

        Args:
            vocab_size: number of tokens.
            num_classes: outputs.
            d_model: features of a token.
            nhead: heads of each layer; divides d_model.
            num_layers: layers of the encoder.
            dim_feedforward: features inside the feed-forward parts.
            dropout: everywhere.
            activation: of the feed-forward parts, relu or gelu.
            norm_first: normalise before each part, and once more at the end.
            max_length: learned positions up to it; sines of any length unless given.
            padding_idx: a token that nobody sees.
            dtype: of the variables.
        """
        require_positive(num_classes=num_classes)
        super().__init__(
            vocab_size, num_classes, d_model, nhead, num_layers, dim_feedforward, dropout,
            activation, norm_first, max_length, padding_idx, dtype,
        )  # fmt: skip

    def forward(self, tokens: Any) -> Tensor:
        """Integers ``[batch, time]`` to logits ``[batch, num_classes]``.

        Raises:
            ShapeError: other axes, or a text longer than max_length.
            DtypeError: not integers.
        """
        tokens = require_tokens("TransformerClassifier", tokens)
        padding = self.embedding.padding(tokens)
        x = self.encoder(self.embedding(tokens), src_key_padding_mask=padding)
        logits: Tensor = self.head(_mean(x, padding))
        return logits


def _mean(x: Tensor, padding: Tensor | None) -> Tensor:
    """Over the tokens that are no padding; zeros where all are."""
    if padding is None:
        return call("mean", x, 1)
    hidden = call("expand_dims", padding, 2)
    total = call("where", hidden, 0.0, x).sum(1)
    count = call("where", hidden, 0.0, call("ones", (), x.dtype)).sum(1)
    mean: Tensor = total / call("maximum", count, 1.0)
    return mean


class TransformerLM(_EncoderModel):
    """Logits of the next token: a transformer in which a token sees those before it.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762 (the decoder, without memory).

    Raises:
        OperandError: an argument of another kind or out of range.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.TransformerLM(100, 16, 2, 1, 32)
    >>> with asg.training_mode(False):
    ...     str(model(asg.input("tokens", ("batch", "time"), "int32")).type)
    'f32[batch, time, 100]'
    """

    def __init__(
        self,
        vocab_size: int,
        d_model: int = 256,
        nhead: int = 8,
        num_layers: int = 6,
        dim_feedforward: int = 1024,
        dropout: float = 0.1,
        activation: str = "relu",
        norm_first: bool = False,
        max_length: int | None = None,
        padding_idx: int | None = None,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `TransformerClassifier`."""
        super().__init__(
            vocab_size, vocab_size, d_model, nhead, num_layers, dim_feedforward, dropout,
            activation, norm_first, max_length, padding_idx, dtype,
        )  # fmt: skip

    def forward(self, tokens: Any) -> Tensor:
        """Integers ``[batch, time]`` to logits ``[batch, time, vocab_size]``.

        Raises:
            ShapeError: other axes, or a text longer than max_length.
            DtypeError: not integers.
        """
        tokens = require_tokens("TransformerLM", tokens)
        padding = self.embedding.padding(tokens)
        x = self.embedding(tokens)
        y: Tensor = self.head(self.encoder(x, src_key_padding_mask=padding, is_causal=True))
        return y

    @property
    def longest_text(self) -> int | None:
        """The most tokens of a text; None for any number."""
        return self.embedding.longest_text

    def first_cache(self, rows: int, columns: int) -> dict[str, Any]:
        """Keys and values of every layer, and which columns are padding_idx."""
        first: Any = self.encoder.layers[0]
        attention = first.self_attn
        heads, width = attention.num_heads, attention.embed_dim // attention.num_heads
        dtype = self.embedding.tokens.weight.type.dtype
        zeros = call("zeros", (rows, heads, columns, width), dtype)
        layers = [{"keys": zeros, "values": zeros} for _ in self.encoder.layers]
        return {"layers": layers, "hidden": call("full", (rows, columns), False)}

    def decode(
        self, tokens: Any, cache: dict[str, Any], past: Any, padding: Any
    ) -> tuple[Tensor, dict[str, Any]]:
        """The logits after the next tokens of texts, and the next cache; see `nn.Decoder`."""
        tokens = require_tokens("TransformerLM", tokens)
        past, padding = as_tensor(past), as_tensor(padding)
        time, columns = tokens.shape[1], cache["hidden"].shape[1]
        most = columns if self.longest_text is None else self.longest_text
        mask, hidden = visible_columns(past, time, columns, padding), cache["hidden"]
        of_padding = self.embedding.padding(tokens)
        if of_padding is not None:
            hidden = call("dynamic_update_slice", hidden, of_padding, (0, past))
            mask = mask & ~call("expand_dims", hidden, (1, 2))
        x = self.embedding.at(tokens, text_positions(past, time, padding, most), most)
        kept = [KeyValues(layer["keys"], layer["values"], past) for layer in cache["layers"]]
        blocks: Any = self.encoder.layers
        for block, own in zip(blocks, kept, strict=True):
            x = block.step(x, own, mask)
        last = x[:, -1] if self.encoder.norm is None else self.encoder.norm(x[:, -1])
        layers = [{"keys": each.keys, "values": each.values} for each in kept]
        return self.head(last), {"layers": layers, "hidden": hidden}


class Seq2SeqTransformer(Module):
    """From one text to another: logits of the next token of the target, given the whole source.

    Source: Vaswani et al., https://arxiv.org/abs/1706.03762. The default sizes are its base model.

    Raises:
        OperandError: an argument of another kind or out of range.

    >>> import asg
    >>> from asg import nn
    >>> model = nn.models.Seq2SeqTransformer(50, 60, 16, 2, 1, 1, 32)
    >>> source, target = (asg.input(name, ("n", name), "int32") for name in ("s", "t"))
    >>> with asg.training_mode(False):
    ...     str(model(source, target).type)
    'f32[n, t, 60]'
    """

    def __init__(
        self,
        source_vocab: int,
        target_vocab: int,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: str = "relu",
        norm_first: bool = False,
        max_length: int | None = None,
        padding_idx: int | None = None,
        tie_embeddings: bool = False,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `TransformerClassifier`, and:

        Args:
            source_vocab: number of tokens of the source.
            target_vocab: number of tokens of the target.
            tie_embeddings: one table for source, target and the last layer, as in the paper.
        """
        if tie_embeddings and source_vocab != target_vocab:
            raise OperandError(
                f"tie_embeddings needs one vocabulary, given {source_vocab} and {target_vocab}"
            )
        shared = (d_model, dropout, max_length, padding_idx, dtype)
        self.source = TokenEmbedding(source_vocab, *shared)
        self.target = TokenEmbedding(target_vocab, *shared)
        self.transformer = Transformer(
            d_model, nhead, num_encoder_layers, num_decoder_layers, dim_feedforward, dropout,
            activation, batch_first=True, norm_first=norm_first, dtype=dtype,
        )  # fmt: skip
        self.head = Linear(d_model, target_vocab, dtype=dtype)
        if tie_embeddings:
            self.target.tokens.weight = self.source.tokens.weight
            self.head.weight = self.source.tokens.weight

    def forward(self, source: Any, target: Any) -> Tensor:
        """Integers ``[batch, s]`` and ``[batch, t]`` to logits ``[batch, t, target_vocab]``.

        Logits at a position depend on the target up to it: give it the target without its end.

        Raises:
            ShapeError: other axes, or a text longer than max_length.
            DtypeError: not integers.
        """
        source = require_tokens("Seq2SeqTransformer", source)
        target = require_tokens("Seq2SeqTransformer", target)
        hidden = self.source.padding(source)
        y: Tensor = self.head(
            self.transformer(
                self.source(source), self.target(target), src_key_padding_mask=hidden,
                tgt_key_padding_mask=self.target.padding(target), memory_key_padding_mask=hidden,
                tgt_is_causal=True,
            )
        )  # fmt: skip
        return y
