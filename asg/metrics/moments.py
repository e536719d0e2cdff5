"""Weighted mean and sum of squared deviations that join without cancellation (Chan et al.)."""

from __future__ import annotations

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.metric import Tensors
from asg.ops.compare import equal


def moments(values: Tensor, weight: Tensor, name: str = "") -> Tensors:
    """``weight``, ``mean`` and ``square`` (of deviations, summed) along axis 0; 0 of nothing."""
    total = weight.sum(0)
    mean = over((weight * values).sum(0), total)
    off = values - mean
    return {f"{name}mean": mean, f"{name}square": (weight * off * off).sum(0), "weight": total}


def joined(old: Tensors, new: Tensors, *names: str) -> Tensors:
    """The moments of both, for each name; the weight is shared.

    Source: Chan, Golub and LeVeque (1983), https://doi.org/10.1080/00031305.1983.10483115.
    """
    total = old["weight"] + new["weight"]
    share = over(new["weight"], total)
    found = {"weight": total}
    for name in names:
        mean, square = f"{name}mean", f"{name}square"
        off = new[mean] - old[mean]
        found[mean] = old[mean] + off * share
        found[square] = old[square] + new[square] + off * off * (old["weight"] * share)
    return found


def over(numerator: Tensor, denominator: Tensor) -> Tensor:
    """The quotient; 0 where the denominator is 0."""
    none = equal(denominator, 0.0)
    return call("where", none, 0.0, numerator / call("where", none, 1.0, denominator))
