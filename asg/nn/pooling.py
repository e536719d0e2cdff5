"""Pooling layers over windows: largest elements and back, averages, norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.registry import call, service
from asg.core.tensor import Tensor
from asg.nn.checks import require_flags, require_number, require_positive
from asg.nn.module import Module
from asg.nn.windows import PerAxis, each_axis, over_batch, spatial_part


class _Pool(Module):
    """What layers over windows share: kernel_size, stride (None: the kernel) and padding."""

    _spatial: ClassVar[int]
    stride: PerAxis | None

    def _set_windows(
        self, kernel_size: PerAxis, stride: PerAxis | None, padding: PerAxis = 0,
        dilation: PerAxis = 1,
    ) -> None:  # fmt: skip
        window = each_axis("kernel_size", kernel_size, self._spatial)
        each_axis("stride", kernel_size if stride is None else stride, self._spatial)
        widths = each_axis("padding", padding, self._spatial, least=0)
        apart = each_axis("dilation", dilation, self._spatial)
        for size, width, step in zip(window, widths, apart, strict=True):
            if 2 * width > (size - 1) * step + 1:
                raise OperandError(
                    f"padding={padding!r} is more than half of kernel_size={kernel_size!r}"
                )
        self.kernel_size, self.padding = kernel_size, padding
        self.stride = kernel_size if stride is None else stride


class _MaxPool(_Pool):
    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        dilation: PerAxis = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        """Arguments as PyTorch's layer of this name."""
        require_flags(return_indices=return_indices, ceil_mode=ceil_mode)
        self._set_windows(kernel_size, stride, padding, dilation)
        self.dilation, self.return_indices, self.ceil_mode = dilation, return_indices, ceil_mode

    def forward(self, x: Tensor) -> Any:
        """``[batch, channels, *spatial]`` (batch may be missing), or that and the indices."""
        pool = service(f"max_pool{self._spatial}d{'_with_indices' if self.return_indices else ''}")
        geometry = self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode
        return over_batch(self._spatial, lambda rows: pool(rows, *geometry), x)

    def describe(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """`MaxPool2d` over one spatial axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.MaxPool1d(2)(asg.constant([[[1.0, 5.0, 2.0, 4.0]]]))).tolist()
    [[[5.0, 4.0]]]
    """

    _spatial = 1


class MaxPool2d(_MaxPool):
    """The largest element of each window; with ``return_indices`` also where it is.

    Indices are int32 and count over the spatial axes of x: the first among equals. ``padding`` is
    what windows may reach beyond x, where nothing is ever the largest; ``ceil_mode`` adds a last
    window where the stride leaves a remainder.

    Raises:
        OperandError: an argument out of range, or padding of more than half a window.

    Source: torch.nn.MaxPool2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.MaxPool2d(3, stride=2, padding=1)(asg.input("x", ("n", 8, 28, "w"))).shape
    (Dim('n'), 8, 14, Dim('(w + 1)//2'))
    """

    _spatial = 2


class MaxPool3d(_MaxPool):
    """`MaxPool2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.MaxPool3d((1, 2, 2))(asg.zeros((1, 2, 4, 6, 8))).shape
    (1, 2, 4, 3, 4)
    """

    _spatial = 3


class _MaxUnpool(_Pool):
    def __init__(
        self, kernel_size: PerAxis, stride: PerAxis | None = None, padding: PerAxis = 0
    ) -> None:
        """Arguments of the pooling whose results are put back."""
        self._set_windows(kernel_size, stride, padding)
        self.kernel_size = each_axis("kernel_size", self.kernel_size, self._spatial)
        self.stride = each_axis("stride", self.stride, self._spatial)
        self.padding = each_axis("padding", padding, self._spatial, least=0)

    def forward(
        self, x: Tensor, indices: Tensor, output_size: Sequence[Dim] | None = None
    ) -> Tensor:
        """What a max pool with ``return_indices`` gave, ``[batch, channels, *spatial]``.

        Args:
            x: its values (batch may be missing).
            indices: its indices.
            output_size: the sizes wanted of the spatial axes (or of all axes), if windows did not
                reach the end.
        """
        unpool = f"max_unpool{self._spatial}d"
        geometry = self.kernel_size, self.stride, self.padding
        if output_size is not None:
            output_size = spatial_part(output_size, self._spatial)
        result: Tensor = over_batch(
            self._spatial,
            lambda values, places: call(unpool, values, places, *geometry, output_size),
            x, indices,
        )  # fmt: skip
        return result

    def describe(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """`MaxUnpool2d` over one spatial axis.

    >>> import asg
    >>> from asg import nn
    >>> x = asg.constant([[[1.0, 5.0, 2.0, 4.0]]])
    >>> values, places = nn.MaxPool1d(2, return_indices=True)(x)
    >>> asg.run(nn.MaxUnpool1d(2)(values, places)).tolist()
    [[[0.0, 5.0, 0.0, 4.0]]]
    """

    _spatial = 1


class MaxUnpool2d(_MaxUnpool):
    """The results of `MaxPool2d` put back to where they were; zeros elsewhere.

    Sizes: ``(h - 1) * stride - 2 * padding + kernel_size`` unless ``output_size`` is given.

    Raises:
        OperandError: an argument out of range.

    Source: torch.nn.MaxUnpool2d, but for gradients where windows overlap (see `max_unpool2d`).

    >>> import asg
    >>> from asg import nn
    >>> x = asg.input("x", ("n", 8, 7, 7))
    >>> values, places = nn.MaxPool2d(2, return_indices=True)(x)
    >>> nn.MaxUnpool2d(2)(values, places, output_size=x.shape).shape
    (Dim('n'), 8, 7, 7)
    """

    _spatial = 2


class MaxUnpool3d(_MaxUnpool):
    """`MaxUnpool2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> values, places = nn.MaxPool3d(2, return_indices=True)(asg.zeros((1, 2, 4, 6, 8)))
    >>> nn.MaxUnpool3d(2)(values, places).shape
    (1, 2, 4, 6, 8)
    """

    _spatial = 3


class _AvgPool(_Pool):
    divisor_override: int | None = None

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, *spatial]``; batch may be missing."""
        geometry: tuple[Any, ...] = self.kernel_size, self.stride, self.padding
        options: tuple[Any, ...] = self.ceil_mode, self.count_include_pad
        if self.divisor_override is not None:
            options = (*options, self.divisor_override)
        pool = service(f"avg_pool{self._spatial}d")
        result: Tensor = over_batch(self._spatial, lambda y: pool(y, *geometry, *options), x)
        return result

    def _set_options(self, ceil_mode: bool, count_include_pad: bool, divisor: int | None) -> None:
        require_flags(ceil_mode=ceil_mode, count_include_pad=count_include_pad)
        if divisor is not None:
            require_positive(divisor_override=divisor)
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad
        self.divisor_override = divisor

    def describe(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(_AvgPool):
    """`AvgPool2d` over one spatial axis, without divisor_override, as PyTorch.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.AvgPool1d(2)(asg.constant([[[1.0, 5.0, 2.0, 4.0]]]))).tolist()
    [[[3.0, 3.0]]]
    """

    _spatial = 1

    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        """Arguments as `torch.nn.AvgPool1d`."""
        self._set_windows(kernel_size, stride, padding)
        self.kernel_size = each_axis("kernel_size", self.kernel_size, 1)
        self.stride = each_axis("stride", self.stride, 1)
        self.padding = each_axis("padding", padding, 1, least=0)
        self._set_options(ceil_mode, count_include_pad, None)


class _DivisorAvgPool(_AvgPool):
    def __init__(
        self,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        padding: PerAxis = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        """Arguments as PyTorch's layer of this name."""
        self._set_windows(kernel_size, stride, padding)
        self._set_options(ceil_mode, count_include_pad, divisor_override)


