"""Images read at other places: resized, or at the places of a grid.

Resizing goes axis by axis: every output element is a weighted sum of a few elements (taps) along
the axis. Which ones, and their weights, are constants, so the derivative is the transpose of that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product as combinations
from typing import Any, ClassVar

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dim import Dim, product
from asg.core.dtype import int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal, require_less_equal
from asg.ops.compare import isnan
from asg.ops.elementwise import clip, remainder, where
from asg.ops.elementwise_unary import abs, floor, round
from asg.ops.index import Take, take_along_axis
from asg.ops.leaf import constant, dim_size
from asg.ops.operand import require_number, widened
from asg.ops.shape import reshape

Array = np.ndarray[Any, np.dtype[Any]]
KERNELS = ("nearest", "nearest-exact", "linear", "cubic")
CUBIC = -0.75  # PyTorch's coefficient of the cubic convolution kernel
Tap = tuple[Tensor, Tensor | None]  # which element is read, and its weight (None is 1)


class Resize(Op):
    """x [N, C, *spatial] interpolated to ``sizes``, each spatial axis by itself.

    Output element i lies at ``(i + 1/2) / scale - 1/2``; with ``align_corners`` at
    ``i (n - 1) / (m - 1)``; for ``nearest`` at ``floor(i / scale)``, which favours the left, for
    ``nearest-exact`` at ``floor((i + 1/2) / scale)``. ``scales`` are m / n where None.
    """

    sizes: tuple[int, ...]
    kernel: str
    align_corners: bool = False
    scales: tuple[float, ...] | None = None
    category: ClassVar[str] = "index"

    def infer(self, x: TensorType) -> TensorType:
        spatial = x.shape[2:]
        if x.ndim < 3 or len(spatial) != len(self.sizes):
            raise TypeProblem(
                f"{len(self.sizes)} sizes for {x}", "give [N, C, *spatial], a size per spatial axis"
            )
        if any(type(size) is not int or size < 1 for size in (*spatial, *self.sizes)):
            raise TypeProblem(
                f"resize from {spatial} to {self.sizes}: spatial sizes are literal and not 0",
                "give numbers, which the constant weights are computed from",
            )
        if not self.kernel.startswith("nearest"):
            x.require_float()
        return x.with_shape((*x.shape[:2], *self.sizes))

    def decompose(self, x: Tensor) -> Tensor:
        y = x if self.kernel.startswith("nearest") else widened(x)
        for axis, size in enumerate(self.sizes, start=2):
            scale = None if self.scales is None else self.scales[axis - 2]
            y = self._resized(y, axis, size, scale)
        return y.astype(x.dtype)

    def _resized(self, x: Tensor, axis: int, size: int, scale: float | None) -> Tensor:
        before = x.shape[axis]
        assert isinstance(before, int)
        if size == before and scale is None:
            return x
        total: Tensor | None = None
        for places, weights in self._taps(before, size, scale):
            term = Take(axis)(x, constant(places, int32))
            if weights is not None:
                shape = (size,) + (1,) * (x.ndim - axis - 1)
                term = term * constant(weights.reshape(shape), x.dtype)
            total = term if total is None else total + term
        assert total is not None
        return total

    def _taps(self, n: int, m: int, scale: float | None) -> list[tuple[Array, Array | None]]:
        """Which elements of n each of m reads, and with which weights."""
        step = n / m if scale is None else 1 / scale
        i = np.arange(m, dtype=np.float64)
        if self.kernel.startswith("nearest"):
            at = (i if self.kernel == "nearest" else i + 0.5) * step
            return [(np.minimum(np.floor(at), n - 1), None)]
        aligned = (n - 1) / (m - 1) if m > 1 else 0.0
        at = i * aligned if self.align_corners else (i + 0.5) * step - 0.5
        if self.kernel == "linear":
            at = np.maximum(at, 0.0)
            low = np.minimum(np.floor(at), n - 1)
            part = np.minimum(at - low, 1.0)
            return [(low, 1 - part), (np.minimum(low + 1, n - 1), part)]
        low = np.floor(at)
        return [
            (np.clip(low + tap, 0, n - 1), _cubic(at - low - tap)) for tap in (-1, 0, 1, 2)
        ]  # fmt: skip


def _cubic(distance: Array) -> Array:
    """Keys' cubic convolution kernel with coefficient `CUBIC`."""
    t, a = np.abs(distance), CUBIC
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.asarray(np.where(t <= 1, near, np.where(t < 2, far, 0.0)))


