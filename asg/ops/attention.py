"""Attention: composites in which a query that may see no key gives zeros, not NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, as_dim
from asg.core.errors import DtypeError, OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    broadcast_shapes,
    normalize_axis,
    require_equal,
    require_less_equal,
)
from asg.ops.activation import AlongAxis
from asg.ops.cast import stop_gradient
from asg.ops.compare import equal, less, less_equal, logical_and
from asg.ops.distributions import Dropout
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import abs, exp, rsqrt
from asg.ops.leaf import dim_size, iota
from asg.ops.linalg import matmul
from asg.ops.operand import require_number, respelled, widened
from asg.ops.random import require_key
from asg.ops.shape import matrix_transpose, reshape, shape_text

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class MaskedSoftmax(AlongAxis):
    """``y = exp(x) / sum(exp(x))`` along ``axis``; zeros in a row that is -inf throughout."""

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        top = stop_gradient(wide.max(self.axis, keepdims=True))
        raised = exp(wide - where(equal(top, float("-inf")), 0.0, top))
        total = raised.sum(self.axis, keepdims=True)
        return (raised / where(equal(total, 0.0), 1.0, total)).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        weighted = cotangents[0] * outputs[0]
        return [weighted - outputs[0] * weighted.sum(self.axis, keepdims=True)]


class ScaledDotProductAttention(Op):
    """``y = dropout(softmax(scale * query @ key^T + mask)) @ value``.

    Operands: query [..., L, E], key [..., S, E], value [..., S, V], then optionally a mask that
    broadcasts to [..., L, S] (bool: True may be seen; floating: it is added), and, with dropout,
    a random key. Query i stands at position ``i + offset`` among the keys. With ``causal`` it sees
    none behind, with ``window`` only those nearer than that. A query that sees nothing gives 0.
    With ``grouped``, axis -3 of key and value may be a divisor of that of query: consecutive heads
    share one.
    """

    causal: bool = False
    scale: float | None = None
    window: int | None = None
    offset: Dim = 0
    grouped: bool = False
    dropout: float = 0.0
    category: ClassVar[str] = "attention"
    promotes: ClassVar[slice | None] = slice(0, 3)

    def infer(self, *operands: TensorType) -> TensorType:
        self._check_count(len(operands))
        query, key, value = operands[:3]
        scores = self._score_shape(query, key, value)
        if self.dropout:
            require_key(operands[-1])
        if self._is_masked(operands):
            _check_mask(operands[3], scores)
        return query.with_shape((*scores[:-1], value.shape[-1]))

    def _check_count(self, count: int) -> None:
        fewest = 4 if self.dropout else 3
        if not fewest <= count <= fewest + 1:
            raise TypeProblem(
                f"{count} operands given, expected query, key, value, perhaps a mask"
                + (", and a random key" if self.dropout else ""),
                error=OperandError,
            )
        if self.window is not None and not (type(self.window) is int and self.window > 0):
            raise TypeProblem(f"window is {self.window!r}", "give an int >= 1", OperandError)
        if not 0 <= self.dropout <= 1:
            raise TypeProblem(f"dropout is {self.dropout}", "give 0 to 1", OperandError)

    def _is_masked(self, operands: Sequence[object]) -> bool:
        return len(operands) > (4 if self.dropout else 3)

    def _score_shape(self, query: TensorType, key: TensorType, value: TensorType) -> Shape:
        """[..., L, S], after checking that the three fit."""
        fewest = 3 if self.grouped else 2
        for name, each in (("query", query), ("key", key), ("value", value)):
            if each.require_float(name).ndim < fewest:
                raise TypeProblem(f"{name} {each} needs {fewest} axes at least", "reshape it")
        require_equal(key.shape[-1], query.shape[-1], "key and query differ in features")
        require_equal(value.shape[-2], key.shape[-2], "value and key differ in length")
        require_less_equal(1, key.shape[-2], "there are no keys to attend to")
        if not self.grouped:
            leading = broadcast_shapes(*(each.shape[:-2] for each in (query, key, value)))
            return (*leading, query.shape[-2], key.shape[-2])
        self._check_heads(query.shape[-3], key.shape[-3])
        require_equal(value.shape[-3], key.shape[-3], "value and key differ in heads")
        leading = broadcast_shapes(*(each.shape[:-3] for each in (query, key, value)))
        return (*leading, query.shape[-3], query.shape[-2], key.shape[-2])

    def _check_heads(self, many: Dim, few: Dim) -> None:
        if not (isinstance(many, int) and isinstance(few, int) and few and many % few == 0):
            raise TypeProblem(
                f"{many} heads of queries cannot share {few} heads of keys evenly",
                "with enable_gqa both are literal sizes, axis -3, and one divides the other",
            )

    def operand_name(self, position: int) -> str:
        """``query``, ``key``, ``value``, ``mask``."""
        names = ("query", "key", "value", "random key" if self.dropout else "mask", "random key")
        return names[min(position, 4)]

    def decompose(self, *operands: Tensor) -> Tensor:
        query, key, value = (widened(each) for each in operands[:3])
        shape = self._score_shape(query.type, key.type, value.type)
        scores = matmul(self._folded(query * self._factor(query), key), matrix_transpose(key))
        scores = self._hidden(respelled(self._unfolded(scores, query), shape), operands)
        weights = MaskedSoftmax(len(shape) - 1)(scores)
        if self.dropout:
            weights = Dropout(self.dropout)(weights, operands[-1])
        result = self._unfolded(matmul(self._folded(weights, key), value), query)
        return respelled(result, (*shape[:-1], value.shape[-1])).astype(operands[0].dtype)

    def _factor(self, query: Tensor) -> Tensor | float:
        features = query.shape[-1]
        if self.scale is not None:
            return self.scale
        if isinstance(features, int):
            return 1.0 / math.sqrt(features) if features else 1.0
        return rsqrt(dim_size(features).astype(query.dtype))

    def _folded(self, x: Tensor, key: Tensor) -> Tensor:
        """Heads that share a key one below the other, as rows of one matrix: nothing is copied."""
        if not self.grouped:
            return x
        heads, rows = x.shape[-3], x.shape[-2]
        few = key.shape[-3]
        assert isinstance(heads, int) and isinstance(few, int)
        return reshape(x, (*x.shape[:-3], few, heads // few * rows, x.shape[-1]))

    def _unfolded(self, x: Tensor, query: Tensor) -> Tensor:
        if not self.grouped:
            return x
        return reshape(x, (*x.shape[:-3], *query.shape[-3:-1], x.shape[-1]))

    def _hidden(self, scores: Tensor, operands: Sequence[Tensor]) -> Tensor:
        """Scores with -inf where a query may not look."""
        allowed = self._pattern(scores.shape[-2:])
        if self._is_masked(operands):
            mask = operands[3]
            if mask.dtype.is_bool:
                allowed = mask if allowed is None else logical_and(allowed, mask)
            else:
                scores = respelled(scores + mask.astype(scores.dtype), scores.shape)
        if allowed is None:
            return scores
        return respelled(where(allowed, scores, float("-inf")), scores.shape)

    def _pattern(self, shape: Shape) -> Tensor | None:
        """Which keys each query may see by its position; None for all."""
        if not self.causal and self.window is None:
            return None
        first = self.offset if isinstance(self.offset, int) else dim_size(self.offset)
        ahead = iota(shape, 1) - (iota(shape, 0) + first)
        if self.window is None:
            return less_equal(ahead, 0)
        near = less(abs(ahead), self.window)
        return logical_and(less_equal(ahead, 0), near) if self.causal else near


def _check_mask(mask: TensorType, scores: Shape) -> None:
    if not (mask.dtype.is_bool or mask.dtype.is_float):
        raise TypeProblem(
            f"mask is {mask.dtype.name}",
            "give bools (True may be seen) or floats to add: mask.astype('bool')",
            DtypeError,
        )
    reason = f"mask {mask} does not broadcast to the scores {shape_text(scores)}"
    if mask.ndim > len(scores):
        raise TypeProblem(reason, "give it the axes [..., queries, keys]")
    for given, size in zip(mask.shape, scores[len(scores) - mask.ndim :], strict=True):
        if given != 1:
            require_equal(given, size, reason, "give it the axes [..., queries, keys]")


# -- functions -----------------------------------------------------------------------------------


@public
def masked_softmax(x: Any, mask: Any = None, axis: int = -1) -> Tensor:
    """`softmax` over the elements whose ``mask`` is True; zeros in a row without any, not NaN.

    Args:
        x: floating numbers; those that are -inf count as masked.
        mask: bool, of a shape that broadcasts with that of ``x``; None masks nothing.
        axis: along which the results sum to one (or, where everything is masked, to zero).

    Raises:
        ShapeError: the axis does not exist or has no elements.
        DtypeError: ``x`` is not floating, or the mask not bool.

    >>> import asg
    >>> mask = [[True, True, False], [False, False, False]]
    >>> asg.run(asg.masked_softmax(asg.constant([3.0, 3.0, 9.0]), mask)).tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """
    x = as_tensor(x)
    x.type.require_float()
    scores = x if mask is None else where(mask, x, float("-inf"))
    return MaskedSoftmax(normalize_axis(axis, scores.ndim))(scores)


@public
def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    *,
    window: int | None = None,
    offset: Dim | str = 0,
    dropout_key: Any = None,
) -> Tensor:
    """``dropout(softmax(scale * query @ key^T + mask)) @ value``.

    Args:
        query: floating, [..., L, E].
        key: [..., S, E]; leading axes broadcast.
        value: [..., S, V].
        attn_mask: broadcasts to [..., L, S]; bool (True may be seen) or floating (is added).
        dropout_p: the rate at which weights are dropped, in [0, 1]; needs ``dropout_key``.
        is_causal: query i sees keys up to its own position, ``i + offset``. May be combined with
            a mask (PyTorch forbids that).
        scale: of the scores; by default ``1 / sqrt(E)``.
        enable_gqa: axis -3 of key and value may be a divisor of that of query; each head of keys
            then serves that many consecutive heads of queries.
        window: a query sees only keys at a distance below this from its own position.
        offset: position of the first query among the keys. 0 as in PyTorch; ``S - L`` when the
            queries are the last of the keys, as with a cache.
        dropout_key: a random key, u32[2].

    A query that may see no key at all gives zeros (as in PyTorch), with gradient zero. Half
    precision is computed in float32.

    Raises:
        ShapeError: sizes do not fit.
        DtypeError: operands are not floating, or the mask neither bool nor floating.
        OperandError: dropout without a random key, or the reverse; window below 1.

    Sources: Vaswani et al., https://arxiv.org/abs/1706.03762; grouped queries: Ainslie et al.,
    https://arxiv.org/abs/2305.13245; window: Beltagy et al., https://arxiv.org/abs/2004.05150.

    >>> import asg
    >>> q = k = asg.zeros((3, 2))
    >>> v = asg.constant([[2.0], [4.0], [9.0]])
    >>> asg.run(asg.scaled_dot_product_attention(q, k, v, is_causal=True)).tolist()
    [[2.0], [3.0], [5.0]]
    """
    rate = require_number("dropout_p", dropout_p)
    if bool(rate) != (dropout_key is not None):
        raise TypeProblem(
            f"dropout_p is {rate}, and dropout_key is "
            + ("missing" if dropout_key is None else "given"),
            "give both (asg.random_key makes a key) or neither",
            OperandError,
        )
    op = ScaledDotProductAttention(
        bool(is_causal),
        None if scale is None else require_number("scale", scale),
        window,
        as_dim(offset),
        bool(enable_gqa),
        rate,
    )
    optional = [each for each in (attn_mask, dropout_key) if each is not None]
    return op(query, key, value, *optional)
