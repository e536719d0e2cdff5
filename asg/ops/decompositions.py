"""Factors of matrices by elimination: Cholesky and QR.

Matrices lie in the last two axes, leading axes count them. Dtypes are float32 and float64. The
factors are made unique, so that every backend gives the same: the diagonals of the triangular
factors are positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, known_less_equal
from asg.core.op import Op
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, require_less_equal
from asg.ops.diagonals import tril
from asg.ops.join import concat
from asg.ops.linalg import matmul
from asg.ops.matrices import (
    count_of,
    identity,
    require_matrix,
    require_wide_float,
    square_type,
    symmetric,
)
from asg.ops.shape import matrix_transpose
from asg.ops.solvers import SolveTriangular

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Cholesky(Op):
    """The lower triangular ``L`` of positive diagonal with ``L L^T = (x + x^T) / 2``.

    Of a matrix that is not positive definite, the lower triangle is NaN. With the gradient ``G``
    by ``L``, that by ``x`` is the symmetric part of ``L^-T phi(L^T G) L^-1``, where ``phi`` takes
    the lower triangle with half the diagonal.
    """

    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        return square_type(x)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (factor,), (c,) = outputs, cotangents
        halved = 1 - 0.5 * identity(factor.shape[-1], factor.dtype)
        phi = tril(matmul(matrix_transpose(factor), c)) * halved
        back = SolveTriangular(lower=True, transpose=True)
        half = back(factor, phi)
        return [symmetric(back(factor, matrix_transpose(half)))]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """n^3 / 3 for each matrix."""
        size = outputs[0].shape[-1]
        return count_of(outputs[0].shape) * ((size * size * size) // 3)


class Qr(Op):
    """``x = q r``, ``q`` with orthonormal columns, ``r`` upper triangular, its diagonal positive.

    For as many rows as columns or more. With ``M = r dr^T - dq^T q`` and ``S`` the symmetric
    matrix that has the lower triangle of ``M``, the gradient is ``(dq + q S) r^-T``; it is NaN
    where the columns of ``x`` are linearly dependent (``r`` has a zero on its diagonal).
    """

    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        require_matrix(require_wide_float(x))
        rows, columns = x.shape[-2:]
        advice = "factorise the first columns, and multiply the others by q^T: r2 = q.mT @ x2"
        require_less_equal(columns, rows, "more columns than rows", advice)
        return x, x.with_shape((*x.shape[:-2], columns, columns))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (q, r), (dq, dr) = outputs, cotangents
        mixed = matmul(r, matrix_transpose(dr)) - matmul(matrix_transpose(dq), q)
        mirrored = tril(mixed) + matrix_transpose(tril(mixed, -1))
        right = dq + matmul(q, mirrored)
        return [matrix_transpose(SolveTriangular(lower=False)(r, matrix_transpose(right)))]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """4 m n^2 - 4/3 n^3 for each matrix: Householder's r and q."""
        rows, columns = inputs[0].shape[-2:]
        square = columns * columns
        return count_of(inputs[0].shape) * (4 * rows * square - (4 * square * columns) // 3)


# -- functions -----------------------------------------------------------------------------------


@public
def cholesky(x: Any, *, upper: bool = False) -> Tensor:
    """The lower triangular ``L`` of positive diagonal with ``L L^T = x``.

    Shapes: ``[..., n, n] -> [..., n, n]``.

    Args:
        x: symmetric positive definite matrices, float32 or float64. Their symmetric part
            ``(x + x^T) / 2`` is factorised, and gradients are symmetric.
        upper: give ``L^T`` instead.

    A matrix that is not positive definite gives NaN in the whole triangle: a graph cannot raise
    in the middle of a run. ``asg.isnan`` tells.

    Raises:
        ShapeError: ``x`` is not square.
        DtypeError: neither float32 nor float64.

    Source of the gradient: Murray, "Differentiation of the Cholesky decomposition", 2016,
    https://arxiv.org/abs/1602.07527.

    >>> import asg
    >>> asg.run(asg.cholesky([[4.0, 2.0], [2.0, 5.0]])).tolist()
    [[2.0, 0.0], [1.0, 2.0]]
    >>> asg.run(asg.cholesky([[1.0, 2.0], [2.0, 1.0]])).tolist()
    [[nan, 0.0], [nan, nan]]
    """
    factor = Cholesky()(x)
    return matrix_transpose(factor) if upper else factor


@public
def qr(x: Any) -> tuple[Tensor, Tensor]:
    """``q, r`` with ``x = q r``: the reduced form, with a positive diagonal of ``r``.

    Shapes: ``[..., m, n] -> [..., m, k], [..., k, n]`` with ``k = min(m, n)``. The columns of
    ``q`` are orthonormal, ``r`` is upper triangular. The positive diagonal makes both unique
    where the first ``k`` columns of ``x`` are linearly independent; elsewhere gradients are NaN.
    Of symbolic sizes, ``n <= m`` is assumed and checked at each run, unless ``m <= n`` is known.

    Raises:
        ShapeError: fewer than two axes.
        DtypeError: neither float32 nor float64.

    Source of the gradient: Walter and Lehmann, "Algorithmic differentiation of linear algebra
    functions with application in optimum experimental design", 2010,
    https://arxiv.org/abs/1001.1654.

    >>> import asg
    >>> q, r = asg.qr([[0.0, 2.0], [3.0, 1.0]])
    >>> asg.run(asg.abs(q)).tolist(), asg.run(asg.abs(r)).tolist()  # without the sign of zero
    ([[0.0, 1.0], [1.0, 0.0]], [[3.0, 1.0], [0.0, 2.0]])
    """
    x = as_tensor(x)
    rows, columns = require_matrix(x.type).shape[-2:]
    if rows == columns or known_less_equal(rows, columns) is not True:
        q, r = Qr().apply(x)
        return q, r
    q, r = Qr().apply(x[..., :rows])
    return q, concat([r, call("matmul", matrix_transpose(q), x[..., rows:])], -1)
