"""The dense layer."""

from __future__ import annotations

from math import sqrt
from typing import Any

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive
from asg.nn.init import uniform
from asg.nn.module import Module
from asg.state.variable import Initialiser, Variable


class Linear(Module):
    """``x @ weight.T + bias`` on the last axis.

    Attributes:
        weight: ``[out_features, in_features]``, uniform on +-1/sqrt(in_features) as PyTorch.
        bias: ``[out_features]``, the same distribution; None without bias.

    Raises:
        OperandError: a feature count that is not a positive int.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """``init`` replaces the distribution of the weight."""
        require_positive(in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        default = uniform(-1.0 / sqrt(in_features), 1.0 / sqrt(in_features))
        self.weight = Variable("weight", (out_features, in_features), init or default, dtype)
        self.bias = Variable("bias", (out_features,), default, dtype) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """``[..., in_features]`` to ``[..., out_features]``."""
        y = call("matmul", x, self.weight.T)
        return y if self.bias is None else y + self.bias

    def describe(self) -> str:
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}"
