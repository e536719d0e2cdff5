"""Instance normalisation: each channel of each example by its own mean and variance."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import require_number
from asg.nn.tracked_norm import TrackedNorm
from asg.ops.operand import widened
from asg.state.trace import chosen_mode


class _InstanceNorm(TrackedNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        dtype: Any = float32,
        *,
        bias: bool = True,
    ) -> None:
        """Arguments as `torch.nn.InstanceNorm2d`.

        Args:
            num_features: channels.
            eps: added to the variance.
            momentum: weight of the newest batch in the running statistics.
            affine: whether to scale and shift.
            track_running_stats: whether evaluation uses running statistics.
            dtype: of the variables.
            bias: whether an affine layer shifts.

        Raises:
            OperandError: an argument of another kind, a negative ``eps``.
        """
        require_number("momentum", momentum)
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, bias)

    def channel_axis(self, x: Tensor) -> int:
        """The first axis of a single example, the second of a batch."""
        return 0 if x.ndim < self.layouts[-1].count(",") + 1 else 1

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; in training mode tracked statistics move on."""
        x = self.checked(x)
        if self.channel_axis(x) == 0:
            return call("squeeze", self._normalised(call("expand_dims", x, 0)), 0)
        return self._normalised(x)

    def _normalised(self, x: Tensor) -> Tensor:
        tracked = self.track_running_stats
        if tracked and not chosen_mode(type(self).__name__):
            return self.by_running_statistics(x)
        if tracked:
            assert self.momentum is not None
            wide, within = widened(x), tuple(range(2, x.ndim))
            mean, var = wide.mean(within), wide.var(within, correction=1)
            self.track(mean.mean(0), var.mean(0), self.momentum)
        return call("instance_norm", x, self.weight, self.bias, self.eps)


class InstanceNorm1d(_InstanceNorm):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for ``[(batch, )channels, length]``.

    Mean and variance are those of each channel of each example. With ``track_running_stats``
    training keeps averages over the batch of the means and the unbiased variances,
    ``running = (1 - momentum) * running + momentum * new``, and evaluation uses these for every
    example. (``num_batches_tracked`` stays 0, as in PyTorch.)

    Source: Ulyanov et al., "Instance normalization", https://arxiv.org/abs/1607.08022.

    Attributes:
        weight: ones ``[num_features]``; None when not affine.
        bias: zeros ``[num_features]``; None when not affine, or without bias.
        running_mean: zeros at the start; None when nothing is tracked.
        running_var: ones at the start; None when nothing is tracked.
        num_batches_tracked: an int64 scalar; None when nothing is tracked.

    Raises:
        ShapeError: input of another layout or number of channels; one value per channel.

    >>> import asg
    >>> from asg import nn
    >>> norm = nn.InstanceNorm1d(2, eps=3.0)
    >>> asg.run(norm(asg.constant([[[1.0, 3.0], [5.0, 5.0]]]))).tolist()
    [[[-0.5, 0.5], [0.0, 0.0]]]
    """

    layouts: ClassVar[tuple[str, ...]] = ("[channels, length]", "[batch, channels, length]")


class InstanceNorm2d(_InstanceNorm):
    """`InstanceNorm1d` for images ``[(batch, )channels, height, width]``.

    >>> from asg import nn
    >>> list(nn.InstanceNorm2d(3, affine=True).parameters())
    ['weight', 'bias']
    """

    layouts: ClassVar[tuple[str, ...]] = (
        "[channels, height, width]", "[batch, channels, height, width]",
    )  # fmt: skip


class InstanceNorm3d(_InstanceNorm):
    """`InstanceNorm1d` for volumes ``[(batch, )channels, depth, height, width]``.

    >>> from asg import nn
    >>> nn.InstanceNorm3d(3)
    InstanceNorm3d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)
    """

    layouts: ClassVar[tuple[str, ...]] = (
        "[channels, depth, height, width]", "[batch, channels, depth, height, width]",
    )  # fmt: skip