class AvgPool2d(_DivisorAvgPool):
    """The mean of each window.

    ``count_include_pad`` counts the zeros of the padding; what ``ceil_mode`` adds never counts;
    ``divisor_override`` is divided by in place of the count.

    Raises:
        OperandError: an argument out of range, or padding of more than half a window.

    Source: torch.nn.AvgPool2d.

    >>> import asg
    >>> from asg import nn
    >>> nn.AvgPool2d(3, stride=2, padding=1)(asg.input("x", ("n", 8, 28, "w"))).shape
    (Dim('n'), 8, 14, Dim('(w + 1)//2'))
    """

    _spatial = 2


class AvgPool3d(_DivisorAvgPool):
    """`AvgPool2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.AvgPool3d(2)(asg.zeros((1, 2, 4, 6, 8))).shape
    (1, 2, 2, 3, 4)
    """

    _spatial = 3


class _LPPool(_Pool):
    def __init__(
        self,
        norm_type: float,
        kernel_size: PerAxis,
        stride: PerAxis | None = None,
        ceil_mode: bool = False,
    ) -> None:
        """Arguments as PyTorch's layer of this name."""
        require_number("norm_type", norm_type, 1)
        require_flags(ceil_mode=ceil_mode)
        self._set_windows(kernel_size, stride)
        self.norm_type, self.ceil_mode = norm_type, ceil_mode
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, *spatial]``; batch may be missing."""
        pool = service(f"lp_pool{self._spatial}d")
        geometry = self.norm_type, self.kernel_size, self.stride, self.ceil_mode
        result: Tensor = over_batch(self._spatial, lambda rows: pool(rows, *geometry), x)
        return result

    def describe(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """`LPPool2d` over one spatial axis.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.LPPool1d(2, 2)(asg.constant([[[3.0, -4.0, 0.0, 0.0]]]))).tolist()
    [[[5.0, 0.0]]]
    """

    _spatial = 1


class LPPool2d(_LPPool):
    """The norm ``(sum of |x|^p)^(1/p)`` of each window, ``p = norm_type >= 1``.

    The sums of the smaller last windows of ``ceil_mode`` are scaled up to the size of the others.

    Raises:
        OperandError: an argument out of range.

    Source: torch.nn.LPPool2d, which has no absolute value: odd norms of negative numbers differ.

    >>> import asg
    >>> from asg import nn
    >>> nn.LPPool2d(2, (3, 2), stride=(2, 1))(asg.input("x", ("n", 8, 9, 9))).shape
    (Dim('n'), 8, 4, 8)
    """

    _spatial = 2


class LPPool3d(_LPPool):
    """`LPPool2d` over three spatial axes.

    >>> import asg
    >>> from asg import nn
    >>> nn.LPPool3d(2, 2)(asg.zeros((1, 2, 4, 6, 8))).shape
    (1, 2, 2, 3, 4)
    """

    _spatial = 3
