"""The multi-layer perceptron."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.nn.activation import ReLU
from asg.nn.container import Sequential
from asg.nn.dropout import Dropout
from asg.nn.linear import Linear
from asg.nn.module import Module


class MLP(Sequential):
    """Dense layers with an activation, and perhaps a norm, between them.

    Children are numbered as torchvision numbers them: for each hidden layer a dense layer, the
    norm if any, the activation, and dropout; then the last dense layer and dropout.

    Raises:
        OperandError: a size that is no positive int, or no sizes.

    Source: torchvision.ops.MLP.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.models.MLP(784, (128, 10))
    >>> net(asg.input("x", ("batch", 784))).shape
    (Dim('batch'), 10)
    >>> list(net.parameters())
    ['0.weight', '0.bias', '3.weight', '3.bias']
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        norm_layer: Callable[[int], Module] | None = None,
        activation_layer: Callable[[], Module] = ReLU,
        bias: bool = True,
        dropout: float = 0.0,
        dtype: Any = float32,
    ) -> None:
        """From ``in_channels`` features to those of the last of ``hidden_channels``.

        Args:
            in_channels: features of the input.
            hidden_channels: features after each dense layer.
            norm_layer: from a number of features to a layer; None leaves it out.
            activation_layer: makes the layer behind each dense layer but the last.
            bias: of the dense layers.
            dropout: probability, behind every activation and at the end.
            dtype: of the parameters.
        """
        sizes = tuple(hidden_channels)
        if not sizes:
            raise OperandError(f"hidden_channels={hidden_channels!r} must have an entry")
        layers: list[Module] = []
        width = in_channels
        for size in sizes[:-1]:
            layers.append(Linear(width, size, bias, dtype))
            layers += [] if norm_layer is None else [norm_layer(size)]
            layers += [activation_layer(), Dropout(dropout)]
            width = size
        super().__init__(*layers, Linear(width, sizes[-1], bias, dtype), Dropout(dropout))
