"""Training: the model, the data and the callbacks that a configuration describes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from asg.core.graph import Graph
from asg.data import DataLoader, Dataset
from asg.io.arrays import PathLike
from asg.state import train_step
from asg.train.builders import optimizer
from asg.train.callback import Callback
from asg.train.callbacks import EarlyStopping
from asg.train.config import TrainConfig
from asg.train.epoch import Epoch
from asg.train.loop import Fit
from asg.train.model import Model
from asg.train.networks import network
from asg.train.sections import told
from asg.train.task import task


class Training:
    """A network ready to train: loaded data and a `Model`, compiled.

    Attributes:
        config: the settings.
        task: the examples.
        model: the network with its loss, optimizer and metrics.
        batches: the training examples, in a new order every epoch.
        test_batches: the test examples, in order.
        program: what runs a training step of full size.
        history: of every finished epoch.
        stop_reason: why the training ended before its last epoch; "" when it did not.
    """

    def __init__(self, config: TrainConfig, backend: str = "") -> None:
        """Load and compile; ``backend`` replaces that of the configuration.

        Raises:
            MissingLibrary: the data set or the backend needs a library that is not installed.
            ConfigError: values that do not go together; begins with their section.
        """
        self.config = config
        plan = config.training
        self.task = task(config)
        self.batches = told(
            "training.drop_last",
            lambda: self.task.train_loader(plan.batch_size, plan.seed, plan.drop_last),
        )
        self.test_batches = self.task.test_loader()
        updates = max(1, len(self.batches) // plan.accumulate)
        self.model = Model(
            network(config.model, self.task.example),
            loss=self.task.goal.loss,
            optimizer=optimizer(config.optimizer, config.lr_schedule, plan.epochs, updates,
                                plan.clip_norm, plan.accumulate),
            metrics=self.task.goal.metrics,
            backend=backend or config.backend,
            seed=plan.seed,
            inputs=self.task.types,
        )  # fmt: skip
        self.history: list[Epoch] = []
        self.stop_reason = ""

    def compile(self) -> None:
        """Build the programs of every batch size ahead of the first epoch."""
        self.program = self._compiled("training", self.batches)
        self._compiled("evaluation", self.test_batches)

    def _compiled(self, kind: str, batches: DataLoader) -> Any:
        length, shapes = len(batches.dataset), [shape for shape, _ in self.task.types.values()]
        first, last = min(batches.batch_size, length), length % batches.batch_size
        last = first if batches.drop_last or not last else last
        session = self.model.session(kind)
        programs = {n: session.program(*((n, *shape[1:]) for shape in shapes))
                    for n in sorted({first, last})}  # fmt: skip
        return programs[first]

    @property
    def graph(self) -> Graph:
        """The training step: forward, gradients and update."""
        return self.model.graph()

    def plain_step(self) -> Graph:
        """The training step without what counts over an epoch: the one to draw."""
        model = self.model
        step = train_step(
            model.net, loss=self.task.goal.loss, optimizer=model.optimizer,
            metrics=self.task.goal.metrics,
        )  # fmt: skip
        return step(**model.inputs)

    def run(
        self,
        on_epoch: Callable[[Epoch], None] | None = None,
        callbacks: Sequence[Callback] = (),
        resume: PathLike | None = None,
        history: Sequence[Epoch] = (),
    ) -> None:
        """Train up to the number of epochs that the configuration asks for.

        Args:
            on_epoch: called after each epoch.
            callbacks: what else happens.
            resume: a checkpoint of an earlier run of this configuration, to go on from.
            history: the epochs of that run; those after the checkpoint are left out.

        Raises:
            Diverged: the loss is not a finite number any more.
            FileError: there is no checkpoint, or it does not fit.
        """
        recorder = _Recorder(self, on_epoch or (lambda _: None), history)
        patience = self.config.training.early_stopping
        stopping = [EarlyStopping("val_loss", patience)] if patience else []
        found = self.model.fit(
            self.batches, self.config.training.epochs, validation_data=self.test_batches,
            callbacks=[recorder, *stopping, *callbacks], resume=resume,
        )  # fmt: skip
        self.stop_reason = found.stop_reason

    def test(self, data: Dataset | None = None) -> dict[str, float]:
        """Loss and metrics over the test examples, with the parameters as they are."""
        return self.model.evaluate(self.test_batches if data is None else data)

    def parameters(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of parameters and statistics by name, laid out as PyTorch's."""
        return self.model.weights()


class _Recorder(Callback):
    """Keeps the epochs of a `Training`, with the time that its steps took."""

    def __init__(
        self, training: Training, on_epoch: Callable[[Epoch], None], history: Sequence[Epoch]
    ) -> None:
        self._training, self._on_epoch, self._earlier = training, on_epoch, history
        self._examples, self._seconds = 0, 0.0

    def on_train_begin(self, fit: Fit) -> None:
        self._training.history = [e for e in self._earlier if e.epoch <= fit.history.epochs]
        self._examples, self._start = 0, perf_counter()  # a resumed epoch has no beginning

    def on_epoch_begin(self, fit: Fit) -> None:
        self._examples, self._start = 0, perf_counter()

    def on_step_end(self, fit: Fit, results: Mapping[str, Any]) -> None:
        self._examples += len(fit.arrays[0])
        if fit.batch == fit.steps_per_epoch:
            float(results["loss"])  # waits for the step
            self._seconds = perf_counter() - self._start

    def on_epoch_recorded(self, fit: Fit) -> None:
        found, seconds = fit.history.last(), self._seconds
        test = {n.removeprefix("val_"): v for n, v in found.items() if n.startswith("val_")}
        train = {name: found[name] for name in test}
        epoch = Epoch(fit.epoch, train, test, seconds, self._examples / seconds)
        self._training.history.append(epoch)
        self._on_epoch(epoch)


def train_classifier(
    config: TrainConfig, on_epoch: Callable[[Epoch], None] | None = None
) -> Training:
    """Train to the end; ``on_epoch`` is called after each epoch."""
    training = Training(config)
    training.compile()
    training.run(on_epoch)
    return training
