"""Layers that drop parts of their input at random while training."""

from __future__ import annotations

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.module import Module
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode


class Dropout(Module):
    """Zeros with probability ``p`` and ``x / (1 - p)`` otherwise while training, else ``x``.

    Attributes:
        key: the random stream; its state is part of the step, so a resumed run continues it.
    """

    def __init__(self, p: float = 0.5) -> None:
        """``p`` in [0, 1]."""
        if not 0.0 <= p <= 1.0:
            raise OperandError(f"dropout probability p={p} is not in [0, 1]")
        self.p = p
        self.key = RandomStream()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; a new mask at every call while training."""
        if self.p == 0.0 or not chosen_mode("Dropout"):
            return x
        return call("dropout", x, self.p, self.key.next())

    def describe(self) -> str:
        return f"p={self.p}"
