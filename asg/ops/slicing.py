"""Parts of a tensor at fixed places, and their transpose: a part put back among zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asg.core.dim import Dim, ceil_div, dim_max, dim_min
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    require_equal,
    require_less_equal,
)
from asg.ops.shape import AssumeShape, Axes, ExpandDims, ShapeOp, Tensors, require_canonical

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Steps = tuple[int, ...]


class Slice(ShapeOp):
    """Along each axis the elements ``start, start + step, ...`` that come before ``stop``.

    Places count from the first element; -1 is the place before it, where a backward slice ends.
    Places outside are moved to the border first, as Python does. `getitem` turns Python's slices,
    whose negative places count from the end, into this form.
    """

    start: Shape
    stop: Shape
    step: Steps

    def infer(self, x: TensorType) -> TensorType:
        return x.with_shape(sliced_shape(x.shape, self.start, self.stop, self.step))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        shape = inputs[0].shape
        return [Unslice(self.start, self.stop, self.step, shape)(cotangents[0])]

    @staticmethod
    def along(axis: int, start: Dim, stop: Dim, x: Tensor) -> Tensor:
        """The elements from ``start`` to before ``stop`` of one axis, all of the others."""
        starts: list[Dim] = [0] * x.ndim
        stops = list(x.shape)
        starts[axis], stops[axis] = start, stop
        return Slice(tuple(starts), tuple(stops), (1,) * x.ndim)(x)


class Unslice(ShapeOp):
    """Zeros of the given shape, with x where `Slice` of the same places reads.

    The transpose of Slice: ``<unslice(x), y> = <x, slice(y)>``.
    """

    start: Shape
    stop: Shape
    step: Steps
    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        if x.ndim != len(self.shape):
            raise TypeProblem(f"x has {x.ndim} axes, the whole has {len(self.shape)}")
        sizes = sliced_shape(self.shape, self.start, self.stop, self.step)
        for axis, (given, size) in enumerate(zip(x.shape, sizes, strict=True)):
            require_equal(given, size, f"axis {axis} of x does not fit into the slice")
        return x.with_shape(self.shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        part = Slice(self.start, self.stop, self.step)(cotangents[0])
        wanted = inputs[0].shape
        return [part if part.shape == wanted else AssumeShape(wanted)(part)]


class Select(ShapeOp):
    """x at one place along each of ``axes``, without those axes."""

    axes: Axes
    places: Shape

    def infer(self, x: TensorType) -> TensorType:
        require_canonical(self.axes, x.ndim, "x")
        for axis, place in zip(self.axes, self.places, strict=True):
            size = x.shape[axis]
            require_less_equal(0, place, f"axis {axis} of size {size} has no such index")
            require_less_equal(place + 1, size, f"axis {axis} of size {size} has no index {place}")
        return x.with_shape(size for axis, size in enumerate(x.shape) if axis not in self.axes)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        shape = inputs[0].shape
        start: list[Dim] = [0] * len(shape)
        stop = list(shape)
        for axis, place in zip(self.axes, self.places, strict=True):
            start[axis], stop[axis] = place, place + 1
        whole = Unslice(tuple(start), tuple(stop), (1,) * len(shape), shape)
        return [whole(ExpandDims(self.axes)(cotangents[0]))]


def sliced_shape(shape: Shape, start: Shape, stop: Shape, step: Steps) -> Shape:
    """The shape that `Slice` gives; formulas of the sizes where these are symbolic."""
    if not len(start) == len(stop) == len(step) == len(shape):
        raise TypeProblem(
            f"places for {len(start)}, {len(stop)} and {len(step)} axes; there are {len(shape)}",
            error=OperandError,
        )
    return tuple(map(sliced_size, shape, start, stop, step))


def sliced_size(size: Dim, start: Dim, stop: Dim, step: int) -> Dim:
    """How many elements of an axis a slice takes.

    >>> from asg.core.dim import symbol
    >>> n = symbol("n")
    >>> sliced_size(n, 1, n, 1), sliced_size(n, 0, n, 2), sliced_size(n, n - 1, -1, -1)
    (Dim('n - 1'), Dim('(n + 1)//2'), Dim('n'))
    >>> sliced_size(n, 2, n, 1), sliced_size(n, 0, 5, 1), sliced_size(10, 3, 8, 2)
    (Dim('max(0, n - 2)'), Dim('min(n, 5)'), 3)
    """
    if step == 0:
        raise TypeProblem("the step of a slice is 0", "use 1, or -1 to go backwards", OperandError)
    if step > 0:  # min(stop, size) - max(start, 0), multiplied out: fewer terms than clamping
        reaches = (stop - start, stop, size - start, size)
    else:  # min(start, size - 1) - max(stop, -1)
        reaches = (start - stop, start + 1, size - 1 - stop, size)
    reach: Dim = reaches[0]
    for other in reaches[1:]:
        reach = dim_min(reach, other)
    return dim_max(0, ceil_div(reach, abs(step)))


def python_slices(
    shape: tuple[int, ...], start: Sequence[int], stop: Sequence[int], step: Steps
) -> tuple[slice, ...]:
    """Python's slices for numbers: the same elements, no place outside the axis.

    >>> python_slices((4, 4, 4), (3, 1, -2), (-1, 9, 2), (-1, 1, 1))
    (slice(3, None, -1), slice(1, 4, 1), slice(0, 2, 1))
    """
    return tuple(map(_python_slice, shape, start, stop, step))


def _python_slice(size: int, start: int, stop: int, step: int) -> slice:
    if sliced_size(size, start, stop, step) == 0:
        return slice(0, 0, 1)
    if step > 0:
        return slice(max(start, 0), min(stop, size), step)
    return slice(min(start, size - 1), stop if stop >= 0 else None, step)
