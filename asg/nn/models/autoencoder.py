"""Autoencoders: a network that squeezes its input and one that restores it; the variational one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.activation import ReLU
from asg.nn.checks import require_number
from asg.nn.linear import Linear
from asg.nn.models.mlp import MLP
from asg.nn.module import Module
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode


class Autoencoder(Module):
    """``decoder(encoder(x))`` of dense layers, through a narrow code.

    Source: Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks",
    2006, whose sizes are the defaults.

    Attributes:
        encoder: an `MLP` from the input over the hidden features to the code.
        decoder: an `MLP` the other way round.

    Raises:
        OperandError: a size that is no positive int.

    >>> import asg
    >>> from asg import nn
    >>> net = nn.models.Autoencoder(64, (32,), 4)
    >>> x = asg.input("x", ("batch", 64))
    >>> net(x).shape, net.encoder(x).shape
    ((Dim('batch'), 64), (Dim('batch'), 4))
    """

    def __init__(
        self,
        in_features: int = 784,
        hidden_features: Sequence[int] = (1000, 500, 250),
        code_features: int = 30,
        activation_layer: Callable[[], Module] = ReLU,
        dtype: Any = float32,
    ) -> None:
        """Sizes from the input to the code; the decoder has them in the other order."""
        hidden = tuple(hidden_features)
        there, back = (*hidden, code_features), (*hidden[::-1], in_features)
        self.encoder = MLP(in_features, there, activation_layer=activation_layer, dtype=dtype)
        self.decoder = MLP(code_features, back, activation_layer=activation_layer, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        """``[batch, in_features]``, same shape; logits if x is in [0, 1]."""
        result: Tensor = self.decoder(self.encoder(x))
        return result


class VAE(Module):
    """A variational autoencoder: codes are drawn from a normal distribution for each example.

    Parameters are named as in PyTorch's example of it: ``fc1``, ``fc21`` (mean), ``fc22``
    (logarithm of the variance), ``fc3``, ``fc4``.

    Source: Kingma and Welling, 2013, https://arxiv.org/abs/1312.6114.

    Raises:
        OperandError: a size that is no positive int.

    >>> import asg
    >>> from asg import nn
    >>> with asg.training_mode(False):
    ...     logits, mean, log_variance = nn.models.VAE(64, 32, 4)(asg.input("x", ("batch", 64)))
    >>> logits.shape, mean.shape
    ((Dim('batch'), 64), (Dim('batch'), 4))
    """

    def __init__(
        self,
        in_features: int = 784,
        hidden_features: int = 400,
        code_features: int = 20,
        dtype: Any = float32,
    ) -> None:
        """One hidden layer on each side."""
        self.fc1 = Linear(in_features, hidden_features, dtype=dtype)
        self.fc21 = Linear(hidden_features, code_features, dtype=dtype)
        self.fc22 = Linear(hidden_features, code_features, dtype=dtype)
        self.fc3 = Linear(code_features, hidden_features, dtype=dtype)
        self.fc4 = Linear(hidden_features, in_features, dtype=dtype)
        self.relu, self.key = ReLU(), RandomStream()

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the code, ``[batch, code_features]`` both."""
        hidden = self.relu(self.fc1(x))
        return self.fc21(hidden), self.fc22(hidden)

    def decode(self, code: Tensor) -> Tensor:
        """Logits of the input from ``[batch, code_features]``."""
        logits: Tensor = self.fc4(self.relu(self.fc3(code)))
        return logits

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``[batch, in_features]`` to logits, mean and logarithm of the variance of the code.

        The code is drawn while training, and is its mean in evaluation.
        """
        mean, log_variance = self.encode(x)
        code = mean
        if chosen_mode("VAE"):
            noise = call("normal", self.key.next(), mean.shape).astype(mean.dtype)
            code = mean + noise * call("exp", log_variance * 0.5)
        return self.decode(code), mean, log_variance


def vae_loss(outputs: tuple[Tensor, Tensor, Tensor], target: Any, beta: float = 1.0) -> Tensor:
    """The negative evidence bound of an example, the mean over the batch.

    ``sum of BCE(logits, target) + beta * KL(N(mean, variance) || N(0, 1))``

    Args:
        outputs: of `VAE`.
        target: the input, in [0, 1].
        beta: weight of the divergence; other than 1, a beta-VAE.

    >>> import asg
    >>> from asg import nn
    >>> outputs = asg.zeros((1, 2)), asg.ones((1, 3)), asg.zeros((1, 3))
    >>> round(asg.run(nn.models.vae_loss(outputs, asg.ones((1, 2)))).item(), 4)  # 2 ln 2 + 3 / 2
    2.8863
    """
    require_number("beta", beta, 0.0)
    logits, mean, log_variance = outputs
    rebuilt = call(
        "binary_cross_entropy_with_logits", logits, as_tensor(target), reduction="none"
    ).sum(-1)
    spread = call("exp", log_variance) + mean * mean - 1.0 - log_variance
    return (rebuilt + 0.5 * beta * spread.sum(-1)).mean()
