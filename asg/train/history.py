"""History: the results of every epoch of a training, and why it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asg.core.errors import OperandError
from asg.train.chart import charts_svg


class History:
    """What `Model.fit` returns.

    Attributes:
        history: by name ("loss", "val_accuracy"), one number per epoch; NaN where an epoch had
            none.
        epochs: how many are done.
        stop_reason: why the training ended before its last epoch; "" when it did not.

    >>> history = History()
    >>> history.append({"loss": 0.5, "val_loss": 0.6})
    >>> history.append({"loss": 0.3, "val_loss": 0.7})
    >>> history.history["loss"], history.best("val_loss"), len(history)
    ([0.5, 0.3], (1, 0.6), 2)
    """

    def __init__(self) -> None:
        """Nothing yet."""
        self.history: dict[str, list[float]] = {}
        self.epochs = 0
        self.stop_reason = ""

    def append(self, results: Mapping[str, float]) -> None:
        """The results of one more epoch."""
        for name in results:
            self.history.setdefault(name, [float("nan")] * self.epochs)
        self.epochs += 1
        for name, values in self.history.items():
            values.append(float(results.get(name, float("nan"))))

    def best(self, name: str, larger: bool = False) -> tuple[int, float]:
        """(epoch, value) of the smallest, or largest, value; the first of equal ones.

        Raises:
            OperandError: no epoch has that result.
        """
        values = [(v, e) for e, v in enumerate(self.history.get(name, ()), start=1) if v == v]
        if not values:
            known = ", ".join(self.history) or "nothing"
            raise OperandError(f"the history has no {name!r}; it has {known}")
        value, epoch = min(values, key=lambda pair: (-pair[0] if larger else pair[0], pair[1]))
        return epoch, value

    def last(self) -> dict[str, float]:
        """The results of the last epoch; empty before the first."""
        return {name: values[-1] for name, values in self.history.items()}

    def __len__(self) -> int:
        """The number of epochs."""
        return self.epochs

    def get_state(self) -> dict[str, Any]:
        """Plain JSON values, NaN as None."""
        plain = {
            name: [None if v != v else v for v in values] for name, values in self.history.items()
        }
        return {"epochs": self.epochs, "stop_reason": self.stop_reason, "history": plain}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Back to what `get_state` returned."""
        self.epochs, self.stop_reason = int(state["epochs"]), str(state["stop_reason"])
        self.history = {
            name: [float("nan") if v is None else float(v) for v in values]
            for name, values in state["history"].items()
        }

    def panels(self) -> dict[str, dict[str, list[float]]]:
        """For each result, the lines "train" and "validation" there are."""
        found: dict[str, dict[str, list[float]]] = {}
        for name, values in self.history.items():
            base = name.removeprefix("val_")
            line = "train" if base == name else "validation"
            found.setdefault(base, {})[line] = values
        return found

    def svg(self, title: str = "Training") -> str:
        """The curves: loss and metrics side by side.

        Raises:
            OperandError: there is no epoch yet.
        """
        if not self.epochs:
            raise OperandError("there is nothing to draw before the first epoch")
        return charts_svg(title, "epoch", self.panels())

    def _repr_html_(self) -> str:
        """The curves, in a notebook."""
        return self.svg() if self.epochs else "<p>no epoch yet</p>"

    def __repr__(self) -> str:
        """``<history of 2 epochs: loss 0.3, val_loss 0.7>``."""
        told = ", ".join(f"{name} {value:.4g}" for name, value in self.last().items())
        why = f"; stopped: {self.stop_reason}" if self.stop_reason else ""
        return f"<history of {self.epochs} epochs: {told}{why}>"
