"""Learning-rate schedules: expressions of the step counter, part of the step graph."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.transform import State, Tensors, Transform, map_values, require_range

Schedule = Callable[[Tensor], Tensor]
"""Step counter (int32, 0 at the first step) -> learning rate (float32)."""


def constant(value: float) -> Schedule:
    """The same rate at every step."""
    require_range("value", value, 0.0)
    return lambda step: call("full", (), float(value), float32)


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
        rising = peak * ((call("astype", step, float32) + 1.0) / float(steps))
        later = following(call("maximum", step - steps, 0))
        return call("where", step < steps, rising, later)

    return rate


def _fraction(step: Tensor, steps: int) -> Tensor:
    return call("minimum", call("astype", step, float32) / float(steps), 1.0)


def scale_by_learning_rate(rate: float | Schedule) -> Transform:
    """``-rate * gradient``; a schedule keeps the step counter as its state."""
    if not callable(rate):
        require_range("learning_rate", rate, 0.0)
        return Transform(
            "learning_rate",
            lambda parameters: {},
            lambda gradients, state, parameters: (
                map_values(lambda g: g * -float(rate), gradients),
                state,
            ),
        )
    schedule: Schedule = rate

    def init(parameters: Tensors) -> State:
        return {"count": call("full", (), 0, "int32")}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        step = -schedule(state["count"])
        scaled = map_values(lambda g: g * call("astype", step, g.dtype), gradients)
        return scaled, {"count": state["count"] + 1}

    return Transform("learning_rate", init, update)
