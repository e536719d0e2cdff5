"""Bounds on gradients."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add

from asg.core.dtype import promote
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.transform import Tensors, Transform, map_values, require_range, stateless


def global_norm(tensors: Mapping[str, Tensor]) -> Tensor:
    """``sqrt(sum of all squares)`` over every tensor, a scalar of their common dtype."""
    dtype = reduce(promote, (tensor.dtype for tensor in tensors.values()))
    squares = [(tensor * tensor).sum().astype(dtype) for tensor in tensors.values()]
    return call("sqrt", reduce(add, squares))


def clip_by_global_norm(max_norm: float, epsilon: float = 1e-6) -> Transform:
    """``g * min(1, max_norm / (norm + epsilon))`` with the norm over all gradients.

    Pascanu et al., 2013, https://arxiv.org/abs/1211.5063; `epsilon` as
    `torch.nn.utils.clip_grad_norm_`.
    """
    require_range("max_norm", max_norm, 0.0)

    def clip(gradients: Tensors, parameters: Tensors) -> Tensors:
        factor = call("minimum", max_norm / (global_norm(gradients) + epsilon), 1.0)
        return map_values(lambda g: g * call("astype", factor, g.dtype), gradients)

    return stateless("clip_by_global_norm", clip)


def clip_by_value(limit: float) -> Transform:
    """Every element of every gradient clipped to ``[-limit, limit]``."""
    require_range("limit", limit, 0.0)
    return stateless(
        "clip_by_value",
        lambda gradients, _: map_values(lambda g: call("clip", g, -limit, limit), gradients),
    )
