"""Running totals along an axis: sums, products, extremes, and first-order recurrences.

Every one of them runs forwards or, with ``reverse``, from the last element to the first. Their
gradients are made of each other and of `LinearRecurrence`, the running total with a factor, which
is its own derivative: linear in time, to any order, and exact at zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import as_dtype, int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis
from asg.ops.compare import equal, greater, isnan, less
from asg.ops.elementwise import where
from asg.ops.elementwise_unary import exp
from asg.ops.index import require_shape, scatter_add_along_axis
from asg.ops.join import concat
from asg.ops.leaf import dim_size, full, iota, zeros_like
from asg.ops.operand import respelled
from asg.ops.shape import broadcast_to, require_canonical
from asg.ops.slicing import Slice, sliced_size

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Scan(Op, abstract=True):
    """What running totals have in common: one axis, a direction, the shape of the operand."""

    axis: int
    reverse: bool = False
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        require_canonical((self.axis,), x.ndim, "x")
        return x.require_numeric()


def _place(x: Tensor, axis: int) -> Tensor:
    """The place of every element along ``axis``, int32."""
    return iota(x.shape, axis)


def _is_first(x: Tensor, axis: int, reverse: bool) -> Tensor:
    """Where a scan in the direction begins."""
    last = x.shape[axis] - 1
    if reverse and not isinstance(last, int):
        return equal(_place(x, axis), dim_size(last))
    return equal(_place(x, axis), last if reverse else 0)


def previous(x: Tensor, axis: int, reverse: bool, start: bool | int | float) -> Tensor:
    """For every element the one before it in the direction of the scan; ``start`` for the first."""
    size = x.shape[axis]
    edge = full((*x.shape[:axis], 1, *x.shape[axis + 1 :]), start, x.dtype)
    if reverse:
        moved = Slice.along(axis, 1, size + 1, concat([x, edge], axis))
    else:
        moved = Slice.along(axis, 0, size, concat([edge, x], axis))
    return respelled(moved, x.shape)


def following(x: Tensor, axis: int, reverse: bool) -> Tensor:
    """For every element the one after it in the direction of the scan; 1 for the last."""
    return previous(x, axis, not reverse, 1)


class CumSum(Scan):
    """``y[i] = x[0] + ... + x[i]`` along ``axis``; integers wrap around."""

    name: ClassVar[str] = "cumsum"

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [CumSum(self.axis, not self.reverse)(cotangents[0])]


class CumProd(Scan):
    """``y[i] = x[0] ... x[i]`` along ``axis``; integers wrap around.

    The derivative by x[k] is the product before k times ``r[k] = dy[k] + x[k + 1] r[k + 1]``: no
    division, so zeros need no special case.
    """

    name: ClassVar[str] = "cumprod"

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (y,), (dy,) = inputs, outputs, cotangents
        back = LinearRecurrence(self.axis, not self.reverse)
        before = previous(y, self.axis, self.reverse, 1)
        return [before * back(following(x, self.axis, self.reverse), dy)]


class LinearRecurrence(Op):
    """``y[i] = a[i] y[i - 1] + b[i]`` along ``axis``, beginning with ``y[0] = b[0]``.

    With ``reverse`` it begins at the end: ``y[i] = a[i] y[i + 1] + b[i]``. The first factor is not
    used, and has no gradient.
    """

    axis: int
    reverse: bool = False
    category: ClassVar[str] = "reduce"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, a: TensorType, b: TensorType) -> TensorType:
        require_canonical((self.axis,), b.ndim, "b")
        a.require_float("a")
        require_shape(a, b.shape, "a")
        return b.require_float("b")

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (a, _), (y,), (dy,) = inputs, outputs, cotangents
        back = LinearRecurrence(self.axis, not self.reverse)
        total = back(following(a, self.axis, self.reverse), dy)
        return [lambda: total * previous(y, self.axis, self.reverse, 0), total]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """A product and a sum per element."""
        return 2 * outputs[0].size


class CumExtreme(Scan, abstract=True):
    """Running extremes; NaN from the first NaN on.

    The gradient goes to the element that is the extreme, the first one among equals.
    """

    def is_record(self, x: Tensor, y: Tensor) -> Tensor:
        """Where x is better than all that came before it."""
        before = previous(y, self.axis, self.reverse, 0)
        better = self.is_better(x, before)
        if x.dtype.is_float:
            better = better | (isnan(x) & ~isnan(before))
        return better | _is_first(x, self.axis, self.reverse)

    def is_better(self, x: Tensor, before: Tensor) -> Tensor:
        """Whether x replaces the extreme of what came before it."""
        raise NotImplementedError

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (y,), (dy,) = inputs, outputs, cotangents
        place = _place(x, self.axis)
        record = self.is_record(x, y)
        if self.reverse:
            holder = CumMin(self.axis, True)(where(record, place, 2**31 - 1))
        else:
            holder = CumMax(self.axis)(where(record, place, 0))
        return [scatter_add_along_axis(zeros_like(x), holder, dy, self.axis)]


class CumMax(CumExtreme):
    """``y[i] = max(x[0], ..., x[i])`` along ``axis``; NaN from the first NaN on."""

    name: ClassVar[str] = "cummax"

    def is_better(self, x: Tensor, before: Tensor) -> Tensor:
        return greater(x, before)


class CumMin(CumExtreme):
    """``y[i] = min(x[0], ..., x[i])`` along ``axis``; NaN from the first NaN on."""

    name: ClassVar[str] = "cummin"

    def is_better(self, x: Tensor, before: Tensor) -> Tensor:
        return less(x, before)


class LogCumSumExp(Scan):
    """``y[i] = log(exp(x[0]) + ... + exp(x[i]))`` along ``axis``, without overflow.

    The derivative by x[k] is ``exp(x[k] - y[k]) s[k]``, ``s[k] = dy[k] + exp(y[k] - y[k + 1])
    s[k + 1]``: no exponent is positive.
    """

    name: ClassVar[str] = "logcumsumexp"

    def infer(self, x: TensorType) -> TensorType:
        return super().infer(x.require_float())

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (y,), (dy,) = inputs, outputs, cotangents
        finite = where(equal(y, float("-inf")), 0, y)  # -inf - (-inf) is NaN, exp(-inf - 0) is 0
        back = not self.reverse
        last = _is_first(x, self.axis, back)
        decay = exp(where(last, 0, y - following(finite, self.axis, self.reverse)))
        return [exp(x - finite) * LinearRecurrence(self.axis, back)(decay, dy)]


class Diff(Op):
    """``y[i] = x[i + 1] - x[i]`` along ``axis``, one element shorter."""

    axis: int
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        require_canonical((self.axis,), x.ndim, "x")
        size = x.require_numeric().shape[self.axis]
        left = sliced_size(size, 1, size, 1)
        return x.with_shape((*x.shape[: self.axis], left, *x.shape[self.axis + 1 :]))

    def decompose(self, x: Tensor) -> Tensor:
        size = x.shape[self.axis]
        return Slice.along(self.axis, 1, size, x) - Slice.along(self.axis, 0, size - 1, x)


# -- functions -----------------------------------------------------------------------------------


def _operand(value: Any, axis: int | None) -> tuple[Tensor, int]:
    """The tensor (flattened for axis None) and the axis; bools are counted."""
    x = as_tensor(value)
    x = x.astype(int32) if x.dtype.is_bool else x
    if axis is None:
        return x if x.ndim == 1 else x.reshape((-1,)), 0
    return x, normalize_axis(axis, x.ndim)


@public
def cumsum(
    x: Any, axis: int | None = None, reverse: bool = False, exclusive: bool = False
) -> Tensor:
    """Running sums along an axis: ``y[i] = x[0] + ... + x[i]``.

    Args:
        x: numbers of any dtype, which is kept; bools are counted (int32).
        axis: None for the flattened x.
        reverse: from the end, ``y[i] = x[i] + ... + x[-1]``.
        exclusive: without the element itself, beginning with 0.

    Raises:
        ShapeError: the axis does not exist.

    >>> import asg
    >>> x = asg.constant([1, 2, 3])
    >>> asg.run(asg.cumsum(x), {}).tolist(), asg.run(asg.cumsum(x, exclusive=True), {}).tolist()
    ([1, 3, 6], [0, 1, 3])
    """
    x, axis = _operand(x, axis)
    total = CumSum(axis, bool(reverse))(x)
    return previous(total, axis, bool(reverse), 0) if exclusive else total


@public
def cumprod(
    x: Any, axis: int | None = None, reverse: bool = False, exclusive: bool = False
) -> Tensor:
    """Running products along an axis; as `cumsum` otherwise, ``exclusive`` beginning with 1.

    The gradient is exact at zeros, at any order.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> asg.run(asg.grad(asg.cumprod(x).sum(), x), {x: [2.0, 0.0, 5.0]}).tolist()
    [1.0, 12.0, 0.0]
    """
    x, axis = _operand(x, axis)
    total = CumProd(axis, bool(reverse))(x)
    return previous(total, axis, bool(reverse), 1) if exclusive else total


@public
def cumulative_sum(
    x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The Array API's `cumsum`: the axis may be left out only for vectors.

    Args:
        x: numbers.
        axis: the axis of the sums.
        dtype: cast x to it first.
        include_initial: begin with 0, so that the axis is one longer.

    Raises:
        ShapeError: the axis is not said, or does not exist.

    >>> import asg
    >>> asg.run(asg.cumulative_sum(asg.constant([1, 2]), include_initial=True), {}).tolist()
    [0, 1, 3]
    """
    return _cumulative(CumSum, 0, x, axis, dtype, include_initial)


