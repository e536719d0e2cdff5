"""Checks of arguments that many layers share."""

from __future__ import annotations

from asg.core.errors import OperandError, ShapeError
from asg.core.tensor import Tensor


def require_positive(**sizes: int) -> None:
    """Each is an int >= 1."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise OperandError(f"{name}={size!r} must be a positive int")


def require_flags(**flags: bool) -> None:
    """Each is True or False."""
    for name, flag in flags.items():
        if not isinstance(flag, bool):
            raise OperandError(f"{name}={flag!r} must be True or False")


def require_number(name: str, value: object, least: float = float("-inf")) -> float:
    """A Python number, not NaN, of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        bound = "" if least == float("-inf") else f" >= {least:g}"
        raise OperandError(f"{name}={value!r} must be a number{bound}")
    return float(value)


def require_probability(name: str, value: object) -> float:
    """A Python number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0:
        raise OperandError(f"{name}={value!r} must be a number in [0, 1]")
    return float(value)


def require_axes(layer: str, x: Tensor, layouts: tuple[str, ...]) -> None:
    """``x`` has as many axes as one of the layouts, such as ``[batch, channels, length]``."""
    if x.ndim not in {layout.count(",") + 1 for layout in layouts}:
        raise ShapeError(f"{layer} takes {' or '.join(layouts)}, given {x.type}")


def require_channels(layer: str, x: Tensor, channels: int, axis: int = 1) -> None:
    """The axis of channels has ``channels`` elements, unless it is symbolic."""
    if x.ndim <= axis or (isinstance(x.shape[axis], int) and x.shape[axis] != channels):
        raise ShapeError(f"{layer} takes {channels} channels along axis {axis}, given {x.type}")