class GridSample(Op):
    """``y[n, c, p] = x[n, c]`` interpolated at the place ``grid[n, p]``.

    The last axis of the grid names places from -1 to 1, the last spatial axis first. Gradients by
    the grid are one-sided where places are whole; that of ``nearest`` is zero. A NaN in the grid
    gives NaN, except for ``nearest``, where it reads outside (zeros) or element 0.
    """

    kernel: str = "linear"
    padding: str = "zeros"
    align_corners: bool = False
    category: ClassVar[str] = "index"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, grid: TensorType) -> TensorType:
        x.require_float("x")
        grid.require_float("grid")
        spatial = x.ndim - 2
        if spatial < 1:
            raise TypeProblem(f"x {x} has no spatial axes", "give [N, C, *spatial]")
        grid.require_ndim(spatial + 2, "grid")
        require_equal(grid.shape[0], x.shape[0], "grid and x differ in N")
        require_equal(grid.shape[-1], spatial, f"grid {grid} has no {spatial} coordinates")
        for size in x.shape[2:]:
            require_less_equal(1, size, f"a spatial axis of x {x} has no elements")
        return x.with_shape((*x.shape[:2], *grid.shape[1:-1]))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """A product and a sum for every element read; the places themselves are not counted."""
        taps = {"nearest": 1, "linear": 2, "cubic": 4}[self.kernel] ** (inputs[0].ndim - 2)
        return outputs[0].size * (2 * taps if taps > 1 else 1)

    def decompose(self, x: Tensor, grid: Tensor) -> Tensor:
        wide, places = widened(x), widened(grid)
        spatial = x.ndim - 2
        flat = reshape(wide, (*x.shape[:2], product(x.shape[2:])))
        ends = reshape(places, (grid.shape[0], 1, product(grid.shape[1:-1]), spatial))
        along = [self._taps(ends[..., spatial - 1 - i], x.shape[2 + i]) for i in range(spatial)]
        total: Tensor | None = None
        for taps in combinations(*along):
            term = _read(flat, taps, x.shape[2:])
            total = term if total is None else total + term
        assert total is not None
        return reshape(total, self.infer(x.type, grid.type).shape).astype(x.dtype)

    def _taps(self, ends: Tensor, size: Dim) -> list[Tap]:
        """The elements along an axis that places from -1 to 1 read."""
        count = _number(size, ends)
        if self.align_corners:
            place = (ends + 1) * ((count - 1) / 2)
        else:
            place = ((ends + 1) * count - 1) / 2
        if self.kernel == "cubic":  # not the place is brought inside, but what it reads
            low = floor(place)
            weights = _cubic_weights(place - low)
            return [
                self._tap(low + k, w, size) for k, w in zip((-1, 0, 1, 2), weights, strict=True)
            ]
        place = self._inside(place, size)
        if self.kernel == "nearest":
            return [self._tap(round(place), None, size)]
        return [self._tap(w, 1 - abs(place - w), size) for w in (floor(place), floor(place) + 1)]

    def _tap(self, whole: Tensor, weight: Tensor | None, size: Dim) -> Tap:
        count = _number(size, whole)
        if self.kernel == "cubic":
            whole = self._inside(whole, size)
        if self.padding == "zeros":
            inside = ((whole >= 0) & (whole <= count - 1)).astype(whole.dtype)
            weight = inside if weight is None else weight * inside
        return where(isnan(whole), 0, clip(whole, 0, count - 1)).astype(int32), weight

    def _inside(self, place: Tensor, size: Dim) -> Tensor:
        """A place counted in elements, brought inside if that is how padding is meant."""
        count = _number(size, place)
        if self.padding == "reflection":
            place = self._reflected(place, count, size)
        return place if self.padding == "zeros" else clip(place, 0, count - 1)

    def _reflected(self, place: Tensor, count: Tensor, size: Dim) -> Tensor:
        """Mirrored at the borders, or at the border elements if corners are aligned."""
        if self.align_corners and size == 1:
            return place * 0
        low, span = (0.0, count - 1) if self.align_corners else (-0.5, count)
        folded = remainder(abs(place - low), 2 * span)
        return where(folded <= span, folded, 2 * span - folded) + low


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """Of the elements at -1, 0, 1 and 2 for a place between the middle two; see `_cubic`."""
    a, back = CUBIC, 1 - t
    near = [((a + 2) * each - (a + 3)) * each * each + 1 for each in (t, back)]
    far = [((a * each - 5 * a) * each + 8 * a) * each - 4 * a for each in (t + 1, back + 1)]
    return [far[0], near[0], near[1], far[1]]


def _read(flat: Tensor, taps: Sequence[Tap], sizes: Sequence[Dim]) -> Tensor:
    """One element for every place, times its weight."""
    index: Tensor | None = None
    weight: Tensor | None = None
    for (number, share), size in zip(taps, sizes, strict=True):
        index = number if index is None else index * _count(size) + number
        if share is not None:
            weight = share if weight is None else weight * share
    assert index is not None
    value = take_along_axis(flat, index, 2)
    return value if weight is None else value * weight


def _count(size: Dim) -> Any:
    return size if isinstance(size, int) else dim_size(size)


def _number(size: Dim, like: Tensor) -> Tensor:
    if isinstance(size, int):
        return constant(float(size), like.dtype)
    return dim_size(size).astype(like.dtype)


# -- functions -----------------------------------------------------------------------------------


