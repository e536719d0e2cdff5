"""VGG: deep stacks of small convolutions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.nn.activation import ReLU
from asg.nn.adaptive import AdaptiveAvgPool2d
from asg.nn.batch_norm import BatchNorm2d
from asg.nn.checks import require_flags
from asg.nn.container import Sequential
from asg.nn.convolution import Conv2d
from asg.nn.dropout import Dropout
from asg.nn.linear import Linear
from asg.nn.models.common import initialise, narrow_normal, require_factor
from asg.nn.module import Module
from asg.nn.pooling import MaxPool2d
from asg.nn.shape import Flatten

# Convolutions of each of the five stages, which have 64, 128, 256, 512 and 512 channels.
VGG11 = (1, 1, 2, 2, 2)
VGG16 = (2, 2, 3, 3, 3)


class VGG(Module):
    """Stages of 3 x 3 convolutions, each ended by pooling, and three dense layers.

    Parameters are named as torchvision names them.

    Source: Simonyan and Zisserman, 2014, https://arxiv.org/abs/1409.1556.

    Raises:
        OperandError: not five stages, or an argument out of range.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.models.vgg11(num_classes=10, width_mult=0.125)
    >>> with asg.training_mode(False):
    ...     net(asg.input("x", ("batch", 3, 32, 32))).shape
    (Dim('batch'), 10)
    """

    def __init__(
        self,
        stages: Sequence[int],
        batch_norm: bool = False,
        num_classes: int = 1000,
        dropout: float = 0.5,
        width_mult: float = 1.0,
        dtype: Any = float32,
    ) -> None:
        """A network of any depth and width.

        Args:
            stages: how many convolutions each of the five stages has.
            batch_norm: whether each convolution is followed by batch normalisation.
            num_classes: outputs.
            dropout: probability, between the dense layers.
            width_mult: factor of all channels and hidden features.
            dtype: of the parameters.
        """
        require_flags(batch_norm=batch_norm)
        require_factor(width_mult=width_mult)
        if len(stages) != 5:
            raise OperandError(f"stages={stages!r} must have five entries")
        widths = [max(1, int(width * width_mult)) for width in (64, 128, 256, 512, 512)]
        hidden = max(1, int(4096 * width_mult))
        self.features = Sequential(*_features(stages, widths, batch_norm, dtype))
        self.avgpool = AdaptiveAvgPool2d((7, 7))
        self.flatten = Flatten()
        self.classifier = Sequential(
            Linear(widths[-1] * 7 * 7, hidden, dtype=dtype), ReLU(), Dropout(dropout),
            Linear(hidden, hidden, dtype=dtype), ReLU(), Dropout(dropout),
            Linear(hidden, num_classes, dtype=dtype),
        )  # fmt: skip
        initialise(self, narrow_normal)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, 3, height, width]``, 32 pixels or more, to logits ``[batch, num_classes]``."""
        logits: Tensor = self.classifier(self.flatten(self.avgpool(self.features(x))))
        return logits


def _features(
    stages: Sequence[int], widths: Sequence[int], batch_norm: bool, dtype: Any
) -> list[Module]:
    layers: list[Module] = []
    channels = 3
    for count, width in zip(stages, widths, strict=True):
        for _ in range(count):
            layers.append(Conv2d(channels, width, 3, padding=1, dtype=dtype))
            layers += [BatchNorm2d(width, dtype=dtype)] if batch_norm else []
            layers.append(ReLU())
            channels = width
        layers.append(MaxPool2d(2, 2))
    return layers


def vgg11(**options: Any) -> VGG:
    """Eight convolutions, three dense layers: 132,863,336 parameters; options as for `VGG`."""
    return VGG(VGG11, **options)


def vgg11_bn(**options: Any) -> VGG:
    """`vgg11` with batch normalisation."""
    return VGG(VGG11, batch_norm=True, **options)


def vgg16(**options: Any) -> VGG:
    """Thirteen convolutions, three dense layers: 138,357,544 parameters; options as for `VGG`."""
    return VGG(VGG16, **options)


def vgg16_bn(**options: Any) -> VGG:
    """`vgg16` with batch normalisation."""
    return VGG(VGG16, batch_norm=True, **options)
