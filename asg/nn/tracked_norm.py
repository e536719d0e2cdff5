"""What normalisations with running statistics share: their variables and how these move."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.dtype import int64
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.checks import (
    require_axes,
    require_channels,
    require_flags,
    require_number,
    require_positive,
)
from asg.nn.init import ones, zeros
from asg.nn.module import Module
from asg.state.variable import Variable


class TrackedNorm(Module):
    """A normalisation of channels that may scale, shift, and track mean and variance.

    Attributes:
        weight: ones ``[num_features]``; None when not affine.
        bias: zeros ``[num_features]``; None when not affine, or without bias.
        running_mean: zeros ``[num_features]``; None when nothing is tracked.
        running_var: ones ``[num_features]``; None when nothing is tracked.
        num_batches_tracked: an int64 scalar; None when nothing is tracked.
    """

    layouts: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        dtype: Any,
        bias: bool,
    ) -> None:
        """Arguments as the subclasses say."""
        require_positive(num_features=num_features)
        require_flags(affine=affine, track_running_stats=track_running_stats, bias=bias)
        self.num_features, self.eps = num_features, require_number("eps", eps, 0.0)
        self.momentum = None if momentum is None else require_number("momentum", momentum)
        self.affine, self.track_running_stats = affine, track_running_stats

        def own(name: str, init: Any, role: str = "parameter") -> Variable:
            return Variable(name, (num_features,), init, dtype, role)

        self.weight = own("weight", ones()) if affine else None
        self.bias = own("bias", zeros()) if affine and bias else None
        tracked = track_running_stats
        self.running_mean = own("running_mean", zeros(), "statistic") if tracked else None
        self.running_var = own("running_var", ones(), "statistic") if tracked else None
        self.num_batches_tracked = (
            Variable("num_batches_tracked", (), 0, int64, "statistic") if tracked else None
        )

    def checked(self, x: Tensor) -> Tensor:
        """``x``, when it has one of the layouts of this layer and its number of channels.

        Raises:
            ShapeError: it has not.
        """
        require_axes(type(self).__name__, x, self.layouts)
        require_channels(type(self).__name__, x, self.num_features, self.channel_axis(x))
        return x

    def channel_axis(self, x: Tensor) -> int:
        """The axis of the channels."""
        return 1

    def by_running_statistics(self, x: Tensor) -> Tensor:
        """``x`` normalised by the tracked mean and variance."""
        statistics = self.running_mean, self.running_var
        return call("batch_norm", x, *statistics, self.weight, self.bias, eps=self.eps)

    def track(self, mean: Tensor, var: Tensor, rate: Any) -> None:
        """``running = (1 - rate) * running + rate * new``, for later steps; not differentiated."""
        for variable, new in ((self.running_mean, mean), (self.running_var, var)):
            assert variable is not None
            new = call("stop_gradient", new)
            moved = variable.read().astype(new.dtype) * (1.0 - rate) + new * rate
            variable.write(moved.astype(variable.type.dtype))

    def describe(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )
