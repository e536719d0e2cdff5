"""Learning-rate schedules: expressions of the step counter, part of the step graph."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import DType, float32, float64, int32, int64
from asg.core.errors import ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.transform import State, Tensors, Transform, map_values, require_range

Schedule = Callable[[Tensor], Tensor]
"""Step counter (0 at the first step) -> learning rate.

The counter is int32 and the rate float32, unless a parameter is float64: then the counter is int64,
which is how a schedule knows that its rate is to be float64.
"""


def constant(value: float) -> Schedule:
    """The same rate at every step."""
    require_range("value", value, 0.0)
    return lambda step: call("full", (), float(value), _rate_dtype(step))


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
    return call("astype", step, _rate_dtype(step))


def _rate_dtype(step: Tensor) -> DType:
    return float64 if step.dtype is int64 else float32


def _scalar(rate: Any) -> Tensor:
    tensor = as_tensor(rate)
    if tensor.ndim != 0:
        raise ShapeError(f"the schedule gave {tensor.type}; a learning rate is a scalar")
    return tensor


def _first_count(parameters: Tensors) -> Tensor:
    wide = any(tensor.dtype is float64 for tensor in parameters.values())
    return call("full", (), 0, int64 if wide else int32)


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
        return {"count": _first_count(parameters)}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        step = -_scalar(schedule(state["count"]))
        scaled = map_values(lambda g: g * call("astype", step, g.dtype), gradients)
        return scaled, {"count": state["count"] + 1}

    return Transform("learning_rate", init, update)
