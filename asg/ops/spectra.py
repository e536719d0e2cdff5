"""Eigenvalues of symmetric matrices and singular values, with their vectors.

Matrices lie in the last two axes, leading axes count them. Dtypes are float32 and float64.

The sign of a vector is arbitrary; so that every backend gives the same, it is chosen by a rule:
of the elements whose magnitude exceeds nine tenths of the largest, the first one is positive. (The
largest element itself would not do: where two are equally large, rounding would choose.)

Derivatives of vectors need distinct values: where two are exactly equal, the vectors are not
determined, and their derivative is NaN; where two are close, it is large. Functions of the values
alone (`eigvalsh`, `svdvals`) have first derivatives everywhere: at equal values that of a choice
of vectors. Their second derivatives again need distinct values.

A matrix that has NaN or infinities gives NaN, as does one for which the iteration fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.dim import Dim, dim_max, dim_min, known_equal
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.compare import equal, logical_and
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import reciprocal
from asg.ops.leaf import iota
from asg.ops.linalg import matmul
from asg.ops.matrices import (
    count_of,
    identity,
    is_zero,
    require_matrix,
    require_wide_float,
    square_type,
    symmetric,
)
from asg.ops.shape import expand_dims, matrix_transpose

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Eigh(Op):
    """``(x + x^T) / 2 = v diag(w) v^T``: eigenvalues ``w``, rising, and orthonormal ``v``.

    The gradient is the symmetric part of ``v (diag(dw) + F * (v^T dv)) v^T`` with
    ``F[i, j] = 1 / (w[j] - w[i])`` and a diagonal of zeros. Signs: see the head of this file.
    """

    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        vectors = square_type(x)
        return vectors.with_shape(vectors.shape[:-1]), vectors

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (w, v), (dw, dv) = outputs, cotangents
        turned = matrix_transpose(v)
        if is_zero(dv):
            return [matmul(v * expand_dims(dw, -2), turned)]
        inner = _gaps(w, w) * matmul(turned, dv)
        if not is_zero(dw):
            inner = inner + expand_dims(dw, -1) * identity(w.shape[-1], w.dtype)
        return [symmetric(matmul(matmul(v, inner), turned))]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """9 n^3 for each matrix: tridiagonal form, symmetric QR, vectors."""
        size = outputs[1].shape[-1]
        return 9 * count_of(outputs[1].shape) * size * size * size


class Svd(Op):
    """``x = u diag(s) vh``: singular values, falling, and orthonormal columns and rows.

    With ``v = vh^T`` and ``F[i, j] = 1 / (s[j]^2 - s[i]^2)``, diagonal zero, the gradient is
    ``u (diag(ds) + (F * A) s + s (F * B)) v^T + (1 - u u^T) du / s v^T + u / s dv^T (1 - v v^T)``
    where ``A = u^T du - du^T u`` and ``B = v^T dv - dv^T v``. The signs of ``u`` are those of the
    head of this file, those of ``vh`` follow.
    """

    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
        rows, columns = require_matrix(require_wide_float(x)).shape[-2:]
        count, batch = dim_min(rows, columns), x.shape[:-2]
        left, right = (*batch, rows, count), (*batch, count, columns)
        return x.with_shape(left), x.with_shape((*batch, count)), x.with_shape(right)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (u, s, vh), (du, ds, dvh) = outputs, cotangents
        if is_zero(du) and is_zero(dvh):
            return [matmul(u * expand_dims(ds, -2), vh)]
        dv, v = matrix_transpose(dvh), matrix_transpose(vh)
        gaps = _gaps(s, s) * _sums(s)
        left, right = gaps * _twist(u, du), gaps * _twist(v, dv)
        across, down = expand_dims(s, -2), expand_dims(s, -1)
        diagonal = expand_dims(ds, -1) * identity(s.shape[-1], s.dtype)
        total = matmul(matmul(u, diagonal + left * across + down * right), vh)
        if known_equal(u.shape[-2], u.shape[-1]) is not True:
            total = total + matmul(_outside(u, du) / across, vh)
        if known_equal(v.shape[-2], v.shape[-1]) is not True:
            total = total + matmul(u, matrix_transpose(_outside(v, dv) / across))
        return [total]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """14 m n^2 + 8 n^3 for each matrix, n <= m: values and both kinds of vectors."""
        rows, columns = inputs[0].shape[-2:]
        long, short = dim_max(rows, columns), dim_min(rows, columns)
        return count_of(inputs[0].shape) * (14 * long + 8 * short) * short * short


def _gaps(left: Tensor, right: Tensor) -> Tensor:
    """``1 / (right[j] - left[i])``: 0 for i = j, and NaN for other equal values."""
    size = left.shape[-1]
    same = equal(iota((size, 1)), iota((1, size), axis=1))
    gap = expand_dims(right, -2) - expand_dims(left, -1)
    equals = logical_and(equal(gap, 0), ~same)
    inverse = reciprocal(where(same | equals, 1, gap))
    return where(same, 0, where(equals, float("nan"), inverse))


def _sums(s: Tensor) -> Tensor:
    """``1 / (s[j] + s[i])``, which is finite where `_gaps` is used: off the diagonal."""
    size = s.shape[-1]
    same = equal(iota((size, 1)), iota((1, size), axis=1))
    return reciprocal(where(same, 1, expand_dims(s, -2) + expand_dims(s, -1)))


def _twist(basis: Tensor, change: Tensor) -> Tensor:
    """What turns the vectors into each other: ``b^T db - db^T b``."""
    product = matmul(matrix_transpose(basis), change)
    return product - matrix_transpose(product)


def _outside(basis: Tensor, change: Tensor) -> Tensor:
    """The part of a change outside the space that the vectors span."""
    return change - matmul(basis, matmul(matrix_transpose(basis), change))


# -- functions -----------------------------------------------------------------------------------


@public
def eigh(x: Any) -> tuple[Tensor, Tensor]:
    """``w, v`` of symmetric matrices: ``x = v diag(w) v^T``.

    Shapes: ``[..., n, n] -> [..., n], [..., n, n]``. The eigenvalues rise; column j of ``v``
    belongs to the j-th of them. The first element of a column that is larger than nine tenths of
    the largest, in magnitude, is positive.

    Args:
        x: square matrices, float32 or float64, of which the symmetric part ``(x + x^T) / 2`` is
            taken; gradients are symmetric.

    The gradient of the vectors needs distinct eigenvalues, and is NaN where two are equal. A
    matrix that has NaN or infinities gives NaN.

    Raises:
        ShapeError: ``x`` is not square.
        DtypeError: neither float32 nor float64.

    Source of the gradient: Giles, "An extended collection of matrix derivative results for
    forward and reverse mode algorithmic differentiation", 2008, section 3.1.

    >>> import asg
    >>> w, v = asg.eigh([[2.0, 0.0], [0.0, 1.0]])
    >>> asg.run(w).tolist(), asg.run(asg.abs(v)).tolist()
    ([1.0, 2.0], [[0.0, 1.0], [1.0, 0.0]])
    """
    values, vectors = Eigh().apply(x)
    return values, vectors


@public
def eigvalsh(x: Any) -> Tensor:
    """The eigenvalues of symmetric matrices, rising; ``[..., n, n] -> [..., n]``. See `eigh`.

    The first derivative exists at equal eigenvalues, too.

    >>> import asg
    >>> x = asg.input("x", (2, 2))
    >>> slope = asg.grad(asg.eigvalsh(x).sum(), x)
    >>> asg.run(slope, {x: [[1.0, 0.0], [0.0, 1.0]]}).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    return eigh(x)[0]


