"""LeNet-5, the first convolutional network that was widely used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.dtype import float32
from asg.core.tensor import Tensor
from asg.nn.activation import Tanh
from asg.nn.convolution import Conv2d
from asg.nn.linear import Linear
from asg.nn.module import Module
from asg.nn.pooling import AvgPool2d
from asg.nn.shape import Flatten


class LeNet5(Module):
    """Two convolutions with pooling, three dense layers, for images of 28 x 28 (or 32 x 32).

    The layers of the paper with every map of C3 connected to every map of S2, plain average
    pooling, and a dense last layer: 61,706 parameters, as it is built today.

    Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.

    Raises:
        OperandError: a size that is no positive int.

    >>> import asg
    >>> from asg import nn
    >>> nn.models.LeNet5()(asg.input("x", ("batch", 1, 28, 28))).shape
    (Dim('batch'), 10)
    """

    def __init__(
        self,
        num_classes: int = 10,
        in_channels: int = 1,
        padding: int = 2,
        activation: Callable[[], Module] = Tanh,
        pool: Callable[[int], Module] = AvgPool2d,
        dtype: Any = float32,
    ) -> None:
        """``padding`` of the first layer is 2 for images of 28 x 28, 0 for those of 32 x 32.

        Args:
            num_classes: outputs.
            in_channels: of the images.
            padding: zeros around the images.
            activation: makes the activation; `ReLU` is usual today.
            pool: makes the pooling from its window; `MaxPool2d` is usual today.
            dtype: of the parameters.
        """
        self.conv1 = Conv2d(in_channels, 6, 5, padding=padding, dtype=dtype)
        self.conv2 = Conv2d(6, 16, 5, dtype=dtype)
        self.fc1 = Linear(16 * 5 * 5, 120, dtype=dtype)
        self.fc2 = Linear(120, 84, dtype=dtype)
        self.fc3 = Linear(84, num_classes, dtype=dtype)
        self.activation, self.pool, self.flatten = activation(), pool(2), Flatten()

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_channels, 28, 28]`` to logits ``[batch, num_classes]``."""
        for convolution in (self.conv1, self.conv2):
            x = self.pool(self.activation(convolution(x)))
        x = self.flatten(x)
        for dense in (self.fc1, self.fc2):
            x = self.activation(dense(x))
        logits: Tensor = self.fc3(x)
        return logits
