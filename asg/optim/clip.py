"""Bounds on gradients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add

from asg.core.dtype import promote
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.transform import Tensors, Transform, map_values, require_range, stateless


def global_norm(tensors: Mapping[str, Tensor]) -> Tensor:
    """``sqrt(sum of all squares)`` over every tensor, a scalar of their common dtype.

    Raises:
        OperandError: there are no tensors.
    """
    if not tensors:
        raise OperandError("global_norm needs at least one tensor")
    dtype = reduce(promote, (tensor.dtype for tensor in tensors.values()))
    squares = [(tensor * tensor).sum().astype(dtype) for tensor in tensors.values()]
    return call("sqrt", reduce(add, squares))


def clip_by_global_norm(max_norm: float, eps: float = 1e-6) -> Transform:
    """``g * min(1, max_norm / (norm + eps))`` with the norm over all gradients.

    Pascanu et al., 2013, https://arxiv.org/abs/1211.5063; `eps` as
    `torch.nn.utils.clip_grad_norm_`.

    >>> import asg
    >>> g = {"a": asg.constant([3.0, 0.0]), "b": asg.constant(4.0)}
    >>> found = asg.run(clip_by_global_norm(1.0, eps=0.0).update(g, {}, g)[0])
    >>> found["a"].round(6).tolist(), found["b"].round(6).item()
    ([0.6000000238418579, 0.0], 0.800000011920929)
    """
    require_range("max_norm", max_norm, 0.0)
    require_range("eps", eps, 0.0)

    def clip(gradients: Tensors, parameters: Tensors) -> Tensors:
        factor = call("minimum", max_norm / (global_norm(gradients) + eps), 1.0)
        return map_values(lambda g: g * call("astype", factor, g.dtype), gradients)

    return stateless("clip_by_global_norm", clip)


def clip_by_value(limit: float) -> Transform:
    """Every element of every gradient clipped to ``[-limit, limit]``."""
    require_range("limit", limit, 0.0)
    return stateless(
        "clip_by_value",
        lambda gradients, _: map_values(lambda g: call("clip", g, -limit, limit), gradients),
    )


def adaptive_clip(clipping: float = 0.01, eps: float = 1e-3) -> Transform:
    """``g * min(1, clipping * max(|p|, eps) / |g|)`` with norms of units.

    A unit is what belongs to one index of the first axis, the outputs in the weights of `asg.nn`;
    a vector or a scalar is one unit. Brock et al., 2021, https://arxiv.org/abs/2102.06171.

    >>> import asg
    >>> p = {"w": asg.constant([[3.0, 4.0], [3.0, 4.0]])}
    >>> g = {"w": asg.constant([[6.0, 8.0], [0.3, 0.4]])}
    >>> asg.run(adaptive_clip(0.5).update(g, {}, p)[0]["w"]).tolist()
    [[1.5, 2.0], [0.30000001192092896, 0.4000000059604645]]
    """
    require_range("clipping", clipping, 0.0)
    require_range("eps", eps, 0.0)

    def clip(g: Tensor, p: Tensor) -> Tensor:
        length = _unit_norm(g)
        limit = clipping * call("maximum", _unit_norm(p), eps)
        above = length > limit
        return call("where", above, g * (limit / call("where", above, length, 1.0)), g)

    return stateless(
        "adaptive_clip", lambda gradients, parameters: map_values(clip, gradients, parameters)
    )


def _unit_norm(x: Tensor) -> Tensor:
    if x.ndim < 2:
        return call("sqrt", (x * x).sum())
    return call("sqrt", (x * x).sum(axis=tuple(range(1, x.ndim)), keepdims=True))