@public
def svd(x: Any) -> tuple[Tensor, Tensor, Tensor]:
    """``u, s, vh`` with ``x = u diag(s) vh``: the reduced singular value decomposition.

    Shapes: ``[..., m, n] -> [..., m, k], [..., k], [..., k, n]`` with ``k = min(m, n)``. The
    singular values fall; the columns of ``u`` and the rows of ``vh`` are orthonormal. The first
    element of a column of ``u`` that is larger than nine tenths of the largest, in magnitude, is
    positive.

    Args:
        x: matrices, float32 or float64.

    The gradient of the vectors needs distinct singular values (and none zero, unless ``x`` is
    square); it is not finite elsewhere. A matrix that has NaN or infinities gives NaN.

    Raises:
        ShapeError: fewer than two axes.
        DtypeError: neither float32 nor float64.

    Source of the gradient: Townsend, "Differentiating the singular value decomposition", 2016.

    >>> import asg
    >>> u, s, vh = asg.svd([[0.0, 3.0], [2.0, 0.0]])
    >>> asg.run(s).tolist(), asg.run(asg.abs(u)).tolist()
    ([3.0, 2.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    left, values, right = Svd().apply(x)
    return left, values, right


@public
def svdvals(x: Any) -> Tensor:
    """The singular values, falling; ``[..., m, n] -> [..., min(m, n)]``. See `svd`.

    The first derivative exists at equal singular values, too.

    >>> import asg
    >>> asg.run(asg.svdvals([[0.0, -3.0], [2.0, 0.0]])).tolist()
    [3.0, 2.0]
    """
    return svd(x)[1]
