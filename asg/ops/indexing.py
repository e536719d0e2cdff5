"""``x[key]``: Python's slices and NumPy's integer arrays, in terms of slices and `Take`."""

from __future__ import annotations

from operator import index as as_integer
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dim import Dim, SymbolicDim, known_less, known_less_equal, known_nonnegative, product
from asg.core.dtype import int32, int64
from asg.core.errors import AsgError, DimError, DtypeError, OperandError
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TypeProblem
from asg.ops.index import Take, TakeAlongAxis, require_inside
from asg.ops.leaf import Constant, Iota, dim_size
from asg.ops.shape import (
    ExpandDims,
    PermuteDims,
    Reshape,
    Squeeze,
    broadcast_arrays,
    expand_dims,
)
from asg.ops.slicing import Select, Slice

if TYPE_CHECKING:
    from asg.core.dtype import DType

_LARGEST_INT32 = 2**31 - 1


@public
def getitem(x: Any, key: Any) -> Tensor:
    """``x[key]`` by NumPy's rules.

    A key is one entry or a tuple of them: an integer removes an axis, a slice keeps a part of it,
    None adds one, ``...`` stands for all axes not named. Integer arrays and integer tensors read
    elements at places that data decide: several broadcast together; their axes stand where the
    first of them does, or in front when others lie between (as NumPy has it). Integers next to
    arrays count as such.

    Sizes may be symbolic: ``x[1:]`` of n elements has ``max(0, n - 1)``, spelled ``n - 1`` where
    n >= 1 is known. An integer that is not known to be inside is checked at each run; an outside
    index that the data of an array give reads the missing value that `take` documents.

    Raises:
        ShapeError: too many entries, or an integer outside the axis, alone or in a list or array.
        DtypeError: a tensor of floats or of bools (use `where` for choices: the number of true
            elements is not known when the graph is built).
        DimError: a symbolic bound of which it is not known whether it is negative.

    >>> import asg
    >>> x = asg.input("x", ("n", 4, 6))
    >>> x[1:, ..., ::-2].shape, x[:, 0].shape, x[None, [0, 2], 1].shape
    ((Dim('n - 1'), 4, 3), (Dim('n'), 6), (1, 2, 6))
    """
    x = as_tensor(x)
    plan = planned(key, x)
    part = plan.basic(x)
    return part if not plan.arrays else _gathered(part, plan)


def planned(key: Any, x: Tensor) -> Plan:
    """What ``x[key]`` names."""
    entries = _expanded(key if isinstance(key, tuple) else (key,), x.ndim)
    return _plan(entries, x)


class Entry(NamedTuple):
    """One entry of a key; ``kind`` is "slice", "place", "new", "array" or "gap" (nothing)."""

    kind: str
    value: Any


def _expanded(key: tuple[Any, ...], ndim: int) -> list[Entry]:
    """The entries of a key, with ``...`` written as slices, and slices for what is not named."""
    if sum(each is Ellipsis for each in key) > 1:
        raise TypeProblem("'...' stands twice in the key", "write it once", OperandError)
    if not any(each is Ellipsis for each in key):
        key = (*key, Ellipsis)
    named = sum(each is not None and each is not Ellipsis for each in key)
    if named > ndim:
        raise TypeProblem(f"{named} indices for {ndim} axes", "give one entry for each axis")
    entries: list[Entry] = []
    for each in key:
        if each is Ellipsis:
            entries += [Entry("slice", slice(None))] * (ndim - named) or [Entry("gap", None)]
        else:
            entries.append(_classified(each))
    return entries


def _classified(value: Any) -> Entry:
    if value is None:
        return Entry("new", None)
    if isinstance(value, slice):
        return Entry("slice", value)
    if isinstance(value, SymbolicDim):
        return Entry("place", value)
    if isinstance(value, bool | np.bool_):
        raise _mask_problem("a bool")
    if isinstance(value, int | np.integer) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iu"
    ):
        return Entry("place", as_integer(value))
    return Entry("array", _index_tensor(value))


def _index_tensor(value: Any) -> Tensor:
    if isinstance(value, list) and not value:
        value = np.zeros(0, np.int32)
    try:
        tensor = as_tensor(value)
    except AsgError as error:
        raise TypeProblem(f"{value!r} is no index: {error}", error=OperandError) from None
    if tensor.dtype.is_bool:
        raise _mask_problem(f"a mask of type {tensor.type}")
    if not tensor.dtype.is_integer:
        raise TypeProblem(
            f"a key of type {tensor.type} is no index", "cast it: i.astype('int32')", DtypeError
        )
    return tensor


def _mask_problem(what: str) -> TypeProblem:
    return TypeProblem(
        f"{what} cannot be a key: how many elements are true is not known before the graph runs",
        "choose with where(mask, x, 0), which keeps the shape, and reduce that",
        DtypeError,
    )


