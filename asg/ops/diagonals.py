"""Diagonals of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dim import Dim, dim_max, dim_min
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis, require_equal
from asg.ops.join import Pad
from asg.ops.leaf import iota, zeros_like
from asg.ops.shape import AssumeShape, PermuteDims, Reshape, ShapeOp
from asg.ops.slicing import Select, Slice


class Diagonal(ShapeOp):
    """``y[..., i] = x[..., i, i]`` for square matrices in the last two axes."""

    def infer(self, x: TensorType) -> TensorType:
        if x.ndim < 2:
            raise TypeProblem(f"x has {x.ndim} axes, a matrix needs two")
        size = require_equal(x.shape[-1], x.shape[-2], f"the matrices of {x} are not square")
        return x.with_shape((*x.shape[:-2], size))

    def decompose(self, x: Tensor) -> Tensor:
        """In n rows of n + 1, the elements n + 1 apart are a column."""
        lead = x.shape[:-2]
        size = self.infer(x.type).shape[-1]
        flat = Reshape((*lead, size * size))(AssumeShape((*lead, size, size))(x))
        none = (0,) * len(lead)
        longer = Pad((*none, 0), (*none, size))(flat)
        rows = Reshape((*lead, size, size + 1))(longer)
        return Select((rows.ndim - 1,), (0,))(rows)


@public
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The elements ``x[i, i + offset]`` of two axes, along a new last axis.

    Args:
        x: any tensor with two axes at least.
        offset: columns to the right of the main diagonal; negative ones count rows below it.
        axis1: the axis of the rows.
        axis2: the axis of the columns.

    >>> import asg
    >>> x = asg.constant([[1, 2, 3], [4, 5, 6]])
    >>> asg.run(asg.diagonal(x)).tolist(), asg.run(asg.diagonal(x, 1)).tolist()
    ([1, 5], [2, 6])
    """
    x = as_tensor(x)
    rows, columns = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    if rows == columns:
        raise TypeProblem(f"axis1 and axis2 are both {rows}", "a diagonal needs two axes")
    return Diagonal()(_square(matrices(x, rows, columns), max(-offset, 0), max(offset, 0)))


def matrices(x: Tensor, rows: int, columns: int) -> Tensor:
    """x with two of its axes moved behind the others."""
    rest = tuple(axis for axis in range(x.ndim) if axis not in (rows, columns))
    axes = (*rest, rows, columns)
    return x if axes == tuple(range(x.ndim)) else PermuteDims(axes)(x)


def _square(x: Tensor, row: int, column: int) -> Tensor:
    """The largest square of each matrix that starts at a row and a column, one of them 0."""
    high, wide = x.shape[-2], x.shape[-1]
    if high == wide and row == column == 0:
        return x
    size: Dim = dim_max(0, dim_min(high - row, wide - column))
    lead = x.shape[:-2]
    start = (*(0 for _ in lead), row, column)
    return Slice(start, (*lead, row + size, column + size), (1,) * x.ndim)(x)


@public
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of a diagonal.

    >>> import asg
    >>> asg.run(asg.trace(asg.constant([[1.0, 2.0], [3.0, 4.0]]))).item()
    5.0
    """
    return call("sum", diagonal(x, offset, axis1, axis2), -1)


@public
def tril(x: Any, k: int = 0) -> Tensor:
    """Matrices with zeros above diagonal ``k`` (counted to the right of the main one).

    >>> import asg
    >>> asg.run(asg.tril(asg.ones((3, 3), "int32"))).tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    return _kept_part(x, lambda rows, columns: columns <= rows + k)


@public
def triu(x: Any, k: int = 0) -> Tensor:
    """Matrices with zeros below diagonal ``k`` (counted to the right of the main one).

    >>> import asg
    >>> asg.run(asg.triu(asg.ones((2, 3), "int32"), 1)).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    return _kept_part(x, lambda rows, columns: columns >= rows + k)


def _kept_part(x: Any, keeps: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Matrices with zeros where ``keeps(row, column)`` is false."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise TypeProblem(f"x has {x.ndim} axes, a matrix needs two", "expand_dims adds an axis")
    rows, columns = iota((x.shape[-2], 1)), iota((1, x.shape[-1]), axis=1)
    return call("where", keeps(rows, columns), x, zeros_like(x))
