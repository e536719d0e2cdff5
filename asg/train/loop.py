"""Fit: one training of a model over some epochs, and where it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any

from asg.core.errors import Diverged, FeedError, OperandError, UnfitData
from asg.train.batches import arrays_of
from asg.train.callback import Callback
from asg.train.diagnosis import fault_of_data
from asg.train.history import History
from asg.train.objective import epoch_results

if TYPE_CHECKING:
    from asg.train.model import Model


class Fit:
    """A training in progress; callbacks get it.

    Attributes:
        model: what is trained.
        loader: gives the batches of an epoch, each time it is iterated over.
        validation: data that is evaluated after every epoch, or None.
        epochs: how many there are to be.
        epoch: the one being trained, from 1.
        step: training steps done, over all epochs.
        batch: those of this epoch.
        arrays: what the last step was fed, in order.
        history: of the epochs that are done.
    """

    def __init__(
        self, model: Model, loader: Any, validation: Any, epochs: int,
        callbacks: Sequence[Callback],
    ) -> None:  # fmt: skip
        """Nothing runs yet."""
        self.model, self.loader, self.validation = model, loader, validation
        self.epochs, self.callbacks = epochs, tuple(callbacks)
        self.epoch = self.step = self.batch = 0
        self.arrays: list[Any] = []
        self.history = History()
        self._stopped = ""
        self._resumed_inside = False  # of an epoch: its first steps are done

    def stop(self, reason: str) -> None:
        """End the training after this epoch; the reason goes into the history."""
        self._stopped = self._stopped or reason

    @property
    def stopped(self) -> str:
        """Why the training is to end; "" as long as it goes on."""
        return self._stopped

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch."""
        return len(self.loader)

    # -- running -----------------------------------------------------------------------------------

    def run(self) -> History:
        """Train to the end.

        Raises:
            Diverged: the mean loss of an epoch is no finite number (`UnfitData` when the examples
                are to blame).
        """
        with self._announced():
            while self.epoch < self.epochs or self._resumed_inside:
                self._run_epoch()
                if self._stopped:
                    self.history.stop_reason = self._stopped
                    break
        return self.history

    @contextmanager
    def _announced(self) -> Iterator[None]:
        """Begin and end told to the callbacks, the end to each whatever happens."""
        begun: list[Callback] = []
        try:
            for callback in self.callbacks:
                begun.append(callback)
                callback.on_train_begin(self)
            yield
        finally:
            with ExitStack() as ends:
                for callback in reversed(begun):  # a stack calls the first one last
                    ends.callback(callback.on_train_end, self)

    def _run_epoch(self) -> None:
        if not self._resumed_inside:
            self.epoch, self.batch = self.epoch + 1, 0
            self.model.training.reset()
            for callback in self.callbacks:
                callback.on_epoch_begin(self)
        self._resumed_inside = False
        results = self._run_steps()
        self._require_finite(results["loss"])
        if self.validation is not None:
            found = self.model.evaluate(self.validation)
            results |= {f"val_{name}": value for name, value in found.items()}
        for callback in self.callbacks:
            callback.on_epoch_end(self, results)
        self.history.append(results)
        for callback in self.callbacks:
            callback.on_epoch_recorded(self)

    def _run_steps(self) -> dict[str, float]:
        model, session = self.model, self.model.training
        names, dtype = tuple(model.inputs), model.objective.dtype
        watching = [c for c in self.callbacks if type(c).on_step_end is not Callback.on_step_end]
        results: Mapping[str, Any] | None = None
        for batch in self.loader:
            self.arrays = arrays_of(batch, names, dtype)
            results = session(*self.arrays)
            self.step += 1
            self.batch += 1
            for callback in watching:
                callback.on_step_end(self, results)
        if results is None:
            raise OperandError("the data gave no batch: an epoch needs one at least")
        return epoch_results(results)

    def _require_finite(self, loss: float) -> None:
        if not isfinite(loss):
            self.stop("the loss is not finite")
            self.history.stop_reason = self._stopped
            if fault := fault_of_data(self):
                raise UnfitData(
                    f"the mean loss of epoch {self.epoch} is {loss}: {fault}\n"
                    "  repair: leave such examples out, or mend them"
                )
            raise Diverged(
                f"the mean loss of epoch {self.epoch} is {loss}\n"
                "  repair: a smaller learning rate, a bound on gradients "
                "(optim.chain(optim.clip_by_global_norm(1.0), ...)), or NanWatch() among the "
                "callbacks to be told the first operation that gave it"
            )

    # -- going on later ----------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Where the training stands, apart from the arrays: plain JSON values."""
        loader = getattr(self.loader, "get_state", None)
        return {
            "epoch": self.epoch,
            "step": self.step,
            "batch": self.batch,
            "history": self.history.get_state(),
            "loader": None if loader is None else loader(),
            "callbacks": [
                {"name": type(each).__name__, "state": each.get_state()} for each in self.callbacks
            ],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Stand where `get_state` was called; the model's arrays are restored by the caller.

        Raises:
            FeedError: it was taken in the middle of an epoch, and the data cannot go on there.
        """
        self.epoch, self.step, self.batch = state["epoch"], state["step"], state["batch"]
        self.history.set_state(state["history"])
        self.history.stop_reason = ""
        done = self.history.epochs == self.epoch
        self._resumed_inside = not done
        if state["loader"] is not None and hasattr(self.loader, "set_state"):
            self.loader.set_state(state["loader"])
        elif not done:
            raise FeedError(
                f"the checkpoint was made after batch {self.batch} of epoch {self.epoch}, and the "
                "data cannot go on from there: it has no get_state and set_state"
            )
        known = {each["name"]: each["state"] for each in state["callbacks"]}
        for callback in self.callbacks:
            if type(callback).__name__ in known:
                callback.set_state(known[type(callback).__name__])
