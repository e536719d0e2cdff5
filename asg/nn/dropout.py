"""Layers that drop parts of their input at random while training, and keep it in evaluation."""

from __future__ import annotations

from math import sqrt
from typing import ClassVar

from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_axes, require_probability
from asg.nn.module import Module
from asg.state.random import RandomStream
from asg.state.trace import chosen_mode

# What an activation of SELU that is switched off tends to: -(its scale * its alpha).
_SELU_FLOOR = -1.7580993408473766


class _RandomDrop(Module):
    """A random change of the input while training; the same for the input and its gradient."""

    def __init__(self, p: float = 0.5) -> None:
        """``p`` in [0, 1] is the probability that a part is dropped."""
        self.p = require_probability("p", p)
        self.key = RandomStream()

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; another mask at every call while training."""
        if self.p == 0.0 or not chosen_mode(type(self).__name__):
            return x
        return self.dropped(x)

    def dropped(self, x: Tensor) -> Tensor:
        """``x`` changed at random."""
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        return f"p={self.p}"


class Dropout(_RandomDrop):
    """Zeros with probability ``p`` and ``x / (1 - p)`` otherwise while training, else ``x``.

    Source: Srivastava et al., JMLR 15 (2014), https://jmlr.org/papers/v15/srivastava14a.html.

    Attributes:
        key: the random stream; its state is part of the step, so a resumed run continues it.

    Raises:
        OperandError: ``p`` is not in [0, 1].

    >>> import asg
    >>> from asg import nn
    >>> with asg.StateTrace(training=True) as trace:
    ...     step = trace.close({"y": nn.Dropout(0.5)(asg.ones((50,)))})
    >>> sorted(set(asg.compile(step).start(seed=0)()["y"].tolist()))
    [0.0, 2.0]
    """

    def dropped(self, x: Tensor) -> Tensor:
        """Each element by itself."""
        return call("dropout", x, self.p, self.key.next())


class _ChannelDropout(_RandomDrop):
    """Dropout of whole channels, which are one axis before those of the space."""

    layouts: ClassVar[tuple[str, ...]]
    space: ClassVar[int]

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; another mask at every call while training.

        Raises:
            ShapeError: another layout.
        """
        require_axes(type(self).__name__, x, self.layouts)
        return super().forward(x)

    def dropped(self, x: Tensor) -> Tensor:
        """The elements of a channel are dropped together."""
        return call("dropout", x, self.p, self.key.next(), tuple(range(-self.space, 0)))


class Dropout1d(_ChannelDropout):
    """`Dropout` of whole channels of ``[(batch, )channels, length]``.

    Source: Tompson et al., "Efficient object localization using convolutional networks",
    https://arxiv.org/abs/1411.4280.

    >>> import asg
    >>> from asg import nn
    >>> with asg.StateTrace(training=True) as trace:
    ...     step = trace.close({"y": nn.Dropout1d(0.5)(asg.ones((8, 4)))})
    >>> rows = asg.compile(step).start(seed=0)()["y"].tolist()
    >>> sorted(set(map(tuple, rows)))
    [(0.0, 0.0, 0.0, 0.0), (2.0, 2.0, 2.0, 2.0)]
    """

    layouts: ClassVar[tuple[str, ...]] = ("[channels, length]", "[batch, channels, length]")
    space: ClassVar[int] = 1


class Dropout2d(_ChannelDropout):
    """`Dropout1d` for images ``[batch, channels, height, width]``.

    (Inputs of three axes, which PyTorch reads as ``[batch, channels, length]`` with a warning, are
    left to `Dropout1d`.)

    >>> from asg import nn
    >>> nn.Dropout2d(0.1)
    Dropout2d(p=0.1)
    """

    layouts: ClassVar[tuple[str, ...]] = ("[batch, channels, height, width]",)
    space: ClassVar[int] = 2


class Dropout3d(_ChannelDropout):
    """`Dropout1d` for volumes ``[(batch, )channels, depth, height, width]``.

    >>> from asg import nn
    >>> nn.Dropout3d()
    Dropout3d(p=0.5)
    """

    layouts: ClassVar[tuple[str, ...]] = (
        "[channels, depth, height, width]", "[batch, channels, depth, height, width]",
    )  # fmt: skip
    space: ClassVar[int] = 3


class AlphaDropout(_RandomDrop):
    """Dropout that keeps mean 0 and variance 1: ``a * x + b``, or ``a * floor + b`` when dropped.

    ``floor`` is what SELU tends to (-1.758), ``a = 1 / sqrt((1 - p) (1 + p floor^2))`` and
    ``b = -a p floor``. With ``p = 1`` all is 0.

    Source: Klambauer et al., "Self-normalizing neural networks", https://arxiv.org/abs/1706.02515.

    >>> import asg
    >>> from asg import nn
    >>> with asg.StateTrace(training=True) as trace:
    ...     step = trace.close({"y": nn.AlphaDropout(0.5)(asg.zeros((50,)))})
    >>> values = asg.compile(step).start(seed=0)()["y"].astype(float).round(3)
    >>> sorted(set(values.tolist()))
    [-0.779, 0.779]
    """

    def dropped(self, x: Tensor) -> Tensor:
        """Each element by itself."""
        return self._selected(x, x.shape)

    def _selected(self, x: Tensor, fates: tuple[object, ...]) -> Tensor:
        if self.p == 1.0:
            return x * 0.0
        scale = 1.0 / sqrt((1.0 - self.p) * (1.0 + self.p * _SELU_FLOOR**2))
        kept = call("bernoulli", self.key.next(), 1.0 - self.p, fates)
        return call("where", kept, x, _SELU_FLOOR) * scale - scale * self.p * _SELU_FLOOR


class FeatureAlphaDropout(AlphaDropout):
    """`AlphaDropout` of whole channels of ``[batch, channels, ...]``.

    >>> from asg import nn
    >>> nn.FeatureAlphaDropout(0.2)
    FeatureAlphaDropout(p=0.2)
    """

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; another mask at every call while training.

        Raises:
            ShapeError: fewer than two axes.
        """
        if x.ndim < 2:
            raise ShapeError(f"FeatureAlphaDropout takes [batch, channels, ...], given {x.type}")
        return super().forward(x)

    def dropped(self, x: Tensor) -> Tensor:
        """The elements of a channel are dropped together."""
        return self._selected(x, (*x.shape[:2], *[1] * (x.ndim - 2)))


class StochasticDepth(_RandomDrop):
    """Drops a whole batch, or whole examples (rows), of a residual branch.

    What is kept is divided by ``1 - p``. The layer of torchvision.

    Source: Huang et al., "Deep networks with stochastic depth", https://arxiv.org/abs/1603.09382.

    Raises:
        OperandError: ``p`` is not in [0, 1], or another mode.

    >>> from asg import nn
    >>> nn.StochasticDepth(0.2, "row")
    StochasticDepth(p=0.2, mode='row')
    """

    def __init__(self, p: float, mode: str) -> None:
        """``mode`` is ``"batch"``, one fate for all, or ``"row"``, one for each example."""
        super().__init__(p)
        if mode not in ("batch", "row"):
            raise OperandError(f"mode={mode!r} must be 'batch' or 'row'")
        self.mode = mode

    def dropped(self, x: Tensor) -> Tensor:
        """The elements of an example, or of all, are dropped together."""
        first = 0 if self.mode == "batch" else 1
        return call("dropout", x, self.p, self.key.next(), tuple(range(first, x.ndim)))

    def describe(self) -> str:
        return f"p={self.p}, mode={self.mode!r}"
