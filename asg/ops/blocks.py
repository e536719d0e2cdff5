"""Blocks of images: sliding ones as columns and back, and channels exchanged for pixels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from asg.core.convert import as_tensor
from asg.core.dim import Dim, as_dim, product
from asg.core.errors import OperandError
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import (
    Shape,
    TensorType,
    TypeProblem,
    as_shape,
    normalize_axis,
    require_equal,
)
from asg.ops.index import ScatterAdd, Take, require_shape
from asg.ops.join import Pad
from asg.ops.leaf import iota, zeros
from asg.ops.operand import respelled
from asg.ops.shape import PermuteDims, Reshape, ShapeOp, Tensors, expand_dims
from asg.ops.slicing import Slice
from asg.ops.windows import (
    Axis,
    Pairs,
    Steps,
    axes_of,
    require_windows,
    steps_argument,
    whole_number,
    width_pairs,
    windowed_shape,
)

if TYPE_CHECKING:
    from asg.core.op import Cotangent


class BlockOp(ShapeOp, abstract=True):
    """Base of Unfold and Fold: one entry of each attribute for every spatial axis."""

    kernel: Steps
    stride: Steps
    padding: Pairs
    dilation: Steps

    def axes(self) -> list[Axis]:
        """The geometry of each spatial axis."""
        return axes_of(self.kernel, self.stride, self.padding, self.dilation)

    def columns_type(self, x: TensorType) -> TensorType:
        """What unfolding images of a type gives."""
        require_windows(x, (self.kernel, self.stride, self.padding, self.dilation))
        places = windowed_shape(x.shape[2:], self.axes())
        return x.with_shape((x.shape[0], x.shape[1] * prod(self.kernel), product(places)))

    def split_shape(self, x: TensorType) -> Shape:
        """The columns of images with axes of their own: [N, C, *kernel, *places]."""
        return (*x.shape[:2], *self.kernel, *windowed_shape(x.shape[2:], self.axes()))

    def interleaving(self) -> tuple[int, ...]:
        """The axes of `split_shape` in the order N, C, kernel 0, places 0, kernel 1, ..."""
        count = len(self.kernel)
        pairs = [(2 + axis, 2 + count + axis) for axis in range(count)]
        return (0, 1, *(axis for pair in pairs for axis in pair))


def _read_places(axis: Axis, size: Dim) -> Tensor:
    """``places[k, p] = p * stride + k * dilation``, counted in the padded axis."""
    elements = expand_dims(iota((axis.window,)), 1) * axis.dilation
    return elements + iota((axis.places(size),)) * axis.stride


class Unfold(BlockOp):
    """``y[n, (c, k), p] = x[n, c, p * stride + k * dilation - padding]``; 0 in the padding."""

    def infer(self, x: TensorType) -> TensorType:
        return self.columns_type(x)

    def decompose(self, x: Tensor) -> Tensor:
        sizes = x.shape[2:]
        shape, result = self.split_shape(x.type), self.columns_type(x.type).shape
        if any(width != 0 for pair in self.padding for width in pair):
            low, high = zip(*self.padding, strict=True)
            x = Pad((0, 0, *low), (0, 0, *high))(x)
        for number, axis in enumerate(self.axes()):
            x = Take(2 + 2 * number)(x, _read_places(axis, sizes[number]))
        order = self.interleaving()
        x = PermuteDims(tuple(sorted(range(len(order)), key=order.__getitem__)))(x)
        return Reshape(result)(respelled(x, shape))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        fields = self.kernel, self.stride, self.padding, self.dilation
        folded = Fold(*fields, inputs[0].shape[2:])(cotangents[0])
        return [respelled(folded, inputs[0].shape)]


class Fold(BlockOp):
    """The transpose of Unfold: every element of a column added where it would be read."""

    sizes: Shape

    def infer(self, x: TensorType) -> TensorType:
        x.require_numeric().require_ndim(3)
        images = self._images(x)
        require_shape(x, self.columns_type(images).shape, "x")
        return images

    def _images(self, x: TensorType) -> TensorType:
        area = prod(self.kernel)
        if area < 1:
            raise TypeProblem(f"kernel {self.kernel} is empty", error=OperandError)
        require_equal(
            x.shape[1] % area, 0, f"{x.shape[1]} rows are no multiple of the kernel's {area}"
        )
        return x.with_shape((x.shape[0], x.shape[1] // area, *self.sizes))

    def decompose(self, x: Tensor) -> Tensor:
        images = self._images(x.type)
        axes, shape = self.axes(), self.split_shape(images)
        x = PermuteDims(self.interleaving())(Reshape(shape)(x))
        for number in reversed(range(len(axes))):
            axis, at, size = axes[number], 2 + 2 * number, self.sizes[number]
            whole = zeros((*x.shape[:at], axis.padded(size), *x.shape[at + 2 :]), x.dtype)
            x = ScatterAdd(at)(whole, _read_places(axis, size), x)
        if any(width != 0 for pair in self.padding for width in pair):
            low = tuple(pair[0] for pair in self.padding)
            stop = tuple(first + size for first, size in zip(low, self.sizes, strict=True))
            x = Slice((0, 0, *low), (*x.shape[:2], *stop), (1,) * x.ndim)(x)
        return respelled(x, images.shape)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        columns = Unfold(self.kernel, self.stride, self.padding, self.dilation)(cotangents[0])
        return [respelled(columns, inputs[0].shape)]


class PixelShuffle(ShapeOp):
    """``y[n, c, h * r + i, w * r + j] = x[n, (c, i, j), h, w]``."""

    factor: int

    def infer(self, x: TensorType) -> TensorType:
        channels, high, wide = _image_sizes(x, self.factor)
        area, r = self.factor**2, self.factor
        require_equal(channels % area, 0, f"{channels} channels are no multiple of {area}")
        return x.with_shape((*x.shape[:-3], channels // area, high * r, wide * r))

    def decompose(self, x: Tensor) -> Tensor:
        lead, (channels, high, wide), r = x.shape[:-3], x.shape[-3:], self.factor
        first = len(lead)
        parts = Reshape((*lead, channels // r**2, r, r, high, wide))(x)
        order = (*range(first), *(first + axis for axis in (0, 3, 1, 4, 2)))
        return Reshape(self.infer(x.type).shape)(PermuteDims(order)(parts))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [respelled(PixelUnshuffle(self.factor)(cotangents[0]), inputs[0].shape)]


class PixelUnshuffle(ShapeOp):
    """``y[n, (c, i, j), h, w] = x[n, c, h * r + i, w * r + j]``."""

    factor: int

    def infer(self, x: TensorType) -> TensorType:
        channels, high, wide = _image_sizes(x, self.factor)
        r = self.factor
        for size in (high, wide):
            require_equal(size % r, 0, f"a side of {size} is no multiple of {r}")
        return x.with_shape((*x.shape[:-3], channels * r**2, high // r, wide // r))

    def decompose(self, x: Tensor) -> Tensor:
        lead, (channels, high, wide), r = x.shape[:-3], x.shape[-3:], self.factor
        first = len(lead)
        parts = Reshape((*lead, channels, high // r, r, wide // r, r))(x)
        order = (*range(first), *(first + axis for axis in (0, 2, 4, 1, 3)))
        return Reshape(self.infer(x.type).shape)(PermuteDims(order)(parts))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [respelled(PixelShuffle(self.factor)(cotangents[0]), inputs[0].shape)]


def _image_sizes(x: TensorType, factor: int) -> tuple[Dim, Dim, Dim]:
    if type(factor) is not int or factor < 1:
        raise TypeProblem(f"the factor is {factor!r}", "give an int >= 1", OperandError)
    if x.ndim < 3:
        raise TypeProblem(f"x {x} is no image", "give [..., channels, height, width]")
    return x.shape[-3], x.shape[-2], x.shape[-1]


# -- functions -----------------------------------------------------------------------------------


@public
def unfold(
    x: Any, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Tensor:
    """Sliding blocks as columns: [N, C, *spatial] -> [N, C * elements, blocks], as PyTorch has it.

    Args:
        x: images with any number of spatial axes.
        kernel_size: elements of a block along each spatial axis.
        stride: how far blocks start apart.
        padding: zeros around x: one width, one for each axis, or (before, behind) for each.
        dilation: how far elements of a block lie apart.

    Raises:
        ShapeError: the block does not fit.

    >>> import asg
    >>> x = asg.constant([[[1.0, 2.0, 3.0]]])
    >>> asg.run(asg.unfold(x, 2)).tolist()
    [[[1.0, 2.0], [2.0, 3.0]]]
    """
    x = as_tensor(x)
    return Unfold(*_geometry(x.ndim - 2, kernel_size, stride, padding, dilation))(x)


@public
def fold(
    x: Any,
    output_size: Any,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
) -> Tensor:
    """Columns added up to images: [N, C * elements, blocks] -> [N, C, *output_size].

    The transpose of `unfold` with the same arguments; where blocks overlap, their elements are
    added.

    Args:
        x: columns.
        output_size: the spatial sizes of the images, one for each axis.
        kernel_size, stride, padding, dilation: as in `unfold`.

    Raises:
        ShapeError: there are more or fewer columns than blocks.

    >>> import asg
    >>> asg.run(asg.fold(asg.ones((1, 2, 2)), (3,), 2)).tolist()
    [[[1.0, 2.0, 1.0]]]
    """
    x = as_tensor(x)
    if not isinstance(output_size, tuple | list):
        raise TypeProblem(
            f"output_size is {output_size!r}", "give one size for each spatial axis", OperandError
        )
    sizes = as_shape(output_size)
    return Fold(*_geometry(len(sizes), kernel_size, stride, padding, dilation), sizes)(x)


def _geometry(
    spatial: int, kernel: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[Steps, Steps, Pairs, Steps]:
    return (
        steps_argument(kernel, max(spatial, 1), "kernel_size"),
        steps_argument(stride, max(spatial, 1), "stride"),
        width_pairs(padding, max(spatial, 1)),
        steps_argument(dilation, max(spatial, 1), "dilation"),
    )


@public
def pixel_shuffle(x: Any, upscale_factor: int) -> Tensor:
    """Channels exchanged for pixels: [..., C r r, H, W] -> [..., C, H r, W r].

    Raises:
        ShapeError: the channels are no multiple of r r.

    >>> import asg
    >>> x = asg.constant([[[1.0]], [[2.0]], [[3.0]], [[4.0]]])
    >>> asg.run(asg.pixel_shuffle(x, 2)).tolist()
    [[[1.0, 2.0], [3.0, 4.0]]]
    """
    return PixelShuffle(whole_number(upscale_factor, "upscale_factor", 1))(x)


@public
def pixel_unshuffle(x: Any, downscale_factor: int) -> Tensor:
    """Pixels exchanged for channels: [..., C, H r, W r] -> [..., C r r, H, W].

    Raises:
        ShapeError: a side is no multiple of r.

    >>> import asg
    >>> asg.run(asg.pixel_unshuffle(asg.constant([[[1, 2], [3, 4]]]), 2)).tolist()
    [[[1]], [[2]], [[3]], [[4]]]
    """
    return PixelUnshuffle(whole_number(downscale_factor, "downscale_factor", 1))(x)


@public
def channel_shuffle(x: Any, groups: int) -> Tensor:
    """Channels in another order: the first of each group, then the second of each, and so on.

    Shapes: [N, C, ...] -> the same; after it, a grouped convolution sees every former group.

    Raises:
        ShapeError: the channels are no multiple of groups.

    Source: Zhang et al., "ShuffleNet", 2017, https://arxiv.org/abs/1707.01083.

    >>> import asg
    >>> asg.run(asg.channel_shuffle(asg.constant([[1, 2, 3, 4]]), 2)).tolist()
    [[1, 3, 2, 4]]
    """
    x = as_tensor(x)
    count = whole_number(groups, "groups", 1)
    if x.ndim < 2:
        raise TypeProblem(f"x {x.type} has no channels", "give [N, C, ...]")
    batch, channels, *rest = x.shape
    require_equal(channels % count, 0, f"{channels} channels are no multiple of {count}")
    parts = Reshape((batch, count, channels // count, *rest))(x)
    order = (0, 2, 1, *range(3, parts.ndim))
    return Reshape(x.shape)(PermuteDims(order)(parts))


@public
def unflatten(x: Any, axis: int, sizes: Any) -> Tensor:
    """One axis made several; one size may be -1, and is worked out.

    Raises:
        ShapeError: the sizes do not multiply to that of the axis.

    >>> import asg
    >>> asg.unflatten(asg.input("x", ("n", 6)), 1, (2, -1)).shape
    (Dim('n'), 2, 3)
    """
    x = as_tensor(x)
    place = normalize_axis(axis, x.ndim)
    given = [as_dim(size) for size in (sizes if isinstance(sizes, tuple | list) else (sizes,))]
    whole = x.shape[place]
    if given.count(-1) > 1:
        raise TypeProblem(f"sizes {tuple(given)} have -1 twice", "leave at most one size open")
    if -1 in given:
        known = product(size for size in given if size != -1)
        if known == 0:
            raise TypeProblem(f"-1 could be any size in {tuple(given)}", "write every size")
        require_equal(whole % known, 0, f"an axis of size {whole} is no multiple of {known}")
        given[given.index(-1)] = whole // known
    require_equal(product(given), whole, f"{tuple(given)} does not fill an axis of size {whole}")
    return Reshape((*x.shape[:place], *as_shape(given), *x.shape[place + 1 :]))(x)
