"""Callback: what may happen beside the training, at its beginning and after steps and epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.errors import OperandError

if TYPE_CHECKING:
    from asg.train.loop import Fit


class Callback:
    """Base class: override what you need.

    Every method gets the `Fit`, which knows the model, the numbers of epoch and step, the history,
    and can be told to `Fit.stop`. Results of a step are arrays of the backend: turning one into a
    float waits for the step, so do that seldom.

    A callback that remembers something also overrides `get_state` and `set_state` (plain JSON
    values), so that a resumed training goes on with it.

    Attributes:
        guards: True for one that needs steps which change nothing when they are not finite, and
            which tell so by the result "finite".
        last: True for one that is called after the others, wherever it stands in the list, since
            it vouches for what they have done.
    """

    guards: ClassVar[bool] = False
    last: ClassVar[bool] = False

    def on_train_begin(self, fit: Fit) -> None:
        """Before the first step, also of a resumed training."""

    def on_epoch_begin(self, fit: Fit) -> None:
        """Before the first step of an epoch."""

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        """After every step, with its loss and the metrics of the epoch so far."""

    def on_epoch_end(self, fit: Fit, results: dict[str, float]) -> None:
        """After validation; what is added to ``results`` becomes part of the history."""

    def on_epoch_recorded(self, fit: Fit) -> None:
        """After all of `on_epoch_end`, when the history has the epoch."""

    def on_train_end(self, fit: Fit) -> None:
        """After the last epoch, or when the training is stopped, interrupted, or fails."""

    def get_state(self) -> dict[str, Any]:
        """What a resumed training needs of this callback."""
        return {}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Back to what `get_state` returned."""


def require_callbacks(callbacks: Sequence[Any]) -> tuple[Callback, ...]:
    """The callbacks, each of which is one, in the order they are called in."""
    for each in callbacks:
        if not isinstance(each, Callback):
            raise OperandError(f"callbacks are instances of asg.train.Callback, got {each!r}")
    return tuple(sorted(callbacks, key=lambda each: each.last))