# -- the basic part: slices, places and new axes -----------------------------------------------


class Plan(NamedTuple):
    """What a key does, in the order in which it is done.

    Attributes:
        start, stop, step: the slice along each axis of x.
        axes, places: the axes of x that integers remove.
        new: positions of new axes after that.
        arrays: index tensors with the axes, after that, which they read along.
        target: where the axes of the indices stand in the result.
    """

    start: tuple[Dim, ...]
    stop: tuple[Dim, ...]
    step: tuple[int, ...]
    axes: tuple[int, ...]
    places: tuple[Dim, ...]
    new: tuple[int, ...]
    arrays: tuple[tuple[int, Tensor], ...]
    target: int

    def basic(self, x: Tensor) -> Tensor:
        """x after slices, integers and new axes."""
        whole = ((0,) * x.ndim, x.shape, (1,) * x.ndim)
        if (self.start, self.stop, self.step) != whole:
            x = Slice(self.start, self.stop, self.step)(x)
        if self.axes:
            x = Select(self.axes, self.places)(x)
        return expand_dims(x, self.new) if self.new else x


def _plan(entries: list[Entry], x: Tensor) -> Plan:
    bounds: list[tuple[Dim, Dim, int]] = []
    places: dict[int, Dim] = {}
    new: list[int] = []
    arrays: list[tuple[int, Tensor]] = []
    kept = 0  # axes there are, left of the present entry, once integers and None have acted
    for kind, value in entries:
        axis = len(bounds)
        if kind == "gap":
            continue
        if kind == "new":
            new.append(kept)
        elif kind == "slice":
            bounds.append(slice_bounds(value, x.shape[axis]))
        else:
            bounds.append((0, x.shape[axis], 1))
        if kind == "place":
            places[axis] = _place(value, x.shape[axis], axis)
        elif kind == "array":
            require_inside(value, x.shape[axis], axis, "the indices")
            arrays.append((kept, value))
        kept += kind != "place"
    start, stop, step = zip(*bounds, strict=True) if bounds else ((), (), ())
    return Plan(
        start, stop, step, tuple(places), tuple(places.values()), tuple(new), tuple(arrays),
        _target(entries),
    )  # fmt: skip


def _target(entries: list[Entry]) -> int:
    """Where the axes of the indices go: to the first of them, or in front if they are apart."""
    advanced = [i for i, entry in enumerate(entries) if entry.kind in ("array", "place")]
    if not advanced or advanced[-1] - advanced[0] >= len(advanced):
        return 0
    return sum(entry.kind != "gap" for entry in entries[: advanced[0]])


def _place(value: Dim, size: Dim, axis: int) -> Dim:
    """An integer entry counted from the front."""
    place = _from_front(value, size, "index")
    if known_less_equal(0, place) is False or known_less(place, size) is False:
        raise TypeProblem(
            f"axis {axis} of size {size} has no index {value}",
            f"indices go from -{size} to {size - 1}", sizes=(size,),
        )  # fmt: skip
    return place


def slice_bounds(value: slice, size: Dim) -> tuple[Dim, Dim, int]:
    """A Python slice of an axis as the (start, stop, step) that the op `Slice` takes.

    >>> slice_bounds(slice(None, -1), 10), slice_bounds(slice(None, None, -2), 10)
    ((0, 9, 1), (9, -1, -2))
    """
    step = _step(value.step)
    first, last = (0, size) if step > 0 else (size - 1, -1)
    start = first if value.start is None else _from_front(value.start, size, "start of a slice")
    stop = last if value.stop is None else _from_front(value.stop, size, "stop of a slice")
    return start, stop, step


def _step(step: Any) -> int:
    if step is None:
        return 1
    if isinstance(step, bool | SymbolicDim | Tensor) or not hasattr(step, "__index__"):
        raise TypeProblem(
            f"the step {step!r} of a slice is not an int", "take(x, start + step * iota(...)) "
            "reads at computed places", OperandError,
        )  # fmt: skip
    if not as_integer(step):
        raise TypeProblem("the step of a slice is 0", "use 1, or -1 to go backwards", OperandError)
    return as_integer(step)


def _from_front(place: Any, size: Dim, what: str) -> Dim:
    if isinstance(place, bool | Tensor) or not (
        isinstance(place, SymbolicDim) or hasattr(place, "__index__")
    ):
        raise TypeProblem(
            f"the {what} is {place!r}, neither an int nor a size",
            "the size of a result cannot depend on data; take(x, start + iota(count)) reads a "
            "fixed number of elements from a computed place", OperandError,
        )  # fmt: skip
    number: Dim = place if isinstance(place, SymbolicDim) else as_integer(place)
    if known_nonnegative(number):
        return number
    if known_less(number, 0):
        return size + number
    raise TypeProblem(
        f"whether the {what} {place} is negative, that is, counts from the end, is not known",
        "write a plain negative number to count from the end (x[-5:] for x[n - 5:]), or declare "
        "a larger minimum of its sizes (asg.dim('n', minimum=...))",
        DimError,
    )


