"""Train a classifier: the data, the compiled steps, and the loop over epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import isfinite
from time import perf_counter
from typing import Any

import numpy as np

from asg import nn
from asg.compiler import Session, compile
from asg.core.errors import ConfigError, Diverged, OperandError
from asg.core.graph import Graph
from asg.data import DataLoader, Dataset, load
from asg.ops.loss import cross_entropy
from asg.state import eval_step, train_step
from asg.train.builders import classifier, optimizer
from asg.train.config import TrainConfig

METRICS = {"accuracy": nn.accuracy}
LARGEST_TEST_BATCH = (
    1024  # no gradients to keep: few large batches are quicker than many small ones
)


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training examples gave.

    Attributes:
        epoch: its number, from 1.
        loss: mean over the training examples, each at the step that used it.
        accuracy: the same for the share of examples that were classified rightly.
        test_loss: mean over the test examples, with the parameters at the end of the epoch.
        test_accuracy: the same for the share of right answers.
        seconds: that training took, without the test.
        samples_per_second: training examples per second.
    """

    epoch: int
    loss: float
    accuracy: float
    test_loss: float
    test_accuracy: float
    seconds: float
    samples_per_second: float


class Average:
    """Mean of the results of batches, each counted with its number of examples."""

    def __init__(self) -> None:
        """Nothing added yet."""
        self.count = 0
        self._sums: dict[str, float] = {}

    def add(self, results: dict[str, Any], count: int) -> None:
        """The results of a batch of ``count`` examples."""
        self.count += count
        for name, value in results.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value) * count

    def __getitem__(self, name: str) -> float:
        """The mean of one result."""
        return self._sums[name] / self.count


def _split(config: TrainConfig) -> tuple[Dataset, Dataset]:
    dataset = load(config.dataset)
    try:
        train, test = dataset.split(1.0 - config.test_fraction, config.seed)
    except OperandError:
        raise ConfigError(
            f"test_fraction: {config.test_fraction} of {len(dataset)} examples "
            "leaves none for training or none for testing"
        ) from None
    return train, test


class Training:
    """A classifier ready to train: loaded data, compiled steps, state from the seed.

    Attributes:
        config: the settings.
        batches: the training examples, in a new order every epoch.
        test_batches: the test examples, in order.
        graph: the training step: forward, gradients and update.
        session: the running training step; it holds the parameters.
        evaluation: the forward computation over the same parameters.
        history: of every finished epoch.
        diverged: whether the parameters are no finite numbers any more.
    """

    def __init__(self, config: TrainConfig) -> None:
        """Load and compile.

        Raises:
            MissingLibrary: the data set or the backend needs a library that is not installed.
            ConfigError: the fraction leaves no examples for training or for testing.
        """
        self.config = config
        train, test = _split(config)
        self.batches = DataLoader(train, config.batch_size, shuffle=True, seed=config.seed)
        self.test_batches = DataLoader(test, min(len(test), LARGEST_TEST_BATCH))
        self.features = int(train.arrays["images"].shape[1])
        self.classes = int(max(part.arrays["labels"].max() for part in (train, test))) + 1
        net = classifier(self.features, config.hidden, self.classes)
        self.graph = self._step(train_step(
            net, loss=cross_entropy, optimizer=optimizer(config.optimizer), metrics=METRICS
        ))  # fmt: skip
        test_graph = self._step(eval_step(net, loss=cross_entropy, metrics=METRICS))
        self.session = compile(self.graph, config.backend).start(config.seed)
        self.evaluation = self.session.attach(compile(test_graph, config.backend))
        self.program = self._compiled(self.session, self.batches)
        self._compiled(self.evaluation, self.test_batches)
        self.history: list[Epoch] = []
        self.diverged = False

    def _step(self, builder: Callable[..., Graph]) -> Graph:
        return builder(images=("batch", self.features), labels=(("batch",), "int32"))

    def _compiled(self, session: Session, batches: DataLoader) -> Any:
        """Build the programs of every batch size ahead; returns that of the first batch."""
        length = len(batches.dataset)
        first, last = min(batches.batch_size, length), length % batches.batch_size or length
        sizes = {first, min(first, last)}
        programs = {n: session.program((n, self.features), (n,)) for n in sorted(sizes)}
        return programs[first]

    def epochs(self, on_batch: Callable[[int], None] | None = None) -> Iterator[Epoch]:
        """Train, an epoch per item, up to the number the configuration asks for.

        Args:
            on_batch: called after every step, when the state is whole, with the number of
                finished batches of this epoch; what it raises ends the training.

        Raises:
            Diverged: the loss is not a finite number any more.
        """
        while len(self.history) < self.config.epochs:
            start = perf_counter()
            trained = self._pass(on_batch or (lambda _: None))
            seconds = perf_counter() - start
            tested = self.test()
            self.history.append(Epoch(
                len(self.history) + 1, trained["loss"], trained["accuracy"], tested["loss"],
                tested["accuracy"], seconds, trained.count / seconds,
            ))  # fmt: skip
            yield self.history[-1]

    def _pass(self, on_batch: Callable[[int], None]) -> Average:
        average = Average()
        for number, batch in enumerate(self.batches, start=1):
            results = self.session(**batch)
            self._require_finite(float(results["loss"]), number)
            average.add(results, len(batch["labels"]))
            on_batch(number)
        return average

    def _require_finite(self, loss: float, step: int) -> None:
        if not isfinite(loss):
            self.diverged = True
            raise Diverged(
                f"the loss is {loss} in epoch {len(self.history) + 1}, step {step}; "
                f"train with an optimizer.lr smaller than {self.config.optimizer.lr:g}"
            )

    def test(self) -> Average:
        """Loss and accuracy over the test examples, with the parameters as they are."""
        average = Average()
        for batch in self.test_batches:
            average.add(self.evaluation(**batch), len(batch["labels"]))
        return average

    def parameters(self) -> dict[str, np.ndarray[Any, Any]]:
        """Copies of the parameters by name, laid out as PyTorch's."""
        return self.session.state_dict("parameter")


def train_classifier(
    config: TrainConfig, on_epoch: Callable[[Epoch], None] | None = None
) -> Training:
    """Train to the end; ``on_epoch`` is called after each epoch."""
    training = Training(config)
    for epoch in training.epochs():
        if on_epoch is not None:
            on_epoch(epoch)
    return training
