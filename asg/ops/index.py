"""Reading and adding at places that data decide: take, scatter_add, and their like.

Indices, in every op of this file: negative ones count from the end, as in NumPy. An index outside
``-size <= index < size`` that is written into the program is refused by the functions. One that the
data give cannot be an error (an accelerator does not stop), and is never ignored: what it would
have read is *missing*, and what it would have changed makes the whole result missing. A missing
value is NaN for floating dtypes, the smallest number for signed integers, the largest for unsigned
ones, and True for bool. Both backends agree on this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, as_dim
from asg.core.dtype import DType, as_dtype, float32, iinfo, int32
from asg.core.op import Op
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    broadcast_shapes,
    normalize_axis,
    require_equal,
    require_less_equal,
)
from asg.ops.leaf import Constant, iota, zeros_like
from asg.ops.shape import BroadcastTo, Tensors, expand_dims, moveaxis, require_canonical

if TYPE_CHECKING:
    from asg.core.op import Cotangent


class IndexOp(Op, abstract=True):
    """Base of the ops whose last integer operand says where."""

    category: ClassVar[str] = "index"

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class Take(IndexOp):
    """The slices of x along ``axis`` that ``indices`` name; their axes stand in its place.

    Outside indices give missing values (see the head of this file), whose gradient is not a
    number either.
    """

    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        indices.require_integer("indices")
        require_canonical((self.axis,), x.ndim, "x")
        return x.with_shape(taken_shape(x, indices, self.axis))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, indices = inputs
        return [lambda: ScatterAdd(self.axis)(zeros_like(x), indices, cotangents[0]), None]


class ScatterAdd(IndexOp):
    """x with ``updates`` added to the slices along ``axis`` that ``indices`` name.

    An index named several times receives the sum. The transpose of Take:
    ``<scatter_add(0, i, u), y> = <u, take(y, i)>``. An outside index makes the whole result
    missing (see the head of this file).
    """

    axis: int
    promotes: ClassVar[slice | None] = slice(0, 3, 2)

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require_updates(x, indices, updates, self.axis)
        return x.require_numeric("x")

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (cotangent,) = cotangents
        return [cotangent, None, lambda: Take(self.axis)(cotangent, inputs[1])]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return inputs[2].size


class TakeAlongAxis(IndexOp):
    """``x[i, ..., indices[i, ..., k], ...]``: for every place of the other axes its own indices.

    Outside indices give missing values (see the head of this file).
    """

    axis: int

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        require_along(x, indices, self.axis)
        return x.with_shape(indices.shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, indices = inputs
        scatter = ScatterAddAlongAxis(self.axis)
        return [lambda: scatter(zeros_like(x), indices, cotangents[0]), None]


class ScatterAddAlongAxis(IndexOp):
    """x with ``updates[i, ..., k]`` added at ``[i, ..., indices[i, ..., k], ...]``.

    The transpose of TakeAlongAxis. An outside index makes the whole result missing (see the head
    of this file).
    """

    axis: int
    promotes: ClassVar[slice | None] = slice(0, 3, 2)

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        x.require_numeric("x")
        require_along(x, indices, self.axis)
        require_shape(updates, indices.shape, "updates")
        return x

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (cotangent,) = cotangents
        return [cotangent, None, lambda: TakeAlongAxis(self.axis)(cotangent, inputs[1])]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return inputs[2].size


class OneHot(IndexOp):
    """1 at the place that each index names along a new last axis of size ``depth``, else 0.

    An index that is no place, negative ones included, gives zeros only.
    """

    depth: Dim
    dtype: DType = float32
    differentiable: ClassVar[bool] = False

    def infer(self, indices: TensorType) -> TensorType:
        indices.require_integer("indices")
        require_less_equal(0, self.depth, "depth is negative")
        return TensorType(self.dtype, (*indices.shape, self.depth))

    def decompose(self, indices: Tensor) -> Tensor:
        counter = indices.dtype if indices.dtype.itemsize >= int32.itemsize else int32
        places = iota((self.depth,), dtype=counter)
        return call("astype", call("equal", expand_dims(indices, -1), places), self.dtype)


# -- what infer rules share, and the missing value -------------------------------------------


def missing_value(dtype: DType) -> bool | int | float:
    """What stands for a value that an outside index would have named.

    >>> from asg.core.dtype import int8, uint8
    >>> missing_value(float32), missing_value(int8), missing_value(uint8)
    (nan, -128, 255)
    """
    if dtype.is_float:
        return float("nan")
    if dtype.is_bool:
        return True
    limits = iinfo(dtype)
    return limits.min if limits.min < 0 else limits.max


def taken_shape(x: TensorType, indices: TensorType, axis: int) -> Shape:
    """The shape of ``take(x, indices, axis)``."""
    return (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def require_shape(given: TensorType, wanted: Shape, name: str) -> None:
    """Every size of an operand is the wanted one."""
    given.require_ndim(len(wanted), name)
    for axis, (size, other) in enumerate(zip(given.shape, wanted, strict=True)):
        require_equal(size, other, f"axis {axis} of {name} does not fit")


def require_updates(x: TensorType, indices: TensorType, updates: TensorType, axis: int) -> None:
    """Indices and updates for writing into the slices of x along an axis."""
    indices.require_integer("indices")
    require_canonical((axis,), x.ndim, "x")
    require_shape(updates, taken_shape(x, indices, axis), "updates")


def require_inside(indices: Tensor, size: Dim, axis: int, name: str = "indices") -> Tensor:
    """Indices; refused if they are known now, as the size is, and one of them names no place."""
    op = indices.node.op
    if isinstance(op, Constant) and isinstance(size, int) and indices.dtype.is_integer:
        array = op.data.array
        outside = array[(array < -size) | (array >= size)] if array.size else array
        if outside.size:
            raise TypeProblem(
                f"{name} hold {outside.flat[0]}, which axis {axis} of size {size} does not have",
                f"indices go from {-size} to {size - 1}" if size else "the axis has no elements",
                sizes=(size,),
            )
    return indices


def require_along(x: TensorType, indices: TensorType, axis: int) -> None:
    """Indices for an op along an axis: integers, and every other size that of x."""
    indices.require_integer("indices")
    require_canonical((axis,), x.ndim, "x")
    indices.require_ndim(x.ndim, "indices")
    for other, (size, own) in enumerate(zip(indices.shape, x.shape, strict=True)):
        if other != axis:
            require_equal(
                size, own, f"axis {other} of indices is not that of x",
                f"only axis {axis} may differ; broadcast_to stretches the indices",
            )  # fmt: skip


# -- functions ------------------------------------------------------------------------------


@public
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The slices of x along ``axis`` that ``indices`` name.

    Shapes: x ``[a, n, b]``, indices ``[i, j]``, axis 1 -> ``[a, i, j, b]``. Negative indices count
    from the end. An outside index that the data give reads NaN (the smallest number for signed
    integers, the largest for unsigned ones, True for bool).

    Args:
        x: any tensor.
        indices: integers, of any shape.
        axis: may be left out only where x is a vector.

    Raises:
        DtypeError: the indices are not integers.
        ShapeError: an index is known while building, and outside.

    >>> import asg
    >>> table = asg.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> i = asg.input("i", (3,), "int32")
    >>> asg.run(asg.take(table, i, axis=0), {i: [2, -3, 3]}).tolist()
    [[5.0, 6.0], [1.0, 2.0], [nan, nan]]
    """
    x, indices = as_tensor(x), as_tensor(indices)
    place = _given_axis(x, axis)
    return Take(place)(x, require_inside(indices, x.shape[place], place))


