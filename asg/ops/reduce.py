"""Reductions: sum, product, extremes and their places, all and any.

Axes are given as None (all axes), one number, or several; ops hold them sorted and non-negative.
A sum over nothing is 0, a product 1, `all` True and `any` False; extremes of nothing do not
exist and are refused when the type is made (or, for a symbolic size, before the run).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, product
from asg.core.dtype import bool_, int32
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Axis, Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    normalize_axes,
    normalize_axis,
    require_equal,
    require_less_equal,
)
from asg.ops.compare import equal
from asg.ops.elementwise import where
from asg.ops.leaf import iota
from asg.ops.shape import broadcast_to, expand_dims, require_canonical

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Reduction(Op, abstract=True):
    """What all reductions over several axes have in common."""

    axis: tuple[int, ...]
    keepdims: bool = False
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        x.require_numeric()
        return x.with_shape(reduced_shape(x, self.axis, self.keepdims))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """One operation per element read."""
        return inputs[0].size

    def kept(self, result: Tensor) -> Tensor:
        """``result`` with the reduced axes back, as size 1, ready to broadcast."""
        return result if self.keepdims or not self.axis else expand_dims(result, self.axis)


class Sum(Reduction):
    """``y = sum of x over axis``; 0 over nothing. Integers wrap around as their dtype does."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [broadcast_to(self.kept(cotangents[0]), inputs[0].shape)]


class Prod(Reduction):
    """``y = product of x over axis``; 1 over nothing.

    The derivative by one element is the product of all the others, so zeros need no special
    case, at any order.
    """

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        partial = self.kept(cotangents[0])
        remaining = inputs[0]
        for axis in reversed(self.axis):
            partial = partial * ProductOfOthers(axis)(remaining)
            remaining = prod(remaining, axis, keepdims=True)
        return [broadcast_to(partial, inputs[0].shape)]


class ProductOfOthers(Op):
    """``y[i] = product over j != i of x[j]`` along ``axis``: the derivative of a product.

    Backends compute it in linear time (products from the left times products from the right). Its
    meaning, a product of rows in which one factor is replaced by 1, is what it is differentiated
    through: exact at zeros to every order, at quadratic cost.
    """

    axis: int
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        require_canonical((self.axis,), x.ndim, "x")
        return x.require_numeric()

    def decompose(self, x: Tensor) -> Tensor:
        size, after = x.shape[self.axis], x.ndim - self.axis - 1
        square = (size, size, *[1] * after)
        left_out = equal(iota(square, 0), iota(square, 1))
        return prod(where(left_out, 1, expand_dims(x, self.axis)), self.axis + 1)


class Extreme(Reduction, abstract=True):
    """What max and min share: they need elements, propagate NaN, and split ties evenly."""

    def infer(self, x: TensorType) -> TensorType:
        require_elements(x, self.axis, self.name)
        return super().infer(x)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        share = TieShare(self.axis, isinstance(self, Min))(inputs[0], self.kept(outputs[0]))
        return [share * self.kept(cotangents[0])]


class Max(Extreme):
    """``y = largest element of x over axis``; NaN if there is one.

    Equal largest elements share the cotangent evenly (one choice among the subgradients, and the
    one that treats equal elements equally).
    """


class Min(Extreme):
    """``y = smallest element of x over axis``; NaN if there is one. Ties share as in `Max`."""


class TieShare(Op):
    """``1 / k`` at each of the k elements of x that equal their extreme y over ``axis``, else 0.

    The derivative of `Max` (and, with ``smallest``, of `Min`), NaN where y is. It is an op of its
    own for backends that compute x once for y and once more for the comparison, rounded in another
    way (XLA does, where it fuses a product and a sum): no element would equal y, and the gradient
    would be lost without a word.
    """

    axis: tuple[int, ...]
    smallest: bool = False
    category: ClassVar[str] = "reduce"
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        x.require_float()
        wanted = reduced_shape(x, self.axis, keepdims=True)
        y.require_ndim(x.ndim, "y")
        for size, other in zip(y.shape, wanted, strict=True):
            require_equal(size, other, f"y {y} is not an extreme of x {x} over {self.axis}")
        return x

    def decompose(self, x: Tensor, y: Tensor) -> Tensor:
        ties = equal(x, y).astype(x.dtype)
        return ties / ties.sum(self.axis, keepdims=True)


class ArgExtreme(Op, abstract=True):
    """What argmax and argmin share."""

    axis: int
    keepdims: bool = False
    category: ClassVar[str] = "reduce"
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        require_elements(x, (self.axis,), self.name)
        return TensorType(int32, reduced_shape(x, (self.axis,), self.keepdims))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """One comparison per element read."""
        return inputs[0].size


class ArgMax(ArgExtreme):
    """Index of the largest element along ``axis``, int32; the first among equals, or of a NaN."""

    name: ClassVar[str] = "argmax"


class ArgMin(ArgExtreme):
    """Index of the smallest element along ``axis``, int32; the first among equals, or of a NaN."""

    name: ClassVar[str] = "argmin"


class Truth(Reduction, abstract=True):
    """What all and any share."""

    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        x.require_bool()
        return x.with_shape(reduced_shape(x, self.axis, self.keepdims))


