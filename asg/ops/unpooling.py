"""Unpooling: maxima put back to where they were found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import product
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, as_shape, require_less_equal
from asg.ops.elementwise import maximum
from asg.ops.index import ScatterAddAlongAxis, require_shape
from asg.ops.leaf import ones, zeros
from asg.ops.operand import respelled, widened
from asg.ops.shape import BroadcastTo, Reshape
from asg.ops.windows import Steps, require_windows, steps_argument, width_pairs


class MaxUnpool(Op):
    """Zeros of the given spatial sizes, with every x where its index says.

    Indices count over the spatial axes of the result, in row-major order. Elements that name the
    same place (overlapping windows have the same maximum) give their mean. An index outside makes
    the whole result missing.
    """

    sizes: Shape
    category: ClassVar[str] = "index"

    def infer(self, x: TensorType, indices: TensorType) -> TensorType:
        x.require_float()
        require_windows(x, (self.sizes,))
        indices.require_integer("indices")
        require_shape(indices, x.shape, "indices")
        return x.with_shape((*x.shape[:2], *self.sizes))

    def decompose(self, x: Tensor, indices: Tensor) -> Tensor:
        lead, places = x.shape[:2], product(x.shape[2:])
        values = Reshape((*lead, places))(widened(x))
        at = Reshape((*lead, places))(respelled(indices, x.shape))
        empty, put = zeros((*lead, product(self.sizes)), values.dtype), ScatterAddAlongAxis(2)
        count = put(empty, at, BroadcastTo((*lead, places))(ones((), values.dtype)))
        total = put(empty, at, values) / maximum(count, 1.0)
        return Reshape((*lead, *self.sizes))(total).astype(x.dtype)


# -- functions -----------------------------------------------------------------------------------


@public
def max_unpool1d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """`max_unpool2d` over one spatial axis.

    >>> import asg
    >>> values, places = asg.max_pool1d_with_indices([[[1.0, 5.0, 2.0, 4.0]]], 2)
    >>> asg.run(asg.max_unpool1d(values, places, 2)).tolist()
    [[[0.0, 5.0, 0.0, 4.0]]]
    """
    return _unpooled(1, x, indices, kernel_size, stride, padding, output_size)


@public
def max_unpool2d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """The results of `max_pool2d_with_indices` put back to where they were; zeros elsewhere.

    Where windows overlap, several results may come from one place: it has their mean (which is
    each of them).

    Args:
        x: floats, ``[n, c, h, w]``.
        indices: integers of that shape, counted over ``[h', w']`` of the result.
        kernel_size, stride, padding: of the pooling. They say how large the result is:
            ``h' = (h - 1) * stride - 2 * padding + kernel_size``.
        output_size: how large it is instead, if the windows did not reach the end: a size for each
            spatial axis (or for every axis), less than a stride away.

    Raises:
        ShapeError: indices of another shape than x.
        OperandError: an argument out of range.

    Source: torch.nn.functional.max_unpool2d, where one of equal indices wins, and each of them
    has the whole gradient.

    >>> import asg
    >>> x, places = asg.input("x", ("n", 8, 5, "w")), asg.input("i", ("n", 8, 5, "w"), "int32")
    >>> asg.max_unpool2d(x, places, 2).shape
    (Dim('n'), 8, 10, Dim('2*w'))
    """
    return _unpooled(2, x, indices, kernel_size, stride, padding, output_size)


@public
def max_unpool3d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0,
    output_size: Any = None,
) -> Tensor:  # fmt: skip
    """`max_unpool2d` over three spatial axes.

    >>> import asg
    >>> values, places = asg.max_pool3d_with_indices(asg.zeros((1, 2, 4, 6, 9)), 2)
    >>> asg.max_unpool3d(values, places, 2, output_size=(4, 6, 9)).shape
    (1, 2, 4, 6, 9)
    """
    return _unpooled(3, x, indices, kernel_size, stride, padding, output_size)


def _unpooled(
    spatial: int, x: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, wanted: Any
) -> Tensor:
    x = as_tensor(x)
    x.type.require_ndim(spatial + 2, "x")
    window = steps_argument(kernel_size, spatial, "kernel_size")
    steps = window if stride is None else steps_argument(stride, spatial, "stride")
    usual = tuple(
        (size - 1) * step + reach - low - high
        for size, step, reach, (low, high) in zip(
            x.shape[2:], steps, window, width_pairs(padding, spatial), strict=True
        )
    )
    sizes = usual if wanted is None else _wanted_sizes(wanted, usual, steps)
    return MaxUnpool(sizes)(x, indices)


def _wanted_sizes(wanted: Any, usual: Shape, steps: Steps) -> Shape:
    spatial = len(usual)
    given = as_shape(wanted) if isinstance(wanted, Sequence) else ()
    if len(given) not in (spatial, spatial + 2):
        raise TypeProblem(
            f"output_size {wanted!r} is not for {spatial} spatial axes", "give a size for each",
            OperandError,
        )  # fmt: skip
    sizes = given[len(given) - spatial :]
    for size, near, step in zip(sizes, usual, steps, strict=True):
        reason = f"output_size is not less than a stride of {step} away from {near}"
        require_less_equal(near - step + 1, size, reason)
        require_less_equal(size, near + step - 1, reason)
    return sizes