def _given_axis(x: Tensor, axis: int | None) -> int:
    if axis is None:
        if x.ndim != 1:
            raise TypeProblem(f"x has {x.ndim} axes, so the axis must be said", "pass axis=0")
        return 0
    return normalize_axis(axis, x.ndim)


@public
def scatter_add(x: Any, indices: Any, updates: Any, axis: int = 0) -> Tensor:
    """x with ``updates`` added to the slices along ``axis`` that ``indices`` name.

    Shapes: x ``[a, n, b]``, indices ``[i, j]``, axis 1 -> updates ``[a, i, j, b]`` (or what
    broadcasts to it). An index named several times receives the sum. An outside index that the
    data give makes every element NaN (or the number that `take` documents for integers).

    >>> import asg
    >>> x = asg.zeros((3,))
    >>> asg.run(asg.scatter_add(x, [0, 2, 2], asg.constant([1.0, 2.0, 3.0]))).tolist()
    [1.0, 0.0, 5.0]
    """
    x, indices = as_tensor(x), as_tensor(indices)
    place = normalize_axis(axis, x.ndim)
    require_inside(indices, x.shape[place], place)
    wanted = taken_shape(x.type, indices.type, place)
    return ScatterAdd(place)(x, indices, stretched(updates, wanted, x.dtype))


