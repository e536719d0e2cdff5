"""Attention of today's language models: shared key heads, rotations, windows, normalised heads."""

from __future__ import annotations

from typing import Any

from asg.core.dim import Dim
from asg.core.dtype import float32
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_positive, require_probability
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.nn.norm import RMSNorm
from asg.nn.positions import RotaryPositions
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode


class GroupedQueryAttention(Module):
    """``o_proj(concat of heads)``, each head ``softmax(q k^T / sqrt(head_dim) + mask) v``.

    ``num_heads / num_kv_heads`` consecutive heads of queries share one of keys and values: one
    each is multi-head attention, one for all is multi-query attention. Variables have the names of
    Llama's.

    Attributes:
        q_proj: `Linear` from embed_dim to num_heads * head_dim.
        k_proj: `Linear` from embed_dim to num_kv_heads * head_dim; ``v_proj`` likewise.
        o_proj: `Linear` from num_heads * head_dim to embed_dim.
        q_norm: `RMSNorm` of each head of queries, with ``qk_norm``; ``k_norm`` that of keys.
        key: the random stream of dropout.

    Raises:
        OperandError: sizes that are not positive ints or do not divide one another, rotations of
            more features than a head has.

    Sources: Ainslie et al., https://arxiv.org/abs/2305.13245; sliding windows: Jiang et al.,
    https://arxiv.org/abs/2310.06825; normalised heads: Dehghani et al.,
    https://arxiv.org/abs/2302.05442.

    >>> import asg
    >>> from asg import nn
    >>> attention = nn.GroupedQueryAttention(16, 4, 2, rope=nn.RotaryPositions(4), window=128)
    >>> str(attention(asg.input("x", ("batch", "time", 16))).type)
    'f32[batch, time, 16]'
    >>> attention.q_proj.weight, attention.k_proj.weight
    (<parameter 'q_proj.weight': f32[16, 16]>, <parameter 'k_proj.weight': f32[8, 16]>)
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        num_kv_heads: int | None = None,
        head_dim: int | None = None,
        bias: bool = False,
        dropout: float = 0.0,
        is_causal: bool = True,
        rope: RotaryPositions | None = None,
        window: int | None = None,
        qk_norm: bool = False,
        norm_eps: float = 1e-6,
        out_bias: bool | None = None,
        dtype: Any = float32,
    ) -> None:
        """The arguments of the attention.

        Args:
            embed_dim: features of the tokens.
            num_heads: of queries.
            num_kv_heads: of keys and values; divides num_heads, as many unless given.
            head_dim: features of a head; embed_dim / num_heads unless given.
            bias: of all four projections.
            dropout: rate at which weights are dropped in training.
            is_causal: a query sees the keys up to its own position only.
            rope: turns queries and keys by their positions.
            window: a query sees only keys at a distance below this.
            qk_norm: normalise the heads of queries and keys, before they are turned.
            norm_eps: of these norms.
            out_bias: of o_proj, when it differs from ``bias``.
            dtype: of the variables.
        """
        shared = num_heads if num_kv_heads is None else num_kv_heads
        require_positive(embed_dim=embed_dim, num_heads=num_heads, num_kv_heads=shared)
        require_flags(bias=bias, is_causal=is_causal, qk_norm=qk_norm)
        if num_heads % shared:
            raise OperandError(f"num_heads={num_heads} is not a multiple of num_kv_heads={shared}")
        self.embed_dim, self.num_heads, self.num_kv_heads = embed_dim, num_heads, shared
        self.head_dim = _head_features(embed_dim, num_heads, head_dim)
        self.dropout, self.is_causal = require_probability("dropout", dropout), is_causal
        if window is not None:
            require_positive(window=window)
        self.window = window
        wide, narrow = num_heads * self.head_dim, shared * self.head_dim
        self.q_proj = Linear(embed_dim, wide, bias, dtype)
        self.k_proj = Linear(embed_dim, narrow, bias, dtype)
        self.v_proj = Linear(embed_dim, narrow, bias, dtype)
        self.o_proj = Linear(wide, embed_dim, bias if out_bias is None else out_bias, dtype)
        self.q_norm = RMSNorm(self.head_dim, norm_eps, dtype=dtype) if qk_norm else None
        self.k_norm = RMSNorm(self.head_dim, norm_eps, dtype=dtype) if qk_norm else None
        self.rope = self._checked_rope(rope)
        self.key = RandomStream()

    def _checked_rope(self, rope: Any) -> RotaryPositions | None:
        if rope is not None and not isinstance(rope, RotaryPositions):
            raise OperandError(f"rope={rope!r} must be RotaryPositions or None")
        if rope is not None and rope.features > self.head_dim:
            raise OperandError(
                f"rope turns {rope.features} features, a head has head_dim={self.head_dim}"
            )
        return rope

    def forward(
        self, x: Tensor, mask: Any = None, positions: Any = None, offset: Dim | str = 0
    ) -> Tensor:
        """``[batch, time, embed_dim]``, the batch may be missing; same shape.

        Args:
            x: the tokens.
            mask: broadcasts to ``[batch, num_heads, time, time]``; bool (True may be seen) or
                floating (added), as for `asg.scaled_dot_product_attention`, and in addition to
                ``is_causal`` and ``window``.
            positions: integers ``[time]`` or ``[batch, time]`` for the rotations; by default
                0, 1, 2, ...
            offset: added to them.

        Raises:
            ShapeError: another number of axes or features.
            OperandError: positions without rotations.
        """
        if x.ndim not in (2, 3):
            raise ShapeError(
                f"GroupedQueryAttention takes [batch, time, {self.embed_dim}] or the same without "
                f"batch, given {x.type}"
            )
        places = self._places(positions, offset)
        q = self._heads(self.q_proj(x), self.num_heads, self.q_norm, places)
        k = self._heads(self.k_proj(x), self.num_kv_heads, self.k_norm, places)
        v = self._heads(self.v_proj(x), self.num_kv_heads, None, None)
        rate = self.dropout if self.dropout and chosen_mode("GroupedQueryAttention") else 0.0
        heads = call(
            "scaled_dot_product_attention", q, k, v, mask, rate, self.is_causal,
            enable_gqa=self.num_kv_heads != self.num_heads, window=self.window,
            dropout_key=self.key.next() if rate else None,
        )  # fmt: skip
        merged = call("swapaxes", heads, -3, -2)
        y: Tensor = self.o_proj(merged.reshape((*x.shape[:-1], self.num_heads * self.head_dim)))
        return y

    def _places(self, positions: Any, offset: Any) -> dict[str, Any]:
        """The arguments of the rotations; positions of a batch are the same for every head."""
        if self.rope is None:
            if positions is not None or offset != 0:
                raise OperandError("positions and offset are for rotations, and rope is None")
            return {}
        if positions is not None:
            positions = call("expand_dims", positions, -2)
        return {"positions": positions, "offset": offset}

    def _heads(
        self, x: Tensor, count: int, norm: Module | None, places: dict[str, Any] | None
    ) -> Tensor:
        """``[..., time, features]`` to ``[..., heads, time, head_dim]``, normalised and turned."""
        heads = call("swapaxes", x.reshape((*x.shape[:-1], count, self.head_dim)), -3, -2)
        if norm is not None:
            heads = norm(heads)
        return heads if self.rope is None or places is None else self.rope(heads, **places)

    def describe(self) -> str:
        optional = {
            "num_kv_heads": self.num_heads, "head_dim": self.embed_dim // self.num_heads,
            "dropout": 0.0, "is_causal": True, "window": None,
        }  # fmt: skip
        changed = [f"{n}={getattr(self, n)}" for n, v in optional.items() if getattr(self, n) != v]
        return ", ".join([f"{self.embed_dim}, {self.num_heads}", *changed])


def _head_features(embed_dim: int, num_heads: int, head_dim: int | None) -> int:
    if head_dim is not None:
        require_positive(head_dim=head_dim)
        return head_dim
    if embed_dim % num_heads:
        raise OperandError(
            f"embed_dim={embed_dim} is not a multiple of num_heads={num_heads}; or give head_dim"
        )
    return embed_dim // num_heads
