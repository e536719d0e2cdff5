"""Transformer layers and stacks, with PyTorch's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.attention import MultiheadAttention
from asg.nn.checks import require_positive
from asg.nn.decoding import KeyValues
from asg.nn.dropout import Dropout
from asg.nn.init import xavier_uniform
from asg.nn.linear import Linear
from asg.nn.module import Module, ModuleList
from asg.nn.norm import LayerNorm
from asg.ops.leaf import iota

Activation = str | Callable[[Tensor], Tensor]


def _activation(given: Activation) -> Callable[[Tensor], Tensor]:
    if callable(given):
        return given
    if given not in ("relu", "gelu"):
        raise OperandError(f"activation={given!r} must be 'relu', 'gelu', or a function")
    return lambda x: call(given, x)


class _Layer(Module):
    """What both kinds of layers have: attention to itself, a feed-forward part, ways to join."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = float32,
    ) -> None:
        """Arguments as PyTorch's; ``norm_first`` normalises before each part, not after."""
        require_positive(d_model=d_model, nhead=nhead, dim_feedforward=dim_feedforward)
        self.d_model, self.norm_first = d_model, bool(norm_first)
        self.self_attn = self._attention(nhead, dropout, bias, batch_first, dtype)
        self._declare_cross_attention(nhead, dropout, bias, batch_first, dtype)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype)
        for number in range(1, self.parts + 1):
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)
            setattr(self, f"norm{number}", norm)
        for number in range(1, self.parts + 1):
            setattr(self, f"dropout{number}", Dropout(dropout))
        self.activation = _activation(activation)

    parts = 2

    def _attention(
        self, nhead: int, dropout: float, bias: bool, batch_first: bool, dtype: Any
    ) -> MultiheadAttention:
        return MultiheadAttention(
            self.d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype
        )

    def _declare_cross_attention(
        self, nhead: int, dropout: float, bias: bool, batch_first: bool, dtype: Any
    ) -> None:
        """Only the decoder's layers have one."""

    def _joined(self, x: Tensor, number: int, part: Callable[[Tensor], Tensor]) -> Tensor:
        """``norm(x + dropout(part(x)))``, or ``x + dropout(part(norm(x)))`` with norm_first."""
        norm, drop = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        y: Tensor = x + drop(part(norm(x))) if self.norm_first else norm(x + drop(part(x)))
        return y

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.dropout(self.activation(self.linear1(x)))
        y: Tensor = self.linear2(hidden)
        return y

    def describe(self) -> str:
        return f"{self.d_model}, norm_first={self.norm_first}"


class TransformerEncoderLayer(_Layer):
    """Self-attention, then a feed-forward network, each with a residual path.

    Raises:
        OperandError: a size, rate or activation that cannot be.

    Source: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; as
    `torch.nn.TransformerEncoderLayer`.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    >>> with asg.training_mode(False):
    ...     print(layer(asg.input("x", ("batch", "time", 8))).type)
    f32[batch, time, 8]
    """

    self_attn: MultiheadAttention

    def forward(
        self,
        src: Tensor,
        src_mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Same shape; masks as `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )[0]
            return y

        return self._joined(self._joined(src, 1, attend), 2, self._feed_forward)

    def step(self, x: Tensor, kept: KeyValues, mask: Tensor) -> Tensor:
        """The next tokens ``[batch, time, d_model]``; see `MultiheadAttention.step`."""

        def attend(inner: Tensor) -> Tensor:
            return self.self_attn.step(inner, kept, mask)

        return self._joined(self._joined(x, 1, attend), 2, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Self-attention, attention to the memory, a feed-forward network.

    Raises:
        OperandError: a size, rate or activation that cannot be.

    Source: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; as
    `torch.nn.TransformerDecoderLayer`.
    """

    parts = 3

    def _declare_cross_attention(
        self, nhead: int, dropout: float, bias: bool, batch_first: bool, dtype: Any
    ) -> None:
        self.multihead_attn = self._attention(nhead, dropout, bias, batch_first, dtype)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Shape of ``tgt``; masks as `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )[0]
            return y

        def look(x: Tensor) -> Tensor:
            y: Tensor = self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask,
                is_causal=memory_is_causal,
            )[0]  # fmt: skip
            return y

        x = self._joined(self._joined(tgt, 1, attend), 2, look)
        return self._joined(x, 3, self._feed_forward)


class TransformerEncoder(Module):
    """``num_layers`` clones of a layer, one after the other, then ``norm``.

    Each clone draws first values of its own (in PyTorch they begin equal).

    Raises:
        OperandError: ``num_layers`` is not positive.
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        """As `torch.nn.TransformerEncoder`."""
        require_positive(num_layers=num_layers)
        self.layers = ModuleList(encoder_layer.clone() for _ in range(num_layers))
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Any = None,
        src_key_padding_mask: Any = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Same shape; masks as `MultiheadAttention`."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, is_causal)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """``num_layers`` clones of a layer, one after the other, then ``norm``.

    Raises:
        OperandError: ``num_layers`` is not positive.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        """As `torch.nn.TransformerDecoder`."""
        require_positive(num_layers=num_layers)
        self.layers = ModuleList(decoder_layer.clone() for _ in range(num_layers))
        self.norm = norm

    def forward(self, tgt: Tensor, memory: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Further arguments as `TransformerDecoderLayer.forward`."""
        for layer in self.layers:
            tgt = layer(tgt, memory, *args, **kwargs)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder of the source, and a decoder of the target that looks at its result.

    All matrices begin Xavier uniform.

    Raises:
        OperandError: a size, rate or activation that cannot be.

    Source: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; as `torch.nn.Transformer`.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> with asg.training_mode(False):
    ...     y = net(asg.input("s", ("n", 5, 8)), asg.input("t", ("n", 3, 8)), tgt_is_causal=True)
    >>> print(y.type)
    f32[n, 3, 8]
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.Transformer`."""
        self.d_model, self.nhead, self.batch_first = d_model, nhead, bool(batch_first)
        shared = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, dtype,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*shared), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*shared), num_decoder_layers, norm()
        )
        for variable in self.parameters().values():
            if len(variable.type.shape) > 1:
                variable.set_initial(xavier_uniform())

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Any = None,
        tgt_mask: Any = None,
        memory_mask: Any = None,
        src_key_padding_mask: Any = None,
        tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None,
        src_is_causal: bool = False,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Shape of ``tgt``; masks as `MultiheadAttention`."""
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        y: Tensor = self.decoder(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
            tgt_is_causal, memory_is_causal,
        )  # fmt: skip
        return y

    @staticmethod
    def generate_square_subsequent_mask(size: Any, dtype: Any = float32) -> Tensor:
        """``[size, size]``: 0 up to the diagonal, -inf behind it; to be added to scores."""
        ahead = call("greater", iota((size, size), 1), iota((size, size), 0))
        return call("where", ahead, float("-inf"), call("full", (), 0.0, dtype))

    def describe(self) -> str:
        return f"{self.d_model}, {self.nhead}"
