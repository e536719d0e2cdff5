"""Sorting, searching and counting.

The order of equal elements is kept, in both directions; NaN comes last, in both directions, and
-0.0 equals 0.0 (which of the two `sort` gives first is not specified). Places are int32. Sorted
values are gathered by the permutation, so their gradient goes back through it. Results whose length
the data decide (`nonzero`, `unique`) have a given size: what is left over is marked, what does not
fit is cut off.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from asg.core.convert import as_tensor
from asg.core.dim import Dim, as_dim, product
from asg.core.dtype import bool_, int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis, require_less_equal
from asg.ops.compare import bitwise_invert, less, logical_not, not_equal
from asg.ops.elementwise import floor_divide, remainder, where
from asg.ops.elementwise_unary import negative
from asg.ops.index import missing_value, require_shape, scatter_add, take, take_along_axis
from asg.ops.join import Pad
from asg.ops.leaf import dim_size, iota, ones_like, zeros
from asg.ops.operand import respelled
from asg.ops.scans import cumsum, previous
from asg.ops.shape import require_canonical
from asg.ops.slicing import Slice

Tensors = tuple[Tensor, ...]
Side = Literal["left", "right"]


class ArgSort(Op):
    """The places along ``axis`` of the elements in ascending order, equal ones as they stand."""

    axis: int
    name: ClassVar[str] = "argsort"
    category: ClassVar[str] = "index"
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        require_canonical((self.axis,), x.ndim, "x")
        return x.with_dtype(int32)


@public
def argsort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The places along an axis of the elements in order, int32; NaN last in both directions.

    Args:
        x: of any dtype.
        axis: the axis sorted along.
        descending: from the largest to the smallest.
        stable: equal elements keep their order; they do in any case.

    Raises:
        ShapeError: the axis does not exist.

    >>> import asg
    >>> asg.run(asg.argsort(asg.constant([3, 1, 2, 1])), {}).tolist()
    [1, 3, 2, 0]
    """
    tensor = as_tensor(x)
    return ArgSort(normalize_axis(axis, tensor.ndim))(_key(tensor, descending))


def _key(x: Tensor, descending: bool) -> Tensor:
    """What sorts in ascending order as x does in the direction; nothing overflows or ties anew."""
    if not descending:
        return x
    if x.dtype.is_float:
        return negative(x)
    return logical_not(x) if x.dtype.is_bool else bitwise_invert(x)


class Sort(Op):
    """The elements along ``axis`` in order, equal ones as they stand, NaN last."""

    axis: int
    descending: bool = False
    category: ClassVar[str] = "index"

    def infer(self, x: TensorType) -> TensorType:
        require_canonical((self.axis,), x.ndim, "x")
        return x

    def decompose(self, x: Tensor) -> Tensor:
        return take_along_axis(x, argsort(x, self.axis, self.descending), self.axis)


