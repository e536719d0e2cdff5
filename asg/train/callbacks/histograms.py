"""Histograms: how weights and gradients are distributed, every so often."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.core.errors import OperandError
from asg.io.arrays import PathLike
from asg.train.callback import Callback
from asg.train.callbacks.json_lines import append_line, cut_after

if TYPE_CHECKING:
    from asg.train.loop import Fit

Array = np.ndarray[Any, Any]


class Histograms(Callback):
    """Append histograms of every trainable parameter, and of its gradient, to a file.

    Each line is a JSON object: ``{"epoch": 1, "step": 40, "weights": {"fc1.weight": {...}},
    "gradients": {...}}`` with a `histogram` for each name. The gradients are those of the last
    batch by the weights as they are then. They are computed by a graph of their own when they are
    wanted, so that the training step stays as it is, and costs what it did.

    Raises:
        OperandError: a count that is not positive.
    """

    def __init__(
        self,
        path: PathLike,
        every_epochs: int | None = 1,
        every_steps: int | None = None,
        bins: int = 32,
        gradients: bool = True,
    ) -> None:
        """When, and of what.

        Args:
            path: is appended to; a resumed training goes on behind the step it resumes from.
            every_epochs: after every so many epochs; None for never.
            every_steps: after every so many steps, too.
            bins: of each histogram, all of one width, from the least value to the largest.
            gradients: False leaves them, and their cost, out.
        """
        require_counts(every_epochs=every_epochs, every_steps=every_steps)
        if bins is None:
            raise OperandError("bins=None must be an int of 1 or more")
        require_counts(bins=bins)
        self.path, self.bins, self.gradients = Path(path), bins, gradients
        self.every_epochs, self.every_steps = every_epochs, every_steps
        self._written = 0  # the step of the last line

    def on_train_begin(self, fit: Fit) -> None:
        cut_after(self.path, fit.step)
        self._written = 0

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        if self.every_steps is not None and fit.step % self.every_steps == 0:
            self.save(fit)

    def on_epoch_recorded(self, fit: Fit) -> None:
        due = self.every_epochs is not None and fit.epoch % self.every_epochs == 0
        if due and fit.step != self._written:
            self.save(fit)

    def save(self, fit: Fit) -> None:
        """Append a line now.

        Raises:
            FileError: the system refuses.
        """
        found = {
            kind: {name: histogram(array, self.bins) for name, array in arrays.items()}
            for kind, arrays in watched(fit, self.gradients).items()
        }
        append_line(self.path, {"epoch": fit.epoch, "step": fit.step, **found})
        self._written = fit.step


def watched(fit: Fit, gradients: bool) -> dict[str, dict[str, Array]]:
    """The trainable parameters by name as "weights", and their "gradients" on the last batch."""
    model = fit.model
    trained = [name for name, v in model.net.parameters().items() if v.trainable]
    held = model.weights()
    found = {"weights": {name: held[name] for name in trained}}
    return found | {"gradients": model.gradients(*fit.arrays)} if gradients else found


def histogram(values: Any, bins: int = 32) -> dict[str, Any]:
    """Counts of the finite values in bins of one width, and what describes them.

    Returns:
        ``low`` and ``high`` (the least and the largest), ``counts`` between them (equal values are
        all in the first bin), ``mean``,
        ``deviation`` (of the population), ``norm`` (root of the sum of squares), and ``missing``:
        how many values are NaN or infinite. Without any finite value all of them are 0.

    >>> histogram([0.0, 1.0, 1.0, 4.0, float("nan")], bins=2)["counts"]
    [3, 1]
    """
    given = np.asarray(values, np.float64).ravel()
    finite = given[np.isfinite(given)]
    some = finite if finite.size else np.zeros(1)
    largest = float(np.abs(some).max()) or 1.0
    parts = some / largest  # in [-1, 1], whose squares do not overflow
    reach = float(np.ptp(parts)) or 1.0
    counts, _ = np.histogram((parts - parts.min()) / reach, bins, (0.0, 1.0))
    return {
        "low": float(some.min()),
        "high": float(some.max()),
        "counts": counts.tolist() if finite.size else [0] * bins,
        "mean": float(parts.mean()) * largest,
        "deviation": float(parts.std()) * largest,
        "norm": float(np.linalg.norm(parts)) * largest,
        "missing": int(given.size - finite.size),
    }


def require_counts(**given: Any) -> None:
    """Each is None, or an int of 1 or more.

    Raises:
        OperandError: names the one that is not.
    """
    for name, value in given.items():
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise OperandError(f"{name}={value!r} must be an int of 1 or more, or None")