@public
def resize(
    x: Any,
    size: Any = None,
    scale: Any = None,
    mode: str = "nearest",
    align_corners: bool = False,
) -> Tensor:
    """Images interpolated to another size: PyTorch's ``interpolate`` without antialiasing.

    Args:
        x: [N, C, *spatial]; spatial sizes are literal.
        size: one int for all spatial axes, or one for each.
        scale: in place of size: a number or one for each axis; sizes become floor(n scale), and
            places are computed from the scale given.
        mode: "nearest" (``floor(i / scale)``), "nearest-exact" (the nearest centre), "linear",
            "cubic" (coefficient -0.75). "bilinear", "trilinear" and "bicubic" say for how many
            axes.
        align_corners: centres of the border elements stay in place, instead of the borders.
            Linear and cubic only.

    Raises:
        ShapeError: symbolic or empty spatial axes, or not one size for each.
        OperandError: an unknown mode, or both or neither of size and scale.
        DtypeError: x is not floating (nearest takes any dtype).

    Source: R. Keys, "Cubic convolution interpolation", 1981.

    >>> import asg
    >>> x = asg.constant([[[0.0, 4.0]]])
    >>> asg.run(asg.resize(x, 4, mode="linear")).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """
    x = as_tensor(x)
    if x.ndim < 3:
        raise TypeProblem(f"x {x.type} has no spatial axes", "give [N, C, *spatial]")
    kernel = _kernel_of(mode, x.ndim - 2)
    if align_corners and kernel.startswith("nearest"):
        raise TypeProblem(f"align_corners does not apply to {mode}", error=OperandError)
    if (size is None) == (scale is None):
        raise TypeProblem("give either size or scale", error=OperandError)
    if scale is None:
        return Resize(_each(size, x.ndim - 2), kernel, bool(align_corners))(x)
    scales = tuple(require_number("scale", each) for each in _each(scale, x.ndim - 2))
    return Resize(_scaled(x.type, scales), kernel, bool(align_corners), scales)(x)


def _each(value: Any, count: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * count


def _scaled(x: TensorType, scales: tuple[float, ...]) -> tuple[int, ...]:
    sizes = x.shape[2:]
    if len(scales) != len(sizes) or not all(0 < each < math.inf for each in scales):
        raise TypeProblem(
            f"scale {scales} for {len(sizes)} spatial axes", "give positive numbers", OperandError
        )
    if not all(isinstance(size, int) for size in sizes):
        raise TypeProblem(f"the spatial sizes of x {x} are symbolic", "give literal sizes")
    return tuple(math.floor(int(n) * s) for n, s in zip(sizes, scales, strict=True))


def _kernel_of(mode: str, spatial: int) -> str:
    named = {"bilinear": ("linear", 2), "trilinear": ("linear", 3), "bicubic": ("cubic", 2)}
    if mode in KERNELS:
        return mode
    if mode not in named:
        known = ", ".join((*KERNELS, *named))
        raise TypeProblem(f"mode is {mode!r}", f"choose one of {known}", OperandError)
    kernel, count = named[mode]
    if spatial != count:
        raise TypeProblem(f"{mode} is for {count} spatial axes, x has {spatial}", f"say {kernel!r}")
    return kernel


@public
def grid_sample(
    x: Any,
    grid: Any,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Tensor:
    """Images read at places between pixels: [N, C, H, W] and [N, A, B, 2] -> [N, C, A, B].

    Also volumes, and any number of spatial axes. NaN in the grid gives NaN (``nearest`` takes it
    for outside, or for place 0 where places are brought inside).

    Args:
        x: floating, [N, C, *spatial]; sizes may be symbolic.
        grid: floating; the last axis holds coordinates from -1 to 1, that of the last spatial
            axis first, as `affine_grid` gives them.
        mode: "bilinear" (also "linear", "trilinear"), "nearest" (halves to even) or "bicubic" (for
            other than two spatial axes "cubic"; coefficient -0.75): it reads four elements along
            each axis, and what lies outside of them is brought inside, not the place itself.
        padding_mode: outside are "zeros", the "border" pixel, or the "reflection" of the image.
        align_corners: whether -1 and 1 are the centres of the border pixels, or their borders.

    Raises:
        ShapeError: the grid does not fit x.
        OperandError: an unknown mode or padding mode.

    Source: R. Keys, "Cubic convolution interpolation", 1981.

    >>> import asg
    >>> x = asg.constant([[[[0.0, 4.0]]]])
    >>> asg.run(asg.grid_sample(x, [[[[0.0, 0.0], [0.5, 0.0]]]])).tolist()
    [[[[2.0, 4.0]]]]
    """
    kernel = _grid_kernel(mode, as_tensor(x).ndim - 2)
    if padding_mode not in ("zeros", "border", "reflection"):
        raise TypeProblem(
            f"padding_mode is {padding_mode!r}", "choose zeros, border or reflection", OperandError
        )
    return GridSample(kernel, padding_mode, bool(align_corners))(x, grid)


def _grid_kernel(mode: str, spatial: int) -> str:
    kernels = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}
    kernel = kernels.get(mode, mode)
    if kernel not in ("nearest", "linear", "cubic"):
        raise TypeProblem(f"mode is {mode!r}", "choose bilinear, bicubic or nearest", OperandError)
    if mode == "bicubic" and spatial != 2:
        raise TypeProblem(f"bicubic is for 2 spatial axes, x has {spatial}", "say 'cubic'")
    return kernel
