"""EarlyStopping: end a training that no longer improves."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.core.errors import OperandError
from asg.train.callback import Callback

if TYPE_CHECKING:
    from asg.train.loop import Fit


class EarlyStopping(Callback):
    """Stop when a result of epochs has not improved for ``patience`` epochs.

    Attributes:
        best: the best value so far.
        best_epoch: when that was; 0 before the first epoch.
        waited: epochs since.

    Raises:
        OperandError: a patience below 1, or a change below 0.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        larger_is_better: bool = False,
        restore_best: bool = False,
    ) -> None:
        """What is watched.

        Args:
            monitor: the name of a result.
            patience: epochs without an improvement that are borne.
            min_delta: smaller changes are none.
            larger_is_better: for accuracies and the like.
            restore_best: at the end, take back the weights of the best epoch.
        """
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise OperandError(f"patience={patience!r} must be an int of 1 or more")
        if not min_delta >= 0.0:
            raise OperandError(f"min_delta={min_delta!r} must not be negative")
        self.monitor, self.patience, self.min_delta = monitor, patience, float(min_delta)
        self.larger_is_better, self.restore_best = larger_is_better, restore_best
        self._weights: dict[str, np.ndarray[Any, Any]] = {}
        self._start_again()

    def _start_again(self) -> None:
        self.best, self.best_epoch, self.waited = (-inf if self.larger_is_better else inf), 0, 0

    def on_train_begin(self, fit: Fit) -> None:
        if not fit.history.epochs:
            self._start_again()

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        if self.monitor not in results:
            raise OperandError(
                f"EarlyStopping watches {self.monitor!r}; an epoch gives {', '.join(results)}"
            )
        value = results[self.monitor]
        change = value - self.best if self.larger_is_better else self.best - value
        if isfinite(value) and change > self.min_delta:
            self.best, self.best_epoch, self.waited = value, fit.epoch, 0
            if self.restore_best:
                self._weights = fit.model.state_dict()
            return
        self.waited += 1
        if self.waited >= self.patience:
            fit.stop(
                f"{self.monitor} has not improved for {self.patience} epochs "
                f"(best {self.best:.6g} in epoch {self.best_epoch})"
            )

    def on_train_end(self, fit: Fit) -> None:
        if self._weights:
            fit.model.training.load_state_dict(self._weights, strict=False)
            self._weights = {}

    def get_state(self) -> dict[str, Any]:
        """The best, unless there is none yet. (The best weights are not in it.)"""
        if self.restore_best:
            raise OperandError(
                "restore_best keeps weights in memory, which no checkpoint has; let "
                "SaveCheckpoints(best_by=...) keep them instead"
            )
        best = self.best if isfinite(self.best) else None
        return {"best": best, "best_epoch": self.best_epoch, "waited": self.waited}

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._start_again()
        if state["best"] is not None:
            self.best = state["best"]
        self.best_epoch, self.waited = state["best_epoch"], state["waited"]
