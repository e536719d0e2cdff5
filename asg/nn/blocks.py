"""Blocks that architectures are made of: a module with a way around it, and two dense layers."""

from __future__ import annotations

from typing import Any

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.nn.activation import GELU
from asg.nn.checks import require_flags, require_positive
from asg.nn.dropout import Dropout
from asg.nn.linear import Linear
from asg.nn.module import Module


class Residual(Module):
    """``activation(module(x) + shortcut(x))``.

    Source: He et al., 2015, https://arxiv.org/abs/1512.03385.

    Attributes:
        module: the branch that learns the difference.
        shortcut: what x passes beside it; None: nothing, x is added as it is.
        activation: of the sum; None: the sum itself.

    Raises:
        OperandError: a part that is no module.

    >>> import asg
    >>> from asg import nn
    >>> block = nn.Residual(nn.Linear(4, 8), shortcut=nn.Linear(4, 8, bias=False))
    >>> block(asg.input("x", ("n", 4))).shape
    (Dim('n'), 8)
    >>> list(block.parameters())
    ['module.weight', 'module.bias', 'shortcut.weight']
    """

    def __init__(
        self, module: Module, shortcut: Module | None = None, activation: Module | None = None
    ) -> None:
        """``module`` and ``shortcut`` give results of one shape."""
        for name, part in (("module", module), ("shortcut", shortcut), ("activation", activation)):
            if not isinstance(part, Module) and (part is not None or name == "module"):
                raise OperandError(f"{name}={part!r} must be a module")
        self.module, self.shortcut, self.activation = module, shortcut, activation

    def forward(self, x: Tensor) -> Tensor:
        """What the module takes, to what it gives."""
        around = x if self.shortcut is None else self.shortcut(x)
        total: Tensor = self.module(x) + around
        return total if self.activation is None else self.activation(total)


class FeedForward(Module):
    """``fc2(dropout(activation(fc1(x))))`` on the last axis: the dense part of a transformer block.

    Source: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762.

    Attributes:
        fc1: from ``dim`` to ``hidden`` features.
        activation: a module.
        dropout: while training.
        fc2: from ``hidden`` to ``dim`` features.

    Raises:
        OperandError: a size that is no positive int, or an activation that is no module.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.FeedForward(4, 16, activation=nn.ReLU())
    >>> layer(asg.input("x", ("n", "t", 4))).shape
    (Dim('n'), Dim('t'), 4)
    """

    def __init__(
        self,
        dim: int,
        hidden: int,
        activation: Module | None = None,
        dropout: float = 0.0,
        bias: bool = True,
        dtype: Any = float32,
    ) -> None:
        """``activation`` is GELU unless given; ``bias`` is for both layers."""
        require_positive(dim=dim, hidden=hidden)
        require_flags(bias=bias)
        if activation is not None and not isinstance(activation, Module):
            raise OperandError(f"activation={activation!r} must be a module")
        self.fc1 = Linear(dim, hidden, bias, dtype)
        self.activation = GELU() if activation is None else activation
        self.dropout = Dropout(dropout)
        self.fc2 = Linear(hidden, dim, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``[..., dim]``, same shape."""
        result: Tensor = self.fc2(self.dropout(self.activation(self.fc1(x))))
        return result
