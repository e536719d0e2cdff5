"""The same elements in another shape: no arithmetic, and mostly no copy either."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, SupportsIndex

from asg.core.convert import as_tensor
from asg.core.dim import Dim, as_dim, known_equal, product
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    as_shape,
    broadcast_shapes,
    normalize_axes,
    normalize_axis,
    require_equal,
)

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Axes = tuple[int, ...]
Tensors = tuple[Tensor, ...]


class ShapeOp(Op, abstract=True):
    """Base of the ops that move elements without computing with them."""

    category: ClassVar[str] = "shape"

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class Reshape(ShapeOp):
    """The elements of x, read in row-major order, in another shape."""

    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        require_equal(
            x.size,
            product(self.shape),
            lambda: f"cannot reshape {x} to {shape_text(self.shape)}, "
            "the numbers of elements differ",
            "write -1 for one size to have it worked out",
        )
        return x.with_shape(self.shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [Reshape(inputs[0].shape)(cotangents[0])]


class AssumeShape(ShapeOp):
    """x itself, with sizes spelled another way; that they are equal is checked when it runs."""

    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        x.require_ndim(len(self.shape))
        for axis, (given, assumed) in enumerate(zip(x.shape, self.shape, strict=True)):
            require_equal(given, assumed, f"axis {axis} of {x} is not what was assumed")
        return x.with_shape(self.shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [AssumeShape(inputs[0].shape)(cotangents[0])]


class PermuteDims(ShapeOp):
    """Axis i of the result is axis ``axes[i]`` of x."""

    axes: Axes

    def infer(self, x: TensorType) -> TensorType:
        if sorted(self.axes) != list(range(x.ndim)):
            raise TypeProblem(
                f"axes {self.axes} do not name every axis of {x} once",
                f"give a permutation of {tuple(range(x.ndim))}",
            )
        return x.with_shape(x.shape[axis] for axis in self.axes)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [PermuteDims(inverse_permutation(self.axes))(cotangents[0])]


class BroadcastTo(ShapeOp):
    """x repeated along new leading axes and along its axes of literal size 1."""

    shape: Shape

    def infer(self, x: TensorType) -> TensorType:
        extra = len(self.shape) - x.ndim
        if extra < 0:
            raise TypeProblem(
                f"cannot broadcast {x} to {shape_text(self.shape)}, which has fewer axes",
                "squeeze or reduce the extra axes first",
            )
        for axis, given in enumerate(x.shape):
            if given != 1:
                require_equal(
                    given,
                    self.shape[extra + axis],
                    partial(_no_broadcast, axis, x, self.shape),
                    "only an axis of literal size 1 stretches; expand_dims adds one",
                )
        return x.with_shape(self.shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [cotangents[0]]  # the driver sums what was repeated


class ExpandDims(ShapeOp):
    """New axes of size 1, at the positions ``axes`` of the result."""

    axes: Axes

    def infer(self, x: TensorType) -> TensorType:
        ndim = x.ndim + len(self.axes)
        require_canonical(self.axes, ndim, "the result")
        rest = iter(x.shape)
        return x.with_shape(1 if axis in self.axes else next(rest) for axis in range(ndim))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [Squeeze(self.axes)(cotangents[0])]


class Squeeze(ShapeOp):
    """x without the axes ``axes``, each of size 1."""

    axes: Axes

    def infer(self, x: TensorType) -> TensorType:
        require_canonical(self.axes, x.ndim, "x")
        for axis in self.axes:
            require_equal(x.shape[axis], 1, partial(_no_squeeze, axis, x))
        return x.with_shape(size for axis, size in enumerate(x.shape) if axis not in self.axes)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        expanded = ExpandDims(self.axes)(cotangents[0])
        wanted = inputs[0].shape
        return [expanded if expanded.shape == wanted else AssumeShape(wanted)(expanded)]


# -- helpers, also of the neighbouring families --------------------------------------------


def _no_broadcast(axis: int, x: TensorType, shape: Shape) -> str:
    return f"cannot broadcast axis {axis} of {x} to {shape_text(shape)}"


def _no_squeeze(axis: int, x: TensorType) -> str:
    return f"cannot squeeze axis {axis} of {x}, its size is not 1"


def shape_text(shape: Iterable[Dim]) -> str:
    """``[batch, 784]``, as types print it."""
    return f"[{', '.join(map(str, shape))}]"


def require_canonical(axes: Axes, ndim: int, what: str) -> None:
    """Attributes hold axes sorted, distinct and counted from the front."""
    if normalize_axes(axes, ndim, what) != axes:
        raise TypeProblem(f"axes {axes} are not sorted, distinct and counted from the front")


def inverse_permutation(axes: Axes) -> Axes:
    """The permutation that undoes ``axes``.

    >>> inverse_permutation((2, 0, 1))
    (1, 2, 0)
    """
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


def ordered_axes(axes: Any, ndim: int) -> Axes:
    """Distinct axes counted from the front, in the order given."""
    given = axes if isinstance(axes, tuple | list) else (axes,)
    normalize_axes(given, ndim)
    return tuple(normalize_axis(axis, ndim) for axis in given)


# -- functions ------------------------------------------------------------------------------


@public
def reshape(x: Any, shape: Any) -> Tensor:
    """The elements of x, read in row-major order, in another shape.

    Args:
        x: any tensor.
        shape: sizes (ints, names, Dims). One may be -1: it becomes the number of elements divided
            by the other sizes; when that division is not known to be exact, the run checks it.

    Raises:
        ShapeError: the numbers of elements differ.

    >>> import asg
    >>> x = asg.input("x", ("batch", 4, 6))
    >>> asg.reshape(x, (-1, 8)).type
    TensorType(dtype=asg.float32, shape=(Dim('3*batch'), 8))
    """
    x = as_tensor(x)
    return Reshape(_complete_shape(x.type, shape))(x)


def _complete_shape(x: TensorType, shape: Any) -> Shape:
    given = shape if isinstance(shape, tuple | list) else (shape,)
    sizes = tuple(as_dim(size) for size in given)
    unknown = [position for position, size in enumerate(sizes) if size == -1]
    if not unknown:
        return as_shape(sizes)
    if len(unknown) > 1:
        raise TypeProblem(f"shape {shape_text(sizes)} has -1 twice", "leave at most one size open")
    known = as_shape(sizes[: unknown[0]] + sizes[unknown[0] + 1 :])
    missing = _exact_quotient(x, product(known), sizes)
    return (*known[: unknown[0]], missing, *known[unknown[0] :])


def _exact_quotient(x: TensorType, known: Dim, sizes: Shape) -> Dim:
    """What stands for -1; that nothing is left over is checked by Reshape itself."""
    if known == 0:
        raise TypeProblem(
            f"cannot reshape {x} to {shape_text(sizes)}: -1 could be any size there, "
            "because the other sizes multiply to 0",
            "write every size",
        )
    if known_equal(x.size % known, 0) is False:
        raise TypeProblem(
            f"cannot reshape {x} to {shape_text(sizes)}: {x.size} elements are not a multiple "
            f"of {known}",
            sizes=x.shape,
        )
    return x.size // known


@public
def assume_shape(x: Any, shape: Any) -> Tensor:
    """x with its sizes spelled as in ``shape``; that they are equal is checked at each run.

    >>> import asg
    >>> x = asg.input("x", ("n",))
    >>> asg.assume_shape(x, ("2*m",)).shape
    (Dim('2*m'),)
    """
    return AssumeShape(as_shape(shape))(x)


@public
def permute_dims(x: Any, axes: Any) -> Tensor:
    """Axis i of the result is axis ``axes[i]`` of x.

    >>> import asg
    >>> asg.permute_dims(asg.input("x", (2, 3, 5)), (2, 0, -2)).shape
    (5, 2, 3)
    """
    x = as_tensor(x)
    return PermuteDims(ordered_axes(axes, x.ndim))(x)


@public
def transpose(x: Any, axes: Any = None) -> Tensor:
    """NumPy's name of `permute_dims`; without ``axes`` all axes are reversed.

    >>> import asg
    >>> asg.transpose(asg.input("x", (2, 3, "n"))).shape
    (Dim('n'), 3, 2)
    """
    x = as_tensor(x)
    return permute_dims(x, tuple(reversed(range(x.ndim))) if axes is None else axes)


@public
def matrix_transpose(x: Any) -> Tensor:
    """The last two axes exchanged.

    Raises:
        ShapeError: x has fewer than two axes.

    >>> import asg
    >>> asg.matrix_transpose(asg.input("x", ("batch", 3, 4))).shape
    (Dim('batch'), 4, 3)
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise TypeProblem("a matrix needs two axes", "expand_dims adds an axis")
    return swapaxes(x, -2, -1)