# -- integer arrays ------------------------------------------------------------------------------


def _gathered(x: Tensor, plan: Plan) -> Tensor:
    """x read along the axes of the index tensors, the axes of the result where NumPy has them."""
    if _is_one_of_each_row(x, plan):
        ((_, _), (_, places)) = plan.arrays
        return Squeeze((1,))(TakeAlongAxis(1)(x, ExpandDims((1,))(places)))
    merged = merge(x, plan)
    read = Take(merged.axis)(merged.x, merged.indices)
    return move_axes(read, merged.axis, merged.indices.ndim, plan.target)


def _is_one_of_each_row(x: Tensor, plan: Plan) -> bool:
    """Whether the key is ``x[arange(n), places]`` of a matrix with n rows."""
    if x.ndim != 2 or [axis for axis, _ in plan.arrays] != [0, 1]:
        return False
    (_, rows), (_, places) = plan.arrays
    if not rows.shape == places.shape == x.shape[:1]:
        return False
    op = rows.node.op
    if isinstance(op, Constant):
        return np.array_equal(op.data.array, np.arange(op.data.array.size))
    return isinstance(op, Iota)


class Merged(NamedTuple):
    """A tensor whose axes with index tensors are one axis, and the places along that.

    Attributes:
        x, indices, axis: ``take(x, indices, axis)`` reads what the key names.
        shape: of x before axes were merged.
        order: of the axes before that.
    """

    x: Tensor
    indices: Tensor
    axis: int
    shape: Shape
    order: tuple[int, ...]

    def split(self, x: Tensor) -> Tensor:
        """A tensor like x with the axes there were."""
        if self.x.shape != self.shape:
            x = Reshape(self.shape)(x)
        back = tuple(sorted(range(len(self.order)), key=self.order.__getitem__))
        return x if back == tuple(range(len(back))) else PermuteDims(back)(x)


def merge(x: Tensor, plan: Plan) -> Merged:
    """The axes with index tensors as one; those that are apart are brought to the front first."""
    axes = tuple(axis for axis, _ in plan.arrays)
    order = tuple(range(x.ndim))
    if len(axes) == 1:
        ((axis, indices),) = plan.arrays
        return Merged(x, indices, axis, x.shape, order)
    if axes[-1] - axes[0] != len(axes) - 1:
        order = (*axes, *(axis for axis in order if axis not in axes))
        x, axes = PermuteDims(order)(x), tuple(range(len(axes)))
    first, shape = axes[0], x.shape
    sizes = shape[first : first + len(axes)]
    indices = flat_index([each for _, each in plan.arrays], sizes)
    merged = Reshape((*shape[:first], product(sizes), *shape[first + len(axes) :]))(x)
    return Merged(merged, indices, first, shape, order)


def move_axes(x: Tensor, start: int, count: int, target: int) -> Tensor:
    """x with ``count`` axes moved from ``start`` to ``target``."""
    if start == target or count == 0:
        return x
    block = list(range(start, start + count))
    rest = [axis for axis in range(x.ndim) if axis not in block]
    return PermuteDims((*rest[:target], *block, *rest[target:]))(x)


def flat_index(indices: list[Tensor], sizes: tuple[Dim, ...]) -> Tensor:
    """One index into the merged axes for one index into each; outside if one of them is.

    ``[i, j]`` into sizes ``[n, m]`` gives ``i * m + j``, negative ones counted from the end, and
    ``n * m`` (which names no place) where i or j names none.
    """
    counter = _counter(indices, sizes)
    flat: Tensor | None = None
    inside: Tensor | None = None
    for tensor, size in zip(broadcast_arrays(*indices), sizes, strict=True):
        number = _number(size, counter)
        if tensor.dtype.bits == 64 and not tensor.dtype.is_signed:
            tensor = call("minimum", tensor, call("astype", number, tensor.dtype))
        tensor = call("astype", tensor, counter)
        place = call("where", tensor < 0, tensor + number, tensor)
        valid = call("logical_and", place >= 0, place < number)
        flat = place if flat is None else flat * number + place
        inside = valid if inside is None else call("logical_and", inside, valid)
    return call("where", inside, flat, _number(product(sizes), counter))


def _counter(indices: list[Tensor], sizes: tuple[Dim, ...]) -> DType:
    """int32, or int64 where an index or the number of places needs it."""
    total = product(sizes)
    large = isinstance(total, int) and total > _LARGEST_INT32
    wide = any(each.dtype.bits == 64 or each.dtype.name == "uint32" for each in indices)
    return int64 if large or wide else int32


def _number(size: Dim, dtype: DType) -> Tensor:
    if isinstance(size, int):
        return call("constant", size, dtype)
    return call("astype", dim_size(size), dtype)
