"""A language model of characters or words: embedding, LSTM, linear."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags
from asg.nn.decoding import stepwise
from asg.nn.dropout import Dropout
from asg.nn.embedding import Embedding
from asg.nn.init import uniform, zeros
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.nn.recurrent import LSTM
from asg.state.variable import Variable

States = tuple[Tensor, Tensor]


class LSTMLanguageModel(Module):
    """Scores of the next token after each token, by an LSTM; names of PyTorch's example.

    Attributes:
        encoder: the embedding.
        rnn: the LSTM.
        decoder: from its outputs to a score for each token; with ``tie_weights`` its weight is
            that of the embedding.
        drop: dropout of the embeddings and of the outputs; between layers the LSTM has its own.

    Raises:
        OperandError: an argument out of range, or tied weights of two sizes.

    Source: Zaremba et al., "Recurrent neural network regularization",
    https://arxiv.org/abs/1409.2329; word_language_model of https://github.com/pytorch/examples.

    >>> import asg
    >>> from asg.nn import models
    >>> model = models.LSTMLanguageModel(20, 8, 16, num_layers=1, dropout=0.0)
    >>> model(asg.input("tokens", ("batch", "time"), "int32")).shape
    (Dim('batch'), Dim('time'), 20)
    """

    def __init__(
        self,
        vocab_size: int,
        embedding_dim: int = 200,
        hidden_size: int = 200,
        num_layers: int = 2,
        dropout: float = 0.2,
        tie_weights: bool = False,
        dtype: Any = float32,
    ) -> None:
        """First weights of embedding and decoder are uniform on +-0.1."""
        require_flags(tie_weights=tie_weights)
        if tie_weights and embedding_dim != hidden_size:
            raise OperandError(
                f"tie_weights=True needs embedding_dim={embedding_dim} equal to "
                f"hidden_size={hidden_size}"
            )
        self.drop = Dropout(dropout)
        small = uniform(-0.1, 0.1)
        self.encoder = Embedding(vocab_size, embedding_dim, dtype=dtype, init=small)
        between = dropout if num_layers != 1 else 0.0
        self.rnn = LSTM(
            embedding_dim, hidden_size, num_layers, batch_first=True, dropout=between, dtype=dtype
        )
        self.decoder = Linear(hidden_size, vocab_size, dtype=dtype, init=small)
        self.decoder.bias = Variable("bias", vocab_size, zeros(), dtype)
        if tie_weights:
            self.decoder.weight = self.encoder.weight

    def forward(self, tokens: Any) -> Tensor:
        """Integers ``[batch, time]`` to logits ``[batch, time, vocab_size]``."""
        return self.step(tokens)[0]

    def step(self, tokens: Any, state: States | None = None) -> tuple[Tensor, States]:
        """The logits after the next tokens of texts that have come to ``state``, and the new state.

        Args:
            tokens: integers ``[batch, time]``, of any number of steps.
            state: what the part before returned, (h, c) of the LSTM; None at the beginning.

        Raises:
            ShapeError, DtypeError: an operand that does not fit; names it.
        """
        tokens = require_texts("LSTMLanguageModel", tokens)
        y, last = self.rnn(self.drop(self.encoder(tokens)), state)
        return self.decoder(self.drop(y)), last

    @property
    def longest_text(self) -> None:
        """None: a text may have any length."""
        return None

    def first_cache(self, rows: int, columns: int) -> States:
        """(h, c) of the LSTM with the rows first, whatever the number of columns."""
        shape = (rows, self.rnn.num_layers, self.rnn.hidden_size)
        zeros = call("zeros", shape, self.encoder.weight.type.dtype)
        return zeros, zeros

    def decode(self, tokens: Any, cache: States, past: Any, padding: Any) -> tuple[Tensor, States]:
        """The logits after the next tokens of texts, and the next cache; see `nn.Decoder`."""

        def step(token: Tensor, state: States) -> tuple[Tensor, States]:
            logits, last = self.step(token, _layers_first(state))
            return logits, _layers_first(last)

        given = require_texts("LSTMLanguageModel", tokens)
        return stepwise(step, given, cache, as_tensor(past), as_tensor(padding))


def _layers_first(state: States) -> States:
    """Layers and rows change places."""
    h, c = (call("swapaxes", each, 0, 1) for each in state)
    return h, c


def require_texts(model: str, tokens: Any) -> Tensor:
    """The tokens as ``[batch, time]``.

    Raises:
        ShapeError: other axes.
    """
    given = as_tensor(tokens)
    if given.ndim != 2:
        raise ShapeError(f"{model} takes [batch, time], given {given.type}")
    return given
