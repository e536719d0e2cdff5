"""Attention written out with a product, a softmax and a product, also behind a mask or dropout.

asg's attention gives 0 for a query that sees no key, where a softmax written out gives NaN (a mask
of -inf) or the mean of all values (a mask of -1e9). So a mask is taken only where it is sure that
every query sees a key: for causal masks, for constants, and for finite numbers that are added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from asg.core.dtype import finfo
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.activation import Softmax
from asg.ops.attention import ScaledDotProductAttention
from asg.ops.cast import Cast
from asg.ops.compare import LogicalNot
from asg.ops.distributions import Dropout
from asg.ops.elementwise import Add, Where
from asg.ops.linalg import Matmul
from asg.ops.operand import respelled
from asg.ops.shape import PermuteDims
from asg.passes.masks import causal_offset, is_finite, is_spread_over, shows_every_row
from asg.passes.written_out import formula, product_of
from asg.rewrite.pattern import uniform_value

HIDING = -1e8
"""Scores of this or less (of 16 bits: the least number) weigh nothing beside any other."""


class Scores(NamedTuple):
    """What a softmax is taken of: ``factor * query @ turned``."""

    factor: float
    query: Tensor
    turned: Tensor


@dataclass(frozen=True)
class Mask:
    """What hides keys: all that are more than ``offset`` behind the query, and ``operand``."""

    offset: int | None = None
    operand: Tensor | None = None


@formula(Matmul, beside=(Softmax, Dropout))
def attention_written_out(node: Node) -> Tensor | None:
    """dropout(softmax(c q k^T + mask)) v -> scaled_dot_product_attention(q, k, v, mask)

    The mask is causal, or constant, or finite; it may be a where, or be added.
    """
    weights, value = node.inputs
    weights, rate, keys = _undropped(weights)
    op = weights.node.op
    if not isinstance(op, Softmax) or op.axis != weights.ndim - 1 or value.ndim < 2:
        return None
    found = _masked_scores(weights.node.inputs[0])
    if found is None:
        return None
    mask, (factor, query, turned) = found
    key = _turned(turned)
    if key is None or query.ndim < 2:
        return None
    attention = ScaledDotProductAttention(
        mask.offset is not None, factor, offset=mask.offset or 0, dropout=rate
    )
    operands = (query, key, value) if mask.operand is None else (query, key, value, mask.operand)
    return respelled(attention(*operands, *keys), node.output.shape)


def _undropped(weights: Tensor) -> tuple[Tensor, float, tuple[Tensor, ...]]:
    """The weights before dropout, its rate, and its random key if there is one."""
    op = weights.node.op
    if not isinstance(op, Dropout) or op.shared_axes or not op.rate:
        return weights, 0.0, ()
    kept, key = weights.node.inputs
    return kept, op.rate, (key,)


def _masked_scores(tensor: Tensor) -> tuple[Mask, Scores] | None:
    """A mask and what it is laid over, if both are sure."""
    plain = _scores(tensor, tensor)
    if plain is not None:
        return Mask(), plain
    for mask, inner in (_by_where(tensor, tensor.shape), _by_sum(tensor)):
        scores = None if inner is None else _scores(inner, tensor)
        if mask is not None and scores is not None:
            return mask, scores
    return None


def _scores(tensor: Tensor, whole: Tensor) -> Scores | None:
    """``factor * query @ turned``, of the shape of ``whole``."""
    product = product_of(tensor)
    if product is None or len(product[1]) != 1 or not isinstance(product[1][0].node.op, Matmul):
        return None
    (inner,) = product[1]
    same = is_spread_over(inner.shape, whole.shape)
    return Scores(product[0], *inner.node.inputs) if same else None


def _turned(tensor: Tensor) -> Tensor | None:
    """x of which ``tensor`` is the transposed matrix; it has been permuted in any case."""
    op, count = tensor.node.op, tensor.ndim
    if not isinstance(op, PermuteDims) or count < 2:
        return None
    axes = (*op.axes[:-2], op.axes[-1], op.axes[-2])
    (x,) = tensor.node.inputs
    return x if axes == tuple(range(count)) else PermuteDims(axes)(x)


# -- masks ----------------------------------------------------------------------------------------


def _by_where(tensor: Tensor, scores: Shape) -> tuple[Mask | None, Tensor | None]:
    """The mask and x of ``where(seen, x, -inf)``, or of ``where(hidden, -inf, x)``."""
    if not isinstance(tensor.node.op, Where):
        return None, None
    condition, first, second = tensor.node.inputs
    if _hides(second):
        return _seen(condition, True, scores), first
    return (_seen(condition, False, scores), second) if _hides(first) else (None, None)


def _by_sum(tensor: Tensor) -> tuple[Mask | None, Tensor | None]:
    """The mask and x of ``x + mask``."""
    if not isinstance(tensor.node.op, Add):
        return None, None
    for x, added in (tensor.node.inputs, tensor.node.inputs[::-1]):
        mask, inner = _by_where(_before_cast(added), tensor.shape)
        if mask is not None and inner is not None and uniform_value(inner) == 0:
            return mask, x
        if added.dtype is x.dtype and is_finite(added):
            return Mask(operand=added), x
    return None, None


def _before_cast(tensor: Tensor) -> Tensor:
    """Floats that were made of other floats: a mask says the same in both."""
    is_cast = isinstance(tensor.node.op, Cast) and tensor.dtype.is_float
    before = tensor.node.inputs[0] if is_cast else tensor
    return before if before.dtype.is_float else tensor


def _hides(tensor: Tensor) -> bool:
    """Whether a score of this value weighs nothing."""
    value = uniform_value(tensor)
    return value is not None and value <= max(HIDING, finfo(tensor.dtype).min)


def _seen(condition: Tensor, seen: bool, scores: Shape) -> Mask | None:
    """The mask of keys that are seen where the condition is so, if every query sees one."""
    offset = causal_offset(condition, seen, scores[-2:])
    if offset is not None:
        return Mask(offset=offset) if offset >= 0 else None
    if not shows_every_row(condition, seen):
        return None
    return Mask(operand=condition if seen else LogicalNot()(condition))
