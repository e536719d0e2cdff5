"""Batch normalisation: each channel by its mean and variance over the batch; running averages."""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.dtype import float32
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.nn.tracked_norm import TrackedNorm
from asg.ops.statistics import element_count
from asg.state.trace import chosen_mode


class _BatchNorm(TrackedNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: Any = float32,
        *,
        bias: bool = True,
    ) -> None:
        """Arguments as `torch.nn.BatchNorm2d`.

        Args:
            num_features: channels, the size of axis 1.
            eps: added to the variance.
            momentum: weight of the newest batch in the running statistics; None: each batch
                weighs the same.
            affine: whether to scale and shift.
            track_running_stats: whether evaluation uses running statistics, or its own batch's.
            dtype: of the variables.
            bias: whether an affine layer shifts.

        Raises:
            OperandError: an argument of another kind, a negative ``eps``.
        """
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype, bias)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape; in training mode the running statistics move on."""
        x = self.checked(x)
        tracked = self.track_running_stats
        if tracked and not chosen_mode(type(self).__name__):
            return self.by_running_statistics(x)
        y, mean, var = call("batch_norm_training", x, self.weight, self.bias, eps=self.eps)
        if tracked:
            count = element_count(x, tuple(i for i in range(x.ndim) if i != 1), var.dtype)
            self.track(mean, var * (count / (count - 1.0)), self._rate(var))
        return y

    def _rate(self, var: Tensor) -> Any:
        """The weight of this batch, which is counted."""
        assert self.num_batches_tracked is not None
        count = self.num_batches_tracked.read() + 1
        self.num_batches_tracked.write(count)
        return 1.0 / count.astype(var.dtype) if self.momentum is None else self.momentum


class BatchNorm1d(_BatchNorm):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for ``[batch, channels(, length)]``.

    Mean and variance are those of each channel: of the batch while training, where
    ``running = (1 - momentum) * running + momentum * new`` keeps averages of them (of the unbiased
    variance), and these averages in evaluation.

    Source: Ioffe and Szegedy, "Batch normalization", https://arxiv.org/abs/1502.03167.

    Attributes:
        weight: ones ``[num_features]``; None when not affine.
        bias: zeros ``[num_features]``; None when not affine, or without bias.
        running_mean: zeros at the start; None when nothing is tracked.
        running_var: ones at the start; None when nothing is tracked.
        num_batches_tracked: an int64 scalar; None when nothing is tracked.

    Raises:
        ShapeError: input of another layout or number of channels; one value per channel to train
            with.

    >>> import asg
    >>> from asg import nn
    >>> norm = nn.BatchNorm1d(2, eps=3.0, affine=False)
    >>> with asg.StateTrace(training=True) as trace:
    ...     step = trace.close({"y": norm(asg.input("x", ("batch", 2)))})
    >>> session = asg.compile(step).start()
    >>> session(x=asg.run(asg.constant([[1.0, 5.0], [3.0, 5.0]])))["y"].tolist()
    [[-0.5, 0.0], [0.5, 0.0]]
    >>> norm.state_dict(session)["running_var"].astype(float).round(3).tolist()
    [1.1, 0.9]
    """

    layouts: ClassVar[tuple[str, ...]] = ("[batch, channels]", "[batch, channels, length]")


class BatchNorm2d(_BatchNorm):
    """`BatchNorm1d` for images ``[batch, channels, height, width]``.

    >>> from asg import nn
    >>> list(nn.BatchNorm2d(3).state_dict())
    ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked']
    """

    layouts: ClassVar[tuple[str, ...]] = ("[batch, channels, height, width]",)


class BatchNorm3d(_BatchNorm):
    """`BatchNorm1d` for volumes ``[batch, channels, depth, height, width]``.

    >>> from asg import nn
    >>> nn.BatchNorm3d(3)
    BatchNorm3d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    layouts: ClassVar[tuple[str, ...]] = ("[batch, channels, depth, height, width]",)


class SyncBatchNorm(_BatchNorm):
    """`BatchNorm1d` for ``[batch, channels, ...]``, with statistics of the whole batch.

    A graph says what is computed on the whole batch axis, so its batch statistics are never those
    of a part: on one device this is `BatchNorm1d`, and where a graph's batch axis is spread over
    devices the means over that axis are the sums across devices that PyTorch's layer is for.

    >>> import asg
    >>> from asg import nn
    >>> with asg.training_mode(False):
    ...     print(nn.SyncBatchNorm(3)(asg.input("x", ("batch", 3, "length"))).type)
    f32[batch, 3, length]
    """

    layouts: ClassVar[tuple[str, ...]] = (
        *BatchNorm1d.layouts, *BatchNorm2d.layouts, *BatchNorm3d.layouts,
    )  # fmt: skip
