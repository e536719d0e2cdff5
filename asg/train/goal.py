"""What a network is taught, and what it is judged by: classes, tokens or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from asg import metrics, nn
from asg.core.errors import ConfigError
from asg.ops.loss import cross_entropy
from asg.train.choices import chosen_loss

# The loss that a task has when none is chosen, and those that one of numbers may have instead.
AUTOMATIC = "auto"
FOR_NUMBERS = ("mse", "mae", "huber", "smooth_l1")


@dataclass(frozen=True)
class Goal:
    """The loss and the metrics of a task.

    Attributes:
        noun: what is told apart, or predicted.
        loss: of (prediction, target).
        metrics: of (prediction, target), by name; the first tells how good a network is.
        tells_apart: whether predictions are scores, along the last axis.
    """

    noun: str
    loss: Callable[..., Any]
    metrics: Mapping[str, Any] = field(repr=False)
    tells_apart: bool = True


def classes(loss: str) -> Goal:
    """One of several classes for each example.

    Raises:
        ConfigError: a loss that is for numbers.
    """
    _require_automatic(loss, "classes")
    return Goal("classes", cross_entropy, {"accuracy": nn.accuracy})


def tokens(loss: str, noun: str) -> Goal:
    """One of several tokens at each place of each example.

    Raises:
        ConfigError: a loss that is for numbers.
    """
    _require_automatic(loss, noun)
    return Goal(noun, partial(cross_entropy, axis=-1), {"accuracy": _right_tokens})


def numbers(loss: str, shift: float, scale: float) -> Goal:
    """A number for each example; the loss is that of standardised numbers.

    Args:
        loss: its name, or `AUTOMATIC` for the mean squared error.
        shift: what standardised numbers are less than those of the data.
        scale: and by which they are divided then.
    """
    function = chosen_loss("mse" if loss == AUTOMATIC else loss)

    def standardised(prediction: Any, target: Any) -> Any:
        return function((prediction - shift) / scale, (target - shift) / scale)

    found = {"mae": metrics.MeanAbsoluteError(), "r2": metrics.R2()}
    return Goal("number", standardised, found, tells_apart=False)


def _require_automatic(loss: str, noun: str) -> None:
    if loss != AUTOMATIC:
        raise ConfigError(
            f"training.loss: {loss} is for numbers, and this data set has {noun}; leave it out"
        )


def _right_tokens(logits: Any, target: Any) -> Any:
    return nn.accuracy(logits.reshape((-1, logits.shape[-1])), target.reshape((-1,)))
