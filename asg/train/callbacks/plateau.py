"""FeedPlateau: tell `asg.optim.reduce_on_plateau` the results of epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asg.core.errors import OperandError
from asg.optim import feed_metric
from asg.train.callback import Callback

if TYPE_CHECKING:
    from asg.train.loop import Fit


class FeedPlateau(Callback):
    """After every epoch, give a result to the optimizer's ``reduce_on_plateau(metric="fed")``.

    Raises:
        OperandError: epochs have no such result, or the optimizer no plateau that is fed.
    """

    def __init__(self, monitor: str = "val_loss") -> None:
        """``monitor`` is the name of a result."""
        self.monitor = monitor

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        if self.monitor not in results:
            raise OperandError(
                f"FeedPlateau watches {self.monitor!r}; an epoch gives {', '.join(results)}"
            )
        feed_metric(fit.model.training, results[self.monitor])
