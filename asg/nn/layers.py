"""Layers with parameters: dense, embedding, normalisation; and dropout."""

from __future__ import annotations

from math import sqrt
from typing import Any

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.init import normal, ones, uniform, zeros
from asg.nn.module import Module
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode
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
        _require_positive(in_features=in_features, out_features=out_features)
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


class Embedding(Module):
    """Rows of a table by integer index.

    Attributes:
        weight: ``[num_embeddings, embedding_dim]``, normal(0, 1) as PyTorch.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, dtype: Any = float32) -> None:
        """A table of ``num_embeddings`` rows."""
        _require_positive(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Variable("weight", (num_embeddings, embedding_dim), normal(), dtype)

    def forward(self, indices: Tensor) -> Tensor:
        """Integers ``[...]`` to ``[..., embedding_dim]``."""
        return call("take", self.weight, indices, axis=0)

    def describe(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"


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


def _require_positive(**sizes: int) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise OperandError(f"{name}={size!r} must be a positive int")
