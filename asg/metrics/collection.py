"""Collection: several metrics of the same operands, and which direction is better for each."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Any

from asg.core.errors import OperandError
from asg.metrics.metric import Metric


class Collection:
    """Metrics by name that see the same operands.

    In a step it is one metric whose results are named ``collection.metric``; without a step
    `update`, `compute` and `reset` go to all of them.

    >>> from asg import metrics
    >>> scores = metrics.Collection(
    ...     {"accuracy": metrics.Accuracy(), "f1": metrics.F1(num_classes=2)}
    ... )
    >>> scores.update([0, 1, 1, 1], [0, 0, 1, 1])
    >>> {name: round(value, 4) for name, value in scores.compute().items()}
    {'accuracy': 0.75, 'f1': 0.7333}
    >>> scores.is_better("accuracy", 0.75, than=0.5)
    True
    """

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        """``metrics`` by name.

        Raises:
            OperandError: none, or something that is no `Metric`.
        """
        wrong = [name for name, metric in metrics.items() if not isinstance(metric, Metric)]
        if wrong or not metrics:
            raise OperandError(
                f"a collection takes metrics by name; wrong: {wrong or 'none given'}"
            )
        self.metrics = dict(metrics)

    def take_name(self, name: str) -> None:
        """Call the counters ``metrics.name.metric.counter``; the first name given stays."""
        for key, metric in self.metrics.items():
            metric.take_name(f"{name}.{key}")

    def __call__(self, *operands: Any) -> dict[str, Any]:
        """Add a batch in the step that is being built; the values so far by name."""
        self.take_name("collection")
        return {name: metric(*operands) for name, metric in self.metrics.items()}

    def __getitem__(self, name: str) -> Metric:
        """The metric of a name."""
        return self.metrics[name]

    def once(self, *operands: Any) -> dict[str, Any]:
        """The values for these operands alone, as graph."""
        return {name: metric.once(*operands) for name, metric in self.metrics.items()}

    def update(self, *arrays: Any) -> None:
        """Add a batch of arrays to all."""
        for metric in self.metrics.values():
            metric.update(*arrays)

    def compute(self) -> dict[str, Any]:
        """The value of each."""
        return {name: metric.compute() for name, metric in self.metrics.items()}

    def reset(self) -> None:
        """Forget the arrays of all."""
        for metric in self.metrics.values():
            metric.reset()

    @property
    def directions(self) -> dict[str, bool | None]:
        """``higher_is_better`` of each."""
        return {name: metric.higher_is_better for name, metric in self.metrics.items()}

    def is_better(self, name: str, value: float, *, than: float) -> bool:
        """Whether a value is strictly better than another; any number is better than NaN.

        Raises:
            OperandError: there is no such metric, or it has no better direction.
        """
        if name not in self.metrics:
            raise OperandError(f"no metric {name!r}; there are {', '.join(self.metrics)}")
        higher = self.metrics[name].higher_is_better
        if higher is None:
            raise OperandError(f"of the metric {name!r} neither direction is the better one")
        if isnan(than) or isnan(value):
            return isnan(than) and not isnan(value)
        return value > than if higher else value < than
