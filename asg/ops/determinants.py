"""Determinants, and their logarithms.

Square matrices lie in the last two axes, leading axes count them. Dtypes are float32 and float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.dim import Dim
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.elementwise_unary import exp
from asg.ops.matrices import count_of, square_type, squared
from asg.ops.shape import expand_dims, matrix_transpose
from asg.ops.solvers import Inv

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class SlogDet(Op):
    """Sign and logarithm of the magnitude of the determinant: 0 and -inf if it is zero.

    The gradient of the logarithm is ``x^-T``, that of the sign zero; NaN for singular matrices.
    """

    name: ClassVar[str] = "slogdet"
    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        each = square_type(x)
        return each.with_shape(each.shape[:-2]), each.with_shape(each.shape[:-2])

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [_scaled_inverse(inputs[0], cotangents[1])]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return _elimination(inputs[0])


class Det(Op):
    """The determinant; its gradient is ``det(x) x^-T``, NaN for singular matrices."""

    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        each = square_type(x)
        return each.with_shape(each.shape[:-2])

    def decompose(self, x: Tensor) -> Tensor:
        sign, logarithm = SlogDet().apply(squared(x))
        return sign * exp(logarithm)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [_scaled_inverse(inputs[0], cotangents[0] * outputs[0])]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return _elimination(inputs[0])


def _scaled_inverse(x: Tensor, scale: Tensor) -> Tensor:
    return matrix_transpose(Inv()(x)) * expand_dims(scale, (-2, -1))


def _elimination(x: TensorType) -> Dim:
    """2/3 n^3 for each matrix, and n for the product of the pivots."""
    size = square_type(x).shape[-1]
    return count_of(x.shape) * ((2 * size * size * size) // 3 + size)


# -- functions -----------------------------------------------------------------------------------


@public
def det(x: Any) -> Tensor:
    """The determinant of square matrices, ``[..., n, n] -> [...]``; 1 if there are no rows.

    It overflows soon as matrices grow: `slogdet` does not. The gradient of a singular matrix is
    NaN.

    Raises:
        ShapeError: ``x`` is not square.
        DtypeError: neither float32 nor float64.

    >>> import asg
    >>> asg.run(asg.det([[2.0, 1.0], [0.0, 4.0]])).item()
    8.0
    """
    return Det()(x)


@public
def slogdet(x: Any) -> tuple[Tensor, Tensor]:
    """``sign, logabsdet`` with ``det(x) = sign exp(logabsdet)``; 0 and -inf if ``x`` is singular.

    Shapes: ``[..., n, n] -> [...], [...]``. The gradient of a singular matrix is NaN.

    Raises:
        ShapeError: ``x`` is not square.
        DtypeError: neither float32 nor float64.

    >>> import asg
    >>> sign, logarithm = asg.slogdet([[0.0, 1.0], [1.0, 0.0]])
    >>> asg.run(sign).item(), asg.run(logarithm).item()
    (-1.0, 0.0)
    """
    sign, logarithm = SlogDet().apply(x)
    return sign, logarithm
