"""Norms of vectors and matrices.

Gradients at points where a norm has none are decided like this: the zero vector has a gradient of
zero in every p-norm with p >= 1 (zero is a subgradient there), and where several elements (or
sums, or singular values) are the largest or the smallest, they share it evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Axis, Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axes
from asg.ops.compare import not_equal
from asg.ops.elementwise import pow, where
from asg.ops.elementwise_unary import abs, sign, sqrt
from asg.ops.matrices import require_matrix, require_wide_float
from asg.ops.operand import widened
from asg.ops.reduce import TieShare, reduced_shape, require_elements
from asg.ops.shape import expand_dims
from asg.ops.spectra import svdvals

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]

_MATRIX_NORMS = ("fro", "nuc", "1", "-1", "2", "-2", "inf", "-inf")
_EXTREMES = (inf, -inf)


class VectorNorm(Op):
    """``(sum |x|^ord)^(1 / ord)`` over ``axis``; inf: largest, -inf: smallest, 0: not zero.

    Narrow floats are computed in float32. The gradient is ``sign(x) (|x| / y)^(ord - 1)`` for
    finite ord; at zero vectors it is zero.
    """

    axis: tuple[int, ...]
    ord: float = 2.0
    keepdims: bool = False
    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        if isnan(self.ord):
            raise TypeProblem("ord is NaN", error=OperandError)
        if self.ord in _EXTREMES or self.ord < 0:
            require_elements(x, self.axis, f"norm {self.ord}")
        return x.require_float().with_shape(reduced_shape(x, self.axis, self.keepdims))

    def decompose(self, x: Tensor) -> Tensor:
        return self._value(widened(x)).astype(x.dtype)

    def _value(self, x: Tensor) -> Tensor:
        axis, kept = self.axis, self.keepdims
        if self.ord == 0:
            return not_equal(x, 0).astype(x.dtype).sum(axis, keepdims=kept)
        if self.ord == 2:
            return sqrt((x * x).sum(axis, keepdims=kept))
        if self.ord == inf:
            return abs(x).max(axis, keepdims=kept)
        if self.ord == -inf:
            return abs(x).min(axis, keepdims=kept)
        if self.ord == 1:
            return abs(x).sum(axis, keepdims=kept)
        total = pow(abs(x), self.ord).sum(axis, keepdims=kept)
        return pow(total, 1.0 / self.ord)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        if self.ord == 0:
            return [None]
        x, c = widened(inputs[0]), self._kept(widened(cotangents[0]))
        y = x if self.ord == 1 else self._kept(self._again(inputs[0], outputs[0]))
        return [(self._slope(x, y) * c).astype(inputs[0].dtype)]

    def _again(self, x: Tensor, y: Tensor) -> Tensor:
        """The norm before it was rounded to a narrow dtype."""
        wide = widened(x)
        return y if wide is x else VectorNorm(self.axis, self.ord, self.keepdims)(wide)

    def _kept(self, result: Tensor) -> Tensor:
        return result if self.keepdims or not self.axis else expand_dims(result, self.axis)

    def _slope(self, x: Tensor, y: Tensor) -> Tensor:
        """The derivative of the norm ``y`` by each element."""
        if self.ord == 1:
            return sign(x)
        if self.ord in _EXTREMES:
            return sign(x) * TieShare(self.axis, self.ord < 0)(abs(x), y)
        some = not_equal(y, 0)
        safe = where(some, y, 1)
        if self.ord == 2:
            return where(some, x / safe, 0)
        return where(some, sign(x) * pow(abs(x) / safe, self.ord - 1.0), 0)


class MatrixNorm(Op):
    """A norm of matrices in the last two axes.

    fro: root of the sum of squares; nuc: sum of the singular values; 2, -2: the largest and the
    smallest of them; 1, -1: the largest and smallest sum of a column's magnitudes; inf, -inf: of
    a row's.
    """

    ord: str = "fro"
    keepdims: bool = False
    category: ClassVar[str] = "linalg"

    def infer(self, x: TensorType) -> TensorType:
        if self.ord not in _MATRIX_NORMS:
            raise TypeProblem(
                f"ord is {self.ord!r}, known are {', '.join(_MATRIX_NORMS)}", error=OperandError
            )
        require_matrix(x.require_float())
        axes = (x.ndim - 2, x.ndim - 1)
        if self.ord in ("nuc", "2", "-2"):
            require_wide_float(x)
        if self.ord not in ("fro", "nuc"):
            require_elements(x, axes, f"norm {self.ord}")
        return x.with_shape(reduced_shape(x, axes, self.keepdims))

    def decompose(self, x: Tensor) -> Tensor:
        axes = (x.ndim - 2, x.ndim - 1)
        if self.ord == "fro":
            return VectorNorm(axes, 2.0, self.keepdims)(x)
        result = self._spectral(x) if self.ord in ("nuc", "2", "-2") else self._sums(widened(x))
        result = result.astype(x.dtype)
        return expand_dims(result, axes) if self.keepdims else result

    def _spectral(self, x: Tensor) -> Tensor:
        values = svdvals(x)
        if self.ord == "nuc":
            return values.sum(-1)
        return values.max(-1) if self.ord == "2" else values.min(-1)

    def _sums(self, x: Tensor) -> Tensor:
        sums = abs(x).sum(-2 if self.ord in ("1", "-1") else -1)
        return sums.min(-1) if self.ord.startswith("-") else sums.max(-1)


# -- functions -----------------------------------------------------------------------------------


@public
def vector_norm(x: Any, axis: Axis = None, keepdims: bool = False, ord: float = 2.0) -> Tensor:
    """``(sum |x|^ord)^(1 / ord)`` over axes.

    Args:
        x: floats. float16 and bfloat16 are computed in float32.
        axis: None (all elements), an axis, or several.
        keepdims: keep the reduced axes as size 1.
        ord: any number. ``inf`` gives the largest magnitude, ``-inf`` the smallest, 0 counts the
            elements that are not zero (with no gradient).

    The gradient at the zero vector is zero; largest elements share it evenly.

    Raises:
        ShapeError: the axis does not exist or is repeated, or a smallest or largest of nothing.
        DtypeError: not floating.

    >>> import asg
    >>> x = asg.constant([[3.0, -4.0], [0.0, 0.0]])
    >>> asg.run(asg.vector_norm(x, axis=1)).tolist()
    [5.0, 0.0]
    >>> asg.run(asg.vector_norm(x, ord=float("inf"))).item()
    4.0
    """
    x = as_tensor(x)
    return VectorNorm(normalize_axes(axis, x.ndim), _number(ord), bool(keepdims))(x)


@public
def matrix_norm(x: Any, keepdims: bool = False, ord: float | str = "fro") -> Tensor:
    """A norm of the matrices in the last two axes, ``[..., m, n] -> [...]``.

    Args:
        x: floats; float32 or float64 for the norms by singular values.
        keepdims: keep the two axes as size 1.
        ord: "fro" (root of the sum of squares), "nuc" (sum of the singular values), 2 and -2 (the
            largest and smallest of them), 1 and -1 (the largest and smallest sum of the
            magnitudes in a column), inf and -inf (in a row).

    Raises:
        OperandError: another ``ord``.
        ShapeError: fewer than two axes, or a smallest or largest of nothing.
        DtypeError: not floating.

    >>> import asg
    >>> x = asg.constant([[1.0, -7.0], [-2.0, 3.0]])
    >>> asg.run([asg.matrix_norm(x, ord=1), asg.matrix_norm(x, ord=float("inf"))])
    [array(10., dtype=float32), array(8., dtype=float32)]
    """
    return MatrixNorm(ord if isinstance(ord, str) else f"{_number(ord):g}", bool(keepdims))(x)


def _number(ord: object) -> float:
    if isinstance(ord, bool) or not isinstance(ord, int | float):
        raise TypeProblem(f"ord is {ord!r}, a number is needed", error=OperandError)
    return float(ord)
