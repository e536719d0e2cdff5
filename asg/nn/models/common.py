"""What convolutional networks share: the block of convolution and norm, widths, first values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

from asg.core.errors import OperandError
from asg.nn.batch_norm import BatchNorm2d
from asg.nn.container import Sequential
from asg.nn.convolution import Conv2d
from asg.nn.init import kaiming_normal, normal, uniform, zeros
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.state.variable import Initialiser

Norm = Callable[[int], Module]
"""From a number of channels to the layer that normalises them."""


def norm_or_batch_norm(norm_layer: Norm | None, dtype: Any) -> Norm:
    """Batch normalisation unless another norm is given."""
    return partial(BatchNorm2d, dtype=dtype) if norm_layer is None else norm_layer


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 1,
    *,
    norm: Norm,
    activation: Callable[[], Module] | None,
    dtype: Any,
) -> Sequential:
    """A convolution without bias, padded by half a window, its norm, and perhaps an activation."""
    convolution = Conv2d(
        in_channels, out_channels, kernel_size, stride, (kernel_size - 1) // 2, groups=groups,
        bias=False, dtype=dtype,
    )  # fmt: skip
    last = [] if activation is None else [activation()]
    return Sequential(convolution, norm(out_channels), *last)


def rounded_channels(channels: float, multiple: int = 8) -> int:
    """The nearest multiple, at least one, and not below 90 % of ``channels``.

    >>> rounded_channels(32 * 0.75), rounded_channels(10), rounded_channels(3)
    (24, 16, 8)
    """
    nearest = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return nearest + multiple if nearest < 0.9 * channels else nearest


def require_factor(**factors: float) -> None:
    """Each is a positive number.

    Raises:
        OperandError: one is not.
    """
    for name, factor in factors.items():
        number = isinstance(factor, int | float) and not isinstance(factor, bool)
        if not number or not 0 < factor < float("inf"):
            raise OperandError(f"{name}={factor!r} must be a positive number")


def initialise(model: Module, dense: Callable[[Linear], Initialiser] | None) -> None:
    """Convolutions: Kaiming normal of fan out, no bias. Dense layers: ``dense``, unless None."""

    def set_first_values(module: Module) -> None:
        if isinstance(module, Conv2d):
            module.weight.set_initial(kaiming_normal(mode="fan_out"))
        elif isinstance(module, Linear) and dense is not None:
            module.weight.set_initial(dense(module))
        else:
            return
        if module.bias is not None:
            module.bias.set_initial(zeros())

    model.apply(set_first_values)


def narrow_normal(layer: Linear) -> Initialiser:
    """Normal with standard deviation 0.01."""
    return normal(0.0, 0.01)


def uniform_by_outputs(layer: Linear) -> Initialiser:
    """Uniform on +-1/sqrt(outputs)."""
    return uniform(-1.0 / sqrt(layer.out_features), 1.0 / sqrt(layer.out_features))
