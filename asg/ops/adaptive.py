"""Pooling to a given number of places, with windows that differ by at most one element.

Window i along an axis of ``size`` elements and ``count`` places reaches from
``floor(i * size / count)`` to ``ceil((i + 1) * size / count)``, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from asg.core.convert import as_tensor
from asg.core.dim import Dim, known_equal, product
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, require_less_equal
from asg.ops.elementwise import where
from asg.ops.index import Take, TakeAlongAxis
from asg.ops.leaf import constant, dim_size, iota
from asg.ops.operand import widened
from asg.ops.reduce import argmax
from asg.ops.shape import PermuteDims, Reshape, squeeze
from asg.ops.window_reductions import MaxPool
from asg.ops.windows import require_windows, whole_number

Places = int | None | Sequence[int | None]


class AdaptivePool(Op, abstract=True):
    """What adaptive averages and maxima share: the places along each spatial axis."""

    places: Shape
    category: ClassVar[str] = "reduce"

    def infer(self, x: TensorType) -> TensorType:
        require_windows(x, (self.places,))
        for number, (size, count) in enumerate(zip(x.shape[2:], self.places, strict=True)):
            where_ = f"spatial axis {number} of size {size}"
            require_less_equal(1, size, f"{where_} has no elements")
            literal = isinstance(size, int) and isinstance(count, int)
            if not literal and count != size and known_equal(size % count, 0) is not True:
                raise TypeProblem(
                    f"{where_} is not known to be a multiple of {count} places",
                    f"name the size by asg.dim('n', multiple_of={count}), or give a "
                    "literal size", sizes=(size,),
                )  # fmt: skip
        return x.require_numeric().with_shape((*x.shape[:2], *self.places))


class AdaptiveAvgPool(AdaptivePool):
    """The mean of each window."""

    def infer(self, x: TensorType) -> TensorType:
        return super().infer(x.require_float())

    def decompose(self, x: Tensor) -> Tensor:
        result = widened(x)
        for axis, count in enumerate(self.places, start=2):
            result = _mean_along(result, axis, count)
        return result.astype(x.dtype)


class AdaptiveMaxPool(AdaptivePool):
    """The largest element of each window; the gradient goes to the first of them."""

    def decompose(self, x: Tensor) -> Tensor:
        widths = [_exact_width(n, m) for n, m in zip(x.shape[2:], self.places, strict=True)]
        window = tuple(width for width in widths if isinstance(width, int))
        if len(window) == len(widths):  # windows of one size, side by side
            still = ((0, 0),) * len(window)
            return MaxPool(window, window, still, (1,) * len(window))(x)
        rows = self.elements(x)
        chosen = argmax(rows, -1, keepdims=True)
        return squeeze(TakeAlongAxis(rows.ndim - 1)(rows, chosen), -1)

    def elements(self, x: Tensor) -> Tensor:
        """All elements of a window along a last axis; some of them twice, behind themselves."""
        split = x
        for axis in reversed(range(2, x.ndim)):
            split, _ = _split(split, axis, self.places[axis - 2])
        counts, inner = range(2, split.ndim, 2), range(3, split.ndim, 2)
        rows = PermuteDims((0, 1, *counts, *inner))(split)
        return Reshape((*rows.shape[: x.ndim], product(rows.shape[x.ndim :])))(rows)


def _exact_width(size: Dim, count: Dim) -> Dim | None:
    """How many elements each place has; None when that differs."""
    if size == count:
        return 1
    return size // count if known_equal(size % count, 0) else None


def _mean_along(x: Tensor, axis: int, count: Dim) -> Tensor:
    if x.shape[axis] == count:
        return x
    windows, real = _split(x, axis, count)
    if real is None:
        return windows.mean(axis + 1)
    rest = (1,) * (x.ndim - axis - 1)
    inside = constant(real.reshape(*real.shape, *rest))
    lengths = constant(real.sum(1).reshape(-1, *rest).astype(x.dtype.numpy))
    return where(inside, windows, 0.0).sum(axis + 1) / lengths


def _split(x: Tensor, axis: int, count: Dim) -> tuple[Tensor, np.ndarray[Any, Any] | None]:
    """``axis`` as two: places, and elements of each window.

    Where windows differ in size, the shorter ones repeat their last element, and the second result
    says what is not a repetition.
    """
    size = x.shape[axis]
    width = _exact_width(size, count)
    if width is not None:
        return Reshape((*x.shape[:axis], count, width, *x.shape[axis + 1 :]))(x), None
    assert isinstance(size, int) and isinstance(count, int)
    first = np.arange(count) * size // count
    last = -(-(np.arange(count) + 1) * size // count) - 1
    wanted = first[:, None] + np.arange((last - first).max() + 1)
    indices = np.minimum(wanted, last[:, None]).astype(np.int32)
    return Take(axis)(x, constant(indices)), wanted <= last[:, None]


def _pooled(op: type[AdaptivePool], spatial: int, x: Any, output_size: Any) -> Tensor:
    x = as_tensor(x)
    x.type.require_ndim(spatial + 2, "x")
    many = isinstance(output_size, tuple | list)
    given = tuple(output_size) if many else (output_size,) * spatial
    if len(given) != spatial:
        raise TypeProblem(
            f"output_size {output_size!r} has {len(given)} entries for {spatial} spatial axes",
            "give one int, or one for each spatial axis", OperandError,
        )  # fmt: skip
    return op(tuple(
        size if count is None else whole_number(count, "output_size", 1)
        for size, count in zip(x.shape[2:], given, strict=True)
    ))(x)  # fmt: skip


@public
def adaptive_avg_pool1d(x: Any, output_size: Places) -> Tensor:
    """`adaptive_avg_pool2d` over one spatial axis.

    >>> import asg
    >>> asg.run(asg.adaptive_avg_pool1d([[[1.0, 2.0, 3.0, 4.0, 6.0]]], 2)).tolist()
    [[[2.0, 4.333333492279053]]]
    """
    return _pooled(AdaptiveAvgPool, 1, x, output_size)


@public
def adaptive_avg_pool2d(x: Any, output_size: Places) -> Tensor:
    """Means over as many windows as are asked for; 1 is global average pooling.

    Shapes: x ``[n, c, h, w]`` -> ``[n, c, *output_size]``. Windows differ by at most one element
    (see the head of this module).

    Args:
        x: floats.
        output_size: places of all axes, or one per axis; None keeps an axis as it is.

    Raises:
        ShapeError: a symbolic size is not known to be a multiple of its places (every size is one
            of 1).

    Source: torch.nn.functional.adaptive_avg_pool2d.

    >>> import asg
    >>> asg.adaptive_avg_pool2d(asg.input("x", ("n", 8, "h", 7)), (1, 3)).shape
    (Dim('n'), 8, 1, 3)
    """
    return _pooled(AdaptiveAvgPool, 2, x, output_size)


@public
def adaptive_avg_pool3d(x: Any, output_size: Places) -> Tensor:
    """`adaptive_avg_pool2d` over three spatial axes.

    >>> import asg
    >>> asg.adaptive_avg_pool3d(asg.zeros((1, 2, 4, 6, 8)), (None, 5, 1)).shape
    (1, 2, 4, 5, 1)
    """
    return _pooled(AdaptiveAvgPool, 3, x, output_size)


@public
def adaptive_max_pool1d(x: Any, output_size: Places) -> Tensor:
    """`adaptive_max_pool2d` over one spatial axis.

    >>> import asg
    >>> asg.run(asg.adaptive_max_pool1d([[[1, 2, 9, 4, 6]]], 2)).tolist()
    [[[9, 9]]]
    """
    return _pooled(AdaptiveMaxPool, 1, x, output_size)


@public
def adaptive_max_pool2d(x: Any, output_size: Places) -> Tensor:
    """The largest elements of as many windows as are asked for, laid out as `adaptive_avg_pool2d`.

    The gradient goes to the first largest element of a window, in row-major order. x may have any
    dtype of numbers. Source: torch.nn.functional.adaptive_max_pool2d.

    >>> import asg
    >>> asg.adaptive_max_pool2d(asg.input("x", ("n", 8, 6, 7)), 3).shape
    (Dim('n'), 8, 3, 3)
    """
    return _pooled(AdaptiveMaxPool, 2, x, output_size)


@public
def adaptive_max_pool3d(x: Any, output_size: Places) -> Tensor:
    """`adaptive_max_pool2d` over three spatial axes.

    >>> import asg
    >>> asg.adaptive_max_pool3d(asg.zeros((1, 2, 4, 6, 8)), 2).shape
    (1, 2, 2, 2, 2)
    """
    return _pooled(AdaptiveMaxPool, 3, x, output_size)


@public
def adaptive_max_pool1d_with_indices(x: Any, output_size: Places) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d_with_indices` over one spatial axis.

    >>> import asg
    >>> values, places = asg.adaptive_max_pool1d_with_indices([[[1.0, 5.0, 2.0, 4.0]]], 2)
    >>> asg.run(places).tolist()
    [[[1, 3]]]
    """
    return _with_indices(1, x, output_size)


