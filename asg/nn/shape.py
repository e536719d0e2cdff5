"""Layers that lay elements out anew: axes merged and split, pixels and channels, blocks."""

from __future__ import annotations

from typing import Any

from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_positive
from asg.nn.module import Module
from asg.nn.windows import PerAxis, each_axis, over_batch


class Flatten(Module):
    """Axes ``start_dim`` to ``end_dim``, both included, merged into one.

    >>> import asg
    >>> from asg import nn
    >>> nn.Flatten()(asg.input("x", ("n", 4, 6))).shape
    (Dim('n'), 24)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        """Keeps the batch axis by default."""
        _require_axis(start_dim=start_dim, end_dim=end_dim)
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Fewer axes, same elements."""
        return call("flatten", x, self.start_dim, self.end_dim)

    def describe(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Axis ``dim`` made several; one of ``unflattened_size`` may be -1, and is worked out.

    >>> import asg
    >>> from asg import nn
    >>> nn.Unflatten(1, (2, -1))(asg.input("x", ("n", 6))).shape
    (Dim('n'), 2, 3)
    """

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        """Named axes, which PyTorch has here, do not exist in asg."""
        _require_axis(dim=dim)
        sizes = unflattened_size if isinstance(unflattened_size, tuple | list) else ()
        if not sizes or any(type(size) is not int or size < -1 for size in sizes):
            raise OperandError(
                f"unflattened_size={unflattened_size!r} must be a tuple of ints >= 0, or -1"
            )
        self.dim, self.unflattened_size = dim, tuple(sizes)

    def forward(self, x: Tensor) -> Tensor:
        """More axes, same elements."""
        return call("unflatten", x, self.dim, self.unflattened_size)

    def describe(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


class PixelShuffle(Module):
    """Channels exchanged for pixels: ``[..., C r r, H, W]`` to ``[..., C, H r, W r]``.

    Source: Shi et al., 2016, https://arxiv.org/abs/1609.05158.

    >>> import asg
    >>> from asg import nn
    >>> nn.PixelShuffle(2)(asg.input("x", ("n", 12, "h", 5))).shape
    (Dim('n'), 3, Dim('2*h'), 10)
    """

    def __init__(self, upscale_factor: int) -> None:
        """r is the factor of height and width."""
        require_positive(upscale_factor=upscale_factor)
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        """Larger images with fewer channels."""
        return call("pixel_shuffle", x, self.upscale_factor)

    def describe(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Pixels exchanged for channels: ``[..., C, H r, W r]`` to ``[..., C r r, H, W]``.

    >>> import asg
    >>> from asg import nn
    >>> nn.PixelUnshuffle(2)(asg.input("x", ("n", 3, 8, 10))).shape
    (Dim('n'), 12, 4, 5)
    """

    def __init__(self, downscale_factor: int) -> None:
        """r is the factor of height and width."""
        require_positive(downscale_factor=downscale_factor)
        self.downscale_factor = downscale_factor

    def forward(self, x: Tensor) -> Tensor:
        """Smaller images with more channels."""
        return call("pixel_unshuffle", x, self.downscale_factor)

    def describe(self) -> str:
        return f"downscale_factor={self.downscale_factor}"


class ChannelShuffle(Module):
    """Channels in another order: the first of each group, then the second of each, and so on.

    Source: Zhang et al., 2017, https://arxiv.org/abs/1707.01083.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.ChannelShuffle(2)(asg.constant([[1.0, 2.0, 3.0, 4.0]]))).tolist()
    [[1.0, 3.0, 2.0, 4.0]]
    """

    def __init__(self, groups: int) -> None:
        """``groups`` divides the channels, which are axis 1."""
        require_positive(groups=groups)
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, ...]``, same shape."""
        return call("channel_shuffle", x, self.groups)

    def describe(self) -> str:
        return f"groups={self.groups}"


class Unfold(Module):
    """Sliding blocks of images as columns: ``[N, C, H, W]`` to ``[N, C * elements, blocks]``.

    Source: torch.nn.Unfold.

    >>> import asg
    >>> from asg import nn
    >>> nn.Unfold((2, 3))(asg.input("x", ("n", 5, 3, 4))).shape
    (Dim('n'), 30, 4)
    """

    def __init__(
        self, kernel_size: PerAxis, dilation: PerAxis = 1, padding: PerAxis = 0, stride: PerAxis = 1
    ) -> None:
        """Arguments as `torch.nn.Unfold`, one number or one for height and width."""
        _require_blocks(kernel_size, dilation, padding, stride)
        self.kernel_size, self.dilation = kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C, H, W]`` or ``[C, H, W]``."""
        result: Tensor = over_batch(
            2,
            lambda images: call(
                "unfold", images, self.kernel_size, self.stride, self.padding, self.dilation
            ),
            x,
        )
        return result

    def describe(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(Module):
    """Columns added up to images: ``[N, C * elements, blocks]`` to ``[N, C, *output_size]``.

    The transpose of `Unfold`: where blocks overlap, their elements are added.

    Source: torch.nn.Fold.

    >>> import asg
    >>> from asg import nn
    >>> nn.Fold((3, 4), (2, 3))(asg.input("x", ("n", 30, 4))).shape
    (Dim('n'), 5, 3, 4)
    """

    def __init__(
        self,
        output_size: PerAxis,
        kernel_size: PerAxis,
        dilation: PerAxis = 1,
        padding: PerAxis = 0,
        stride: PerAxis = 1,
    ) -> None:
        """Arguments as `torch.nn.Fold`, one number or one for height and width."""
        self._sizes = each_axis("output_size", output_size, 2)
        _require_blocks(kernel_size, dilation, padding, stride)
        self.output_size, self.kernel_size, self.dilation = output_size, kernel_size, dilation
        self.padding, self.stride = padding, stride

    def forward(self, x: Tensor) -> Tensor:
        """``[N, C * elements, blocks]`` or ``[C * elements, blocks]``."""
        geometry: tuple[Any, ...] = self.kernel_size, self.stride, self.padding, self.dilation
        result: Tensor = over_batch(1, lambda y: call("fold", y, self._sizes, *geometry), x)
        return result

    def describe(self) -> str:
        return (
            f"output_size={self.output_size}, kernel_size={self.kernel_size}, "
            f"dilation={self.dilation}, padding={self.padding}, stride={self.stride}"
        )


def _require_blocks(
    kernel_size: PerAxis, dilation: PerAxis, padding: PerAxis, stride: PerAxis
) -> None:
    each_axis("kernel_size", kernel_size, 2)
    each_axis("dilation", dilation, 2)
    each_axis("padding", padding, 2, least=0)
    each_axis("stride", stride, 2)


def _require_axis(**axes: int) -> None:
    for name, axis in axes.items():
        if type(axis) is not int:
            raise OperandError(f"{name}={axis!r} must be an int, the number of an axis")
