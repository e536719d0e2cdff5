"""Convolutions over one, two or three spatial axes, and their transposes.

Shapes are PyTorch's: x is ``[batch, channels, *spatial]``, a weight
``[out, in / groups, *window]``. As in every deep-learning library, the window is not mirrored (a
cross-correlation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asg.core.convert import as_tensor
from asg.core.dim import Dim, ceil_div, dim_max
from asg.core.errors import OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.join import Flip
from asg.ops.shape import PermuteDims, Reshape, Tensors, expand_dims
from asg.ops.windows import (
    Axis,
    Pairs,
    Steps,
    axes_of,
    require_windows,
    steps_argument,
    width_pairs,
    windowed_shape,
)

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Padding = int | tuple[int | tuple[int, int], ...] | Literal["same", "valid"]


class Conv(Op):
    """Sum over c and k of ``x[n, c, p * stride + k * dilation - low] * weight[o, c, k]``.

    Channels come in ``groups`` that do not mix. ``input_dilation - 1`` zeros are put between the
    elements of x, then ``padding`` zeros before and behind each axis (negative: elements left out).
    Both derivatives are convolutions again, and so are all higher ones. Products of float16 and
    bfloat16 are summed in float32 and rounded once.
    """

    stride: Steps
    padding: Pairs
    dilation: Steps
    input_dilation: Steps
    groups: int = 1
    category: ClassVar[str] = "convolution"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, weight: TensorType) -> TensorType:
        axes = self._checked_axes(x, weight)
        require_groups(weight.shape[0], self.groups, "the first axis of weight")
        _require_channels(x, weight.shape[1] * self.groups, weight, self.groups)
        places = windowed_shape(x.shape[2:], axes)
        return x.with_shape((x.shape[0], weight.shape[0], *places))

    def _checked_axes(self, x: TensorType, weight: TensorType) -> list[Axis]:
        x.require_float()
        weight.require_ndim(x.ndim, "weight")
        fields = (self.stride, self.padding, self.dilation, self.input_dilation)
        require_windows(x, fields)
        return self.axes(weight)

    def axes(self, weight: TensorType | Tensor) -> list[Axis]:
        """The geometry of each spatial axis."""
        steps = self.stride, self.padding, self.dilation, self.input_dilation
        return axes_of(weight.shape[2:], *steps)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        x, weight = inputs
        axes = list(zip(self.axes(weight), x.shape[2:], strict=True))

        def by_x() -> Tensor:
            back = [axis.transposed(size) for axis, size in axes]
            return conv_along(back, self.groups)(cotangents[0], turned(weight, self.groups))

        def by_weight() -> Tensor:
            exchanged = [axis.exchanged(size) for axis, size in axes]
            rows = _batch_as_channels(x, self.groups)
            return _swapped(conv_along(exchanged, self.groups)(rows, _swapped(cotangents[0])))

        return [by_x, by_weight]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        """A product and a sum for each pair of window element and place; zeros of holes not."""
        (x, weight), (out,) = inputs, outputs
        pairs: Dim = 1
        for i, axis in enumerate(self.axes(weight), start=2):
            spread_out = axis.input_dilation > 1
            meetings = x.shape[i] * axis.window // axis.stride if spread_out else 0
            pairs = pairs * (meetings if spread_out else out.shape[i] * axis.window)
        return 2 * x.shape[0] * weight.shape[0] * weight.shape[1] * pairs


class ConvTranspose(Op):
    """The transpose of `Conv` by x: what multiplies output cotangents in its gradient.

    ``<conv_transpose(x, w), y> = <x, conv(y, w)>``. ``output_padding`` places at the end, which no
    window of that convolution starts at, are added to the result.
    """

    stride: Steps
    padding: Pairs
    output_padding: Steps
    dilation: Steps
    groups: int = 1
    category: ClassVar[str] = "convolution"
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, weight: TensorType) -> TensorType:
        x.require_float()
        weight.require_ndim(x.ndim, "weight")
        require_windows(x, (self.stride, self.padding, self.output_padding, self.dilation))
        for extra, stride, dilation in zip(
            self.output_padding, self.stride, self.dilation, strict=True
        ):
            if not 0 <= extra < max(stride, dilation):
                raise TypeProblem(
                    f"output_padding {extra} is not below stride {stride} or dilation {dilation}",
                    "pad the result to make it larger", OperandError,
                )  # fmt: skip
        require_groups(weight.shape[0], self.groups, "the first axis of weight")
        _require_channels(x, weight.shape[0], weight, 1)
        places = windowed_shape(x.shape[2:], self.axes(weight))
        return x.with_shape((x.shape[0], weight.shape[1] * self.groups, *places))

    def axes(self, weight: TensorType | Tensor) -> list[Axis]:
        """The geometry of the convolution that this is."""
        back = []
        forth = axes_of(weight.shape[2:], self.stride, self.padding, self.dilation)
        for axis, extra in zip(forth, self.output_padding, strict=True):
            low, high = (axis.extent - 1 - width for width in axis.padding)
            back.append(Axis(axis.window, 1, (low, high + extra), axis.dilation, axis.stride))
        return back

    def decompose(self, x: Tensor, weight: Tensor) -> Tensor:
        return conv_along(self.axes(weight), self.groups)(x, turned(weight, self.groups))


# -- what both are made of ------------------------------------------------------------------------


def conv_along(axes: Sequence[Axis], groups: int) -> Conv:
    """The convolution with this geometry."""
    return Conv(
        tuple(axis.stride for axis in axes),
        tuple(axis.padding for axis in axes),
        tuple(axis.dilation for axis in axes),
        tuple(axis.input_dilation for axis in axes),
        groups,
    )


def turned(weight: Tensor, groups: int) -> Tensor:
    """``[groups * out, in, *window]`` as ``[groups * in, out, *window]``, windows mirrored."""
    mirrored = Flip(tuple(range(2, weight.ndim)))(weight)
    if groups == 1:
        return _swapped(mirrored)
    outs, ins, *window = weight.shape
    split = Reshape((groups, outs // groups, ins, *window))(mirrored)
    rest = tuple(range(3, split.ndim))
    return Reshape((groups * ins, outs // groups, *window))(PermuteDims((0, 2, 1, *rest))(split))


def _batch_as_channels(x: Tensor, groups: int) -> Tensor:
    """``[batch, groups * in, *s]`` as ``[in, groups * batch, *s]``."""
    if groups == 1:
        return _swapped(x)
    batch, channels, *sizes = x.shape
    split = Reshape((batch, groups, channels // groups, *sizes))(x)
    rest = tuple(range(3, split.ndim))
    moved = PermuteDims((2, 1, 0, *rest))(split)
    return Reshape((channels // groups, groups * batch, *sizes))(moved)


def _swapped(x: Tensor) -> Tensor:
    return PermuteDims((1, 0, *range(2, x.ndim)))(x)


def require_groups(size: Dim, groups: int, name: str) -> None:
    """``groups`` is positive and divides ``size``."""
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1:
        raise TypeProblem(f"groups is {groups!r}", "give an int of 1 or more", OperandError)
    require_equal(size % groups, 0, f"{name}, {size}, is not a multiple of groups = {groups}")


def _require_channels(x: TensorType, wanted: Dim, weight: TensorType, groups: int) -> None:
    taken = f"{groups} groups of {weight}" if groups > 1 else str(weight)
    require_equal(
        x.shape[1], wanted, f"x has {x.shape[1]} channels, a weight of {taken} takes {wanted}",
        "x is [batch, channels, *spatial]; permute_dims brings channels to axis 1",
    )  # fmt: skip


# -- functions -----------------------------------------------------------------------------------


@public
def conv1d(
    x: Any, weight: Any, bias: Any = None, stride: int | Steps = 1, padding: Padding = 0,
    dilation: int | Steps = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """`conv2d` over one spatial axis: x ``[n, c, l]``, weight ``[o, c / groups, k]``.

    >>> import asg
    >>> signal = asg.constant([[[1.0, 2.0, 4.0, 8.0]]])
    >>> asg.run(asg.conv1d(signal, [[[-1.0, 1.0]]])).tolist()
    [[[1.0, 2.0, 4.0]]]
    """
    return _convolved(1, x, weight, bias, stride, padding, dilation, groups)


@public
def conv2d(
    x: Any, weight: Any, bias: Any = None, stride: int | Steps = 1, padding: Padding = 0,
    dilation: int | Steps = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """Windows of x times each weight: what a convolutional layer computes.

    ``y[n, o, p] = bias[o] + sum over c, k of x[n, c, p * stride + k * dilation - low] w[o, c, k]``

    Shapes: x ``[n, c, h, w]``, weight ``[o, c / groups, kh, kw]``, bias ``[o]`` give
    ``[n, o, h', w']`` with ``h' = (h + low + high - dilation * (kh - 1) - 1) // stride + 1``.
    Sizes may be symbolic.

    Args:
        x: floats; with the weight it is promoted to a common dtype.
        weight: windows, not mirrored.
        bias: one number per output channel, or None.
        stride: distance between windows; one for all axes, or one each.
        padding: zeros around x: one width, one per axis, or a pair (before, behind) per axis;
            "valid" is 0; "same" gives ``ceil(h / stride)`` places, the odd zero behind.
        dilation: distance between the elements of a window.
        groups: both kinds of channels are split into that many parts; output part i sees input
            part i only. As many groups as channels is a depthwise convolution.

    On JAX, float32 products have JAX's own default precision, as `matmul` says.

    Raises:
        ShapeError: channels, groups or axes do not fit, or a window is larger than padded x.
        OperandError: a stride, dilation or padding out of range.

    Source: torch.nn.functional.conv2d, which agrees wherever it takes the arguments.

    >>> import asg
    >>> x, w = asg.input("x", ("n", 3, "h", 32)), asg.input("w", (8, 3, 3, 3))
    >>> asg.conv2d(x, w, stride=2, padding=1).shape
    (Dim('n'), 8, Dim('(h + 1)//2'), 16)
    """
    return _convolved(2, x, weight, bias, stride, padding, dilation, groups)


@public
def conv3d(
    x: Any, weight: Any, bias: Any = None, stride: int | Steps = 1, padding: Padding = 0,
    dilation: int | Steps = 1, groups: int = 1,
) -> Tensor:  # fmt: skip
    """`conv2d` over three spatial axes: x ``[n, c, d, h, w]``, weight ``[o, c / groups, *k]``.

    >>> import asg
    >>> asg.conv3d(asg.zeros((1, 2, 4, 4, 4)), asg.zeros((5, 2, 3, 3, 3)), padding="same").shape
    (1, 5, 4, 4, 4)
    """
    return _convolved(3, x, weight, bias, stride, padding, dilation, groups)


def _convolved(
    spatial: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> Tensor:  # fmt: skip
    x, weight = _operand(x, spatial, "x"), _operand(weight, spatial, "weight")
    strides = steps_argument(stride, spatial, "stride")
    dilations = steps_argument(dilation, spatial, "dilation")
    pairs = _pairs(padding, x, [
        Axis(window, step, (0, 0), apart)
        for window, step, apart in zip(weight.shape[2:], strides, dilations, strict=True)
    ])  # fmt: skip
    result = Conv(strides, pairs, dilations, (1,) * spatial, groups)(x, weight)
    return _with_bias(result, bias)


def _operand(value: Any, spatial: int, name: str) -> Tensor:
    tensor = as_tensor(value)
    tensor.type.require_ndim(spatial + 2, name)
    return tensor


def _pairs(padding: Any, x: Tensor, axes: Sequence[Axis]) -> Pairs:
    if not isinstance(padding, str):
        return width_pairs(padding, len(axes))
    if padding not in ("same", "valid"):
        raise TypeProblem(f"padding {padding!r}", 'write "same", "valid" or numbers', OperandError)
    if padding == "valid":
        return ((0, 0),) * len(axes)
    return tuple(_same(size, axis) for size, axis in zip(x.shape[2:], axes, strict=True))


def _same(size: Dim, axis: Axis) -> tuple[Dim, Dim]:
    """Zeros so that windows start at 0, stride, ... of the axis, half of them before it."""
    last = (ceil_div(size, axis.stride) - 1) * axis.stride
    total = dim_max(0, last + axis.extent - size)
    return total // 2, total - total // 2


def _with_bias(result: Tensor, bias: Any) -> Tensor:
    if bias is None:
        return result
    bias = as_tensor(bias)
    bias.type.require_ndim(1, "bias")
    require_equal(
        bias.shape[0], result.shape[1], "bias does not have one number per output channel"
    )
    if bias.shape != result.shape[1:2]:
        bias = Reshape(result.shape[1:2])(bias)
    return result + expand_dims(bias, tuple(range(1, result.ndim - 1)))


@public
def conv_transpose1d(
    x: Any, weight: Any, bias: Any = None, stride: int | Steps = 1,
    padding: int | Steps | Pairs = 0, output_padding: int | Steps = 0, groups: int = 1,
    dilation: int | Steps = 1,
) -> Tensor:  # fmt: skip
    """`conv_transpose2d` over one spatial axis.

    >>> import asg
    >>> asg.run(asg.conv_transpose1d([[[1.0, 2.0]]], [[[1.0, 10.0]]], stride=2)).tolist()
    [[[1.0, 10.0, 2.0, 20.0]]]
    """
    return _transposed(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


@public
def conv_transpose2d(
    x: Any, weight: Any, bias: Any = None, stride: int | Steps = 1,
    padding: int | Steps | Pairs = 0, output_padding: int | Steps = 0, groups: int = 1,
    dilation: int | Steps = 1,
) -> Tensor:  # fmt: skip
    """The transpose of `conv2d`: every element of x adds a window, scaled by it, to the result.

    Shapes: x ``[n, c, h, w]``, weight ``[c, o / groups, kh, kw]``, bias ``[o]`` give
    ``[n, o, h', w']`` with
    ``h' = (h - 1) * stride - low - high + dilation * (kh - 1) + 1 + output_padding``.

    Args:
        x: floats; with the weight it is promoted to a common dtype.
        weight: as the convolution has it whose transpose this is.
        bias: one number per output channel, or None.
        stride: distance between the windows in the result.
        padding: what is cut off the result: one width, one per axis, or a pair per axis.
        output_padding: places added at the end of each axis (strided convolutions of several sizes
            have the same output size); below stride or dilation.
        groups: as in `conv2d`.
        dilation: distance between the elements of a window.

    Raises:
        ShapeError, OperandError: as `conv2d`.

    Source: torch.nn.functional.conv_transpose2d.

    >>> import asg
    >>> x, w = asg.input("x", ("n", 8, "h", 16)), asg.input("w", (8, 3, 3, 3))
    >>> asg.conv_transpose2d(x, w, stride=2, padding=1, output_padding=1).shape
    (Dim('n'), 3, Dim('2*h'), 32)
    """
    return _transposed(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


@public
def conv_transpose3d(
    x: Any, weight: Any, bias: Any = None, stride: int | Steps = 1,
    padding: int | Steps | Pairs = 0, output_padding: int | Steps = 0, groups: int = 1,
    dilation: int | Steps = 1,
) -> Tensor:  # fmt: skip
    """`conv_transpose2d` over three spatial axes.

    >>> import asg
    >>> x, w = asg.zeros((1, 2, 4, 4, 4)), asg.zeros((2, 5, 2, 2, 2))
    >>> asg.conv_transpose3d(x, w, stride=2).shape
    (1, 5, 8, 8, 8)
    """
    return _transposed(3, x, weight, bias, stride, padding, output_padding, groups, dilation)


def _transposed(
    spatial: int, x: Any, weight: Any, bias: Any, stride: Any, padding: Any, output_padding: Any,
    groups: int, dilation: Any,
) -> Tensor:  # fmt: skip
    x, weight = _operand(x, spatial, "x"), _operand(weight, spatial, "weight")
    op = ConvTranspose(
        steps_argument(stride, spatial, "stride"),
        width_pairs(padding, spatial),
        steps_argument(output_padding, spatial, "output_padding", least=0),
        steps_argument(dilation, spatial, "dilation"),
        groups,
    )
    return _with_bias(op(x, weight), bias)
