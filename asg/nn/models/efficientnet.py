"""EfficientNet: inverted residual blocks that weigh their channels, scaled in width and depth."""

from __future__ import annotations

from math import ceil
from typing import Any

from asg.core.dtype import float32
from asg.core.tensor import Tensor
from asg.nn.activation import Sigmoid, SiLU
from asg.nn.adaptive import AdaptiveAvgPool2d
from asg.nn.checks import require_probability
from asg.nn.container import Sequential
from asg.nn.convolution import Conv2d
from asg.nn.dropout import Dropout, StochasticDepth
from asg.nn.linear import Linear
from asg.nn.models.common import (
    Norm,
    conv_norm,
    initialise,
    norm_or_batch_norm,
    require_factor,
    rounded_channels,
    uniform_by_outputs,
)
from asg.nn.module import Module
from asg.nn.shape import Flatten

# Of each stage: how many times wider a block is inside, window, stride of the first block,
# channels, blocks.
STAGES = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
)  # fmt: skip


class SqueezeExcitation(Module):
    """x with every channel times a number in (0, 1), which the means of all channels decide.

    Source: Hu et al., 2017, https://arxiv.org/abs/1709.01507.
    """

    def __init__(self, input_channels: int, squeeze_channels: int, dtype: Any) -> None:
        """The means pass through ``squeeze_channels`` features."""
        self.avgpool = AdaptiveAvgPool2d(1)
        self.fc1 = Conv2d(input_channels, squeeze_channels, 1, dtype=dtype)
        self.fc2 = Conv2d(squeeze_channels, input_channels, 1, dtype=dtype)
        self.activation, self.scale_activation = SiLU(), Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, input_channels, h, w]``, same shape."""
        scale = self.fc2(self.activation(self.fc1(self.avgpool(x))))
        result: Tensor = self.scale_activation(scale) * x
        return result


class MBConv(Module):
    """An inverted residual block with squeeze and excitation, dropped at random in training."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expand_ratio: int,
        drop: float, norm: Norm, dtype: Any,
    ) -> None:  # fmt: skip
        """``drop`` is the probability that an example passes beside the block only."""
        hidden = rounded_channels(inputs * expand_ratio)
        options: Any = {"norm": norm, "activation": SiLU, "dtype": dtype}
        wider = [conv_norm(inputs, hidden, 1, **options)] if hidden != inputs else []
        self.block = Sequential(
            *wider,
            conv_norm(hidden, hidden, kernel, stride, groups=hidden, **options),
            SqueezeExcitation(hidden, max(1, inputs // 4), dtype),
            conv_norm(hidden, outputs, 1, norm=norm, activation=None, dtype=dtype),
        )
        self.use_res_connect = stride == 1 and inputs == outputs
        self.stochastic_depth = StochasticDepth(drop, "row")

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, inputs, h, w]`` to ``[batch, outputs, h / stride, w / stride]``."""
        y: Tensor = self.block(x)
        return self.stochastic_depth(y) + x if self.use_res_connect else y


class EfficientNet(Module):
    """A convolution, seven stages of blocks, a convolution, the mean over pixels, a dense layer.

    Parameters are named as torchvision names them.

    Source: Tan and Le, 2019, https://arxiv.org/abs/1905.11946.

    Raises:
        OperandError: an argument out of range.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.models.efficientnet_b0(num_classes=10, width_mult=0.25, depth_mult=0.3)
    >>> with asg.training_mode(False):
    ...     net(asg.input("x", ("batch", 3, 64, "w"))).shape
    (Dim('batch'), 10)
    """

    def __init__(
        self,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        dropout: float = 0.2,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Norm | None = None,
        dtype: Any = float32,
    ) -> None:
        """B0 scaled.

        Args:
            width_mult: factor of all channels, which are rounded to multiples of 8.
            depth_mult: factor of the number of blocks of a stage, rounded up.
            dropout: probability, before the dense layer.
            stochastic_depth_prob: probability that a block is dropped: it grows from 0 at the
                first block towards this.
            num_classes: outputs.
            norm_layer: from channels to a norm; batch normalisation unless given.
            dtype: of the parameters.
        """
        require_factor(width_mult=width_mult, depth_mult=depth_mult)
        require_probability("stochastic_depth_prob", stochastic_depth_prob)
        norm = norm_or_batch_norm(norm_layer, dtype)
        options: Any = {"norm": norm, "activation": SiLU, "dtype": dtype}
        counts = [ceil(count * depth_mult) for *_, count in STAGES]
        channels, built = rounded_channels(32 * width_mult), 0
        layers: list[Module] = [conv_norm(3, channels, 3, 2, **options)]
        for (ratio, kernel, stride, width, _), count in zip(STAGES, counts, strict=True):
            out, stage = rounded_channels(width * width_mult), []
            for number in range(count):
                step, drop = stride if number == 0 else 1, stochastic_depth_prob * built
                drop = drop / sum(counts)
                stage.append(MBConv(channels, out, kernel, step, ratio, drop, norm, dtype))
                channels, built = out, built + 1
            layers.append(Sequential(*stage))
        self.features = Sequential(*layers, conv_norm(channels, 4 * channels, 1, **options))
        self.avgpool, self.flatten = AdaptiveAvgPool2d(1), Flatten()
        dense = Linear(4 * channels, num_classes, dtype=dtype)
        self.classifier = Sequential(Dropout(dropout), dense)
        initialise(self, uniform_by_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, 3, height, width]`` to logits ``[batch, num_classes]``."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return logits


def efficientnet_b0(**options: Any) -> EfficientNet:
    """5,288,548 parameters; options as for `EfficientNet`."""
    return EfficientNet(**options)
