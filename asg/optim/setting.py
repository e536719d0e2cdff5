"""Settings that are numbers or schedules, and the pieces that have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import DType, float32, float64, int32, int64
from asg.core.errors import ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.optim.transform import State, Tensors, Transform, require_range

Schedule = Callable[[Tensor], Tensor]
"""Step counter (0 at the first step) -> value of a setting, a learning rate for instance.

The counter is int32 and the value float32, unless a parameter is float64: then the counter is
int64, which is how a schedule knows that its value is to be float64.
"""
Setting = float | Schedule
Number = float | Tensor
"""What a setting is worth at one step: a Python number, or a scalar tensor from a schedule."""


def scheduled(name: str, settings: dict[str, Setting], make: Callable[..., Transform]) -> Transform:
    """``make(**values)`` with the value that each setting has at the step.

    If a setting is a schedule, the steps are counted in the state as "count"; a transform that
    counts them itself under that name shares the counter.
    """
    if not any(callable(setting) for setting in settings.values()):
        return make(**{key: float(value) for key, value in settings.items()})  # type: ignore[arg-type]

    def at(count: Tensor) -> Transform:
        return make(**{key: value_at(key, setting, count) for key, setting in settings.items()})

    def init(parameters: Tensors) -> State:
        count = first_count(parameters)
        return {"count": count, **at(count).init(parameters)}

    def update(gradients: Tensors, state: State, parameters: Tensors) -> tuple[Tensors, State]:
        updates, new = at(state["count"]).update(gradients, state, parameters)
        return updates, {**new, "count": state["count"] + 1}

    return Transform(name, init, update)


def value_at(name: str, setting: Setting, count: Tensor) -> Number:
    """The number, or what the schedule gives at this step.

    Raises:
        ShapeError: the schedule did not give a scalar.
    """
    if not callable(setting):
        return float(setting)
    value = as_tensor(setting(count))
    if value.ndim != 0:
        raise ShapeError(f"the schedule gave {value.type}; a {_plain(name)} is a scalar")
    return value


def _plain(name: str) -> str:
    return "learning rate" if name == "lr" else name.replace("_", " ")


def require_setting(name: str, value: Setting, low: float, high: float = float("inf")) -> None:
    """`require_range` of a number; what a schedule gives is not known before the run."""
    if not callable(value):
        require_range(name, value, low, high)


def first_count(parameters: Tensors) -> Tensor:
    """A step counter at 0."""
    wide = any(tensor.dtype is float64 for tensor in parameters.values())
    return call("full", (), 0, int64 if wide else int32)


def like(number: Number, tensor: Tensor) -> Any:
    """A number in the dtype of a tensor, so that their product has that dtype, too."""
    return call("astype", number, tensor.dtype) if isinstance(number, Tensor) else number


def decayed(average: Tensor, value: Tensor, decay: Number) -> Tensor:
    """``decay * average + (1 - decay) * value``: one step of an exponential moving average."""
    kept = like(decay, average)
    following: Tensor = kept * average + (1 - kept) * value
    return following


def rate_dtype(count: Tensor) -> DType:
    """The dtype of values that a step counter leads to: float64 of int64, else float32."""
    return float64 if count.dtype is int64 else float32
