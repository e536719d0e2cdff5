"""Several tensors made one, one taken apart, and elements added around or mirrored."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_operands, as_tensor
from asg.core.dim import Dim, as_dim, known_less
from asg.core.dtype import fits, int32
from asg.core.errors import DtypeError, OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    normalize_axes,
    normalize_axis,
    require_equal,
    require_less_equal,
)
from asg.ops.operand import respelled
from asg.ops.shape import (
    AssumeShape,
    Axes,
    BroadcastTo,
    Reshape,
    ShapeOp,
    Tensors,
    expand_dims,
    require_canonical,
    shape_text,
    squeeze,
)
from asg.ops.slicing import Slice

if TYPE_CHECKING:
    from asg.core.op import Cotangent


class Concat(ShapeOp):
    """The operands one behind the other along ``axis``; their other sizes agree."""

    axis: int = 0
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, *arrays: TensorType) -> TensorType:
        first = arrays[0]
        require_canonical((self.axis,), first.ndim, "every operand")
        shape = list(first.shape)
        for position, other in enumerate(arrays[1:], 1):
            other.require_ndim(first.ndim, f"operand {position}")
            for axis, size in enumerate(other.shape):
                if axis == self.axis:
                    shape[axis] = shape[axis] + size
                else:
                    shape[axis] = require_equal(
                        shape[axis], size, f"axis {axis} of operand {position} differs",
                        f"only axis {self.axis}, the joined one, may differ",
                    )  # fmt: skip
        return first.with_shape(shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        sizes = tuple(tensor.shape[self.axis] for tensor in inputs)

        @cache
        def pieces() -> Tensors:
            return Split(sizes, self.axis).apply(cotangents[0])

        def piece(position: int) -> Cotangent:
            return lambda: pieces()[position]

        return [piece(position) for position in range(len(inputs))]


class Split(ShapeOp):
    """x cut along ``axis`` into consecutive pieces of the given sizes."""

    sizes: Shape
    axis: int = 0

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        require_canonical((self.axis,), x.ndim, "x")
        total: Dim = 0
        for size in self.sizes:
            require_less_equal(0, size, "the size of a piece is negative")
            total = total + size
        require_equal(
            total, x.shape[self.axis], f"the pieces {shape_text(self.sizes)} do not fill the axis"
        )
        before, after = x.shape[: self.axis], x.shape[self.axis + 1 :]
        return tuple(x.with_shape((*before, size, *after)) for size in self.sizes)

    def decompose(self, x: Tensor) -> Tensors:
        offsets: list[Dim] = [0]
        for size in self.sizes:
            offsets.append(offsets[-1] + size)
        before, after = x.shape[: self.axis], x.shape[self.axis + 1 :]
        return tuple(
            respelled(Slice.along(self.axis, start, start + size, x), (*before, size, *after))
            for start, size in zip(offsets, self.sizes, strict=False)
        )

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [Concat(self.axis)(*cotangents)]


class Pad(ShapeOp):
    """x with ``before[i]`` and ``after[i]`` elements equal to ``value`` around axis i."""

    before: Shape
    after: Shape
    value: bool | int | float = 0

    def infer(self, x: TensorType) -> TensorType:
        if not len(self.before) == len(self.after) == x.ndim:
            raise TypeProblem(
                f"widths for {len(self.before)} and {len(self.after)} axes; x has {x.ndim}",
                "give one width before and one after for every axis",
            )
        for width in self.before + self.after:
            require_less_equal(0, width, "a width is negative", "slice x to remove elements")
        if not fits(self.value, x.dtype):
            raise TypeProblem(
                f"{self.value!r} does not fit {x.dtype.name}",
                "pad with another value, or cast x to a wider dtype first", DtypeError,
            )  # fmt: skip
        return x.with_shape(
            low + size + high
            for low, size, high in zip(self.before, x.shape, self.after, strict=True)
        )

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,) = inputs
        stop = tuple(low + size for low, size in zip(self.before, x.shape, strict=True))
        return [Slice(self.before, stop, (1,) * x.ndim)(cotangents[0])]


class PadCopies(ShapeOp):
    """x with copies of its elements around it: ``reflect``, ``replicate`` or ``circular``.

    Of ``1 2 3`` with two elements before it: ``3 2 | 1 2 3``, ``1 1 | 1 2 3``, ``2 3 | 1 2 3``.
    """

    before: Shape
    after: Shape
    mode: str

    def infer(self, x: TensorType) -> TensorType:
        if self.mode not in ("reflect", "replicate", "circular"):
            raise TypeProblem(
                f"mode is {self.mode!r}",
                "choose constant, reflect, replicate (edge) or circular (wrap)", OperandError,
            )  # fmt: skip
        padded = Pad(self.before, self.after).infer(x.with_dtype(int32))
        for axis, size in enumerate(x.shape):
            for width in (self.before[axis], self.after[axis]):
                self._require_room(width, size, axis)
        return x.with_shape(padded.shape)

    def _require_room(self, width: Dim, size: Dim, axis: int) -> None:
        reason = f"axis {axis} of size {size} has too few elements for {self.mode} by {width}"
        if width == 0:
            return
        if self.mode == "replicate":
            require_less_equal(1, size, reason)
        else:
            most = size - 1 if self.mode == "reflect" else size
            require_less_equal(width, most, reason, "pad in several steps")

    def decompose(self, x: Tensor) -> Tensor:
        wanted = self.infer(x.type).shape
        for axis, (low, high) in enumerate(zip(self.before, self.after, strict=True)):
            if low != 0 or high != 0:
                x = Concat(axis)(*self._parts(x, axis, low, high))
        return x if x.shape == wanted else AssumeShape(wanted)(x)

    def _parts(self, x: Tensor, axis: int, low: Dim, high: Dim) -> Tensors:
        size = x.shape[axis]
        if self.mode == "replicate":
            shapes = [(*x.shape[:axis], width, *x.shape[axis + 1 :]) for width in (low, high)]
            edges = Slice.along(axis, 0, 1, x), Slice.along(axis, size - 1, size, x)
            first, last = (_one_thick(edge, axis) for edge in edges)
            return BroadcastTo(shapes[0])(first), x, BroadcastTo(shapes[1])(last)
        if self.mode == "circular":
            return Slice.along(axis, size - low, size, x), x, Slice.along(axis, 0, high, x)
        mirror = Flip((axis,))
        before = mirror(Slice.along(axis, 1, low + 1, x))
        return before, x, mirror(Slice.along(axis, size - 1 - high, size - 1, x))


def _one_thick(x: Tensor, axis: int) -> Tensor:
    """x, of which it is known that it has one element along ``axis``, saying so."""
    wanted = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
    return x if x.shape == wanted else AssumeShape(wanted)(x)


class Flip(ShapeOp):
    """x with the order of the elements reversed along ``axes``."""

    axes: Axes

    def infer(self, x: TensorType) -> TensorType:
        require_canonical(self.axes, x.ndim, "x")
        return x

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [Flip(self.axes)(cotangents[0])]


# -- functions ------------------------------------------------------------------------------


def _operands(arrays: Any) -> Tensors:
    """A sequence of tensors of one dtype family; numbers take the dtype of the tensors."""
    if isinstance(arrays, Tensor) or not isinstance(arrays, list | tuple):
        raise TypeProblem(
            f"a list or tuple of tensors is needed, not {type(arrays).__name__}",
            "put them in brackets: concat([x, y])", OperandError,
        )  # fmt: skip
    if not arrays:
        raise TypeProblem("no tensors given", "give at least one", OperandError)
    return as_operands(Concat(0), tuple(arrays))


@public
def concat(arrays: Any, axis: int | None = 0) -> Tensor:
    """The tensors one behind the other along ``axis``; None flattens them first.

    Dtypes are promoted to their common one.

    Raises:
        ShapeError: numbers of axes or sizes off the axis differ.

    >>> import asg
    >>> x, y = asg.input("x", ("n", 3)), asg.input("y", (2, 3))
    >>> asg.concat([x, y]).shape
    (Dim('n + 2'), 3)
    """
    tensors = _operands(arrays)
    if axis is None:
        tensors = tuple(Reshape((tensor.size,))(tensor) for tensor in tensors)
    return Concat(normalize_axis(axis or 0, tensors[0].ndim, "arrays[0]"))(*tensors)


@public
def concatenate(arrays: Any, axis: int | None = 0) -> Tensor:
    """NumPy's name of `concat`.

    >>> import asg
    >>> asg.run(asg.concatenate([asg.constant([1]), asg.constant([2, 3])])).tolist()
    [1, 2, 3]
    """
    return concat(arrays, axis)


@public
def stack(arrays: Any, axis: int = 0) -> Tensor:
    """Tensors of one shape, side by side along a new axis.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> asg.stack([x, x], axis=-1).shape
    (3, 2)
    """
    tensors = _operands(arrays)
    place = normalize_axis(axis, tensors[0].ndim + 1, "the result")
    return Concat(place)(*(expand_dims(tensor, place) for tensor in tensors))


@public
def split(x: Any, sizes: Any, axis: int = 0) -> Tensors:
    """x cut along ``axis``: into ``sizes`` equal pieces, or into pieces of the given sizes.

    Args:
        x: any tensor.
        sizes: the number of equal pieces, or a list with the size of every piece. (NumPy's
            ``split`` takes the positions of the cuts instead of sizes.)
        axis: which axis is cut.

    Raises:
        ShapeError: the pieces do not fill the axis.

    >>> import asg
    >>> [piece.shape for piece in asg.split(asg.input("x", ("n", 6)), 3, axis=1)]
    [(Dim('n'), 2), (Dim('n'), 2), (Dim('n'), 2)]
    """
    x = as_tensor(x)
    place = normalize_axis(axis, x.ndim)
    if isinstance(sizes, tuple | list):
        pieces = tuple(as_dim(size) for size in sizes)
    else:
        pieces = _equal_pieces(x.shape[place], sizes)
    if not pieces:
        raise TypeProblem("no pieces asked for", "give at least one size", OperandError)
    return Split(pieces, place).apply(x)


def _equal_pieces(size: Dim, count: Any) -> Shape:
    if isinstance(count, bool) or not hasattr(count, "__index__") or int(count) < 1:
        raise TypeProblem(
            f"cannot cut into {count!r} pieces", "give an int >= 1, or a list of sizes",
            OperandError,
        )  # fmt: skip
    number = int(count)
    if isinstance(size, int) and size % number:
        raise TypeProblem(
            f"an axis of size {size} cannot be cut into {number} equal pieces",
            "give a list of sizes",
        )
    return (size // number,) * number


@public
def unstack(x: Any, axis: int = 0) -> Tensors:
    """The slices of x along ``axis``, without that axis; its size must be literal.

    >>> import asg
    >>> [row.shape for row in asg.unstack(asg.input("x", (2, 3)))]
    [(3,), (3,)]
    """
    x = as_tensor(x)
    place = normalize_axis(axis, x.ndim)
    size = x.shape[place]
    if not isinstance(size, int):
        raise TypeProblem(
            f"axis {place} has the symbolic size {size}, so the number of slices is unknown",
            "work on the whole axis, or use scan to step along it",
            sizes=(size,),
        )
    return tuple(squeeze(piece, place) for piece in split(x, size, place)) if size else ()


@public
def flip(x: Any, axis: Any = None) -> Tensor:
    """x with the order of the elements reversed along ``axis`` (all axes when None).

    >>> import asg
    >>> asg.run(asg.flip(asg.constant([1, 2, 3]))).tolist()
    [3, 2, 1]
    """
    x = as_tensor(x)
    return Flip(normalize_axes(axis, x.ndim))(x)


@public
def pad(
    x: Any, pad_width: Any, value: bool | int | float | None = None, mode: str = "constant"
) -> Tensor:
    """x with elements added around it: equal to ``value``, or copied from x.

    Args:
        x: any tensor.
        pad_width: one width for all sides; or (before, after) for every axis; or a list with one
            such pair per axis. Widths may be symbolic, never negative.
        value: a Python number that fits the dtype of x; 0 unless given.
        mode: "constant"; "reflect" (mirrored at the border element, which is not repeated: widths
            are below the size); "replicate", also "edge" (the border element repeated);
            "circular", also "wrap" (x repeated: widths are at most the size).

    Raises:
        ShapeError: a width is larger than the mode allows.
        OperandError: an unknown mode, or a value in a mode that copies.

    >>> import asg
    >>> asg.pad(asg.input("x", ("n", 3)), ((1, 2), (0, "n"))).shape
    (Dim('n + 3'), Dim('n + 3'))
    >>> asg.run(asg.pad(asg.constant([1, 2, 3]), 2, mode="reflect")).tolist()
    [3, 2, 1, 2, 3, 2, 1]
    """
    x = as_tensor(x)
    pairs = _width_pairs(pad_width, x.ndim)
    for width in (width for pair in pairs for width in pair):
        if known_less(width, 0):
            raise TypeProblem(f"width {width} is negative", "slice x to remove elements")
    before, after = tuple(low for low, _ in pairs), tuple(high for _, high in pairs)
    if mode == "constant":
        return Pad(before, after, 0 if value is None else value)(x)
    if value is not None:
        raise TypeProblem(
            f"value {value!r} is not used in mode {mode!r}", "leave it out", OperandError
        )
    return PadCopies(before, after, {"edge": "replicate", "wrap": "circular"}.get(mode, mode))(x)


def _width_pairs(widths: Any, ndim: int) -> list[tuple[Dim, Dim]]:
    if not isinstance(widths, tuple | list):
        return [(as_dim(widths), as_dim(widths))] * ndim
    if len(widths) == 2 and not any(isinstance(each, tuple | list) for each in widths):
        return [(as_dim(widths[0]), as_dim(widths[1]))] * ndim
    if len(widths) != ndim or not all(
        isinstance(pair, tuple | list) and len(pair) == 2 for pair in widths
    ):
        raise TypeProblem(
            f"pad_width {widths!r} does not give a pair for each of the {ndim} axes of x",
            "write ((before, after), ...) with one pair per axis", OperandError,
        )  # fmt: skip
    return [(as_dim(low), as_dim(high)) for low, high in widths]


@public
def repeat(x: Any, repeats: int, axis: int | None = None) -> Tensor:
    """Every element ``repeats`` times in a row along ``axis``; None flattens x first.

    >>> import asg
    >>> asg.run(asg.repeat(asg.constant([1, 2]), 2)).tolist()
    [1, 1, 2, 2]
    """
    x = as_tensor(x)
    if axis is None:
        x = Reshape((x.size,))(x)
    place = normalize_axis(axis or 0, x.ndim)
    times = _count(repeats, "repeats")
    before, size, after = x.shape[:place], x.shape[place], x.shape[place + 1 :]
    copies = BroadcastTo((*before, size, times, *after))(expand_dims(x, place + 1))
    return Reshape((*before, size * times, *after))(copies)


@public
def tile(x: Any, repetitions: Any) -> Tensor:
    """x laid side by side ``repetitions[i]`` times along axis i.

    Fewer repetitions than axes are for the last ones; more add axes in front.

    >>> import asg
    >>> asg.run(asg.tile(asg.constant([1, 2]), (2, 2))).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    x = as_tensor(x)
    given = repetitions if isinstance(repetitions, tuple | list) else (repetitions,)
    times = [_count(each, "repetitions") for each in given]
    times = [1] * (x.ndim - len(times)) + times
    sizes = (1,) * (len(times) - x.ndim) + x.shape
    spread = [size for both in zip(times, sizes, strict=True) for size in both]
    single = [size for one in sizes for size in (1, one)]
    copies = BroadcastTo(tuple(spread))(Reshape(tuple(single))(x))
    return Reshape(tuple(count * size for count, size in zip(times, sizes, strict=True)))(copies)


