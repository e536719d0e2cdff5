"""The language model of the Mamba paper: residual blocks of `Mamba`, without attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_positive
from asg.nn.decoding import stepwise
from asg.nn.embedding import Embedding
from asg.nn.init import normal, uniform
from asg.nn.linear import Linear
from asg.nn.mamba import Mamba, States
from asg.nn.models.lstm_language_model import require_texts
from asg.nn.module import Module, ModuleList
from asg.nn.norm import RMSNorm
from asg.state.variable import Variable


@dataclass(frozen=True, kw_only=True)
class MambaConfig:
    """The sizes of a `MambaLM`; those of mamba-130m unless told otherwise.

    Names are those of the published config.json.

    Attributes:
        d_model: features of a token.
        n_layer: blocks.
        vocab_size: number of tokens, rounded up to a multiple of pad_vocab_size_multiple.
        pad_vocab_size_multiple: see vocab_size.
        ssm_cfg: arguments of `Mamba` besides d_model.
        tie_embeddings: the weight of lm_head is that of the embedding.
        dtype: of the variables.

    Raises:
        OperandError: a value of another kind or out of range.
    """

    d_model: int = 768
    n_layer: int = 24
    vocab_size: int = 50277
    pad_vocab_size_multiple: int = 8
    ssm_cfg: Mapping[str, Any] = field(default_factory=dict)
    tie_embeddings: bool = True
    dtype: Any = float32

    def __post_init__(self) -> None:
        """Check every value."""
        names = ("d_model", "n_layer", "vocab_size", "pad_vocab_size_multiple")
        require_positive(**{name: getattr(self, name) for name in names})
        require_flags(tie_embeddings=self.tie_embeddings)
        if not isinstance(self.ssm_cfg, Mapping):
            raise OperandError(f"ssm_cfg={self.ssm_cfg!r} must be a dict of arguments of Mamba")

    @property
    def rows(self) -> int:
        """Rows of the embedding."""
        return -(-self.vocab_size // self.pad_vocab_size_multiple) * self.pad_vocab_size_multiple


class MambaBlock(Module):
    """``x + mixer(norm(x))``."""

    def __init__(self, config: MambaConfig) -> None:
        self.mixer = Mamba(config.d_model, **config.ssm_cfg, dtype=config.dtype)
        # As the authors: the sum of n_layer branches begins with the variance of one.
        bound = 1.0 / sqrt(self.mixer.d_inner * config.n_layer)
        shape = self.mixer.out_proj.weight.type.shape
        self.mixer.out_proj.weight = Variable("weight", shape, uniform(-bound, bound), config.dtype)
        self.norm = RMSNorm(config.d_model, 1e-5, dtype=config.dtype)

    def forward(self, x: Tensor, state: States | None = None) -> tuple[Tensor, States]:
        """``[batch, time, d_model]`` to the same, and the state of the mixer."""
        y, after = self.mixer.step(self.norm(x), state)
        return x + y, after


class MambaBackbone(Module):
    """Embedding, blocks, norm."""

    def __init__(self, config: MambaConfig) -> None:
        first = normal(0.0, 0.02)
        self.embedding = Embedding(config.rows, config.d_model, dtype=config.dtype, init=first)
        self.layers = ModuleList(MambaBlock(config) for _ in range(config.n_layer))
        self.norm_f = RMSNorm(config.d_model, 1e-5, dtype=config.dtype)

    def forward(
        self, tokens: Tensor, states: Sequence[States | None]
    ) -> tuple[Tensor, tuple[States, ...]]:
        """Integers ``[batch, time]`` to ``[batch, time, d_model]``, and states of all blocks."""
        x, after = self.embedding(tokens), []
        for layer, state in zip(self.layers, states, strict=True):
            x, last = layer(x, state)
            after.append(last)
        return self.norm_f(x), tuple(after)


class MambaLM(Module):
    """Scores of the next token after each token, by selective state-space models.

    Attributes:
        backbone: embedding, layers with ``mixer`` and ``norm``, and norm_f.
        lm_head: from features to a score for each token, without bias.

    Source: Gu and Dao, https://arxiv.org/abs/2312.00752; the names are those of the published
    files (``backbone.layers.0.mixer.in_proj.weight``).

    >>> import asg
    >>> from asg.nn import models
    >>> model = models.MambaLM(models.MambaConfig(d_model=8, n_layer=2, vocab_size=20))
    >>> model(asg.input("tokens", ("batch", "time"), "int32")).shape
    (Dim('batch'), Dim('time'), 24)
    """

    def __init__(self, config: MambaConfig | None = None) -> None:
        """``config`` has the sizes; those of mamba-130m by default."""
        config = config or MambaConfig()
        self.n_layer, self.vocab_size = config.n_layer, config.vocab_size
        self.backbone = MambaBackbone(config)
        self.lm_head = Linear(config.d_model, config.rows, bias=False, dtype=config.dtype)
        if config.tie_embeddings:
            self.lm_head.weight = self.backbone.embedding.weight

    def forward(self, tokens: Any) -> Tensor:
        """Integers ``[batch, time]`` to logits ``[batch, time, rows of the embedding]``."""
        return self.step(tokens)[0]

    def step(
        self, tokens: Any, states: Sequence[States] | None = None
    ) -> tuple[Tensor, tuple[States, ...]]:
        """The logits after the next tokens of texts that have come to ``states``, and new states.

        Args:
            tokens: integers ``[batch, time]``, of any number of steps.
            states: what the part before returned, as of `Mamba.step` for each layer; None at the
                beginning.

        Raises:
            OperandError: states of another number of layers.
            ShapeError, DtypeError: an operand that does not fit; names it.
        """
        tokens = require_texts("MambaLM", tokens)
        given = [None] * self.n_layer if states is None else list(states)
        if len(given) != self.n_layer:
            raise OperandError(f"states are of {len(given)} layers, the model has {self.n_layer}")
        x, after = self.backbone(tokens, given)
        return self.lm_head(x), after

    @property
    def longest_text(self) -> None:
        """None: a text may have any length."""
        return None

    def first_cache(self, rows: int, columns: int) -> tuple[States, ...]:
        """The state of every mixer at the beginning, whatever the number of columns."""

        def states(layer: Any) -> States:
            mixer = layer.mixer
            dtype, inner = mixer.A_log.type.dtype, mixer.d_inner
            inputs = call("zeros", (rows, inner, mixer.d_conv - 1), dtype)
            wide = float32 if dtype.bits < 32 else dtype  # as `selective_scan` keeps it
            return inputs, call("zeros", (rows, inner, mixer.d_state), wide)

        return tuple(states(layer) for layer in self.backbone.layers)

    def decode(
        self, tokens: Any, cache: Sequence[States], past: Any, padding: Any
    ) -> tuple[Tensor, tuple[States, ...]]:
        """The logits after the next tokens of texts, and the next cache; see `nn.Decoder`.

        Of the rows of the embedding only those that are tokens get logits.
        """
        given = require_texts("MambaLM", tokens)
        logits, after = stepwise(self.step, given, cache, as_tensor(past), as_tensor(padding))
        return logits[:, : self.vocab_size], after
