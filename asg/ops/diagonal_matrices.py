"""Matrices made of their diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.compare import equal
from asg.ops.diagonals import diagonal
from asg.ops.elementwise import where
from asg.ops.join import Pad
from asg.ops.leaf import iota, zeros_like
from asg.ops.shape import expand_dims

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class DiagEmbed(Op):
    """``y[..., i, i + offset] = x[..., i]`` and zeros elsewhere; rows below for negative offset."""

    offset: int = 0
    category: ClassVar[str] = "shape"

    def infer(self, x: TensorType) -> TensorType:
        if x.ndim == 0:
            raise TypeProblem("x is a scalar, a diagonal needs an axis", "expand_dims adds an axis")
        size = x.shape[-1] + abs(self.offset)
        return x.with_shape((*x.shape[:-1], size, size))

    def decompose(self, x: Tensor) -> Tensor:
        """Every column is the diagonal moved down to where its rows are, and masked."""
        size = self.infer(x.type).shape[-1]
        none = (0,) * (x.ndim - 1)
        moved = Pad((*none, max(-self.offset, 0)), (*none, max(self.offset, 0)))(x)
        rows = expand_dims(moved, -1)
        here = equal(iota((size, 1)) + self.offset, iota((1, size), axis=1))
        return where(here, rows, zeros_like(rows))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [diagonal(cotangents[0], self.offset, -2, -1)]


@public
def diag_embed(x: Any, offset: int = 0) -> Tensor:
    """Matrices with ``x`` on a diagonal and zeros elsewhere.

    Shapes: ``[..., n] -> [..., n + |offset|, n + |offset|]``.

    Args:
        x: the diagonals, of any dtype.
        offset: columns to the right of the main diagonal; negative ones count rows below it.

    Raises:
        ShapeError: ``x`` is a scalar.

    >>> import asg
    >>> asg.run(asg.diag_embed([[1, 2], [3, 4]])).tolist()
    [[[1, 0], [0, 2]], [[3, 0], [0, 4]]]
    """
    return DiagEmbed(_integer(offset))(x)


@public
def diag(x: Any, offset: int = 0) -> Tensor:
    """The matrix that has a vector on its diagonal, or the diagonal of a matrix, as in NumPy.

    For batches write what is meant: `diag_embed` makes matrices, `diagonal` takes diagonals.

    Raises:
        ShapeError: ``x`` has neither one nor two axes.

    >>> import asg
    >>> asg.run(asg.diag([1, 2], 1)).tolist()
    [[0, 1, 0], [0, 0, 2], [0, 0, 0]]
    >>> asg.run(asg.diag([[1, 2], [3, 4]])).tolist()
    [1, 4]
    """
    x = as_tensor(x)
    if x.ndim not in (1, 2):
        raise TypeProblem(
            f"x has {x.ndim} axes, a vector or a matrix is needed",
            "diag_embed makes matrices of the last axis, diagonal takes diagonals",
        )
    return diagonal(x, _integer(offset)) if x.ndim == 2 else diag_embed(x, offset)


def _integer(offset: object) -> int:
    try:
        return index(offset)  # type: ignore[arg-type]
    except TypeError:
        problem = f"offset is {offset!r}, an integer is needed"
        raise TypeProblem(problem, error=OperandError) from None
