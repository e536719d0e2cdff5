"""Multi-head attention with its projections."""

from __future__ import annotations

from math import sqrt
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import DtypeError, OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive, require_probability
from asg.nn.decoding import KeyValues
from asg.nn.init import xavier_normal, xavier_uniform, zeros
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.ops.leaf import iota
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode
from asg.state.variable import Variable

Pair = tuple[Tensor, Tensor | None]


class MultiheadAttention(Module):
    """``out_proj(concat of heads)``, each head ``softmax(q k^T / sqrt(head_dim) + masks) v``.

    Masks follow PyTorch's class: in a bool mask, True is *not* looked at; a floating mask is added
    to the scores. A query that may look at nothing gives zeros (PyTorch: NaN).

    Attributes:
        in_proj_weight: ``[3 * embed_dim, embed_dim]``, queries, keys, values; Xavier uniform. With
            other ``kdim`` or ``vdim``: ``q_proj_weight``, ``k_proj_weight``, ``v_proj_weight``.
        in_proj_bias: ``[3 * embed_dim]``, zeros; None without bias.
        out_proj: `Linear` from embed_dim to embed_dim.
        bias_k: ``[1, 1, embed_dim]``, one more key, with ``add_bias_kv``; ``bias_v`` its value.
        key: the random stream of dropout.

    Raises:
        OperandError: sizes that are not positive, heads that do not divide them.

    Source: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; arguments and names as
    `torch.nn.MultiheadAttention`.

    >>> import asg
    >>> from asg import nn
    >>> x = asg.input("x", ("batch", "time", 8))
    >>> y, weights = nn.MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    >>> print(y.type, weights.type)
    f32[batch, time, 8] f32[batch, time, time]
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.MultiheadAttention`; ``dropout`` is of the weights."""
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        require_positive(
            embed_dim=embed_dim, num_heads=num_heads, kdim=self.kdim, vdim=self.vdim
        )
        if embed_dim % num_heads:
            raise OperandError(f"embed_dim={embed_dim} is not a multiple of num_heads={num_heads}")
        self.embed_dim, self.num_heads = embed_dim, num_heads
        self.dropout = require_probability("dropout", dropout)
        self.batch_first, self.add_zero_attn = bool(batch_first), bool(add_zero_attn)
        self._declare_projections(dtype)
        self.in_proj_bias = (
            Variable("in_proj_bias", (3 * embed_dim,), zeros(), dtype) if bias else None
        )
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype)
        if self.out_proj.bias is not None:
            self.out_proj.bias.set_initial(zeros())
        extra = (1, 1, embed_dim)
        self.bias_k = Variable("bias_k", extra, xavier_normal(), dtype) if add_bias_kv else None
        self.bias_v = Variable("bias_v", extra, xavier_normal(), dtype) if add_bias_kv else None
        self.key = RandomStream()

    def _declare_projections(self, dtype: Any) -> None:
        embed = self.embed_dim
        sizes = {"q_proj_weight": embed, "k_proj_weight": self.kdim, "v_proj_weight": self.vdim}
        if self.kdim == self.vdim == embed:
            shape = (3 * embed, embed)
            self.in_proj_weight: Variable | None = Variable(
                "in_proj_weight", shape, xavier_uniform(), dtype
            )
            return
        self.in_proj_weight = None
        for name, size in sizes.items():
            setattr(self, name, Variable(name, (embed, size), xavier_uniform(), dtype))

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Any = None,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> Pair:
        """(attended values, weights or None).

        Args:
            query: ``[L, batch, embed_dim]``; ``[batch, L, embed_dim]`` with ``batch_first``; or
                ``[L, embed_dim]``.
            key: the same with S and ``kdim``.
            value: the same with S and ``vdim``.
            key_padding_mask: ``[batch, S]`` (``[S]`` without batch): True, or -inf, hides a key.
            need_weights: also return the weights.
            attn_mask: ``[L, S]`` or ``[batch * num_heads, L, S]``.
            average_attn_weights: weights ``[batch, L, S]`` averaged over the heads, else
                ``[batch, num_heads, L, S]``.
            is_causal: query i sees the keys up to i, in addition to the masks. (In PyTorch it only
                says that the mask does that.)

        Raises:
            ShapeError: another number of axes.
            DtypeError: a mask that is neither bool nor floating.
        """
        batched = self._require_ndim(query, key, value)
        same = query is key and key is value
        if not batched:
            query, key, value = (x[None] for x in (query, key, value))
        elif not self.batch_first:
            query, key, value = (_swapped(x) for x in (query, key, value))
        q, k, v = self._projected(query, key, value, same)
        mask = self._mask(key_padding_mask, attn_mask, batched)
        k, v, mask = self._with_extra_keys(k, v, mask)
        q, k, v = (self._split_heads(x) for x in (q, k, v))
        heads, weights = self._attended(q, k, v, mask, is_causal, need_weights)
        merged = call("swapaxes", heads, 1, 2)
        y: Tensor = self.out_proj(merged.reshape((*merged.shape[:2], self.embed_dim)))
        if weights is not None and average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            return y[0], None if weights is None else weights[0]
        return y if self.batch_first else _swapped(y), weights

    def step(self, x: Tensor, kept: KeyValues, mask: Tensor) -> Tensor:
        """Self-attention of the next tokens to all that were kept, and to themselves.

        Args:
            x: ``[batch, time, embed_dim]``, whatever ``batch_first`` is.
            kept: keys and values of the layer; gets those of x.
            mask: bool ``[batch, 1, time, columns]``, True may be seen; see `visible_columns`.

        Raises:
            OperandError: the layer adds keys of its own, which have no column.
        """
        if self.bias_k is not None or self.add_zero_attn:
            raise OperandError("MultiheadAttention.step has no place for bias_kv and add_zero_attn")
        q, k, v = (self._split_heads(each) for each in self._projected(x, x, x, True))
        k, v = kept.extended(k, v)
        heads, _ = self._attended(q, k, v, mask, False, False)
        merged = call("swapaxes", heads, 1, 2)
        y: Tensor = self.out_proj(merged.reshape((*merged.shape[:2], self.embed_dim)))
        return y

    def _require_ndim(self, query: Tensor, key: Tensor, value: Tensor) -> bool:
        """Whether there is a batch axis."""
        if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
            raise ShapeError(
                f"MultiheadAttention takes three tensors of 3 axes, or of 2 without a batch, "
                f"given {query.type}, {key.type}, {value.type}"
            )
        return query.ndim == 3

    def _projected(
        self, query: Tensor, key: Tensor, value: Tensor, same: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        if same and self.in_proj_weight is not None:  # one product instead of three
            joined = call("matmul", query, self.in_proj_weight.T)
            joined = joined if self.in_proj_bias is None else joined + self.in_proj_bias
            q, k, v = call("split", joined, 3, axis=-1)
            return q, k, v
        results = []
        pairs = zip((query, key, value), self._weights(), strict=True)
        for position, (x, weight) in enumerate(pairs):
            part = slice(position * self.embed_dim, (position + 1) * self.embed_dim)
            y = call("matmul", x, weight.T)
            results.append(y if self.in_proj_bias is None else y + self.in_proj_bias[part])
        return results[0], results[1], results[2]

    def _weights(self) -> list[Tensor]:
        if self.in_proj_weight is None:
            names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
            return [as_tensor(getattr(self, name)) for name in names]
        rows = self.embed_dim
        return [self.in_proj_weight[i * rows : (i + 1) * rows] for i in range(3)]

    def _split_heads(self, x: Tensor) -> Tensor:
        """``[batch, length, embed]`` to ``[batch, heads, length, features]``."""
        split = (*x.shape[:2], self.num_heads, self.embed_dim // self.num_heads)
        return call("swapaxes", x.reshape(split), 1, 2)

    def _mask(self, padding: Any, attn: Any, batched: bool) -> Tensor | None:
        """Both masks as one of ``[batch, heads, L, S]``, stretched; True may be seen."""
        found: Tensor | None = None
        if padding is not None:
            found = _as_mask("key_padding_mask", padding, (2 if batched else 1,))
            found = found[None] if found.ndim == 1 else found
            found = found[:, None, None, :]
        if attn is not None:
            other = _as_mask("attn_mask", attn, (2, 3))
            if other.ndim == 3:
                heads = self.num_heads
                other = other.reshape((-1, heads, *other.shape[1:]))
            found = other if found is None else _combined(found, other)
        return found

    def _with_extra_keys(
        self, k: Tensor, v: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The learned key and the zero key behind the others, seen by everybody."""
        shape = (k.shape[0], 1, self.embed_dim)
        extras: list[tuple[Tensor, Tensor]] = []
        if self.bias_k is not None and self.bias_v is not None:
            extras.append(
                (call("broadcast_to", self.bias_k, shape), call("broadcast_to", self.bias_v, shape))
            )
        if self.add_zero_attn:
            nothing = call("full", shape, 0.0, k.dtype)
            extras.append((nothing, nothing))
        for key, value in extras:
            k, v = call("concat", [k, key], axis=1), call("concat", [v, value], axis=1)
        if mask is not None and extras:
            seen = True if mask.dtype.is_bool else 0.0
            wide = call("full", (*mask.shape[:-1], len(extras)), seen, mask.dtype)
            mask = call("concat", [mask, wide], axis=-1)
        return k, v, mask

    def _attended(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool,
        need_weights: bool,
    ) -> Pair:  # fmt: skip
        rate = self.dropout if self.dropout and chosen_mode("MultiheadAttention") else 0.0
        options: dict[str, Any] = {"attn_mask": mask, "is_causal": is_causal}
        if not need_weights:
            options |= {"dropout_p": rate, "dropout_key": self.key.next() if rate else None}
            return call("scaled_dot_product_attention", q, k, v, **options), None
        scale = 1.0 / sqrt(self.embed_dim // self.num_heads)
        scores = call("matmul", q * scale, k.mT)
        if is_causal:
            mask = causal_mask(scores) if mask is None else _combined(mask, causal_mask(scores))
        if mask is not None and mask.dtype.is_float:
            scores, mask = scores + mask, None
        weights = call("masked_softmax", scores, mask)
        weights = call("dropout", weights, rate, self.key.next()) if rate else weights
        return call("matmul", weights, v), weights

    def describe(self) -> str:
        return f"{self.embed_dim}, {self.num_heads}, dropout={self.dropout}"


def _as_mask(name: str, mask: Any, ndims: tuple[int, ...]) -> Tensor:
    """A mask with PyTorch's meaning as one with ours: True may be seen."""
    tensor = as_tensor(mask)
    if tensor.ndim not in ndims:
        allowed = " or ".join(map(str, ndims))
        raise ShapeError(f"{name} is {tensor.type}; it must have {allowed} axes")
    if tensor.dtype.is_bool:
        return call("logical_not", tensor)
    if not tensor.dtype.is_float:
        raise DtypeError(f"{name} is {tensor.type}; give bools (True is hidden) or floats to add")
    return tensor


def causal_mask(scores: Tensor) -> Tensor:
    """True where query i looks at a key up to i; for scores ``[..., L, S]``."""
    shape = scores.shape[-2:]
    return call("less_equal", iota(shape, 1), iota(shape, 0))


def _combined(a: Tensor, b: Tensor) -> Tensor:
    if a.dtype.is_bool and b.dtype.is_bool:
        return call("logical_and", a, b)
    added = [
        call("where", x, 0.0, float("-inf")) if x.dtype.is_bool else x for x in (a, b)
    ]
    return added[0] + added[1]


def _swapped(x: Tensor) -> Tensor:
    """Batch and length exchanged."""
    return call("swapaxes", x, 0, 1)
