"""Learning-rate schedules: expressions of the step counter, part of the step graph."""

from __future__ import annotations

from math import pi

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.setting import Schedule, rate_dtype
from asg.optim.transform import require_range


def constant(value: float) -> Schedule:
    """The same rate at every step."""
    require_range("value", value, 0.0)
    return lambda step: call("full", (), float(value), rate_dtype(step))


def linear(start: float, end: float, steps: int) -> Schedule:
    """From ``start`` to ``end`` over ``steps`` steps, then constant.

    ``start + (end - start) * min(step / steps, 1)``
    """
    require_range("steps", steps, 1)
    return lambda step: start + (end - start) * _fraction(step, steps)


def cosine(start: float, steps: int, end: float = 0.0) -> Schedule:
    """Half a cosine from ``start`` to ``end`` over ``steps`` steps (SGDR without restarts).

    ``end + (start - end) * (1 + cos(pi * min(step / steps, 1))) / 2``; Loshchilov and Hutter,
    2017, https://arxiv.org/abs/1608.03983.
    """
    require_range("steps", steps, 1)

    def rate(step: Tensor) -> Tensor:
        wave = call("cos", _fraction(step, steps) * pi)
        return end + (start - end) * 0.5 * (1.0 + wave)

    return rate


def warmup(peak: float, steps: int, then: Schedule | None = None) -> Schedule:
    """Linear from ``peak / steps`` up to ``peak``, then ``then`` counted from the end of warmup."""
    require_range("steps", steps, 1)
    following = constant(peak) if then is None else then

    def rate(step: Tensor) -> Tensor:
        rising = peak * ((_as_float(step) + 1.0) / float(steps))
        later = following(call("maximum", step - steps, 0))
        return call("where", step < steps, rising, later)

    return rate


def _fraction(step: Tensor, steps: int) -> Tensor:
    return call("minimum", _as_float(step) / float(steps), 1.0)


def _as_float(step: Tensor) -> Tensor:
    return call("astype", step, rate_dtype(step))