@public
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Two axes exchanged.

    >>> import asg
    >>> asg.swapaxes(asg.input("x", (2, 3, 4)), 0, -1).shape
    (4, 3, 2)
    """
    x = as_tensor(x)
    first, second = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    axes = list(range(x.ndim))
    axes[first], axes[second] = second, first
    return PermuteDims(tuple(axes))(x)


@public
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """The axes ``source`` moved to the places ``destination``; the others keep their order.

    >>> import asg
    >>> asg.moveaxis(asg.input("x", (2, 3, 5)), 0, -1).shape
    (3, 5, 2)
    """
    x = as_tensor(x)
    taken, places = ordered_axes(source, x.ndim), ordered_axes(destination, x.ndim)
    if len(taken) != len(places):
        raise TypeProblem(f"{len(taken)} axes for {len(places)} places", "give as many of both")
    target = dict(zip(places, taken, strict=True))
    rest = iter(axis for axis in range(x.ndim) if axis not in taken)
    return PermuteDims(
        tuple(target[place] if place in target else next(rest) for place in range(x.ndim))
    )(x)


@public
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """x repeated along new leading axes and along its axes of literal size 1.

    Raises:
        ShapeError: an axis is neither 1 nor the wanted size.

    >>> import asg
    >>> asg.broadcast_to(asg.input("x", (3, 1)), ("batch", 3, 4)).shape
    (Dim('batch'), 3, 4)
    """
    return BroadcastTo(as_shape(shape))(x)


@public
def broadcast_arrays(*arrays: Any) -> Tensors:
    """All of them broadcast to their common shape, each in its own dtype.

    >>> import asg
    >>> a, b = asg.broadcast_arrays(asg.input("x", (3, 1)), asg.input("y", ("n",), "int32"))
    >>> str(a.type), str(b.type)
    ('f32[3, n]', 'i32[3, n]')
    """
    tensors = [as_tensor(each) for each in arrays]
    if not tensors:
        return ()
    shape = broadcast_shapes(*(tensor.shape for tensor in tensors))
    return tuple(
        tensor if tensor.shape == shape else BroadcastTo(shape)(tensor) for tensor in tensors
    )


@public
def expand_dims(x: Any, axis: SupportsIndex | Sequence[SupportsIndex]) -> Tensor:
    """New axes of size 1, at the given positions of the result.

    >>> import asg
    >>> asg.expand_dims(asg.input("x", (3,)), (0, -1)).shape
    (1, 3, 1)
    """
    x = as_tensor(x)
    count = len(axis) if isinstance(axis, tuple | list) else 1
    return ExpandDims(normalize_axes(axis, x.ndim + count, "the result"))(x)


@public
def squeeze(x: Any, axis: SupportsIndex | Sequence[SupportsIndex] | None = None) -> Tensor:
    """Axes of size 1 removed; without ``axis``, those whose size is literally 1.

    Raises:
        ShapeError: an axis has another size. A symbolic size named in ``axis`` is checked at
            each run.

    >>> import asg
    >>> asg.squeeze(asg.input("x", (1, "n", 1))).shape
    (Dim('n'),)
    """
    x = as_tensor(x)
    if axis is None:
        return Squeeze(tuple(i for i, size in enumerate(x.shape) if size == 1))(x)
    return Squeeze(normalize_axes(axis, x.ndim))(x)


@public
def flatten(x: Any, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """The axes from ``start_axis`` to ``end_axis`` (both included) merged into one.

    A scalar becomes a vector of one element.

    >>> import asg
    >>> asg.flatten(asg.input("x", ("n", 4, 6)), 1).shape
    (Dim('n'), 24)
    """
    x = as_tensor(x)
    if x.ndim == 0:
        return Reshape((1,))(x)
    start, end = normalize_axis(start_axis, x.ndim), normalize_axis(end_axis, x.ndim)
    if end < start:
        raise TypeProblem(f"start_axis {start_axis} lies behind end_axis {end_axis}")
    merged = product(x.shape[start : end + 1])
    return Reshape((*x.shape[:start], merged, *x.shape[end + 1 :]))(x)
