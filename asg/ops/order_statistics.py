"""Reductions by order and by count: quantiles, the median, how many elements are not 0."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor as whole
from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, product
from asg.core.dtype import bool_, float64, int32
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Axis, Tensor
from asg.core.types import Shape, TensorType, TypeProblem, normalize_axes
from asg.ops.compare import equal, isinf, isnan
from asg.ops.elementwise import minimum, where
from asg.ops.elementwise_unary import floor
from asg.ops.index import take
from asg.ops.join import stack
from asg.ops.leaf import dim_size
from asg.ops.operand import widened
from asg.ops.reduce import Reduction, reduced_shape, require_elements
from asg.ops.shape import expand_dims, permute_dims, reshape
from asg.ops.sorting import sort
from asg.ops.statistics import as_float


class OrderStatistic(Reduction, abstract=True):
    """What median and quantiles share: floats, at least one of them, NaN if one is NaN."""

    def infer(self, x: TensorType) -> TensorType:
        require_elements(x, self.axis, self.name)
        x.require_float()
        return x.with_shape((*self.leading, *reduced_shape(x, self.axis, self.keepdims)))

    @property
    def leading(self) -> Shape:
        """The axes before those of the reduced operand."""
        return ()

    def found(self, x: Tensor, fractions: Sequence[float]) -> list[Tensor]:
        """The quantiles, each in the shape of the reduced operand."""
        kept = tuple(axis for axis in range(x.ndim) if axis not in self.axis)
        size = product(x.shape[axis] for axis in self.axis)
        rows = permute_dims(widened(x), (*kept, *self.axis))
        rows = reshape(rows, (*(x.shape[axis] for axis in kept), size))
        ascending = sort(rows)
        results = [_interpolated(ascending, size, each).astype(x.dtype) for each in fractions]
        if self.keepdims and self.axis:
            results = [expand_dims(each, self.axis) for each in results]
        return results


def _interpolated(ascending: Tensor, size: Dim, fraction: float) -> Tensor:
    """The value at the place ``fraction * (size - 1)`` of every sorted row; NaN beside a NaN."""
    low, high, last, weight = _places(size, fraction, ascending)
    below, above = take(ascending, low, -1), take(ascending, high, -1)
    step = where(isinf(below) & equal(below, above), 0, above - below)
    return where(isnan(take(ascending, last, -1)), float("nan"), below + weight * step)


def _places(size: Dim, fraction: float, x: Tensor) -> tuple[Any, Any, Any, Any]:
    """The two places, the last place, and the weight of the second: numbers of the graph where the
    size is symbolic. In float64, since float32 does not hold the places of long axes.
    """
    if isinstance(size, int):
        place = fraction * (size - 1)
        low = whole(place)
        return low, min(low + 1, size - 1), size - 1, place - low
    last = dim_size(size) - 1
    position = last.astype(float64) * fraction
    start = floor(position)
    first = start.astype(int32)
    return first, minimum(first + 1, last), last, (position - start).astype(x.dtype)


class Median(OrderStatistic):
    """The middle of the sorted elements over ``axis``, or the mean of the two middle ones."""

    def decompose(self, x: Tensor) -> Tensor:
        (result,) = self.found(x, (0.5,))
        return result


class Quantile(OrderStatistic):
    """The elements at the places ``q * (n - 1)`` of the sorted ones, interpolated linearly.

    The quantiles stand along a new first axis.
    """

    q: tuple[float, ...] = (0.5,)

    @property
    def leading(self) -> Shape:
        return (len(self.q),)

    def infer(self, x: TensorType) -> TensorType:
        for fraction in self.q:
            if not 0.0 <= fraction <= 1.0:
                raise TypeProblem(
                    f"q is {fraction}, a number from 0 to 1 is needed",
                    "0.95 is the 95th percentile", OperandError,
                )  # fmt: skip
        if not self.q:
            raise TypeProblem("q names no quantile", "give at least one number", OperandError)
        return super().infer(x)

    def decompose(self, x: Tensor) -> Tensor:
        return stack(self.found(x, self.q), 0)


class CountNonzero(Reduction):
    """How many elements over ``axis`` are not 0, as int32; NaN is not 0."""

    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return TensorType(int32, reduced_shape(x, self.axis, self.keepdims))

    def decompose(self, x: Tensor) -> Tensor:
        return x.astype(bool_).astype(int32).sum(self.axis, self.keepdims)


# -- functions -----------------------------------------------------------------------------------


@public
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """The middle of the sorted elements over axes, or the mean of the two middle ones.

    NaN where an element is NaN. The gradient goes to the middle elements, half to each of two.
    Integers and bools are taken as float32.

    Raises:
        ShapeError: the axis does not exist, is repeated, or has no elements.

    >>> import asg
    >>> x = asg.input("x", (4,))
    >>> asg.run([asg.median(x), asg.grad(asg.median(x), x)], {x: [9.0, 1.0, 4.0, 2.0]})
    [array(3., dtype=float32), array([0. , 0. , 0.5, 0.5], dtype=float32)]
    """
    tensor = as_float(x)
    return Median(normalize_axes(axis, tensor.ndim), bool(keepdims))(tensor)


@public
def quantile(
    x: Any, q: float | Sequence[float], axis: Axis = None, keepdims: bool = False
) -> Tensor:
    """The element below which the fraction q of the elements lies, interpolated linearly.

    The place among n sorted elements is ``q * (n - 1)``, counted from 0; between two places the
    value is interpolated, as by NumPy's default method. NaN where an element is NaN. The gradient
    goes to the two elements next to the place.

    Args:
        x: numbers; integers and bools are taken as float32.
        q: a number from 0 to 1, or several, which then stand along a new first axis.
        axis: None (all), an axis, or several.
        keepdims: keep the reduced axes as size 1.

    Raises:
        ShapeError: the axis does not exist, is repeated, or has no elements.
        OperandError: q is not between 0 and 1.

    >>> import asg
    >>> x = asg.constant([0.0, 10.0, 20.0])
    >>> asg.run(asg.quantile(x, 0.75), {}).tolist()
    15.0
    >>> asg.run(asg.quantile(x, [0.0, 1.0]), {}).tolist()
    [0.0, 20.0]
    """
    tensor = as_float(x)
    axes = normalize_axes(axis, tensor.ndim)
    if isinstance(q, int | float):
        only = Quantile(axes, bool(keepdims), (_fraction(q),))(tensor)
        return reshape(only, only.shape[1:])
    if not isinstance(q, tuple | list):
        raise _not_a_fraction(q)
    return Quantile(axes, bool(keepdims), tuple(map(_fraction, q)))(tensor)


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _not_a_fraction(value)
    return float(value)


def _not_a_fraction(value: object) -> TypeProblem:
    return TypeProblem(
        f"q is {value!r}, a number from 0 to 1 is needed", "or a list of numbers", OperandError
    )


@public
def count_nonzero(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """How many elements over axes are not 0 (or True), as int32; NaN is not 0.

    Raises:
        ShapeError: the axis does not exist or is repeated.

    >>> import asg
    >>> asg.run(asg.count_nonzero(asg.constant([[0, 7], [5, 0]]), axis=0), {}).tolist()
    [1, 1]
    """
    tensor = as_tensor(x)
    return CountNonzero(normalize_axes(axis, tensor.ndim), bool(keepdims))(tensor)
