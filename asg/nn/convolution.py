"""Convolutional layers over one, two and three spatial axes, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt
from typing import Any, ClassVar

from asg.core.dim import Dim
from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_positive
from asg.nn.init import uniform
from asg.nn.module import Module
from asg.nn.windows import PerAxis, each_axis, over_batch, spatial_part
from asg.state.variable import Initialiser, Variable

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _AnyConv(Module):
    """What convolutions and their transposes share: geometry, weight and bias."""

    _spatial: ClassVar[int]

    def _set_up(
        self, in_channels: int, out_channels: int, kernel_size: PerAxis, stride: PerAxis,
        dilation: PerAxis, groups: int,
    ) -> None:  # fmt: skip
        require_positive(in_channels=in_channels, out_channels=out_channels, groups=groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise OperandError(f"{name}={channels} is not a multiple of groups={groups}")
        self.kernel_size = each_axis("kernel_size", kernel_size, self._spatial)
        self.stride = each_axis("stride", stride, self._spatial)
        self.dilation = each_axis("dilation", dilation, self._spatial)

    def _declare(
        self, first: int, second: int, bias: bool, dtype: Any, init: Initialiser | None
    ) -> None:
        """Weight ``[first, second, *kernel]`` and bias, uniform on +-1/sqrt(fan in) as PyTorch."""
        require_flags(bias=bias)
        bound = 1.0 / sqrt(second * prod(self.kernel_size))
        shape = (first, second, *self.kernel_size)
        self.weight = Variable("weight", shape, init or uniform(-bound, bound), dtype)
        self.bias = (
            Variable("bias", (self.out_channels,), uniform(-bound, bound), dtype) if bias else None
        )

    def _described(self, **optional: tuple[Any, Any]) -> str:
        """The arguments; those of ``optional`` where value and default differ."""
        parts = [
            f"{self.in_channels}, {self.out_channels}",
            f"kernel_size={self.kernel_size}, stride={self.stride}",
        ]
        parts += [f"{name}={value}" for name, (value, usual) in optional.items() if value != usual]
        return ", ".join(parts)


class _Conv(_AnyConv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PerAxis | str = 0,
        dilation: PerAxis = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """Arguments as PyTorch's layer of this name; ``init`` is of the weight."""
        self._set_up(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding = self._checked_padding(padding)
        if padding_mode not in PADDING_MODES:
            raise OperandError(
                f"padding_mode={padding_mode!r} is not one of {', '.join(PADDING_MODES)}"
            )
        self.padding_mode = padding_mode
        self._declare(out_channels, in_channels // groups, bias, dtype, init)

    def _checked_padding(self, padding: PerAxis | str) -> tuple[int, ...] | str:
        if not isinstance(padding, str):
            return each_axis("padding", padding, self._spatial, least=0)
        if padding not in ("same", "valid"):
            raise OperandError(f"padding={padding!r} is neither 'same' nor 'valid'")
        if padding == "same" and any(step != 1 for step in self.stride):
            raise OperandError(
                f"padding='same' needs stride 1, not {self.stride}: asg.conv{self._spatial}d "
                "takes it with any stride"
            )
        return padding

    def _pads(self) -> list[tuple[int, int]]:
        """Widths before and behind each spatial axis; the odd one of "same" is behind."""
        if isinstance(self.padding, tuple):
            return [(width, width) for width in self.padding]
        if self.padding == "valid":
            return [(0, 0)] * self._spatial
        reach = [(k - 1) * d for k, d in zip(self.kernel_size, self.dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in reach]

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_channels, *spatial]`` (batch may be missing) to ``out_channels``."""
        result: Tensor = over_batch(self._spatial, self._convolved, x)
        return result

    def _convolved(self, x: Tensor) -> Tensor:
        pads = tuple(self._pads())
        if self.padding_mode != "zeros":
            x = call("pad", x, ((0, 0), (0, 0), *pads), mode=self.padding_mode)
            pads = ((0, 0),) * self._spatial
        return call(
            f"conv{self._spatial}d", x, self.weight, self.bias, self.stride, pads, self.dilation,
            self.groups,
        )  # fmt: skip

    def describe(self) -> str:
        return self._described(
            padding=(self.padding, (0,) * self._spatial),
            dilation=(self.dilation, (1,) * self._spatial),
            groups=(self.groups, 1),
            bias=(self.bias is not None, True),
            padding_mode=(self.padding_mode, "zeros"),
        )


class Conv1d(_Conv):
    """`Conv2d` over one spatial axis: x is ``[batch, in_channels, length]``.

    >>> import asg
    >>> from asg import nn
    >>> nn.Conv1d(4, 8, 3, padding=1)(asg.input("x", ("n", 4, "t"))).shape
    (Dim('n'), 8, Dim('t'))
    """

    _spatial = 1


class Conv2d(_Conv):
    """``y[n, o, p] = bias[o] + sum over c, k of x[n, c, p * stride + k * dilation] w[o, c, k]``.

    x is padded before: by ``padding`` on both sides of each axis, or so that the sizes stay
    ("same", for stride 1); with zeros, or with copies of x (``padding_mode`` "reflect",
    "replicate", "circular").

    Attributes:
        weight: ``[out_channels, in_channels / groups, *kernel_size]``, uniform on +-1/sqrt(n) where
            n is the product of all sizes but the first, as PyTorch.
        bias: ``[out_channels]``, the same distribution; None without bias.

    Raises:
        OperandError: an argument out of range, or channels that are no multiple of groups.

    Source: torch.nn.Conv2d.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1)
    >>> layer
    Conv2d(3, 8, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    >>> layer(asg.input("x", ("n", 3, 32, "w"))).shape
    (Dim('n'), 8, 16, Dim('(w + 1)//2'))
    """

    _spatial = 2


class Conv3d(_Conv):
    """`Conv2d` over three spatial axes: x is ``[batch, in_channels, depth, height, width]``.

    >>> import asg
    >>> from asg import nn
    >>> nn.Conv3d(2, 4, 3, padding="same")(asg.zeros((1, 2, 5, 5, 5))).shape
    (1, 4, 5, 5, 5)
    """

    _spatial = 3


class _ConvTranspose(_AnyConv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: PerAxis,
        stride: PerAxis = 1,
        padding: PerAxis = 0,
        output_padding: PerAxis = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: PerAxis = 1,
        padding_mode: str = "zeros",
        dtype: Any = float32,
        init: Initialiser | None = None,
    ) -> None:
        """Arguments as PyTorch's layer of this name; ``init`` is of the weight."""
        self._set_up(in_channels, out_channels, kernel_size, stride, dilation, groups)
        self.padding = each_axis("padding", padding, self._spatial, least=0)
        self.output_padding = each_axis("output_padding", output_padding, self._spatial, least=0)
        for extra, step, apart in zip(self.output_padding, self.stride, self.dilation, strict=True):
            if extra >= max(step, apart):
                raise OperandError(
                    f"output_padding={output_padding!r} is not below stride={stride!r} or "
                    f"dilation={dilation!r}"
                )
        if padding_mode != "zeros":
            raise OperandError(f"padding_mode={padding_mode!r}: transposes have 'zeros' only")
        self.padding_mode = padding_mode
        self._declare(in_channels, out_channels // groups, bias, dtype, init)

    def forward(self, x: Tensor, output_size: Sequence[Dim] | None = None) -> Tensor:
        """``[batch, in_channels, *spatial]`` (batch may be missing) to ``out_channels``.

        Args:
            x: floats.
            output_size: the sizes wanted of the spatial axes (or of all axes), in place of
                ``output_padding``: the smallest possible, up to ``stride - 1`` more.

        Raises:
            OperandError: an output size that cannot be.
        """
        wanted = None if output_size is None else spatial_part(output_size, self._spatial)
        result: Tensor = over_batch(self._spatial, lambda rows: self._transposed(rows, wanted), x)
        return result

    def _transposed(self, x: Tensor, wanted: tuple[Dim, ...] | None) -> Tensor:
        extra = self.output_padding if wanted is None else self._extra(x, wanted)
        return call(
            f"conv_transpose{self._spatial}d", x, self.weight, self.bias, self.stride,
            self.padding, extra, self.groups, self.dilation,
        )  # fmt: skip

    def _extra(self, x: Tensor, wanted: tuple[Dim, ...]) -> tuple[int, ...]:
        """The output padding that leads to the sizes wanted."""
        extra: list[int] = []
        for axis, size in enumerate(wanted):
            step, reach = self.stride[axis], self.dilation[axis] * (self.kernel_size[axis] - 1)
            least = (x.shape[axis + 2] - 1) * step - 2 * self.padding[axis] + reach + 1
            more = size - least
            if not isinstance(more, int) or not 0 <= more < step:
                raise OperandError(
                    f"output_size={size} of spatial axis {axis} is not between {least} and "
                    f"{least + step - 1}"
                )
            extra.append(more)
        return tuple(extra)

    def describe(self) -> str:
        return self._described(
            padding=(self.padding, (0,) * self._spatial),
            dilation=(self.dilation, (1,) * self._spatial),
            output_padding=(self.output_padding, (0,) * self._spatial),
            groups=(self.groups, 1),
            bias=(self.bias is not None, True),
        )


class ConvTranspose1d(_ConvTranspose):
    """`ConvTranspose2d` over one spatial axis: x is ``[batch, in_channels, length]``.

    >>> import asg
    >>> from asg import nn
    >>> nn.ConvTranspose1d(4, 8, 2, stride=2)(asg.input("x", ("n", 4, "t"))).shape
    (Dim('n'), 8, Dim('2*t'))
    """

    _spatial = 1


class ConvTranspose2d(_ConvTranspose):
    """The transpose of `Conv2d`: every element of x adds a window, scaled by it, to the result.

    Sizes: ``(h - 1) * stride - 2 * padding + dilation * (kernel_size - 1) + output_padding + 1``.

    Attributes:
        weight: ``[in_channels, out_channels / groups, *kernel_size]``, uniform on +-1/sqrt(n) where
            n is the product of all sizes but the first, as PyTorch.
        bias: ``[out_channels]``, the same distribution; None without bias.

    Raises:
        OperandError: an argument out of range, or channels that are no multiple of groups.

    Source: torch.nn.ConvTranspose2d.

    >>> import asg
    >>> from asg import nn
    >>> layer = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)
    >>> x = asg.input("x", ("n", 8, 16, 16))
    >>> layer(x).shape, layer(x, output_size=(32, 32)).shape
    ((Dim('n'), 3, 31, 31), (Dim('n'), 3, 32, 32))
    """

    _spatial = 2


class ConvTranspose3d(_ConvTranspose):
    """`ConvTranspose2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.ConvTranspose3d(2, 4, 2, stride=2)(asg.zeros((1, 2, 3, 3, 3))).shape
    (1, 4, 6, 6, 6)
    """

    _spatial = 3
