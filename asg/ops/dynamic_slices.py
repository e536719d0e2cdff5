"""Parts at places that data decide: slices read and replaced, tuples of indices, rows of tables."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import int32
from asg.core.errors import DtypeError, OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TypeProblem, as_shape, require_less_equal
from asg.ops.cast import stop_gradient
from asg.ops.compare import equal
from asg.ops.elementwise import clip, where
from asg.ops.index import Take, require_inside
from asg.ops.leaf import Constant, constant, dim_size, iota
from asg.ops.shape import expand_dims, reshape


@public
def dynamic_slice(x: Any, start: Any, sizes: Any) -> Tensor:
    """The block of x of literal or symbolic ``sizes`` that begins where integers say.

    A start is moved so that the block lies inside, as XLA does: to ``clip(start, 0, n - size)``
    (negative ones do not count from the end).

    Args:
        x: any tensor.
        start: one integer for each axis: a list of numbers and scalar tensors, or a vector.
        sizes: the size of the block along each axis.

    Raises:
        ShapeError: a size is larger than the axis.
        DtypeError: a start is no integer.

    Source: https://openxla.org/stablehlo/spec#dynamic_slice.

    >>> import asg
    >>> asg.run(asg.dynamic_slice(asg.constant([1, 2, 3, 4]), [9], [2])).tolist()
    [3, 4]
    """
    part: Tensor = as_tensor(x)
    lengths = as_shape(sizes)
    for axis, place in enumerate(_starts(part, start, lengths)):
        part = Take(axis)(part, place + iota((lengths[axis],)))
    return part


@public
def dynamic_update_slice(x: Any, update: Any, start: Any) -> Tensor:
    """x with the block that begins at ``start`` replaced by ``update``; see `dynamic_slice`.

    Raises:
        ShapeError: the update is larger than x, or has another number of axes.
        DtypeError: a start is no integer, or the dtypes differ.

    >>> import asg
    >>> x = asg.constant([1, 2, 3, 4])
    >>> asg.run(asg.dynamic_update_slice(x, [8, 9], [1])).tolist()
    [1, 8, 9, 4]
    """
    x, update = as_tensor(x), as_tensor(update)
    if update.dtype is not x.dtype:
        raise TypeProblem(
            f"update is {update.dtype.name}, x is {x.dtype.name}", "cast one of them", DtypeError
        )
    update.type.require_ndim(x.ndim, "update")
    starts = _starts(x, start, update.shape)
    whole: Tensor = x
    if any(size == 0 for size in update.shape):
        return whole
    inside: Tensor | None = None
    spread: Tensor = update
    for axis, place in enumerate(starts):
        size = update.shape[axis]
        if size == x.shape[axis]:  # its start can only be 0
            continue
        own = iota((x.shape[axis],)) - place
        last = _number(size) - 1
        if size != 1:  # one row is stretched by `where`
            spread = Take(axis)(spread, clip(own, 0, last))
        here = (own >= 0) & (own <= last)
        here = reshape(here, (-1, *(1,) * (x.ndim - 1 - axis)))
        inside = here if inside is None else inside & here
    return spread if inside is None else where(inside, spread, whole)


def _starts(x: Tensor, start: Any, sizes: Shape) -> list[Tensor]:
    """One int32 scalar for each axis, moved inside."""
    if isinstance(start, tuple | list):
        given = [as_tensor(each) for each in start]
    else:
        vector = as_tensor(start)
        vector.type.require_ndim(1, "start")
        given = [vector[axis] for axis in range(x.ndim)] if vector.shape == (x.ndim,) else []
    if not len(given) == len(sizes) == x.ndim:
        raise TypeProblem(
            f"{len(given)} starts and {len(sizes)} sizes; x has {x.ndim} axes", "give one for each"
        )
    return [_inside(place, x.shape[axis], sizes[axis]) for axis, place in enumerate(given)]


def _inside(place: Tensor, whole: Dim, size: Dim) -> Tensor:
    place.type.require_integer("start").require_ndim(0, "start")
    require_less_equal(0, size, "a size is negative")
    require_less_equal(size, whole, f"a block of {size} does not fit into an axis of {whole}")
    if place.dtype.bits > 32 or (not place.dtype.is_signed and place.dtype.bits == 32):
        place = clip(place, 0, 2**31 - 1)
    return clip(place.astype(int32), 0, _number(whole - size))


def _number(size: Dim) -> Any:
    return size if isinstance(size, int) else dim_size(size)


@public
def gather_nd(x: Any, indices: Any) -> Tensor:
    """The parts of x that tuples of indices name: ``y[i, ...] = x[indices[i, 0], ..., ...]``.

    Shapes: x ``[a, b, c]``, indices ``[i, j, 2]`` -> ``[i, j, c]``. Negative and outside indices
    are read as by `take`; the gradient adds where a place is named several times.

    Args:
        x: any tensor.
        indices: integers; the size of the last axis is literal, at least 1 and at most the number
            of axes of x.

    Raises:
        ShapeError: the last axis does not fit x, or a literal index is outside.
        DtypeError: the indices are not integers.

    >>> import asg
    >>> asg.run(asg.gather_nd(asg.constant([[1, 2], [3, 4]]), [[0, 1], [1, 0]])).tolist()
    [2, 3]
    """
    x, indices = as_tensor(x), as_tensor(indices)
    indices.type.require_integer("indices")
    count = indices.shape[-1] if indices.ndim else 0
    if not isinstance(count, int) or not 1 <= count <= x.ndim:
        raise TypeProblem(
            f"indices {indices.type} do not name places of x {x.type}",
            f"their last axis has between 1 and {x.ndim} elements",
        )
    parts: Tensor = x[tuple(_column(indices, axis) for axis in range(count))]
    return parts


def _column(indices: Tensor, place: int) -> Tensor:
    """The indices into one axis; those of a constant are a constant, whose range is checked."""
    op = indices.node.op
    return constant(op.data.array[..., place]) if isinstance(op, Constant) else indices[..., place]


@public
def embedding(indices: Any, weight: Any, padding_idx: int | None = None) -> Tensor:
    """The rows of a table that indices name; shapes ``[...]`` and ``[n, d]`` -> ``[..., d]``.

    Args:
        indices: integers, read as by `take`.
        weight: the table.
        padding_idx: a row that receives no gradient (negative counts from the end). It is read
            like any other.

    Raises:
        OperandError: padding_idx names no row.
        ShapeError: a literal index names no row.

    >>> import asg
    >>> asg.run(asg.embedding([1, 0], asg.constant([[1.0, 2.0], [3.0, 4.0]]))).tolist()
    [[3.0, 4.0], [1.0, 2.0]]
    """
    indices, weight = as_tensor(indices), as_tensor(weight)
    weight.type.require_ndim(2, "weight")
    rows = Take(0)(weight, require_inside(indices, weight.shape[0], 0))
    if padding_idx is None:
        return rows
    count = weight.shape[0]
    if type(padding_idx) is not int or not isinstance(count, int):
        raise TypeProblem(
            f"padding_idx {padding_idx!r} of {count} rows", "give an int, and literal rows",
            OperandError,
        )  # fmt: skip
    if not -count <= padding_idx < count:
        raise TypeProblem(f"padding_idx {padding_idx} is no row of {count}", error=OperandError)
    row = padding_idx % count
    padded = equal(indices, row)
    if indices.dtype.is_signed:
        padded = padded | equal(indices, row - count)
    return where(expand_dims(padded, -1), stop_gradient(rows), rows)