def stretched(updates: Any, shape: Shape, dtype: DType) -> Tensor:
    """Numbers and stretchable tensors as tensors of the shape; what misfits is left to infer."""
    if isinstance(updates, bool | int | float):
        updates = call("constant", updates, dtype)
    updates = as_tensor(updates)
    return updates if updates.shape == shape else BroadcastTo(shape)(updates)


@public
def take_along_axis(x: Any, indices: Any, axis: int = -1) -> Tensor:
    """For every place of the other axes, the elements along ``axis`` that its indices name.

    Shapes: x ``[a, n, b]``, indices ``[a, k, b]``, axis 1 -> ``[a, k, b]``; sizes other than that
    of the axis broadcast. Indices are read as by `take`.

    >>> import asg
    >>> x = asg.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> asg.run(asg.take_along_axis(x, [[2], [0]], axis=1)).tolist()
    [[3.0], [4.0]]
    """
    x, indices = as_tensor(x), as_tensor(indices)
    place = normalize_axis(axis, x.ndim)
    require_inside(indices, x.shape[place], place)
    x, indices = matched_off_axis(x, indices, place)
    return TakeAlongAxis(place)(x, indices)


def matched_off_axis(x: Tensor, indices: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Both broadcast to each other's sizes on every axis but one."""
    indices.type.require_ndim(x.ndim, "indices")
    hidden_x, hidden_i = list(x.shape), list(indices.shape)
    hidden_x[axis] = hidden_i[axis] = 1
    shape = broadcast_shapes(tuple(hidden_x), tuple(hidden_i))
    return _along(x, shape, axis), _along(indices, shape, axis)


def _along(x: Tensor, shape: Shape, axis: int) -> Tensor:
    """x broadcast to ``shape``, except that ``axis`` keeps its size."""
    wanted = (*shape[:axis], x.shape[axis], *shape[axis + 1 :])
    return x if x.shape == wanted else BroadcastTo(wanted)(x)


@public
def scatter_add_along_axis(x: Any, indices: Any, updates: Any, axis: int = -1) -> Tensor:
    """x with ``updates`` added where `take_along_axis` of the same indices reads.

    Shapes: x ``[a, n, b]``, indices ``[a, k, b]``, axis 1 -> updates ``[a, k, b]`` (or what
    broadcasts to it). An outside index that the data give makes every element NaN (or the number
    that `take` documents for integers).

    >>> import asg
    >>> x = asg.zeros((2, 3))
    >>> asg.run(asg.scatter_add_along_axis(x, [[2], [0]], 1.0, axis=1)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    x, indices = as_tensor(x), as_tensor(indices)
    place = normalize_axis(axis, x.ndim)
    require_inside(indices, x.shape[place], place)
    x, indices = matched_off_axis(x, indices, place)
    return ScatterAddAlongAxis(place)(x, indices, stretched(updates, indices.shape, x.dtype))


@public
def one_hot(indices: Any, depth: Dim | str, dtype: Any = float32, axis: int = -1) -> Tensor:
    """1 at the place that each index names along a new axis of size ``depth``, 0 elsewhere.

    An index outside ``0 <= index < depth`` gives zeros only (negative ones do not count from the
    end here).

    >>> import asg
    >>> asg.run(asg.one_hot([2, 0], 3)).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    indices = as_tensor(indices)
    encoded = OneHot(as_dim(depth), as_dtype(dtype))(indices)
    place = normalize_axis(axis, encoded.ndim, "the result")
    return encoded if place == encoded.ndim - 1 else moveaxis(encoded, -1, place)
