"""Epoch: what one pass over the training examples gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Any

TEST = "test_"


@dataclass(frozen=True)
class Epoch:
    """Results of an epoch.

    Attributes:
        epoch: its number, from 1.
        train: "loss" and metrics, over the training examples, each at the step that used it.
        test: the same over the test examples, with the parameters at the end of the epoch.
        seconds: that training took, without the test.
        samples_per_second: training examples per second.

    >>> epoch = Epoch(1, {"loss": 0.5, "mae": 2.0}, {"loss": 0.6, "mae": 2.5}, 1.5, 100.0)
    >>> epoch.facts()
    {'epoch': 1, 'loss': 0.5, 'mae': 2.0, 'test_loss': 0.6, 'test_mae': 2.5, 'seconds': 1.5, \
'samples_per_second': 100.0}
    >>> Epoch.of(epoch.facts()) == epoch
    True
    """

    epoch: int
    train: dict[str, float]
    test: dict[str, float]
    seconds: float
    samples_per_second: float

    def facts(self) -> dict[str, Any]:
        """Plain JSON values by name; a result that is no finite number is None."""
        results = self.train | {f"{TEST}{name}": value for name, value in self.test.items()}
        return {
            "epoch": self.epoch,
            **{name: value if isfinite(value) else None for name, value in results.items()},
            "seconds": self.seconds,
            "samples_per_second": self.samples_per_second,
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Epoch:
        """The epoch with these facts; None is NaN.

        Raises:
            KeyError, TypeError, ValueError: they are not those of an epoch.
        """
        rest = dict(facts)
        number, seconds = rest.pop("epoch"), rest.pop("seconds")
        rate = rest.pop("samples_per_second")
        found = {name: nan if value is None else float(value) for name, value in rest.items()}
        test = {n.removeprefix(TEST): v for n, v in found.items() if n.startswith(TEST)}
        train = {n: v for n, v in found.items() if not n.startswith(TEST)}
        if "loss" not in train or train.keys() != test.keys():
            raise ValueError(f"these are no results of an epoch: {', '.join(rest) or 'none'}")
        return cls(int(number), train, test, float(seconds), float(rate))


def judging(history: Sequence[Epoch]) -> str:
    """The metric that tells how good a network is: the first that is not the loss."""
    return next((name for name in history[0].test if name != "loss"), "loss")


LARGER_IS_BETTER = frozenset({"accuracy", "r2"})


def best_epoch(history: Sequence[Epoch], name: str) -> Epoch:
    """The first epoch with the best test result of this name."""
    sign = -1.0 if name in LARGER_IS_BETTER else 1.0

    def rank(epoch: Epoch) -> float:
        value = sign * epoch.test[name]
        return value if value == value else inf

    return min(history, key=rank)