@public
def sort(x: Any, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements along an axis in order; NaN last in both directions, as `argsort` finds them.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> y = asg.sort(x, descending=True)
    >>> asg.run(asg.grad(y[0], x), {x: [1.0, 5.0, 2.0]}).tolist()
    [0.0, 1.0, 0.0]
    """
    tensor = as_tensor(x)
    return Sort(normalize_axis(axis, tensor.ndim), bool(descending))(tensor)


class TopK(Op):
    """The k largest elements along ``axis``, the largest first, and their places.

    Of equal ones the first is first; NaN counts as the smallest.
    """

    k: Dim
    axis: int
    category: ClassVar[str] = "index"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType]:
        require_canonical((self.axis,), x.ndim, "x")
        size = x.shape[self.axis]
        require_less_equal(0, self.k, "k is negative")
        require_less_equal(self.k, size, f"axis {self.axis} has {size} elements, k is {self.k}")
        values = x.with_shape((*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :]))
        return values, values.with_dtype(int32)

    def decompose(self, x: Tensor) -> Tensors:
        order = argsort(x, self.axis, descending=True)
        chosen = Slice.along(self.axis, 0, self.k, order)
        wanted = (*x.shape[: self.axis], self.k, *x.shape[self.axis + 1 :])
        chosen = respelled(chosen, wanted)
        return take_along_axis(x, chosen, self.axis), chosen


@public
def top_k(x: Any, k: Dim | str, axis: int = -1) -> tuple[Tensor, Tensor]:
    """The k largest elements along an axis, the largest first, and their places (int32).

    Of equal elements the first comes first; NaN counts as the smallest. Gradients go back to the
    elements chosen. The whole axis is sorted.

    Raises:
        ShapeError: the axis does not exist, or has fewer than k elements.

    >>> import asg
    >>> values, places = asg.top_k(asg.constant([3.0, 9.0, 7.0]), 2)
    >>> asg.run([values, places], {})
    [array([9., 7.], dtype=float32), array([1, 2], dtype=int32)]
    """
    tensor = as_tensor(x)
    values, places = TopK(as_dim(k), normalize_axis(axis, tensor.ndim)).apply(tensor)
    return values, places


class SearchSorted(Op):
    """How many elements of an ascending vector come before each value.

    ``side="left"``: those smaller; ``"right"``: those smaller or equal. NaN is the largest.
    """

    side: str = "left"
    name: ClassVar[str] = "searchsorted"
    category: ClassVar[str] = "index"
    promotes: ClassVar[slice | None] = slice(None)
    differentiable: ClassVar[bool] = False

    def infer(self, ascending: TensorType, values: TensorType) -> TensorType:
        if self.side not in ("left", "right"):
            raise TypeProblem(f"side is {self.side!r}", "choose 'left' or 'right'", OperandError)
        ascending.require_ndim(1, "ascending")
        return values.require_numeric("values").with_dtype(int32)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


@public
def searchsorted(ascending: Any, values: Any, side: Side = "left") -> Tensor:
    """Where values would have to be put into an ascending vector to keep it so, int32.

    Args:
        ascending: a vector in ascending order (which is not checked), NaN last.
        values: numbers of any shape.
        side: before ("left") or behind ("right") the elements equal to the value.

    Raises:
        ShapeError: ``ascending`` is no vector.
        OperandError: ``side`` is neither.

    >>> import asg
    >>> asg.run(asg.searchsorted(asg.constant([1, 3, 3, 5]), [3, 0, 9], "right"), {}).tolist()
    [3, 0, 4]
    """
    return SearchSorted(side)(ascending, values)


class Bincount(Op):
    """The sum of the weights of each number from 0 to ``length`` - 1.

    A number outside, negative ones included, makes every sum missing: NaN, or the smallest number
    of an integer dtype.
    """

    length: Dim
    category: ClassVar[str] = "index"

    def infer(self, x: TensorType, weights: TensorType) -> TensorType:
        x.require_integer("x").require_ndim(1, "x")
        weights.require_numeric("weights")
        require_shape(weights, x.shape, "weights")
        require_less_equal(0, self.length, "length is negative")
        return weights.with_shape((self.length,))

    def decompose(self, x: Tensor, weights: Tensor) -> Tensor:
        if x.dtype.is_signed:  # negative indices would count from the end
            wide = x if x.dtype.itemsize >= int32.itemsize else x.astype(int32)
            x = where(less(wide, 0), number_of(self.length).astype(wide.dtype), wide)
        return scatter_add(zeros((self.length,), weights.dtype), x, weights)


def number_of(size: Dim) -> Tensor:
    """A size as an int32 scalar."""
    return as_tensor(size) if isinstance(size, int) else dim_size(size)


@public
def bincount(x: Any, weights: Any = None, *, length: Dim | str) -> Tensor:
    """How often each number from 0 to ``length`` - 1 occurs in x, or the sums of their weights.

    Args:
        x: a vector of integers. One outside of the range makes the whole result missing (NaN, or
            the smallest number of an integer dtype).
        weights: a vector of numbers as long as x; None counts (int32).
        length: the size of the result.

    Raises:
        ShapeError: x is no vector, or the weights do not fit.
        DtypeError: x is not of integers.

    >>> import asg
    >>> asg.run(asg.bincount(asg.constant([2, 0, 2]), length=4), {}).tolist()
    [1, 0, 2, 0]
    """
    tensor = as_tensor(x)
    given = ones_like(tensor, int32) if weights is None else as_tensor(weights)
    return Bincount(as_dim(length))(tensor, given)


class Nonzero(Op):
    """The places of the first ``size`` elements that are not 0, one vector for each axis.

    What is left over is ``fill``; None stands for the size of the axis, which no place has.
    """

    size: Dim
    fill: int | None = None
    category: ClassVar[str] = "index"
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        if not x.ndim:
            raise TypeProblem("x is a scalar, which has no places", "reshape it to (1,)")
        require_less_equal(0, self.size, "size is negative")
        return tuple(TensorType(int32, (self.size,)) for _ in x.shape)

    def decompose(self, x: Tensor) -> Tensors:
        found = x.astype(bool_).reshape((x.size,))
        count = found.astype(int32).sum()
        order = ArgSort(0)(logical_not(found))
        padded = Pad((0,), (self.size,), 0)(order)
        places = respelled(Slice.along(0, 0, self.size, padded), (self.size,))
        is_place = less(iota((self.size,)), count)
        return tuple(
            where(is_place, _along(places, x, axis), self._filling(x.shape[axis]))
            for axis in range(x.ndim)
        )

    def _filling(self, size: Dim) -> Tensor:
        return number_of(size if self.fill is None else self.fill)


def _along(places: Tensor, x: Tensor, axis: int) -> Tensor:
    """Places in the flattened x as places along one axis."""
    stride = product(x.shape[axis + 1 :])
    places = places if stride == 1 else floor_divide(places, number_of(stride))
    return remainder(places, number_of(x.shape[axis])) if axis else places


@public
def nonzero(x: Any, *, size: Dim | str, fill: int | None = None) -> Tensors:
    """The places of the elements that are not 0 (or not False): one int32 vector for each axis.

    Args:
        x: of any dtype, with at least one axis.
        size: the length of the result. Only the first ``size`` places are given; whether there
            are more, `count_nonzero` says.
        fill: stands in what is left over; None for the size of the axis, an outside place, at
            which `take` gives a missing value.

    Raises:
        ShapeError: x is a scalar, or the size negative.

    >>> import asg
    >>> rows, columns = asg.nonzero(asg.constant([[0, 7], [5, 0]]), size=3)
    >>> asg.run(rows, {}).tolist(), asg.run(columns, {}).tolist()
    ([0, 1, 2], [1, 0, 2])
    """
    if fill is not None and (isinstance(fill, bool) or not isinstance(fill, int)):
        raise TypeProblem(f"fill is {fill!r}, an integer is needed", error=OperandError)
    return Nonzero(as_dim(size), fill).apply(as_tensor(x))


class Unique(Op):
    """The first ``size`` distinct elements in ascending order, where they went, how often they are.

    What is left over are missing values with a count of 0. Every NaN is distinct.
    """

    size: Dim
    category: ClassVar[str] = "index"

    def infer(self, x: TensorType) -> tuple[TensorType, TensorType, TensorType]:
        require_less_equal(0, self.size, "size is negative")
        row = x.with_shape((self.size,))
        return row, x.with_dtype(int32), row.with_dtype(int32)

    def decompose(self, x: Tensor) -> Tensors:
        flat = x.reshape((x.size,))
        order = argsort(flat)
        ascending = take(flat, order)
        is_new = not_equal(ascending, previous(ascending, 0, False, False))
        is_new = is_new | (iota(flat.shape) < 1)
        rank = cumsum(is_new.astype(int32)) - 1
        slots = iota((self.size,))
        first, behind = (searchsorted(rank, slots, side) for side in ("left", "right"))
        counts = behind - first
        held = take(ascending, where(counts > 0, first, 0))
        values = where(counts > 0, held, missing_value(x.dtype))
        inverse = scatter_add(zeros(flat.shape, int32), order, rank)
        return values, inverse.reshape(x.shape), counts


@public
def unique(x: Any, *, size: Dim | str) -> tuple[Tensor, Tensor, Tensor]:
    """The distinct elements in ascending order: (values, inverse, counts).

    Shapes: values and counts ``[size]``, inverse that of x, with ``values[inverse] == x``. Counts
    and inverse are int32.

    Args:
        x: of any dtype and shape. Every NaN is distinct, as in the Array API.
        size: of the distinct elements only the first ``size`` are given (``inverse.max() + 1`` is
            their number); what is left over are missing values (NaN, the smallest number of signed
            integers, the largest of unsigned ones, True) with a count of 0.

    The gradient of a value goes to its first element.

    >>> import asg
    >>> values, inverse, counts = asg.unique(asg.constant([5, 3, 5]), size=2)
    >>> asg.run([values, inverse, counts], {})
    [array([3, 5], dtype=int32), array([1, 0, 1], dtype=int32), array([1, 2], dtype=int32)]
    """
    values, inverse, counts = Unique(as_dim(size)).apply(as_tensor(x))
    return values, inverse, counts
