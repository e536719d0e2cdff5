"""Linear equations, triangular and general, and the inverse.

Matrices lie in the last two axes, leading axes count them and broadcast. Dtypes are float32 and
float64. A matrix that is singular (an exact zero among the pivots) cannot be an error, since an
accelerator does not stop: its results are NaN, all of them, on every backend; the other matrices
of the batch are not touched. A matrix that is nearly singular gives large, inexact numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_operands
from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, broadcast_shapes, require_equal
from asg.ops.diagonals import tril, triu
from asg.ops.leaf import zeros
from asg.ops.linalg import matmul
from asg.ops.matrices import (
    count_of,
    identity,
    require_square,
    require_wide_float,
    square_type,
    squared,
)
from asg.ops.operand import respelled
from asg.ops.shape import expand_dims, matrix_transpose, squeeze

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


def solution_type(a: TensorType, b: TensorType) -> TensorType:
    """The type of ``x`` in ``a x = b`` for columns ``b``."""
    size = require_square(require_wide_float(a, "a"), "a")
    require_wide_float(b, "b")
    if b.ndim < 2:
        raise TypeProblem(f"b has {b.ndim} axes, columns need two", "expand_dims adds an axis")
    advice = "b has one row for each row of a"
    rows = require_equal(size, b.shape[-2], "a and b differ in their rows", advice)
    return b.with_shape((*broadcast_shapes(a.shape[:-2], b.shape[:-2]), rows, b.shape[-1]))


class SolveTriangular(Op):
    """``x`` with ``a x = b`` (``a^T x = b`` if ``transpose``) for triangular ``a``.

    Only the triangle that ``lower`` names is read, and no diagonal if ``unit_diagonal``, which
    stands for ones. A zero on the diagonal makes the result NaN.
    """

    lower: bool = True
    transpose: bool = False
    unit_diagonal: bool = False
    category: ClassVar[str] = "linalg"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        return solution_type(a, b)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        a, (x,), (c,) = inputs[0], outputs, cotangents

        def by_matrix() -> Tensor:
            left, right = (x, self._back(a, c)) if self.transpose else (self._back(a, c), x)
            step = 1 if self.unit_diagonal else 0
            full = -matmul(left, matrix_transpose(right))
            return tril(full, -step) if self.lower else triu(full, step)

        return [by_matrix, lambda: self._back(a, c)]

    def _back(self, a: Tensor, cotangent: Tensor) -> Tensor:
        """The cotangent of ``b``. Built twice it is one value: equal nodes are merged."""
        return SolveTriangular(self.lower, not self.transpose, self.unit_diagonal)(a, cotangent)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """n^2 for each column."""
        return outputs[0].size * outputs[0].shape[-2]


class Solve(Op):
    """``x`` with ``a x = b`` by LU with partial pivoting; NaN for singular ``a``."""

    category: ClassVar[str] = "linalg"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        return solution_type(a, b)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        a, (x,), (c,) = inputs[0], outputs, cotangents

        def by_columns() -> Tensor:
            return Solve()(matrix_transpose(a), c)

        return [lambda: -matmul(by_columns(), matrix_transpose(x)), by_columns]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """2/3 n^3 for the factors of each matrix, 2 n^2 for each column."""
        size = outputs[0].shape[-2]
        factors = count_of(inputs[0].shape) * ((2 * size * size * size) // 3)
        return factors + 2 * outputs[0].size * size


class Inv(Op):
    """The inverse of square matrices; NaN for singular ones."""

    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        return square_type(x)

    def decompose(self, x: Tensor) -> Tensor:
        x = squared(x)
        return Solve()(x, identity(x.shape[-1], x.dtype))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        turned = matrix_transpose(outputs[0])
        return [-matmul(matmul(turned, cotangents[0]), turned)]


class MatrixPower(Op):
    """``x x ... x``, ``exponent`` factors; the identity for 0, of the inverse if negative."""

    exponent: int
    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        size = require_square(x.require_numeric())
        if self.exponent < 0:
            require_wide_float(x)
        return x.with_shape((*x.shape[:-2], size, size))

    def decompose(self, x: Tensor) -> Tensor:
        shape = self.infer(x.type).shape
        one = zeros(shape, x.dtype) + identity(shape[-1], x.dtype)
        return one if self.exponent == 0 else self._product(respelled(x, shape))

    def _product(self, x: Tensor) -> Tensor:
        """Squares of squares, multiplied where the exponent has a binary one."""
        factor = x if self.exponent > 0 else Inv()(x)
        result, left = None, abs(self.exponent)
        while left:
            if left % 2:
                result = factor if result is None else matmul(result, factor)
            left //= 2
            factor = matmul(factor, factor) if left else factor
        assert result is not None
        return +result  # a node of its own also for one factor


# -- functions -----------------------------------------------------------------------------------


@public
def solve(a: Any, b: Any) -> Tensor:
    """``x`` with ``a x = b``.

    Shapes: ``[..., n, n]`` and ``[..., n, k] -> [..., n, k]``, leading axes broadcast; a vector
    ``[n]`` is one column, ``[..., n, n]`` and ``[n] -> [..., n]``.

    Args:
        a: square matrices, float32 or float64. A singular one gives NaN.
        b: columns, or one vector.

    Raises:
        ShapeError: ``a`` is not square, or ``b`` has other rows.
        DtypeError: neither float32 nor float64.

    The gradient is ``a^-T g`` by ``b`` and ``-a^-T g x^T`` by ``a``. Source: Giles, "An extended
    collection of matrix derivative results", 2008, section 2.3.1.

    >>> import asg
    >>> asg.run(asg.solve([[2.0, 0.0], [0.0, 4.0]], [1.0, 2.0])).tolist()
    [0.5, 0.5]
    """
    return _by_columns(Solve(), a, b)


@public
def solve_triangular(
    a: Any, b: Any, *, lower: bool = True, transpose: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """``x`` with ``a x = b`` for triangular ``a``; shapes and dtypes as in `solve`.

    Args:
        a: square matrices of which one triangle is read; the other may hold anything.
        b: columns, or one vector.
        lower: the lower triangle is read, else the upper one.
        transpose: solve ``a^T x = b`` instead; ``lower`` is still said of ``a``.
        unit_diagonal: take the diagonal as ones without reading it.

    A zero on the diagonal makes the matrix singular and its result NaN.

    Raises:
        ShapeError: ``a`` is not square, or ``b`` has other rows.
        DtypeError: neither float32 nor float64.

    >>> import asg
    >>> a = asg.constant([[2.0, 7.0], [1.0, 1.0]])
    >>> asg.run(asg.solve_triangular(a, [2.0, 3.0])).tolist()
    [1.0, 2.0]
    >>> asg.run(asg.solve_triangular(a, [9.0, 1.0], lower=False)).tolist()
    [1.0, 1.0]
    """
    return _by_columns(SolveTriangular(bool(lower), bool(transpose), bool(unit_diagonal)), a, b)


def _by_columns(op: Op, a: Any, b: Any) -> Tensor:
    """A vector becomes one column, and its result a vector again."""
    left, right = as_operands(op, (a, b))
    if right.ndim != 1:
        return op(left, right)
    return squeeze(op(left, expand_dims(right, -1)), -1)


@public
def inv(x: Any) -> Tensor:
    """The inverse of square matrices ``[..., n, n]``; of a singular one, NaN.

    `solve` is quicker and more exact than a product with the inverse.

    Raises:
        ShapeError: ``x`` is not square.
        DtypeError: neither float32 nor float64.

    >>> import asg
    >>> asg.run(asg.inv([[2.0, 0.0], [0.0, 4.0]])).tolist()
    [[0.5, 0.0], [0.0, 0.25]]
    """
    return Inv()(x)


@public
def matrix_power(x: Any, n: int) -> Tensor:
    """``x x ... x`` with ``n`` factors, by repeated squaring.

    Args:
        x: square matrices ``[..., m, m]`` of numbers; float32 or float64 for negative ``n``.
        n: 0 gives the identity, a negative number the power of the inverse.

    Raises:
        ShapeError: ``x`` is not square.
        DtypeError: ``x`` is bool, or ``n`` negative and ``x`` neither float32 nor float64.

    >>> import asg
    >>> asg.run(asg.matrix_power([[1, 1], [1, 0]], 10)).tolist()
    [[89, 55], [55, 34]]
    """
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeProblem(f"n is {n!r}, an integer is needed", error=OperandError)
    return MatrixPower(n)(x)
