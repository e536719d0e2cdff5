"""The inverse of matrices that have none, and least squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_operands
from asg.core.dim import Dim, dim_max, dim_min
from asg.core.dtype import finfo
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.compare import greater
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import reciprocal
from asg.ops.join import Pad
from asg.ops.leaf import dim_size
from asg.ops.linalg import Matmul, matmul
from asg.ops.matrices import require_matrix, require_wide_float
from asg.ops.shape import expand_dims, matrix_transpose
from asg.ops.spectra import Svd

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Pinv(Op):
    """``v diag(1 / s) u^T`` of the singular values above ``rtol`` times the largest.

    ``rtol`` None stands for max(m, n) times the spacing of the dtype. With the result ``p``, the
    gradient is ``-p^T dp p^T + (1 - x p) dp^T p p^T + p^T p dp^T (1 - p x)``: that of a change
    that keeps the rank. It needs no distinct singular values.
    """

    rtol: float | None = None
    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        rows, columns = require_matrix(require_wide_float(x)).shape[-2:]
        return x.with_shape((*x.shape[:-2], columns, rows))

    def decompose(self, x: Tensor) -> Tensor:
        u, s, vh = Svd().apply(x)
        kept = greater(s, self._cutoff(x, s))
        inverse = where(kept, reciprocal(where(kept, s, 1)), 0)
        return matmul(matrix_transpose(vh) * expand_dims(inverse, -2), matrix_transpose(u))

    def _cutoff(self, x: Tensor, s: Tensor) -> Tensor:
        """What singular values must exceed; a zero stands in where there are none."""
        none = (0,) * s.ndim
        largest = Pad(none, (*none[1:], 1))(s).max(-1, keepdims=True)
        if self.rtol is not None:
            return largest * self.rtol
        size, spacing = dim_max(*x.shape[-2:]), finfo(x.dtype).eps
        if isinstance(size, int):
            return largest * (size * spacing)
        return largest * (dim_size(size).astype(x.dtype) * spacing)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, p, turned = inputs[0], outputs[0], matrix_transpose(outputs[0])
        c = matrix_transpose(cotangents[0])
        within = matmul(matmul(turned, cotangents[0]), turned)
        above = matmul(matmul(c, p), turned)
        beside = matmul(matmul(turned, p), c)
        rest = above - matmul(x, matmul(p, above)) + beside - matmul(matmul(beside, p), x)
        return [rest - within]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Those of `Svd` and of one product."""
        count = dim_min(*inputs[0].shape[-2:])
        return Svd().flops(inputs, ()) + 2 * outputs[0].size * count


# -- functions -----------------------------------------------------------------------------------


@public
def pinv(x: Any, rtol: float | None = None) -> Tensor:
    """The pseudoinverse of Moore and Penrose, by the singular value decomposition.

    Shapes: ``[..., m, n] -> [..., n, m]``.

    Args:
        x: matrices, float32 or float64.
        rtol: singular values up to this fraction of the largest count as zero;
            max(m, n) times the spacing of the dtype unless given.

    The gradient takes the rank as constant; where a small change raises it, there is none.

    Raises:
        ShapeError: fewer than two axes.
        DtypeError: neither float32 nor float64.

    Source of the gradient: Golub and Pereyra, "The differentiation of pseudo-inverses and
    nonlinear least squares problems whose variables separate", 1973.

    >>> import asg
    >>> asg.run(asg.pinv([[2.0, 0.0], [0.0, 0.0], [0.0, 0.5]])).round(5).tolist()
    [[0.5, 0.0, 0.0], [0.0, 0.0, 2.0]]
    """
    return Pinv(_fraction(rtol))(x)


@public
def lstsq(a: Any, b: Any, rtol: float | None = None) -> Tensor:
    """The ``x`` that makes the sum of squares of ``a x - b`` smallest; the shortest of several.

    It is ``pinv(a, rtol) @ b``, and so are its derivatives.

    Shapes: ``[..., m, n]`` and ``[..., m, k] -> [..., n, k]``, leading axes broadcast; a vector
    ``[m]`` is one column, ``[..., m, n]`` and ``[m] -> [..., n]``.

    Raises:
        ShapeError: ``b`` has other rows than ``a``.
        DtypeError: neither float32 nor float64.

    >>> import asg
    >>> line = asg.lstsq([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], [1.0, 3.0, 5.0])
    >>> asg.run(line).round(4).tolist()
    [1.0, 2.0]
    """
    left, right = as_operands(Matmul(), (a, b))
    require_wide_float(right.type, "b")
    return matmul(Pinv(_fraction(rtol))(left), right)


def _fraction(rtol: object) -> float | None:
    if rtol is None:
        return None
    if isinstance(rtol, bool) or not isinstance(rtol, int | float) or not 0 <= rtol < 1:
        raise TypeProblem(f"rtol is {rtol!r}, a number from 0 to 1 is needed", error=OperandError)
    return float(rtol)
