"""Writing at places that data decide: the last of several updates, their product, their extremes.

Sums are in `asg.ops.index`, whose head says how indices are read and what outside ones do. Where
an index stands several times, *set* keeps the last update in the order of the indices (on every
backend), *mul* multiplies all, *min* and *max* take the extreme of x and all updates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import DType, int32, int64
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, normalize_axis
from asg.ops.compare import equal, not_equal
from asg.ops.elementwise import where
from asg.ops.index import (
    IndexOp,
    ScatterAdd,
    Take,
    matched_off_axis,
    require_inside,
    require_updates,
    scatter_add_along_axis,
    stretched,
    taken_shape,
)
from asg.ops.indexing import flat_index
from asg.ops.leaf import full, iota, ones, ones_like
from asg.ops.loops import scan
from asg.ops.operand import respelled
from asg.ops.scans import previous
from asg.ops.shape import Tensors, expand_dims, moveaxis, reshape
from asg.ops.sorting import argsort

if TYPE_CHECKING:
    from asg.core.op import Cotangent

_LARGEST_INT32 = 2**31 - 1


class Scatter(IndexOp, abstract=True):
    """What ops that write into the slices along ``axis`` have in common."""

    axis: int
    promotes: ClassVar[slice | None] = slice(0, 3, 2)

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require_updates(x, indices, updates, self.axis)
        return x.require_numeric("x")

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return inputs[2].size


class ScatterSet(Scatter):
    """x with the slices along ``axis`` that ``indices`` name replaced by ``updates``.

    Of several updates of one place the last one stays, and it alone has a gradient.
    """

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        require_updates(x, indices, updates, self.axis)
        return x

    def decompose(self, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        """Each place takes the update with the largest number among those that name it."""
        rows = _rows(x, indices, updates, self.axis)
        count = rows.shape[self.axis]
        nobody = full((x.shape[self.axis],), -1, _counter(count))
        numbers = iota((count,), dtype=nobody.dtype)
        last = ScatterExtreme(0)(nobody, reshape(indices, (-1,)), numbers)
        kept = reshape(equal(last, -1), (-1, *(1,) * (x.ndim - self.axis - 1)))
        return respelled(where(kept, x, Take(self.axis)(rows, last)), x.shape)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class ScatterMul(Scatter):
    """x with the slices along ``axis`` that ``indices`` name multiplied by ``updates``.

    The gradient by an update is the product of everything else at its place, so that zeros need
    no special case, at any order.
    """

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, indices, updates = inputs
        (cotangent,) = cotangents
        others, read = ScatterOthers(self.axis), Take(self.axis)
        return [
            lambda: cotangent * self(ones_like(x), indices, updates), None,
            lambda: read(cotangent, indices) * others(x, indices, updates),
        ]  # fmt: skip


class ScatterOthers(Scatter):
    """For each update the product of x and all *other* updates at its place; see `ScatterMul`."""

    def infer(self, x: TensorType, indices: TensorType, updates: TensorType) -> TensorType:
        super().infer(x, indices, updates)
        return updates

    def decompose(self, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
        """Updates of one place are brought together, then multiplied from the left and the right.

        As a loop with a factor that starts anew, not as a quotient (zeros) nor as one recurrence
        (an infinity would spread to the next place).
        """
        place = flat_index([reshape(indices, (-1,))], (x.shape[self.axis],))
        order = argsort(place)
        place = Take(0)(place, order)
        rows = Take(0)(moveaxis(_rows(x, indices, updates, self.axis), self.axis, 0), order)
        before, behind = (_products(place, rows, reverse) for reverse in (False, True))
        others = moveaxis(Take(0)(before * behind, argsort(order)), 0, self.axis)
        mine = Take(self.axis)(x, indices)
        return respelled(mine * reshape(others, mine.shape), updates.shape)


def _products(place: Tensor, rows: Tensor, reverse: bool) -> Tensor:
    """For each row the product of those before it that are of the same place."""
    starts = not_equal(place, previous(place, 0, reverse, -1))
    one = ones(rows.shape[1:], rows.dtype)

    def step(product: Tensor, x: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        start, row = x
        product = where(start, one, product)
        return product * row, product

    products: Tensor = scan(step, one, (starts, rows), reverse=reverse)[1]
    return products


class ScatterExtreme(Scatter):
    """x with the slices that ``indices`` name replaced by the largest of them and their updates.

    The smallest with ``smallest``. Equal ones, x included, share the cotangent evenly; NaN wins.
    """

    smallest: bool = False

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (cotangent,) = cotangents
        shares = ScatterShare(self.axis, self.smallest)
        return [
            lambda: shares.apply(*inputs)[0] * cotangent, None,
            lambda: shares.apply(*inputs)[1] * Take(self.axis)(cotangent, inputs[1]),
        ]  # fmt: skip


class ScatterShare(Scatter):
    """``1 / k`` at each of the k elements, of x and of the updates, that win a place; else 0.

    The derivative of `ScatterExtreme`: two outputs, for x and for the updates, NaN where it is
    NaN. An op of its own for the same reason as `TieShare`.
    """

    smallest: bool = False
    differentiable: ClassVar[bool] = False

    def infer(  # type: ignore[override]
        self, x: TensorType, indices: TensorType, updates: TensorType
    ) -> tuple[TensorType, TensorType]:
        require_updates(x, indices, updates, self.axis)
        return x.require_float("x"), updates

    def decompose(self, x: Tensor, indices: Tensor, updates: Tensor) -> tuple[Tensor, Tensor]:
        read = Take(self.axis)
        extreme = ScatterExtreme(self.axis, self.smallest)(x, indices, updates)
        own = equal(x, extreme).astype(x.dtype)
        given = equal(updates, read(extreme, indices)).astype(x.dtype)
        count = ScatterAdd(self.axis)(own, indices, given)
        shared = given / read(count, indices)
        return respelled(own / count, x.shape), respelled(shared, updates.shape)


def _rows(x: Tensor, indices: Tensor, updates: Tensor, axis: int) -> Tensor:
    """The updates with the axes of the indices merged into one."""
    return reshape(updates, (*x.shape[:axis], indices.size, *x.shape[axis + 1 :]))


def _counter(count: Dim) -> DType:
    return int64 if isinstance(count, int) and count > _LARGEST_INT32 else int32


# -- functions ------------------------------------------------------------------------------

MODES: dict[str, Callable[[int], IndexOp]] = {
    "set": ScatterSet,
    "add": ScatterAdd,
    "mul": ScatterMul,
    "min": partial(ScatterExtreme, smallest=True),
    "max": ScatterExtreme,
}


def require_mode(mode: object) -> None:
    """One of `MODES`, else a TypeProblem that lists them."""
    if not isinstance(mode, str) or mode not in MODES:
        raise TypeProblem(f"mode is {mode!r}", f"choose one of {', '.join(MODES)}", OperandError)


@public
def scatter(x: Any, indices: Any, updates: Any, axis: int = 0, mode: str = "set") -> Tensor:
    """x with ``updates`` written into the slices along ``axis`` that ``indices`` name.

    Shapes: x ``[a, n, b]``, indices ``[i, j]``, axis 1 -> updates ``[a, i, j, b]`` (or what
    broadcasts to it). Negative indices count from the end. An outside index that the data give
    makes every element NaN (or the number that `take` documents for integers).

    Args:
        x: any tensor; numbers where the mode is not "set".
        indices: integers, of any shape.
        updates: what is written; promoted with x.
        axis: of x.
        mode: what happens at a place named several times, and to x there. "set": the last update
            (in the order of the indices, on every backend) replaces x, and it alone has a
            gradient. "add", "mul": the sum or product of x and all of them. "min", "max": the
            extreme of x and all of them; equal ones, x included, share the gradient evenly.

    Raises:
        ShapeError: the updates do not fit, or a literal index is outside.
        DtypeError: the indices are not integers, or x is bool and the mode is arithmetic.
        OperandError: an unknown mode.

    >>> import asg
    >>> x = asg.constant([1.0, 2.0, 3.0])
    >>> asg.run(asg.scatter(x, [2, 0, 2], asg.constant([7.0, 8.0, 9.0]))).tolist()
    [8.0, 2.0, 9.0]
    >>> asg.run(asg.scatter(x, [2, 0, 2], asg.constant([7.0, 8.0, 9.0]), mode="mul")).tolist()
    [8.0, 2.0, 189.0]
    """
    require_mode(mode)
    x, indices = as_tensor(x), as_tensor(indices)
    place = normalize_axis(axis, x.ndim)
    require_inside(indices, x.shape[place], place)
    wanted = taken_shape(x.type, indices.type, place)
    return MODES[mode](place)(x, indices, stretched(updates, wanted, x.dtype))


@public
def put_along_axis(x: Any, indices: Any, values: Any, axis: int = -1, mode: str = "set") -> Tensor:
    """x with ``values`` written where `take_along_axis` of the same indices reads.

    Shapes: x ``[a, n, b]``, indices ``[a, k, b]``, axis 1 -> values ``[a, k, b]`` (or what
    broadcasts to it). Modes, places named several times and outside indices as in `scatter`.

    >>> import asg
    >>> x = asg.zeros((2, 3))
    >>> asg.run(asg.put_along_axis(x, [[2], [0]], 5.0, axis=1)).tolist()
    [[0.0, 0.0, 5.0], [5.0, 0.0, 0.0]]
    """
    require_mode(mode)
    if mode == "add":
        return scatter_add_along_axis(x, indices, values, axis)
    x, indices = as_tensor(x), as_tensor(indices)
    place = normalize_axis(axis, x.ndim)
    require_inside(indices, x.shape[place], place)
    x, indices = matched_off_axis(x, indices, place)
    values = stretched(values, indices.shape, x.dtype)
    indices.type.require_integer("indices")
    all_places = [
        indices if other == place else _counted(indices.shape[other], other, x.ndim)
        for other in range(x.ndim)
    ]
    flat = reshape(flat_index(all_places, x.shape), (-1,))
    written = MODES[mode](0)(reshape(x, (-1,)), flat, reshape(values, (-1,)))
    return reshape(written, x.shape)


def _counted(size: Dim, axis: int, ndim: int) -> Tensor:
    """0, 1, ... along one of ``ndim`` axes."""
    behind = tuple(range(1, ndim - axis))
    return expand_dims(iota((size,)), (*behind,)) if behind else iota((size,))
