"""MobileNetV2: blocks that are wide inside and narrow outside, with depthwise convolutions."""

from __future__ import annotations

from typing import Any

from asg.core.dtype import float32
from asg.core.tensor import Tensor
from asg.nn.activation import ReLU6
from asg.nn.adaptive import AdaptiveAvgPool2d
from asg.nn.container import Sequential
from asg.nn.convolution import Conv2d
from asg.nn.dropout import Dropout
from asg.nn.linear import Linear
from asg.nn.models.common import (
    Norm,
    conv_norm,
    initialise,
    narrow_normal,
    norm_or_batch_norm,
    require_factor,
    rounded_channels,
)
from asg.nn.module import Module
from asg.nn.shape import Flatten

# Of each stage: how many times wider a block is inside, channels, blocks, stride of the first.
STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


class InvertedResidual(Module):
    """1 x 1 convolution to more channels, one 3 x 3 each, 1 x 1 to few; added to x if it can be."""

    def __init__(
        self, inp: int, oup: int, stride: int, expand_ratio: int, norm: Norm, dtype: Any
    ) -> None:
        """From ``inp`` over ``inp * expand_ratio`` to ``oup`` channels."""
        hidden = inp * expand_ratio
        options: Any = {"norm": norm, "activation": ReLU6, "dtype": dtype}
        wider = [conv_norm(inp, hidden, 1, **options)] if expand_ratio != 1 else []
        self.conv = Sequential(
            *wider,
            conv_norm(hidden, hidden, 3, stride, groups=hidden, **options),
            Conv2d(hidden, oup, 1, bias=False, dtype=dtype),
            norm(oup),
        )
        self.use_res_connect = stride == 1 and inp == oup

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, inp, h, w]`` to ``[batch, oup, h / stride, w / stride]``."""
        y: Tensor = self.conv(x)
        return x + y if self.use_res_connect else y


class MobileNetV2(Module):
    """Seventeen inverted residual blocks between two convolutions, and a dense layer.

    Parameters are named as torchvision names them.

    Source: Sandler et al., 2018, https://arxiv.org/abs/1801.04381.

    Raises:
        OperandError: an argument out of range.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.models.mobilenet_v2(num_classes=10, width_mult=0.25)
    >>> with asg.training_mode(False):
    ...     net(asg.input("x", ("batch", 3, 64, "w"))).shape
    (Dim('batch'), 10)
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
        dtype: Any = float32,
    ) -> None:
        """A network of any width.

        Args:
            num_classes: outputs.
            width_mult: factor of all channels, which are rounded to multiples of 8.
            norm_layer: from channels to a norm; batch normalisation unless given.
            dropout: probability, before the dense layer.
            dtype: of the parameters.
        """
        require_factor(width_mult=width_mult)
        norm = norm_or_batch_norm(norm_layer, dtype)
        options: Any = {"norm": norm, "activation": ReLU6, "dtype": dtype}
        channels = rounded_channels(32 * width_mult)
        layers: list[Module] = [conv_norm(3, channels, 3, 2, **options)]
        for ratio, width, count, stride in STAGES:
            out = rounded_channels(width * width_mult)
            for number in range(count):
                step = stride if number == 0 else 1
                layers.append(InvertedResidual(channels, out, step, ratio, norm, dtype))
                channels = out
        last = rounded_channels(1280 * max(1.0, width_mult))
        self.features = Sequential(*layers, conv_norm(channels, last, 1, **options))
        self.avgpool, self.flatten = AdaptiveAvgPool2d(1), Flatten()
        self.classifier = Sequential(Dropout(dropout), Linear(last, num_classes, dtype=dtype))
        initialise(self, narrow_normal)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, 3, height, width]`` to logits ``[batch, num_classes]``."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return logits


def mobilenet_v2(**options: Any) -> MobileNetV2:
    """3,504,872 parameters; options as for `MobileNetV2`."""
    return MobileNetV2(**options)
