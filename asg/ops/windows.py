"""Windows that slide over spatial axes: sizes, paddings and transposes, for conv and pooling.

Along one axis an input of ``size`` elements is spread (``input_dilation - 1`` zeros between
neighbours), padded (negative padding removes elements), and read by windows of ``window`` elements
that lie ``dilation`` apart; windows start ``stride`` apart. Output place p reads, at window element
k, the input element l with

    l * input_dilation = p * stride + k * dilation - low

if there is one, and zero (for a maximum: nothing) otherwise. The relation is symmetric: from l to p
it is a window again, with stride and input_dilation exchanged. That is why the transposes of
convolutions and of window sums are of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from math import gcd
from typing import Any, NamedTuple

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.types import Shape, TensorType, TypeProblem, require_less_equal

Steps = tuple[int, ...]
Pairs = tuple[tuple[Dim, Dim], ...]


class Axis(NamedTuple):
    """The geometry of one spatial axis; see the head of this file."""

    window: Dim
    stride: int
    padding: tuple[Dim, Dim]
    dilation: int = 1
    input_dilation: int = 1

    @property
    def extent(self) -> Dim:
        """How far a window reaches, its holes included."""
        return spread(self.window, self.dilation)

    def padded(self, size: Dim) -> Dim:
        """The input as windows see it."""
        return spread(size, self.input_dilation) + self.padding[0] + self.padding[1]

    def places(self, size: Dim) -> Dim:
        """How many windows fit.

        >>> Axis(3, 2, (1, 1)).places(8)
        4
        """
        return (self.padded(size) - self.extent) // self.stride + 1

    def transposed(self, size: Dim) -> Axis:
        """The windows that lead from output places back to the ``size`` inputs.

        >>> Axis(3, 2, (1, 1)).transposed(8)
        Axis(window=3, stride=1, padding=(1, 2), dilation=1, input_dilation=2)
        """
        low = self.extent - 1 - self.padding[0]
        reach = spread(size, self.input_dilation) - 1 + self.extent
        high = reach - spread(self.places(size), self.stride) - low
        return Axis(self.window, self.input_dilation, (low, high), self.dilation, self.stride)

    def exchanged(self, size: Dim) -> Axis:
        """The windows whose elements are the output places: places and elements change roles.

        >>> Axis(3, 2, (1, 1)).exchanged(8)
        Axis(window=4, stride=1, padding=(1, 0), dilation=2, input_dilation=1)
        """
        places = self.places(size)
        reach = spread(places, self.stride) - 1 + self.extent
        high = reach - spread(size, self.input_dilation) - self.padding[0]
        padding = (self.padding[0], high)
        return Axis(places, self.dilation, padding, self.stride, self.input_dilation)


def spread(size: Dim, step: int) -> Dim:
    """The length of ``size`` elements that lie ``step`` apart; ``size`` is at least one."""
    return (size - 1) * step + 1


def axes_of(window: Shape, stride: Steps, padding: Pairs, *dilations: Steps) -> list[Axis]:
    """One `Axis` for each spatial axis, from attributes that hold one entry per axis."""
    return [Axis(*each) for each in zip(window, stride, padding, *dilations, strict=True)]


def require_windows(x: TensorType, fields: Sequence[tuple[Any, ...]]) -> None:
    """Attributes have an entry for every axis behind the first two."""
    spatial = x.ndim - 2
    if spatial < 1 or any(len(field) != spatial for field in fields):
        counts = ", ".join(str(count) for count in dict.fromkeys(map(len, fields)))
        raise TypeProblem(
            f"{x} has {max(spatial, 0)} spatial axes behind batch and channels, "
            f"attributes are for {counts}",
            "give [batch, channels, *spatial]; expand_dims adds an axis",
        )


def windowed_shape(sizes: Shape, axes: Sequence[Axis]) -> Shape:
    """Output sizes of spatial axes; every axis needs an element, and room for one window."""
    for number, (size, axis) in enumerate(zip(sizes, axes, strict=True)):
        if min(axis.stride, axis.dilation, axis.input_dilation) < 1:
            raise TypeProblem(f"a step of {axis} is below 1", "give 1 or more", OperandError)
        where = f"spatial axis {number} of size {size}"
        require_less_equal(1, axis.window, f"the window along {where} is empty")
        require_less_equal(1, size, f"{where} has no elements")
        require_less_equal(
            axis.extent, axis.padded(size),
            f"the window does not fit into {where} with padding {axis.padding}",
            "make the window or its dilation smaller, or pad more",
        )  # fmt: skip
    return tuple(axis.places(size) for size, axis in zip(sizes, axes, strict=True))


Meeting = tuple[int, tuple[slice, ...], tuple[slice, ...]]


def taps(axes: Sequence[Axis], sizes: Sequence[int]) -> Iterator[Meeting]:
    """Of each window element: its number, the places that it reads something for, and what.

    For literal sizes. Numbers count in row-major order.

    >>> list(taps([Axis(2, 2, (1, 0))], [4]))
    [(0, (slice(1, 2, 1),), (slice(1, 2, 2),)), (1, (slice(0, 2, 1),), (slice(0, 3, 2),))]
    """
    return _numbered([
        [overlap(k * a.dilation - _number(a.padding[0]), a.stride, _number(a.places(size)), size,
                 a.input_dilation) for k in range(_number(a.window))]
        for a, size in zip(axes, sizes, strict=True)
    ])  # fmt: skip


def visits(axes: Sequence[Axis], sizes: Sequence[int]) -> Iterator[Meeting]:
    """Of each place: its number, the window elements that read something there, and what."""
    return _numbered([
        [overlap(p * a.stride - _number(a.padding[0]), a.dilation, _number(a.window), size,
                 a.input_dilation) for p in range(_number(a.places(size)))]
        for a, size in zip(axes, sizes, strict=True)
    ])  # fmt: skip


def _number(size: Dim) -> int:
    assert isinstance(size, int), f"symbolic size {size}"
    return size


def _numbered(along: list[list[tuple[slice, slice]]]) -> Iterator[Meeting]:
    for number, pairs in enumerate(product(*along)):
        yield number, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


@lru_cache(4096)  # every block of rows, and the layers of a network, ask for the same again
def overlap(
    offset: int, step: int, count: int, size: int, input_dilation: int = 1
) -> tuple[slice, slice]:
    """Where ``l * input_dilation = offset + j * step`` for j below ``count``, l below ``size``.

    The slice of j and the slice of l, of equal length. With ``offset = k * dilation - low`` and
    ``step = stride`` j is an output place; with ``offset = p * stride - low`` and
    ``step = dilation`` it is a window element.

    >>> overlap(-1, 2, 4, 8)
    (slice(1, 4, 1), slice(1, 6, 2))
    >>> overlap(1, 1, 6, 3, 2)
    (slice(1, 4, 2), slice(1, 3, 1))
    """
    common = gcd(step, input_dilation)
    every, pace = input_dilation // common, step // common
    start = next((j for j in range(every) if (offset + j * step) % input_dilation == 0), None)
    if start is None:
        return slice(0, 0, 1), slice(0, 0, 1)
    first = (offset + start * step) // input_dilation
    skipped = max(0, -(first // pace))  # until l is not negative
    start, first = start + skipped * every, first + skipped * pace
    length = min(-((start - count) // every), -((first - size) // pace))
    if length <= 0:
        return slice(0, 0, 1), slice(0, 0, 1)
    return (
        slice(start, start + (length - 1) * every + 1, every),
        slice(first, first + (length - 1) * pace + 1, pace),
    )


# -- arguments of functions ------------------------------------------------------------------------


def steps_argument(value: Any, spatial: int, name: str, least: int = 1) -> Steps:
    """One int for all spatial axes or one for each.

    >>> steps_argument(2, 3, "stride"), steps_argument((1, 2), 2, "stride")
    ((2, 2, 2), (1, 2))
    """
    given = tuple(value) if isinstance(value, tuple | list) else (value,) * spatial
    if len(given) != spatial:
        raise TypeProblem(
            f"{name} {value!r} has {len(given)} entries for {spatial} spatial axes",
            "give one int, or one for each spatial axis", OperandError,
        )  # fmt: skip
    return tuple(whole_number(each, name, least) for each in given)


def whole_number(value: Any, name: str, least: int) -> int:
    """``value`` as an int of at least ``least``."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or int(value) < least:
        raise TypeProblem(f"{name} is {value!r}", f"give an int of {least} or more", OperandError)
    return int(value)


def width_pairs(value: Any, spatial: int) -> Pairs:
    """Padding as pairs: one width, one for each axis, or (before, behind) for each axis.

    >>> width_pairs(1, 2), width_pairs((0, 2), 2), width_pairs(((0, 1), (2, 0)), 2)
    (((1, 1), (1, 1)), ((0, 0), (2, 2)), ((0, 1), (2, 0)))
    """
    given = tuple(value) if isinstance(value, tuple | list) else (value,) * spatial
    if len(given) != spatial:
        raise TypeProblem(
            f"padding {value!r} has {len(given)} entries for {spatial} spatial axes",
            "give one width, or a width or a pair (before, behind) for each axis", OperandError,
        )  # fmt: skip
    return tuple(_pair(each) for each in given)


def _pair(value: Any) -> tuple[int, int]:
    if not isinstance(value, tuple | list):
        width = whole_number(value, "padding", 0)
        return width, width
    if len(value) != 2:
        raise TypeProblem(f"padding {value!r} is no pair (before, behind)", error=OperandError)
    return whole_number(value[0], "padding", 0), whole_number(value[1], "padding", 0)