def _count(number: Any, name: str) -> int:
    if isinstance(number, bool) or not hasattr(number, "__index__") or int(number) < 0:
        raise TypeProblem(f"{name} is {number!r}", "give an int >= 0", OperandError)
    return int(number)


@public
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """x with its elements moved by ``shift`` places along ``axis``, around the end.

    Several axes take a tuple of as many shifts, or one for all; None rolls the flattened x.

    >>> import asg
    >>> asg.run(asg.roll(asg.constant([1, 2, 3]), 1, 0)).tolist()
    [3, 1, 2]
    """
    x = as_tensor(x)
    if axis is None:
        flat = Reshape((x.size,))(x)
        return Reshape(x.shape)(_rolled(flat, shift, 0))
    axes = axis if isinstance(axis, tuple | list) else (axis,)
    shifts = shift if isinstance(shift, tuple | list) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise TypeProblem(f"{len(shifts)} shifts for {len(axes)} axes", error=OperandError)
    rolled: Tensor = x
    for number, each in zip(shifts, axes, strict=True):
        rolled = _rolled(rolled, number, normalize_axis(each, rolled.ndim))
    return rolled


def _rolled(x: Tensor, shift: Any, axis: int) -> Tensor:
    size = x.shape[axis]
    if size == 0:
        return x
    border: Dim = -as_dim(shift) % size
    parts = Slice.along(axis, border, size, x), Slice.along(axis, 0, border, x)
    rolled = Concat(axis)(*parts)
    return rolled if rolled.shape == x.shape else AssumeShape(x.shape)(rolled)
