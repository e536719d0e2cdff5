"""SaveCheckpoints: what is needed to go on exactly, every so often; and going on from it."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any

from asg.core.errors import FeedError, FileError, OperandError
from asg.io.arrays import PathLike
from asg.io.checkpoint import Checkpoint, CheckpointFolder, checkpoint_at
from asg.train.callback import Callback

if TYPE_CHECKING:
    from asg.train.loop import Fit
    from asg.train.model import Model


class SaveCheckpoints(Callback):
    """Write checkpoints into a folder: the newest few, and the best by a result.

    A checkpoint holds every array of the training step (parameters, statistics, optimizer,
    random keys, counters of metrics) and where the data and the callbacks stand, so that
    ``model.fit(..., resume=folder)`` goes on as if it had never been interrupted, also in the
    middle of an epoch. It is written after the other callbacks had their turn: a log may be ahead
    of the newest checkpoint when the process is killed, never behind it.

    Attributes:
        checkpoints: the folder.

    Raises:
        OperandError: a count that is not positive.
    """

    last = True

    def __init__(
        self,
        folder: PathLike,
        every_epochs: int | None = 1,
        every_steps: int | None = None,
        every_minutes: float | None = None,
        keep: int = 3,
        best_by: str = "",
        larger_is_better: bool = False,
    ) -> None:
        """When to write, and what stays.

        Args:
            folder: gets a folder per checkpoint.
            every_epochs: after every so many epochs; None for never.
            every_steps: after every so many steps, too; needs data that can go on in the middle
                of an epoch, as a `DataLoader` can.
            every_minutes: after so many minutes at the end of a step, too.
            keep: how many of the newest stay.
            best_by: a result of epochs, "val_accuracy" say; the best checkpoint stays, too.
            larger_is_better: which end of it is best.
        """
        given = {"every_epochs": every_epochs, "every_steps": every_steps,
                 "every_minutes": every_minutes}  # fmt: skip
        for name, value in given.items():
            if value is not None and not value > 0:
                raise OperandError(f"{name}={value!r} must be positive, or None")
        self.every_epochs, self.every_steps = every_epochs, every_steps
        self.every_minutes = every_minutes
        self.checkpoints = CheckpointFolder(folder, keep, best_by, larger_is_better)
        self._last = monotonic()
        self._due = False

    def on_train_begin(self, fit: Fit) -> None:
        self._last, self._due = monotonic(), False
        inside = self.every_steps is not None or self.every_minutes is not None
        if inside and not hasattr(fit.loader, "get_state"):
            raise OperandError(
                "every_steps and every_minutes need data that can go on in the middle of an epoch "
                "(get_state and set_state, as a DataLoader has); use every_epochs"
            )

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        self._due = self._due or self._is_due(fit)
        # After the last step of an epoch validation is to come, and then `on_epoch_recorded`.
        if self._due and fit.batch < fit.steps_per_epoch:
            self.save(fit)

    def _is_due(self, fit: Fit) -> bool:
        if self.every_steps is not None and fit.step % self.every_steps == 0:
            return True
        minutes = self.every_minutes
        return minutes is not None and monotonic() - self._last >= 60.0 * minutes

    def on_epoch_recorded(self, fit: Fit) -> None:
        if self._due or (self.every_epochs is not None and fit.epoch % self.every_epochs == 0):
            self.save(fit)

    def save(self, fit: Fit) -> None:
        """Write a checkpoint now.

        Raises:
            FileError: the system refuses; earlier checkpoints stay.
        """
        self._last, self._due = monotonic(), False
        best_by = self.checkpoints.best_by
        result = fit.history.last().get(best_by) if fit.batch == fit.steps_per_epoch else None
        facts: dict[str, Any] = {"graph": graph_digest(fit.model), "fit": fit.get_state()}
        if result is not None and result == result:
            facts[best_by] = result
        self.checkpoints.save(fit.step, fit.model.training.state_dict(), facts)


def graph_digest(model: Model) -> str:
    """Tells two training steps apart: SHA-256 of the graph's text."""
    return sha256(str(model.graph()).encode()).hexdigest()


def restore(fit: Fit, path: PathLike) -> Checkpoint:
    """Stand where the checkpoint was made, arrays and all.

    Raises:
        FileError: there is none, or it is damaged, or of another training step.
        FeedError: the arrays do not fit.
        OperandError: the data is not that of the checkpoint.
    """
    found = checkpoint_at(path)
    if found.facts.get("graph") != graph_digest(fit.model):
        raise FileError(
            f"{found.path} is of another training step: the network, loss, optimizer or sizes of "
            "the data are not those it was made with"
        )
    try:
        fit.model.training.load_state_dict(found.arrays)
    except FeedError as error:
        raise FileError(f"{found.path} does not fit the model: {error}") from error
    fit.set_state(found.facts["fit"])
    return found
