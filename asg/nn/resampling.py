"""Layers that interpolate images to another size."""

from __future__ import annotations

from math import floor
from typing import Any

from asg.core.convert import as_tensor
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_axes, require_flags, require_number, require_positive
from asg.nn.module import Module

MODES = ("nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear")


class Upsample(Module):
    """Images interpolated to ``size``, or to ``scale_factor`` times their size.

    Modes are "nearest", "nearest-exact", "linear", "bilinear", "bicubic" and "trilinear", which
    `resize` explains. Spatial sizes are literal.

    Raises:
        OperandError: both or neither of size and scale_factor, an unknown mode, or align_corners
            for a nearest one.

    Source: torch.nn.Upsample.

    >>> import asg
    >>> from asg import nn
    >>> x = asg.constant([[[0.0, 4.0]]])
    >>> asg.run(nn.Upsample(scale_factor=2, mode="linear")(x)).tolist()
    [[[0.0, 1.0, 3.0, 4.0]]]
    """

    def __init__(
        self,
        size: int | tuple[int, ...] | None = None,
        scale_factor: float | tuple[float, ...] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        """Arguments as `torch.nn.Upsample`.

        Args:
            size: one for all spatial axes, or one each.
            scale_factor: in place of size; sizes become floor(n * scale_factor).
            mode: how.
            align_corners: the centres of the border elements stay in place, not the borders.
            recompute_scale_factor: with scale_factor, places follow from the sizes, rounded as
                they are, and not from the factor.
        """
        if (size is None) == (scale_factor is None):
            raise OperandError(
                f"size={size!r} and scale_factor={scale_factor!r}: give one of the two"
            )
        if mode not in MODES:
            raise OperandError(f"mode={mode!r} is not one of {', '.join(MODES)}")
        if align_corners is not None:
            require_flags(align_corners=align_corners)
            if mode.startswith("nearest"):
                raise OperandError(f"align_corners={align_corners} has no meaning in mode={mode!r}")
        self._set_sizes(size, scale_factor, bool(recompute_scale_factor))
        self.mode, self.align_corners = mode, align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def _set_sizes(self, size: Any, scale_factor: Any, recomputed: bool) -> None:
        for each in _entries(size):
            require_positive(size=each)
        for each in _entries(scale_factor):
            if require_number("scale_factor", each) <= 0:
                raise OperandError(f"scale_factor={scale_factor!r} must be positive")
        if recomputed and scale_factor is None:
            raise OperandError(f"recompute_scale_factor=True goes with scale_factor, not {size=}")
        self.size = size
        factors = tuple(float(each) for each in _entries(scale_factor))
        self.scale_factor = factors if isinstance(scale_factor, tuple | list) else (
            factors[0] if factors else None
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, *spatial]`` to other spatial sizes."""
        x = as_tensor(x)
        aligned = bool(self.align_corners)
        if self.recompute_scale_factor:
            return call("resize", x, self._whole_sizes(x), None, self.mode, aligned)
        return call("resize", x, self.size, self.scale_factor, self.mode, aligned)

    def _whole_sizes(self, x: Tensor) -> tuple[int, ...]:
        """The sizes that the factors lead to."""
        sizes = x.shape[2:]
        factors = _entries(self.scale_factor)
        factors = factors * len(sizes) if isinstance(self.scale_factor, float) else factors
        if len(factors) != len(sizes) or not all(isinstance(size, int) for size in sizes):
            raise ShapeError(
                f"scale_factor={self.scale_factor} needs as many literal spatial sizes, "
                f"x is {x.type}"
            )
        return tuple(floor(int(n) * factor) for n, factor in zip(sizes, factors, strict=True))

    def describe(self) -> str:
        told = f"size={self.size}" if self.scale_factor is None else None
        return f"{told or f'scale_factor={self.scale_factor}'}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` of images to the nearest pixel.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.UpsamplingNearest2d(scale_factor=2)(asg.constant([[[[1.0, 2.0]]]]))).tolist()
    [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        """One of the two, as for `Upsample`."""
        super().__init__(size, scale_factor, "nearest")

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, height, width]`` to another height and width."""
        return super().forward(_image(self, x))


class UpsamplingBilinear2d(Upsample):
    """`Upsample` of images by bilinear interpolation; the corner pixels stay in the corners.

    >>> import asg
    >>> from asg import nn
    >>> asg.run(nn.UpsamplingBilinear2d((1, 3))(asg.constant([[[[1.0, 2.0]]]]))).tolist()
    [[[[1.0, 1.5, 2.0]]]]
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        """One of the two, as for `Upsample`."""
        super().__init__(size, scale_factor, "bilinear", align_corners=True)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, channels, height, width]`` to another height and width."""
        return super().forward(_image(self, x))


def _image(layer: Upsample, x: Tensor) -> Tensor:
    x = as_tensor(x)
    require_axes(type(layer).__name__, x, ("[batch, channels, height, width]",))
    return x


def _entries(value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple | list) else (value,)
