"""Tables of vectors, looked up by integers."""

from __future__ import annotations

from typing import Any

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive
from asg.nn.init import normal
from asg.nn.module import Module
from asg.state.variable import Variable


class Embedding(Module):
    """Rows of a table by integer index.

    Attributes:
        weight: ``[num_embeddings, embedding_dim]``, normal(0, 1) as PyTorch.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, dtype: Any = float32) -> None:
        """A table of ``num_embeddings`` rows."""
        require_positive(num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Variable("weight", (num_embeddings, embedding_dim), normal(), dtype)

    def forward(self, indices: Tensor) -> Tensor:
        """Integers ``[...]`` to ``[..., embedding_dim]``."""
        return call("take", self.weight, indices, axis=0)

    def describe(self) -> str:
        return f"{self.num_embeddings}, {self.embedding_dim}"
