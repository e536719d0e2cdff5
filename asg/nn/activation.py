"""Activations and shape changes as modules, for use in `Sequential`."""

from __future__ import annotations

from typing import Any

from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.module import Module


class Identity(Module):
    """The input itself."""

    def forward(self, x: Any) -> Any:
        """``x``."""
        return x


class _Function(Module):
    """A module that is one op function without arguments."""

    _function = ""

    def forward(self, x: Tensor) -> Tensor:
        """The function, elementwise."""
        return call(self._function, x)


class ReLU(_Function):
    """``max(x, 0)``."""

    _function = "relu"


class SiLU(_Function):
    """``x * sigmoid(x)``."""

    _function = "silu"


class Tanh(_Function):
    """``tanh(x)``."""

    _function = "tanh"


class Sigmoid(_Function):
    """``1 / (1 + exp(-x))``."""

    _function = "sigmoid"


class GELU(Module):
    """``x * Phi(x)``, exact (``"none"``) or by tanh (``"tanh"``)."""

    def __init__(self, approximate: str = "none") -> None:
        """As `torch.nn.GELU`."""
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return call("gelu", x, self.approximate)

    def describe(self) -> str:
        return f"approximate={self.approximate!r}"


class Softmax(Module):
    """``exp(x) / sum(exp(x))`` along an axis."""

    def __init__(self, axis: int = -1) -> None:
        """``axis`` sums to one."""
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return call("softmax", x, self.axis)

    def describe(self) -> str:
        return f"axis={self.axis}"


class Flatten(Module):
    """Axes ``start_axis`` to ``end_axis`` merged into one."""

    def __init__(self, start_axis: int = 1, end_axis: int = -1) -> None:
        """Keeps the batch axis by default."""
        self.start_axis, self.end_axis = start_axis, end_axis

    def forward(self, x: Tensor) -> Tensor:
        """Fewer axes, same elements."""
        return x.flatten(self.start_axis, self.end_axis)

    def describe(self) -> str:
        return f"{self.start_axis}, {self.end_axis}"
