"""Trackers: mean, deviation, moving average and extremes of numbers that a step computes."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float64
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.metrics.metric import Metric, Tensors
from asg.metrics.moments import joined, moments
from asg.metrics.operands import NAN, flat, weights_for
from asg.ops.compare import equal


class Mean(Metric):
    """The mean of all numbers it is called with: (value, weight=None).

    >>> from asg import metrics
    >>> mean = metrics.Mean()
    >>> mean.update([1.0, 2.0])
    >>> mean.update(6.0)
    >>> mean.compute()
    3.0
    """

    def __init__(self) -> None:
        """Takes no options."""
        super().__init__(mean=(), square=(), weight=())

    def batch(self, value: Any, weight: Any = None) -> Tensors:
        x = as_tensor(value).astype(float64)
        return moments(flat(x), flat(weights_for(weight, x.shape)))

    def merge(self, old: Tensors, new: Tensors) -> Tensors:
        return joined(old, new, "")

    def value(self, counters: Tensors) -> Tensor:
        return call("where", equal(counters["weight"], 0.0), NAN, counters["mean"])


class Std(Mean):
    """The standard deviation of all numbers it is called with: (value, weight=None).

    The sum of squared deviations is divided by the sum of weights less ``ddof``; deviations are
    from the mean of each batch and joined, so that far from 0 nothing cancels.
    """

    def __init__(self, ddof: float = 0.0) -> None:
        """``ddof`` is 1 for the unbiased variance of a sample."""
        super().__init__()
        number = isinstance(ddof, int | float) and not isinstance(ddof, bool)
        self.require(number, "ddof", ddof, "must be a number")
        self.ddof = ddof

    def value(self, counters: Tensors) -> Tensor:
        left = counters["weight"] - self.ddof
        variance = counters["square"] / call("where", left > 0.0, left, 1.0)
        return call("where", left > 0.0, call("sqrt", variance), NAN)


class ExponentialMovingAverage(Metric):
    """``average <- decay * average + (1 - decay) * mean of the batch``, from 0.

    With ``debias`` it is divided by ``1 - decay^calls``: the weights of what was seen sum to 1.

    >>> from asg import metrics
    >>> smooth = metrics.ExponentialMovingAverage(0.5)
    >>> for loss in (4.0, 1.0):
    ...     smooth.update(loss)
    >>> smooth.compute()
    2.0
    """

    def __init__(self, decay: float = 0.99, debias: bool = True) -> None:
        """``decay`` in [0, 1)."""
        super().__init__(average=(), weight=())
        number = isinstance(decay, int | float) and not isinstance(decay, bool)
        self.require(number and 0 <= decay < 1, "decay", decay, "must be in [0, 1)")
        self.require(isinstance(debias, bool), "debias", debias, "must be True or False")
        self.decay, self.debias = decay, debias

    def batch(self, value: Any) -> Tensors:
        mean = as_tensor(value).astype(float64).mean()
        return {
            "average": mean * (1.0 - self.decay),
            "weight": call("full", (), 1.0 - self.decay, float64),
        }

    def merge(self, old: Tensors, new: Tensors) -> Tensors:
        return {name: old[name] * self.decay + new[name] for name in old}

    def value(self, counters: Tensors) -> Tensor:
        return counters["average"] / counters["weight"] if self.debias else counters["average"]


class MinMax(Metric):
    """The least and the greatest number it is called with, as ``{"min": ..., "max": ...}``.

    NaN once a number was NaN. Without any number the least is inf, the greatest -inf.
    """

    def __init__(self) -> None:
        """Takes no options."""
        super().__init__(-float("inf"), least=(), greatest=())  # the least negated

    def batch(self, value: Any) -> Tensors:
        x = flat(as_tensor(value).astype(float64))
        both = {"least": -x, "greatest": x}
        return {n: call("pad", e, ((0, 1),), -float("inf")).max() for n, e in both.items()}

    def merge(self, old: Tensors, new: Tensors) -> Tensors:
        return {name: call("maximum", old[name], new[name]) for name in old}

    def value(self, counters: Tensors) -> dict[str, Tensor]:
        return {"min": -counters["least"], "max": counters["greatest"]}