class AllTrue(Truth):
    """True where every element over ``axis`` is; True over nothing."""

    name: ClassVar[str] = "all"


class AnyTrue(Truth):
    """True where some element over ``axis`` is; False over nothing."""

    name: ClassVar[str] = "any"


# -- types ---------------------------------------------------------------------------------------


def reduced_shape(x: TensorType, axis: tuple[int, ...], keepdims: bool) -> Shape:
    """The shape of ``x`` with the sizes over ``axis`` removed, or 1."""
    require_canonical(axis, x.ndim, "x")
    if keepdims:
        return tuple(1 if i in axis else size for i, size in enumerate(x.shape))
    return tuple(size for i, size in enumerate(x.shape) if i not in axis)


def require_elements(x: TensorType, axis: tuple[int, ...], name: str) -> None:
    """At least one element over ``axis``, now if decidable, else checked before the run."""
    require_canonical(axis, x.ndim, "x")
    count = product(x.shape[i] for i in axis)
    advice = "give it at least one element, or pad the operand with the value an empty one means"
    if count == 0:
        raise TypeProblem(f"{name} of no elements has no value (axis {axis} of {x})", advice)
    require_less_equal(1, count, f"{name} of no elements has no value", advice)


# -- functions -----------------------------------------------------------------------------------


@public
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum over axes; 0 over an empty axis.

    Args:
        x: numbers of any dtype. Bools are counted (int32); integers keep their dtype, so narrow
            ones wrap around: cast first if the sum may not fit.
        axis: None (all), an axis, or several.
        keepdims: keep the reduced axes as size 1.

    Raises:
        ShapeError: the axis does not exist or is repeated.

    >>> import asg
    >>> asg.run(asg.sum(asg.constant([[1.0, 2.0], [3.0, 4.0]]), axis=0), {}).tolist()
    [4.0, 6.0]
    """
    x = as_tensor(x)
    x = x.astype(int32) if x.dtype.is_bool else x
    return Sum(normalize_axes(axis, x.ndim), bool(keepdims))(x)


@public
def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Product over axes; 1 over an empty axis. Dtypes as in `sum`; exact gradient at zeros.

    Raises:
        ShapeError: the axis does not exist or is repeated.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> asg.run(asg.grad(asg.prod(x), x), {x: [2.0, 0.0, 5.0]}).tolist()
    [0.0, 10.0, 0.0]
    """
    x = as_tensor(x)
    x = x.astype(int32) if x.dtype.is_bool else x
    return Prod(normalize_axes(axis, x.ndim), bool(keepdims))(x)


@public
def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest element over axes; NaN where there is one. Ties share the gradient evenly.

    Raises:
        ShapeError: the axis does not exist, is repeated, or has no elements.
        DtypeError: ``x`` is bool (use `any`).

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> asg.run(asg.grad(asg.max(x), x), {x: [1.0, 4.0, 4.0]}).tolist()
    [0.0, 0.5, 0.5]
    """
    x = as_tensor(x)
    return Max(normalize_axes(axis, x.ndim), bool(keepdims))(x)


@public
def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest element over axes; as `max` otherwise.

    >>> import asg
    >>> asg.run(asg.min(asg.constant([[3, 1], [2, 5]]), axis=1), {}).tolist()
    [1, 2]
    """
    x = as_tensor(x)
    return Min(normalize_axes(axis, x.ndim), bool(keepdims))(x)


@public
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Index of the largest element, int32: the first among equals, or of a NaN.

    Args:
        x: numbers or bools.
        axis: the axis searched; None searches the flattened tensor.
        keepdims: keep the searched axes as size 1.

    Raises:
        ShapeError: the axis does not exist or has no elements.

    >>> import asg
    >>> asg.run(asg.argmax(asg.constant([[1, 7, 7], [9, 0, 2]]), axis=1), {}).tolist()
    [1, 0]
    """
    return _place(ArgMax, as_tensor(x), axis, keepdims)


@public
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Index of the smallest element, int32; as `argmax` otherwise.

    >>> import asg
    >>> asg.run(asg.argmin(asg.constant([[1, 7], [9, 0]])), {}).tolist()
    3
    """
    return _place(ArgMin, as_tensor(x), axis, keepdims)


def _place(op: type[ArgExtreme], x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    if axis is not None:
        return op(normalize_axis(axis, x.ndim), bool(keepdims))(x)
    place = op(0)(x.reshape((-1,)))
    return place.reshape((1,) * x.ndim) if keepdims else place


@public
def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """True where every element over the axes is true (of numbers: not zero).

    >>> import asg
    >>> asg.run(asg.all(asg.constant([[True, False], [True, True]]), axis=1), {}).tolist()
    [False, True]
    """
    x = as_tensor(x).astype(bool_)
    return AllTrue(normalize_axes(axis, x.ndim), bool(keepdims))(x)


@public
def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """True where some element over the axes is true (of numbers: not zero).

    >>> import asg
    >>> asg.run(asg.any(asg.constant([[0, 0], [0, 3]]), axis=1), {}).tolist()
    [False, True]
    """
    x = as_tensor(x).astype(bool_)
    return AnyTrue(normalize_axes(axis, x.ndim), bool(keepdims))(x)
