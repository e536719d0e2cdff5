"""A layer that is linear in each of two inputs."""

from __future__ import annotations

from math import sqrt
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.errors import ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_positive
from asg.nn.init import uniform
from asg.nn.module import Module
from asg.state.variable import Initialiser, Variable


class Bilinear(Module):
    """``y[..., o] = bias[o] + sum over i, j of x1[..., i] * weight[o, i, j] * x2[..., j]``.

    Attributes:
        weight: ``[out_features, in1_features, in2_features]``, uniform on +-1/sqrt(in1_features) as
            PyTorch.
        bias: ``[out_features]``, the same distribution; None without bias.

    Raises:
        OperandError: a feature count that is not a positive int.

    Source: torch.nn.Bilinear.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.Bilinear(3, 4, 5)
    >>> layer(asg.input("a", ("n", 3)), asg.input("b", ("n", 4))).shape
    (Dim('n'), 5)
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """``init`` replaces the distribution of the weight."""
        require_positive(
            in1_features=in1_features, in2_features=in2_features, out_features=out_features
        )
        require_flags(bias=bias)
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        usual = uniform(-1.0 / sqrt(in1_features), 1.0 / sqrt(in1_features))
        shape = (out_features, in1_features, in2_features)
        self.weight = Variable("weight", shape, init or usual, dtype)
        self.bias = Variable("bias", (out_features,), usual, dtype) if bias else None

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """``[..., in1_features]`` and ``[..., in2_features]`` to ``[..., out_features]``.

        Raises:
            ShapeError: other numbers of axes, or sizes that differ.
        """
        x1, x2 = as_tensor(x1), as_tensor(x2)
        if x1.ndim != x2.ndim or x1.ndim < 1:
            raise ShapeError(f"x1 is {x1.type} and x2 {x2.type}; they differ in the last axis only")
        y = call("einsum", "...i,oij,...j->...o", x1, self.weight, x2)
        return y if self.bias is None else y + self.bias

    def describe(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
