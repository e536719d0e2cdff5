"""Pooling over one, two or three spatial axes: composites over `asg.ops.window_reductions`.

x is ``[batch, channels, *spatial]``. The stride is the window unless it is given. ``ceil_mode``
adds a last window where the stride leaves a remainder, unless it would start in the padding.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, ceil_div, dim_min
from asg.core.dtype import int32
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem
from asg.ops.elementwise import where
from asg.ops.leaf import dim_size, iota, ones
from asg.ops.operand import widened
from asg.ops.window_reductions import MaxPool, WindowFind, WindowSum
from asg.ops.windows import (
    Axis,
    Pairs,
    Steps,
    require_windows,
    steps_argument,
    whole_number,
    width_pairs,
    windowed_shape,
)

Size = int | Steps


class AvgPool(Op):
    """The sum of each window, divided by the number of its elements.

    ``padding`` counts as elements if ``count_include_pad``; ``extra`` places behind it (of the last
    window of ceil_mode) never do. A negative extra leaves padding out that no window reads. A
    ``divisor`` replaces the number of elements.
    """

    window: Steps
    stride: Steps
    padding: Pairs
    extra: Shape
    count_include_pad: bool = True
    divisor: int | None = None
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        require_windows(x, (self.window, self.stride, self.padding, self.extra))
        if self.divisor is not None:
            whole_number(self.divisor, "divisor_override", 1)
        axes = [Axis(*each) for each in zip(self.window, self.stride, self.padded(), strict=True)]
        return x.require_float().with_shape((*x.shape[:2], *windowed_shape(x.shape[2:], axes)))

    def padded(self) -> Pairs:
        """The padding together with ``extra``."""
        pairs = zip(self.padding, self.extra, strict=True)
        return tuple((low, high + extra) for (low, high), extra in pairs)

    def decompose(self, x: Tensor) -> Tensor:
        total = self._sum(self.padded(), widened(x))
        return (total / self._count(total, x.shape[2:])).astype(x.dtype)

    def _sum(self, padding: Pairs, x: Tensor) -> Tensor:
        single = (1,) * len(self.window)
        return WindowSum(self.window, self.stride, padding, single, single)(x)

    def _count(self, total: Tensor, sizes: Shape) -> Tensor | float:
        if self.divisor is not None:
            return float(self.divisor)
        counted = self.padding if self.count_include_pad else ((0, 0),) * len(sizes)
        if counted == self.padded():
            return float(prod(self.window))
        sizes = tuple(low + size + high for size, (low, high) in zip(sizes, counted, strict=True))
        rest = tuple(
            (low - before, high - behind)
            for (low, high), (before, behind) in zip(self.padded(), counted, strict=True)
        )
        return self._sum(rest, ones((1, 1, *sizes), total.dtype))


class LpPool(Op):
    """The p-norm of each window, ``(sum of |x|^p)^(1/p)``; p >= 1, infinity allowed.

    ``padding`` is left out; with ``filled``, the sum of a window that reaches into it is scaled
    up, as if its other elements were like those in x. The derivative is 0 where all elements of a
    window are.
    """

    norm: float
    window: Steps
    stride: Steps
    padding: Pairs
    filled: bool = False
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        if not self.norm >= 1:
            raise TypeProblem(f"norm_type is {self.norm}", "give 1 or more", OperandError)
        require_windows(x, (self.window, self.stride, self.padding))
        axes = [Axis(*each) for each in zip(self.window, self.stride, self.padding, strict=True)]
        return x.require_float().with_shape((*x.shape[:2], *windowed_shape(x.shape[2:], axes)))

    def decompose(self, x: Tensor) -> Tensor:
        geometry = self.window, self.stride, self.padding, (1,) * len(self.window)
        size = call("abs", widened(x))
        if self.norm == float("inf"):
            return MaxPool(*geometry)(size).astype(x.dtype)
        summed = WindowSum(*geometry, geometry[-1])
        total = summed(size if self.norm == 1 else size**self.norm)
        if self.filled:
            total = total * (prod(self.window) / summed(ones((1, 1, *x.shape[2:]), total.dtype)))
        some = total > 0  # the root of 0 has no derivative
        root = where(some, where(some, total, 1.0) ** (1.0 / self.norm), 0.0)
        return (total if self.norm == 1 else root).astype(x.dtype)


# -- arguments -------------------------------------------------------------------------------------


def _geometry(
    x: Any, spatial: int, kernel_size: Size, stride: Size | None, padding: Any,
    dilation: Size = 1, ceil_mode: bool = False,
) -> tuple[Tensor, Steps, Steps, Pairs, Steps, Shape]:  # fmt: skip
    """x, window, stride, padding, dilation, and what ceil_mode adds behind each axis."""
    x = as_tensor(x)
    x.type.require_ndim(spatial + 2, "x")
    window = steps_argument(kernel_size, spatial, "kernel_size")
    steps = window if stride is None else steps_argument(stride, spatial, "stride")
    pairs, apart = width_pairs(padding, spatial), steps_argument(dilation, spatial, "dilation")
    axes = [Axis(*each) for each in zip(window, steps, pairs, apart, strict=True)]
    for axis in axes:
        if max(int(width) for width in axis.padding) * 2 > axis.extent:
            raise TypeProblem(
                f"padding {axis.padding} is more than half of the window, which reaches over "
                f"{axis.extent}",
                "pad x itself, with the value that the padding shall have", OperandError,
            )  # fmt: skip
    sizes = x.shape[2:]
    extra = tuple(_extra(a, n) if ceil_mode else 0 for a, n in zip(axes, sizes, strict=True))
    return x, window, steps, pairs, apart, extra


def _extra(axis: Axis, size: Dim) -> Dim:
    """What is added behind so that ``ceil_mode`` has its last window, if anything is missing."""
    if axis.stride == 1:
        return 0
    low, high = axis.padding
    counted = ceil_div(axis.padded(size) - axis.extent, axis.stride) + 1
    places = dim_min(counted, ceil_div(size + low, axis.stride))
    return (places - 1) * axis.stride + axis.extent - size - low - high


def _behind(padding: Pairs, extra: Shape) -> Pairs:
    return tuple((low, high + more) for (low, high), more in zip(padding, extra, strict=True))


# -- maxima ----------------------------------------------------------------------------------------


@public
def max_pool1d(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0, dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`max_pool2d` over one spatial axis.

    >>> import asg
    >>> asg.run(asg.max_pool1d([[[1.0, 5.0, 2.0, 4.0, 3.0]]], 2, ceil_mode=True)).tolist()
    [[[5.0, 4.0, 3.0]]]
    """
    return _max_pooled(1, x, kernel_size, stride, padding, dilation, ceil_mode)