@public
def adaptive_max_pool2d_with_indices(x: Any, output_size: Places) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d`, and where each largest element is: int32, counted over ``[h, w]``.

    The first among equals, or the first NaN (PyTorch says the last NaN).

    >>> import asg
    >>> x = asg.constant([[[[1.0, 2.0, 3.0, 4.0], [8.0, 7.0, 6.0, 5.0]]]])
    >>> asg.run(asg.adaptive_max_pool2d_with_indices(x, (1, 2))[1]).tolist()
    [[[[4, 6]]]]
    """
    return _with_indices(2, x, output_size)


@public
def adaptive_max_pool3d_with_indices(x: Any, output_size: Places) -> tuple[Tensor, Tensor]:
    """`adaptive_max_pool2d_with_indices` over three spatial axes.

    >>> import asg
    >>> asg.adaptive_max_pool3d_with_indices(asg.zeros((1, 2, 4, 6, 8)), 2)[1].shape
    (1, 2, 2, 2, 2)
    """
    return _with_indices(3, x, output_size)


def _with_indices(spatial: int, x: Any, output_size: Places) -> tuple[Tensor, Tensor]:
    x = as_tensor(x)
    values = _pooled(AdaptiveMaxPool, spatial, x, output_size)
    places, sizes = values.shape[2:], x.shape[2:]
    pool = AdaptiveMaxPool(places)
    numbers = pool.elements(Reshape((1, 1, *sizes))(iota((product(sizes),))))
    window = Reshape(places)(iota((product(places),)))
    at = window * dim_size(numbers.shape[-1]) + argmax(pool.elements(x), -1)
    return values, Take(0)(Reshape((numbers.size,))(numbers), at)
