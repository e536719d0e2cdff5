"""Distances and angles between vectors, and the triplet loss of any distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TypeProblem
from asg.ops.elementwise import clip, maximum, minimum
from asg.ops.elementwise_unary import rsqrt
from asg.ops.loss_parts import Reduction, reduced, require_exact_shape
from asg.ops.matrix_norms import vector_norm
from asg.ops.operand import require_number, widened

Distance = Callable[[Any, Any], Any]


@public
def cosine_similarity(x1: Any, x2: Any, axis: int = -1, eps: float = 1e-8) -> Tensor:
    """``x1 . x2 / (max(|x1|, eps) max(|x2|, eps))`` along an axis; the two broadcast.

    Args:
        x1: floating vectors.
        x2: likewise.
        axis: the axis of the vectors (PyTorch's default is 1).
        eps: the least length, positive; at the zero vector the gradient is finite.

    >>> import asg
    >>> asg.run(asg.cosine_similarity(asg.constant([[3.0, 4.0], [0.0, 0.0]]), [1.0, 0.0]))
    array([0.6, 0. ], dtype=float32)
    """
    if not require_number("eps", eps) > 0:
        raise TypeProblem(f"eps is {eps}", "it must be positive", OperandError)
    x1, x2 = as_tensor(x1), as_tensor(x2)
    dtype = (x1 * x2).dtype
    left, right = widened(x1.astype(dtype)), widened(x2.astype(dtype))
    scales = [
        rsqrt(maximum((each * each).sum(axis, keepdims=True), eps * eps)) for each in (left, right)
    ]
    return ((left * scales[0]) * (right * scales[1])).sum(axis).astype(dtype)


@public
def pairwise_distance(
    x1: Any, x2: Any, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False
) -> Tensor:
    """``(sum |x1 - x2 + eps|^p)^(1/p)`` over the last axis; the two broadcast.

    Args:
        x1: floating vectors.
        x2: likewise.
        p: the norm; ``inf`` takes the largest difference.
        eps: keeps the distance of equal vectors differentiable.
        keepdims: keep the last axis, as size 1.

    >>> import asg
    >>> asg.run(asg.pairwise_distance(asg.constant([[3.0, 4.0]]), [0.0, 0.0])).round(3).tolist()
    [5.0]
    """
    off = as_tensor(x1) - as_tensor(x2) + require_number("eps", eps)
    return vector_norm(off, -1, keepdims, require_number("p", p))


@public
def triplet_margin_with_distance_loss(
    anchor: Any,
    positive: Any,
    negative: Any,
    *,
    distance_function: Distance | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))`` for a distance of your own.

    Args:
        anchor: what the distance takes; all three have equal shapes.
        positive: what should be near.
        negative: what should be farther, by the margin.
        distance_function: of two tensors; `pairwise_distance` by default.
        margin: by how much, positive.
        swap: take the lesser of the negative's distances from anchor and positive.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        OperandError: ``margin`` is not positive.
        ShapeError: the shapes differ.

    >>> import asg
    >>> def apart(a, b):
    ...     return asg.abs(a - b).sum(-1)
    >>> a, b = asg.constant([[1.0]]), asg.constant([[4.0]])
    >>> asg.run(asg.triplet_margin_with_distance_loss(a, b, b, distance_function=apart)).item()
    1.0
    """
    if not require_number("margin", margin) > 0:
        raise TypeProblem(f"margin is {margin}", "it must be positive", OperandError)
    anchor, positive, negative = as_tensor(anchor), as_tensor(positive), as_tensor(negative)
    for name, each in (("positive", positive), ("negative", negative)):
        require_exact_shape(name, each.type, anchor.shape, "losses do not broadcast")
    distance: Distance = distance_function or pairwise_distance
    apart = as_tensor(distance(anchor, negative))
    if swap:
        apart = minimum(apart, distance(positive, negative))
    return reduced(clip(distance(anchor, positive) - apart + margin, 0.0, None), reduction)
