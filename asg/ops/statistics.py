"""Composite reductions: mean, variance, standard deviation, logarithm of a sum of exponentials.

Integers and bools are averaged as float32; float16 and bfloat16 are computed in float32 and cast
back once. The number of elements may be a symbolic size: it then becomes a scalar of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import product
from asg.core.dtype import DType, default_float
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Axis, Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axes
from asg.ops.cast import stop_gradient
from asg.ops.compare import equal, isfinite
from asg.ops.elementwise import maximum, where
from asg.ops.elementwise_unary import exp, log, sqrt
from asg.ops.leaf import dim_size
from asg.ops.operand import widened
from asg.ops.reduce import Reduction, reduced_shape, require_elements
from asg.ops.shape import squeeze

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


def element_count(x: Tensor, axis: tuple[int, ...], dtype: DType) -> Tensor | float:
    """How many elements one result over ``axis`` stands for, as a number of ``dtype``."""
    count = product(x.shape[i] for i in axis)
    return float(count) if isinstance(count, int) else dim_size(count).astype(dtype)


class FloatReduction(Reduction, abstract=True):
    """A reduction of floating numbers."""

    def infer(self, x: TensorType) -> TensorType:
        x.require_float()
        return x.with_shape(reduced_shape(x, self.axis, self.keepdims))


class Mean(FloatReduction):
    """``y = (sum of x over axis) / n``; NaN over nothing."""

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        total = wide.sum(self.axis, self.keepdims)
        return (total / element_count(x, self.axis, wide.dtype)).astype(x.dtype)


class Spread(FloatReduction, abstract=True):
    """What variance and standard deviation share: deviations and degrees of freedom."""

    correction: float = 0.0

    def freedom(self, x: Tensor) -> Tensor | float:
        """``max(n - correction, 0)``, in the dtype of ``x``."""
        count = element_count(x, self.axis, x.dtype)
        if isinstance(count, float):
            return count - self.correction if count > self.correction else 0.0
        return maximum(count - self.correction, 0.0) if self.correction > 1.0 else (
            count - self.correction if self.correction else count
        )  # fmt: skip

    def deviations(self, x: Tensor) -> Tensor:
        """``x`` minus its mean."""
        return x - x.mean(self.axis, keepdims=True)


class Var(Spread):
    """``y = sum((x - mean)^2) / max(n - correction, 0)`` over ``axis``, two passes.

    NaN or infinity where ``n <= correction``, as NumPy.
    """

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        off = self.deviations(wide)
        total = (off * off).sum(self.axis, self.keepdims)
        return (total / self.freedom(wide)).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x = widened(inputs[0])
        scale = self.kept(cotangents[0].astype(x.dtype)) * 2.0 / self.freedom(x)
        return [(self.deviations(x) * scale).astype(inputs[0].dtype)]


class Std(Spread):
    """``y = sqrt(var(x))`` over ``axis``.

    Where it is 0 (all elements equal) it has a kink; the gradient there is taken as 0.
    """

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        return sqrt(wide.var(self.axis, self.correction, self.keepdims)).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, y = widened(inputs[0]), widened(outputs[0])
        flat = equal(y, 0.0)
        share = where(flat, 0.0, cotangents[0].astype(x.dtype) / where(flat, 1.0, y))
        scale = self.kept(share) / self.freedom(x)
        return [(self.deviations(x) * scale).astype(inputs[0].dtype)]


class LogSumExp(FloatReduction):
    """``y = log(sum(exp(x)))`` over ``axis``, without overflow; -inf where every x is.

    The gradient is the softmax of ``x``, and 0 where every ``x`` is -inf.
    """

    name: ClassVar[str] = "logsumexp"

    def infer(self, x: TensorType) -> TensorType:
        require_elements(x, self.axis, self.name)
        return super().infer(x)

    def decompose(self, x: Tensor) -> Tensor:
        wide = widened(x)
        top = stop_gradient(wide.max(self.axis, keepdims=True))
        top = where(isfinite(top), top, 0.0)
        result = log(exp(wide - top).sum(self.axis, keepdims=True)) + top
        return _dropped(result, self).astype(x.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        y = where(equal(outputs[0], float("-inf")), 0.0, outputs[0])
        return [exp(inputs[0] - self.kept(y)) * self.kept(cotangents[0])]


def _dropped(result: Tensor, op: Reduction) -> Tensor:
    """A result computed with reduced axes kept, without them if the op drops them."""
    return result if op.keepdims or not op.axis else squeeze(result, op.axis)


# -- functions -----------------------------------------------------------------------------------


def as_float(value: Any) -> Tensor:
    x = as_tensor(value)
    return x if x.dtype.is_float else x.astype(default_float)


def _require_number(correction: object) -> float:
    if isinstance(correction, bool) or not isinstance(correction, int | float):
        raise TypeProblem(
            f"correction is {correction!r}, a number is needed",
            "1 for the unbiased estimate, 0 for the population variance",
            OperandError,
        )
    return float(correction)


@public
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean over axes: ``sum(x) / n``. NaN over an empty axis.

    Integers and bools are averaged as float32.

    Raises:
        ShapeError: the axis does not exist or is repeated.

    >>> import asg
    >>> x = asg.input("x", ("batch", 2))
    >>> asg.run(asg.mean(x, axis=0), {x: [[1.0, 2.0], [3.0, 6.0]]}).tolist()
    [2.0, 4.0]
    """
    x = as_float(x)
    return Mean(normalize_axes(axis, x.ndim), bool(keepdims))(x)


@public
def var(x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
    """Variance over axes: ``sum((x - mean)^2) / max(n - correction, 0)``.

    Args:
        x: numbers; integers and bools are taken as float32.
        axis: None (all), an axis, or several.
        correction: 0 for the population, 1 for the unbiased estimate from a sample.
        keepdims: keep the reduced axes as size 1.

    Raises:
        ShapeError: the axis does not exist or is repeated.
        OperandError: the correction is not a number.

    >>> import asg
    >>> asg.run(asg.var(asg.constant([1.0, 2.0, 3.0]), correction=1), {}).tolist()
    1.0
    """
    x, number = as_float(x), _require_number(correction)
    return Var(normalize_axes(axis, x.ndim), bool(keepdims), number)(x)


@public
def std(x: Any, axis: Axis = None, correction: float = 0, keepdims: bool = False) -> Tensor:
    """Standard deviation over axes: the root of `var`. Its gradient is 0 where it is 0.

    >>> import asg
    >>> asg.run(asg.std(asg.constant([1.0, 3.0])), {}).tolist()
    1.0
    """
    x, number = as_float(x), _require_number(correction)
    return Std(normalize_axes(axis, x.ndim), bool(keepdims), number)(x)


@public
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` over axes, without overflow; -inf where every ``x`` is -inf.

    Raises:
        ShapeError: the axis does not exist, is repeated, or has no elements.
        DtypeError: ``x`` is not floating.

    >>> import asg
    >>> round(float(asg.run(asg.logsumexp(asg.constant([1000.0, 1000.0])))), 2)
    1000.69
    """
    x = as_tensor(x)
    return LogSumExp(normalize_axes(axis, x.ndim), bool(keepdims))(x)