@public
def cumulative_prod(
    x: Any, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The Array API's `cumprod`; as `cumulative_sum`, beginning with 1.

    >>> import asg
    >>> asg.run(asg.cumulative_prod(asg.constant([3, 2]), include_initial=True), {}).tolist()
    [1, 3, 6]
    """
    return _cumulative(CumProd, 1, x, axis, dtype, include_initial)


def _cumulative(
    op: type[Scan], start: int, x: Any, axis: int | None, dtype: Any, include_initial: bool
) -> Tensor:
    x = as_tensor(x)
    if axis is None and x.ndim != 1:
        raise TypeProblem(f"x has {x.ndim} axes, so the axis must be said", "pass axis=0")
    x, place = _operand(x if dtype is None else x.astype(as_dtype(dtype)), axis)
    total = op(place)(x)
    if not include_initial:
        return total
    return concat(
        [full((*x.shape[:place], 1, *x.shape[place + 1 :]), start, x.dtype), total], place
    )


@public
def cummax(x: Any, axis: int | None = None, reverse: bool = False) -> Tensor:
    """The largest element so far along an axis (None: flattened); NaN from the first NaN on.

    The gradient goes to the element that is the largest, the first among equals.

    >>> import asg
    >>> asg.run(asg.cummax(asg.constant([1, 3, 2, 5])), {}).tolist()
    [1, 3, 3, 5]
    """
    return _extreme(CumMax, x, axis, reverse)


@public
def cummin(x: Any, axis: int | None = None, reverse: bool = False) -> Tensor:
    """The smallest element so far along an axis; as `cummax` otherwise.

    >>> import asg
    >>> asg.run(asg.cummin(asg.constant([4, 3, 5, 2]), reverse=True), {}).tolist()
    [2, 2, 2, 2]
    """
    return _extreme(CumMin, x, axis, reverse)


def _extreme(op: type[Scan], x: Any, axis: int | None, reverse: bool) -> Tensor:
    x = as_tensor(x)
    x.type.require_numeric()
    x, place = _operand(x, axis)
    return op(place, bool(reverse))(x)


@public
def logcumsumexp(x: Any, axis: int | None = None, reverse: bool = False) -> Tensor:
    """``log(exp(x[0]) + ... + exp(x[i]))`` along an axis (None: flattened), without overflow.

    Raises:
        DtypeError: ``x`` is not floating.

    >>> import asg
    >>> asg.run(asg.logcumsumexp(asg.constant([1000.0, 0.0, float("-inf")])), {}).tolist()
    [1000.0, 1000.0, 1000.0]
    """
    x = as_tensor(x)
    x.type.require_float()
    x, place = _operand(x, axis)
    return LogCumSumExp(place, bool(reverse))(x)


@public
def linear_recurrence(a: Any, b: Any, axis: int = -1, reverse: bool = False) -> Tensor:
    """``y[i] = a[i] y[i - 1] + b[i]`` along an axis, beginning with ``y[0] = b[0]``.

    An exponential average, a linear recurrent network, an infinite impulse response. It runs step
    by step on every backend.

    Args:
        a: factors, broadcast to the shape of b; the first one is not used.
        b: what is added, floats.
        axis: the axis along which it runs.
        reverse: from the end, ``y[i] = a[i] y[i + 1] + b[i]``.

    Raises:
        ShapeError: the shapes do not fit, or the axis does not exist.
        DtypeError: not floating.

    >>> import asg
    >>> asg.run(asg.linear_recurrence(0.5, asg.constant([8.0, 0.0, 1.0])), {}).tolist()
    [8.0, 4.0, 3.0]
    """
    b = as_tensor(b)
    a = full(b.shape, a, b.dtype) if isinstance(a, int | float) else as_tensor(a)
    stretched = a if a.shape == b.shape else broadcast_to(a, b.shape)
    return LinearRecurrence(normalize_axis(axis, b.ndim, "b"), bool(reverse))(stretched, b)


@public
def diff(x: Any, axis: int = -1, n: int = 1, prepend: Any = None, append: Any = None) -> Tensor:
    """Differences of neighbours, ``x[i + 1] - x[i]`` along an axis, n times.

    Args:
        x: numbers.
        axis: made n elements shorter.
        n: how many times, 0 for x itself.
        prepend, append: tensors joined to x along the axis first.

    Raises:
        OperandError: n is no integer >= 0.

    >>> import asg
    >>> asg.run(asg.diff(asg.constant([1, 4, 9, 16]), n=2), {}).tolist()
    [2, 2]
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise TypeProblem(f"n is {n!r}, an integer >= 0 is needed", error=OperandError)
    tensor = as_tensor(x)
    tensor.type.require_numeric()
    place = normalize_axis(axis, tensor.ndim)
    joined = [part for part in (prepend, tensor, append) if part is not None]
    result: Tensor = concat(joined, place) if len(joined) > 1 else tensor
    for _ in range(n):
        result = Diff(place)(result)
    return result
