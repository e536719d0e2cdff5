"""Normalisations that keep no statistics."""

from __future__ import annotations

from typing import Any

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.init import ones, zeros
from asg.nn.module import Module
from asg.state.variable import Variable


class LayerNorm(Module):
    """Normalise over the trailing axes, then scale and shift; Ba et al., 2016.

    Attributes:
        weight: ones of ``normalized_shape``; None when not affine.
        bias: zeros; None when not affine.
    """

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        dtype: Any = float32,
    ) -> None:
        """Arguments as `torch.nn.LayerNorm`."""
        shape = (
            (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        )
        self.normalized_shape, self.eps = shape, eps
        self.weight = Variable("weight", shape, ones(), dtype) if elementwise_affine else None
        self.bias = Variable("bias", shape, zeros(), dtype) if elementwise_affine else None

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        return call("layer_norm", x, self.normalized_shape, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}"
