"""Sequence to sequence: a GRU reads, a GRU with attention to what was read writes."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.dropout import Dropout
from asg.nn.embedding import Embedding
from asg.nn.linear import Linear
from asg.nn.models.lstm_language_model import require_texts
from asg.nn.module import Module
from asg.nn.recurrences import Gated, weights_of
from asg.nn.recurrent import GRU, valid_steps
from asg.ops.loops import scan


class AdditiveAttention(Module):
    """Weights of keys: softmax of ``Va tanh(Wa query + Ua key)``; Bahdanau et al., 2014."""

    def __init__(self, hidden_size: int, dtype: Any) -> None:
        self.Wa = Linear(hidden_size, hidden_size, dtype=dtype)
        self.Ua = Linear(hidden_size, hidden_size, dtype=dtype)
        self.Va = Linear(hidden_size, 1, dtype=dtype)

    def forward(
        self, query: Tensor, keys: Tensor, projected: Tensor, hidden: Tensor | None
    ) -> Tensor:
        """The mean of the keys ``[batch, time, hidden_size]`` by weight: ``[batch, hidden_size]``.

        Args:
            query: ``[batch, hidden_size]``.
            keys: what the mean is of.
            projected: ``Ua`` of the keys, which is the same for all queries.
            hidden: bool ``[batch, time]``, which keys do not count.
        """
        both = call("expand_dims", self.Wa(query), 1) + projected
        scores = call("squeeze", self.Va(call("tanh", both)), 2)
        if hidden is not None:
            scores = call("where", hidden, float("-inf"), scores)
        weights = call("expand_dims", call("softmax", scores, -1), 1)
        return call("squeeze", call("matmul", weights, keys), 1)


class Encoder(Module):
    """Embedding and GRU of the text that is read."""

    def __init__(self, vocab_size: int, hidden_size: int, dropout: float, dtype: Any) -> None:
        self.embedding = Embedding(vocab_size, hidden_size, dtype=dtype)
        self.gru = GRU(hidden_size, hidden_size, batch_first=True, dtype=dtype)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers ``[batch, time]`` to ``[batch, time, hidden_size]``, and the last state."""
        y, last = self.gru(self.dropout(self.embedding(tokens)), lengths=lengths)
        return y, last[0]


class Decoder(Module):
    """A GRU of which each step sees a token and what attention finds for the state before."""

    def __init__(self, vocab_size: int, hidden_size: int, dropout: float, dtype: Any) -> None:
        self.embedding = Embedding(vocab_size, hidden_size, dtype=dtype)
        self.attention = AdditiveAttention(hidden_size, dtype)
        self.gru = GRU(2 * hidden_size, hidden_size, batch_first=True, dtype=dtype)
        self.out = Linear(hidden_size, vocab_size, dtype=dtype)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, first: Tensor, keys: Tensor, hidden: Tensor | None) -> Tensor:
        """Integers ``[batch, time]`` to logits ``[batch, time, vocab_size]``, in one scan."""
        recurrence, weights = Gated(), weights_of(self.gru, "_l0")
        projected = self.attention.Ua(keys)

        def advance(h: Tensor, embedded: Tensor) -> tuple[Tensor, Tensor]:
            found = self.attention(h, keys, projected, hidden)
            given = recurrence.inputs(call("concat", [embedded, found], -1), weights)
            (h,) = recurrence.step(given, (h,), weights)
            return h, h

        embedded = self.dropout(self.embedding(tokens))
        _, y = scan(advance, first, call("swapaxes", embedded, 0, 1))
        logits: Tensor = self.out(call("swapaxes", y, 0, 1))
        return logits


class AttentionSeq2Seq(Module):
    """Scores of the next token of a text, given the text it is made of: GRUs with attention.

    The names and sizes are those of PyTorch's tutorial of translation.

    Attributes:
        encoder: embedding and gru.
        decoder: embedding, attention (Wa, Ua, Va), gru and out.

    Raises:
        OperandError: a size that is no positive int, a dropout outside of [0, 1].

    Source: Bahdanau et al., https://arxiv.org/abs/1409.0473;
    https://docs.pytorch.org/tutorials/intermediate/seq2seq_translation_tutorial.html.

    >>> import asg
    >>> from asg.nn import models
    >>> model = models.AttentionSeq2Seq(30, 20, hidden_size=8, dropout=0.0)
    >>> source = asg.input("source", ("batch", "read"), "int32")
    >>> model(source, asg.input("target", ("batch", "written"), "int32")).shape
    (Dim('batch'), Dim('written'), 20)
    """

    def __init__(
        self,
        source_vocab_size: int,
        target_vocab_size: int,
        hidden_size: int = 128,
        dropout: float = 0.1,
        dtype: Any = float32,
    ) -> None:
        """``dropout`` is of the embeddings."""
        self.encoder = Encoder(source_vocab_size, hidden_size, dropout, dtype)
        self.decoder = Decoder(target_vocab_size, hidden_size, dropout, dtype)

    def forward(self, source: Any, target: Any, source_lengths: Any = None) -> Tensor:
        """The logits of what follows each token of the target (which are all given to it).

        Args:
            source: integers ``[batch, time read]``.
            target: integers ``[batch, time written]``, beginning with a token for the start.
            source_lengths: integers ``[batch]`` >= 1, how many tokens of each source count.

        Raises:
            ShapeError, DtypeError: an operand that does not fit; names it.
        """
        source = require_texts("AttentionSeq2Seq", source)
        target = require_texts("AttentionSeq2Seq", target)
        lengths = None if source_lengths is None else as_tensor(source_lengths)
        keys, last = self.encoder(source, lengths)
        hidden = None
        if lengths is not None:
            counts = call("squeeze", valid_steps(call("swapaxes", source, 0, 1), lengths), 2)
            hidden = call("logical_not", call("swapaxes", counts, 0, 1))
        logits: Tensor = self.decoder(target, last, keys, hidden)
        return logits
