"""Reductions over sliding windows: what pooling and its gradients are made of.

`asg.ops.windows` says which elements a window has. Operands are
``[batch, channels, *spatial]``, windows are literal; spatial sizes may be symbolic. What lies in
the padding does not exist: a sum does not count it, a maximum never is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, ClassVar

from asg.core.dim import Dim
from asg.core.dtype import DType, uint8, uint32
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, require_equal
from asg.ops.index import require_shape
from asg.ops.shape import AssumeShape, Tensors
from asg.ops.windows import Axis, Pairs, Steps, axes_of, require_windows, windowed_shape

if TYPE_CHECKING:
    from asg.core.op import Cotangent


class WindowOp(Op, abstract=True):
    """What the ops over windows share: the geometry of each spatial axis."""

    window: Steps
    stride: Steps
    padding: Pairs
    dilation: Steps
    category: ClassVar[str] = "reduce"

    def axes(self) -> list[Axis]:
        """The geometry of each spatial axis."""
        return axes_of(self.window, self.stride, self.padding, self.dilation)

    def windowed(self, x: TensorType) -> Shape:
        """The shape of one result per window."""
        require_windows(x, (self.window, self.stride, self.padding, self.dilation))
        return (*x.shape[:2], *windowed_shape(x.shape[2:], self.axes()))

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """One operation per place and window element."""
        return outputs[0].size * prod(self.window)


class WindowSum(WindowOp):
    """``y[n, c, p] = sum over k of x[n, c, (p * stride + k * dilation - low) / input_dilation]``.

    Where the quotient is no place of x, there is nothing to add. Float16 and bfloat16 are summed
    in float32. The transpose is a window sum again, with stride and input_dilation exchanged.
    """

    input_dilation: Steps

    def axes(self) -> list[Axis]:
        """The geometry of each spatial axis."""
        steps = self.stride, self.padding, self.dilation, self.input_dilation
        return axes_of(self.window, *steps)

    def infer(self, x: TensorType) -> TensorType:
        require_windows(x, (self.input_dilation,))
        return x.require_numeric().with_shape(self.windowed(x))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        sizes = inputs[0].shape[2:]
        back = [axis.transposed(size) for axis, size in zip(self.axes(), sizes, strict=True)]
        return [sum_along(self.window, back)(cotangents[0])]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """Axis by axis: one operation per place and element along it."""
        shape = inputs[0].shape
        total: Dim = 0
        for axis, window in enumerate(self.window, start=2):
            shape = (*shape[:axis], outputs[0].shape[axis], *shape[axis + 1 :])
            total = total + TensorType(inputs[0].dtype, shape).size * window
        return total


def sum_along(window: Steps, axes: Sequence[Axis]) -> WindowSum:
    """The window sum with this geometry."""
    return WindowSum(
        window,
        tuple(axis.stride for axis in axes),
        tuple(axis.padding for axis in axes),
        tuple(axis.dilation for axis in axes),
        tuple(axis.input_dilation for axis in axes),
    )


class MaxPool(WindowOp):
    """The largest element of each window; NaN where there is one.

    The cotangent goes to the first largest element in row-major order of the window (to the first
    NaN, if any), as in PyTorch. A window that lies in the padding only has the smallest number.
    """

    def infer(self, x: TensorType) -> TensorType:
        return x.require_numeric().with_shape(self.windowed(x))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, geometry = inputs[0], (self.window, self.stride, self.padding, self.dilation)
        chosen = WindowFind(*geometry)(x, outputs[0])
        return [WindowPlace(*geometry, x.shape[2:])(cotangents[0], chosen)]


class WindowFind(WindowOp):
    """The number, in row-major order, of the first window element equal to y (or that is NaN).

    `none_of` of the window where there is no such element.
    """

    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        x.require_numeric()
        if y.dtype is not x.dtype:
            raise TypeProblem(f"y is {y.dtype.name}, x is {x.dtype.name}", "cast one of them")
        shape = self.windowed(x)
        require_shape(y, shape, "y")
        return TensorType(number_dtype(self.window), shape)


class WindowSelect(WindowOp):
    """The element of each window that ``chosen`` numbers; 0 where that is no element of x."""

    def infer(self, x: TensorType, chosen: TensorType) -> TensorType:
        shape = self.windowed(x)
        _require_numbers(chosen, self.window)
        require_shape(chosen, shape, "chosen")
        return x.require_numeric().with_shape(shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        sizes = inputs[0].shape[2:]
        place = WindowPlace(self.window, self.stride, self.padding, self.dilation, sizes)
        return [lambda: place(cotangents[0], inputs[1]), None]


class WindowPlace(WindowOp):
    """Zeros of the given spatial sizes, with every y added at the element ``chosen`` numbers.

    The transpose of WindowSelect: ``<window_place(y, c), x> = <y, window_select(x, c)>``.
    """

    sizes: Shape

    def infer(self, y: TensorType, chosen: TensorType) -> TensorType:
        y.require_numeric("y")
        require_windows(y, (self.sizes,))
        whole = y.with_shape((*y.shape[:2], *self.sizes))
        _require_numbers(chosen, self.window)
        require_shape(chosen, y.shape, "chosen")
        for given, size in zip(y.shape, self.windowed(whole), strict=True):
            require_equal(given, size, "y does not have one element per window")
        return whole

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        select = WindowSelect(self.window, self.stride, self.padding, self.dilation)

        def by_y() -> Tensor:
            chosen = inputs[1]
            wanted = select.windowed(cotangents[0].type)
            if chosen.shape != wanted:
                chosen = AssumeShape(wanted)(chosen)
            return select(cotangents[0], chosen)

        return [by_y, None]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """One operation per place and window element."""
        return inputs[0].size * prod(self.window)


def number_dtype(window: Steps) -> DType:
    """What counts the elements of a window: a byte, if it can."""
    return uint8 if prod(window) < 255 else uint32


def none_of(window: Steps) -> int:
    """The number that stands for no element of a window."""
    return 255 if number_dtype(window) is uint8 else 2**32 - 1


def _require_numbers(chosen: TensorType, window: Steps) -> None:
    wanted = number_dtype(window)
    if chosen.dtype is not wanted:
        raise TypeProblem(
            f"chosen is {chosen.dtype.name}; window {window} is numbered by {wanted.name}",
            "take it from window_find",
        )
