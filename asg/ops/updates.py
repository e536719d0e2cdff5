"""``x.at[key].set(values)``: x with other values where ``x[key]`` reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.convert import as_tensor, common_dtype
from asg.core.dim import Dim
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.ops.elementwise import add, maximum, minimum, multiply, where
from asg.ops.index import stretched
from asg.ops.indexing import Plan, merge, move_axes, planned
from asg.ops.leaf import full
from asg.ops.operand import respelled
from asg.ops.scatters import MODES, require_mode
from asg.ops.shape import expand_dims, squeeze
from asg.ops.slicing import Unslice, sliced_shape

# At places that are named once: what becomes of what is there and what is given.
_ONCE: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "set": lambda old, new: new,
    "add": add,
    "mul": multiply,
    "min": minimum,
    "max": maximum,
}


class Places:
    """``x.at``: takes a key."""

    __slots__ = ("x",)

    def __init__(self, x: Any) -> None:
        """Made by ``x.at``."""
        self.x = x

    def __getitem__(self, key: Any) -> Place:
        """Any key that ``x[key]`` takes."""
        return Place(self.x, key)


class Place:
    """``x.at[key]``: each method gives x with what ``x[key]`` reads changed; x itself stays.

    Values broadcast to the shape of ``x[key]``. A place that the key names several times is treated
    as `scatter` documents: the last value stays, sums and products take all, extremes as well. An
    outside index that the data give makes all that the slices of the key name NaN (or the number
    that `take` documents for integers).
    """

    __slots__ = ("key", "x")

    def __init__(self, x: Any, key: Any) -> None:
        """Made by ``x.at[key]``."""
        self.x, self.key = x, key

    def set(self, values: Any) -> Tensor:
        """x with ``values`` there.

        >>> import asg
        >>> asg.run(asg.zeros((2, 3)).at[:, [0, 2]].set([[1.0, 2.0]])).tolist()
        [[1.0, 0.0, 2.0], [1.0, 0.0, 2.0]]
        """
        return call("setitem", self.x, self.key, values)

    def add(self, values: Any) -> Tensor:
        """x with ``values`` added there.

        >>> import asg
        >>> asg.run(asg.zeros((3,)).at[[0, 2, 2]].add(1.0)).tolist()
        [1.0, 0.0, 2.0]
        """
        return call("setitem", self.x, self.key, values, "add")

    def multiply(self, values: Any) -> Tensor:
        """x multiplied by ``values`` there.

        >>> import asg
        >>> asg.run(asg.ones((3,)).at[1:].multiply(2.0)).tolist()
        [1.0, 2.0, 2.0]
        """
        return call("setitem", self.x, self.key, values, "mul")

    def min(self, values: Any) -> Tensor:
        """The smaller of x and ``values`` there.

        >>> import asg
        >>> asg.run(asg.ones((3,)).at[0].min(-2.0)).tolist()
        [-2.0, 1.0, 1.0]
        """
        return call("setitem", self.x, self.key, values, "min")

    def max(self, values: Any) -> Tensor:
        """The larger of x and ``values`` there.

        >>> import asg
        >>> asg.run(asg.ones((3,)).at[::2].max([5.0, 0.0])).tolist()
        [5.0, 1.0, 1.0]
        """
        return call("setitem", self.x, self.key, values, "max")


@public
def at(x: Any) -> Places:
    """What ``x.at`` is."""
    return Places(as_tensor(x))


@public
def setitem(x: Any, key: Any, values: Any, mode: str = "set") -> Tensor:
    """``x.at[key].set(values)``, or another mode of `scatter`: a new tensor, x stays as it is.

    Args:
        x: any tensor; numbers where the mode is not "set".
        key: what ``x[key]`` takes.
        values: promoted with x; broadcast to the shape of ``x[key]``.
        mode: "set", "add", "mul", "min" or "max".

    Raises:
        ShapeError: a wrong key, or values that do not broadcast.
        DtypeError: a key of floats or bools, or x is bool and the mode is arithmetic.
    """
    require_mode(mode)
    x = as_tensor(x)
    plan = planned(key, x)
    x, values = _promoted(x, values)
    part = plan.basic(x)
    if plan.arrays:
        return _put_back(x, _scattered(part, plan, values, mode), plan)
    return _put_back(x, _ONCE[mode](part, stretched(values, part.shape, x.dtype)), plan)


def _promoted(x: Tensor, values: Any) -> tuple[Tensor, Any]:
    """x and the values in one dtype; a number is left as it is."""
    if isinstance(values, bool | int | float):
        return x, values
    given = as_tensor(values)
    dtype = common_dtype([x, given])
    return x.astype(dtype), given.astype(dtype)


def _scattered(part: Tensor, plan: Plan, values: Any, mode: str) -> Tensor:
    """The part with values written where the index tensors of the key say."""
    merged = merge(part, plan)
    x, indices, axis = merged.x, merged.indices, merged.axis
    rest = (*x.shape[:axis], *x.shape[axis + 1 :])
    shape = (*rest[: plan.target], *indices.shape, *rest[plan.target :])
    updates = move_axes(stretched(values, shape, x.dtype), plan.target, indices.ndim, axis)
    return merged.split(MODES[mode](axis)(x, indices, updates))


def _put_back(x: Tensor, part: Tensor, plan: Plan) -> Tensor:
    """x with a part of the shape of ``plan.basic(x)`` in the place of that."""
    start, stop = list(plan.start), list(plan.stop)
    part = squeeze(part, plan.new) if plan.new else part
    part = expand_dims(part, plan.axes) if plan.axes else part
    for axis, place in zip(plan.axes, plan.places, strict=True):
        start[axis], stop[axis] = place, place + 1
    if _is_whole(x, start, stop, plan.step):
        return respelled(part, x.shape)
    spread = Unslice(tuple(start), tuple(stop), plan.step, x.shape)
    size = sliced_shape(x.shape, tuple(start), tuple(stop), plan.step)
    return where(spread(full(size, True)), spread(part), x)


def _is_whole(x: Tensor, start: list[Dim], stop: list[Dim], step: tuple[int, ...]) -> bool:
    return (tuple(start), tuple(stop), step) == ((0,) * x.ndim, x.shape, (1,) * x.ndim)