@public
def max_pool2d(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0, dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """The largest element of each window; NaN where there is one.

    Shapes: x ``[n, c, h, w]`` gives ``[n, c, h', w']`` with
    ``h' = (h + low + high - dilation * (kh - 1) - 1) // stride + 1``, rounded up in ceil_mode. The
    gradient goes to the first largest element of a window, in row-major order.

    Args:
        x: numbers of any dtype.
        kernel_size: window size, one for all axes or one each.
        stride: distance between windows; None is the window size.
        padding: width that windows may reach beyond x (nothing there is ever the largest): one, one
            per axis, or a pair (before, behind) per axis; at most half of the window.
        dilation: distance between the elements of a window.
        ceil_mode: add a last window where the stride leaves a remainder.

    Raises:
        ShapeError: a window does not fit into padded x, or x has another number of axes.
        OperandError: an argument out of range.

    Source: torch.nn.functional.max_pool2d.

    >>> import asg
    >>> asg.max_pool2d(asg.input("x", ("n", 8, 28, "w")), 3, stride=2, padding=1).shape
    (Dim('n'), 8, 14, Dim('(w + 1)//2'))
    """
    return _max_pooled(2, x, kernel_size, stride, padding, dilation, ceil_mode)


@public
def max_pool3d(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0, dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`max_pool2d` over three spatial axes.

    >>> import asg
    >>> asg.max_pool3d(asg.zeros((1, 2, 4, 6, 8)), 2).shape
    (1, 2, 2, 3, 4)
    """
    return _max_pooled(3, x, kernel_size, stride, padding, dilation, ceil_mode)


def _max_pooled(spatial: int, x: Any, *arguments: Any) -> Tensor:
    x, window, stride, padding, dilation, extra = _geometry(x, spatial, *arguments)
    return MaxPool(window, stride, _behind(padding, extra), dilation)(x)


@public
def max_pool1d_with_indices(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0, dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d_with_indices` over one spatial axis.

    >>> import asg
    >>> values, places = asg.max_pool1d_with_indices([[[1.0, 5.0, 2.0, 4.0]]], 2)
    >>> asg.run(places).tolist()
    [[[1, 3]]]
    """
    return _with_indices(1, x, kernel_size, stride, padding, dilation, ceil_mode)


@public
def max_pool2d_with_indices(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0, dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d`, and where each largest element is: int32, counted over ``[h, w]`` of x.

    The first among equals, or the first NaN (PyTorch says the last NaN).

    >>> import asg
    >>> x = asg.input("x", (1, 1, 2, 4))
    >>> values, places = asg.max_pool2d_with_indices(x, 2)
    >>> asg.run(places, {x: [[[[1, 2, 3, 4], [8, 7, 6, 5]]]]}).tolist()
    [[[[4, 6]]]]
    """
    return _with_indices(2, x, kernel_size, stride, padding, dilation, ceil_mode)


@public
def max_pool3d_with_indices(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0, dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """`max_pool2d_with_indices` over three spatial axes.

    >>> import asg
    >>> asg.max_pool3d_with_indices(asg.zeros((1, 2, 4, 6, 8)), 2)[1].shape
    (1, 2, 2, 3, 4)
    """
    return _with_indices(3, x, kernel_size, stride, padding, dilation, ceil_mode)


def _with_indices(spatial: int, x: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
    x, window, stride, padding, dilation, extra = _geometry(x, spatial, *arguments)
    geometry = window, stride, _behind(padding, extra), dilation
    values = MaxPool(*geometry)(x)
    number = WindowFind(*geometry)(x, values).astype(int32)
    flat: Any = 0
    for axis in range(spatial):
        element = number // prod(window[axis + 1 :]) % window[axis]
        place = iota((values.shape[axis + 2], *(1,) * (spatial - 1 - axis)))
        low = padding[axis][0]
        inside = place * stride[axis] + element * dilation[axis] - low
        flat = flat * dim_size(x.shape[axis + 2]) + inside
    return values, flat


# -- averages and norms ----------------------------------------------------------------------------


@public
def avg_pool1d(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` over one spatial axis.

    >>> import asg
    >>> asg.run(asg.avg_pool1d([[[1.0, 5.0, 2.0, 4.0]]], 2)).tolist()
    [[[3.0, 3.0]]]
    """
    return _averaged(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


@public
def avg_pool2d(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """The mean of each window. Shapes and arguments as in `max_pool2d`; x is floating.

    Args:
        x, kernel_size, stride, padding, ceil_mode: as in `max_pool2d`.
        count_include_pad: divide by the number of elements of the window, zeros of the padding
            included; else by the number of those in x. What ceil_mode adds never counts.
        divisor_override: divide by this number instead.

    Source: torch.nn.functional.avg_pool2d.

    >>> import asg
    >>> x = asg.ones((1, 1, 2, 2))
    >>> asg.run(asg.avg_pool2d(x, 2, stride=2, padding=1)).tolist()
    [[[[0.25, 0.25], [0.25, 0.25]]]]
    >>> asg.run(asg.avg_pool2d(x, 2, stride=2, padding=1, count_include_pad=False)).tolist()
    [[[[1.0, 1.0], [1.0, 1.0]]]]
    """
    return _averaged(
        2, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


@public
def avg_pool3d(
    x: Any, kernel_size: Size, stride: Size | None = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
) -> Tensor:  # fmt: skip
    """`avg_pool2d` over three spatial axes.

    >>> import asg
    >>> asg.avg_pool3d(asg.zeros((1, 2, 4, 6, 8)), (2, 3, 4)).shape
    (1, 2, 2, 2, 2)
    """
    return _averaged(
        3, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def _averaged(
    spatial: int, x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor: int | None = None,
) -> Tensor:  # fmt: skip
    x, window, steps, pairs, _, extra = _geometry(
        x, spatial, kernel_size, stride, padding, 1, ceil_mode
    )
    return AvgPool(window, steps, pairs, extra, bool(count_include_pad), divisor)(x)


@public
def lp_pool1d(
    x: Any, norm_type: float, kernel_size: Size, stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`lp_pool2d` over one spatial axis.

    >>> import asg
    >>> asg.run(asg.lp_pool1d([[[3.0, -4.0, 0.0, 0.0]]], 2, 2)).tolist()
    [[[5.0, 0.0]]]
    """
    return _normed(1, x, norm_type, kernel_size, stride, ceil_mode)


@public
def lp_pool2d(
    x: Any, norm_type: float, kernel_size: Size, stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """The norm ``(sum of |x|^p)^(1/p)`` of each window, ``p = norm_type >= 1`` (infinity: largest).

    The derivative is 0 where a window is all zeros. The sums of the smaller last windows of
    ceil_mode are scaled up to the size of the others. Shapes as in `max_pool2d`. Source:
    torch.nn.functional.lp_pool2d, which has no absolute value (odd norms of negative numbers
    differ).

    >>> import asg
    >>> asg.run(asg.lp_pool2d(asg.ones((1, 1, 2, 4)), 1, 2)).tolist()
    [[[[4.0, 4.0]]]]
    """
    return _normed(2, x, norm_type, kernel_size, stride, ceil_mode)


@public
def lp_pool3d(
    x: Any, norm_type: float, kernel_size: Size, stride: Size | None = None,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """`lp_pool2d` over three spatial axes.

    >>> import asg
    >>> asg.lp_pool3d(asg.zeros((1, 2, 4, 6, 8)), 2, 2).shape
    (1, 2, 2, 3, 4)
    """
    return _normed(3, x, norm_type, kernel_size, stride, ceil_mode)


def _normed(
    spatial: int, x: Any, norm: Any, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    if isinstance(norm, bool) or not isinstance(norm, int | float):
        raise TypeProblem(f"norm_type is {norm!r}", "give a number of 1 or more", OperandError)
    x, window, steps, pairs, _, extra = _geometry(x, spatial, kernel_size, stride, 0, 1, ceil_mode)
    return LpPool(float(norm), window, steps, _behind(pairs, extra), bool(ceil_mode))(x)
