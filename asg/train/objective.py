"""What a model computes of a batch, as graphs: the training step, evaluation, prediction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asg import metrics as streaming
from asg.autodiff.api import grad
from asg.core.convert import as_tensor
from asg.core.dtype import DType, float32
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.origin import scope
from asg.core.tensor import Tensor
from asg.core.tree import flatten, map_tree
from asg.core.types import TensorType
from asg.ops.leaf import dim_size
from asg.ops.leaf import input as make_input
from asg.state.step import Optimizer, called, eval_step, train_step
from asg.state.trace import StateTrace
from asg.state.variable import Variable

RUNNING = "mean_"
"""What a result that counts over the epoch is called in the step, before its own name."""


class Objective:
    """Loss and metrics of a network on a batch whose last array is the target.

    Attributes:
        net: a module, or a function with ``parameters()``.
        loss: function of (prediction, target) to a scalar.
        metrics: functions of (prediction, target), by name: streaming ones, or of one batch, which
            are then averaged over the epoch, each batch by its number of examples.
    """

    def __init__(self, net: Any, loss: Callable[..., Any], metrics: Mapping[str, Any]) -> None:
        """Checks that there is no metric called "loss"."""
        if "loss" in metrics:
            raise OperandError("a metric is called 'loss', as the loss itself; rename the metric")
        self.net, self.loss, self.metrics = net, loss, dict(metrics)
        self._means: dict[str, streaming.Mean] = {}
        self.prediction: Any = None

    def parameters(self) -> dict[str, Variable]:
        """Those of the network: what is trained."""
        found: dict[str, Variable] = self.net.parameters()
        return found

    @property
    def dtype(self) -> DType:
        """Of the floating parameters; float32 without any."""
        floats = [v.type.dtype for v in self.parameters().values() if v.type.dtype.is_float]
        return floats[0] if floats else float32

    def __call__(self, **feeds: Tensor) -> dict[str, Tensor]:
        """The loss of the batch, and everything that counts over the epoch."""
        *inputs, target = feeds.values()
        if not inputs:
            raise OperandError("a batch has at least one input and a target, in this order")
        prediction, loss = self._loss(inputs, target)
        size = dim_size(as_tensor(next(iter(feeds.values()))).shape[0])
        results = {"loss": loss}
        with scope("metrics"):
            results |= self._running("loss", loss, size)
            for name, metric in self.metrics.items():
                found = called(metric, name)(prediction, target)
                results |= self._kept(name, metric, found, size)
        return results

    def _loss(self, inputs: Sequence[Tensor], target: Tensor) -> tuple[Any, Tensor]:
        prediction = self.net(*inputs)
        with scope("loss"):
            return prediction, as_tensor(self.loss(prediction, target))

    def _kept(self, name: str, metric: Any, found: Any, size: Tensor) -> dict[str, Tensor]:
        """A streaming metric's value so far; of a batch's value, the mean so far."""
        leaves = {
            f"{name}.{key}" if key else name: as_tensor(leaf)
            for key, leaf in flatten(found).items()
        }
        if isinstance(metric, streaming.Metric):
            return {f"{RUNNING}{key}": leaf for key, leaf in leaves.items()}
        results: dict[str, Tensor] = {}
        for key, leaf in leaves.items():
            results |= self._running(key, leaf, size)
        return results

    def _running(self, name: str, value: Tensor, size: Tensor) -> dict[str, Tensor]:
        mean = self._means.setdefault(name, streaming.Mean())
        mean.take_name(name)
        if value.ndim:
            raise OperandError(f"{name!r} is {value.type}; one number per batch is needed")
        return {f"{RUNNING}{name}": as_tensor(mean(value, size))}

    # -- graphs ------------------------------------------------------------------------------------

    def training(
        self, inputs: Mapping[str, TensorType], optimizer: Optimizer, guarded: bool = False
    ) -> Graph:
        """Forward, backward and update; guarded, a step that is not finite changes nothing."""
        return train_step(self, optimizer=optimizer, skip_nonfinite=guarded)(**inputs)

    def evaluation(self, inputs: Mapping[str, TensorType]) -> Graph:
        """Loss and metrics in evaluation mode."""
        return eval_step(self)(**inputs)

    def gradients(self, inputs: Mapping[str, TensorType]) -> Graph:
        """The gradient of the loss by every trainable parameter, as in a training step that changes
        nothing.
        """
        given = [make_input(name, of.shape, of.dtype) for name, of in inputs.items()]
        *feeds, target = given
        with StateTrace(training=True) as trace:
            _, loss = self._loss(feeds, target)
            trained = {name: v.leaf for name, v in self.parameters().items() if v.trainable}
            found = grad(loss, trained)
            trace.keep_unless(as_tensor(False))
            return trace.close(found, "gradients", given)

    def predicting(self, inputs: Mapping[str, TensorType]) -> Graph:
        """The network's result in evaluation mode; the nest of its leaves is `prediction`."""
        feeds = {name: make_input(name, of.shape, of.dtype) for name, of in inputs.items()}
        with StateTrace(training=False) as trace:
            result = self.net(*feeds.values())
            leaves = flatten(result)
            names = {f"prediction{i}": as_tensor(leaf) for i, leaf in enumerate(leaves.values())}
            graph = trace.close(names, "predict", feeds.values())
        counter = iter(names)
        self.prediction = map_tree(lambda _: next(counter), result)
        return graph


def epoch_results(results: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of an epoch from the results of its last step; waits for it."""
    return {
        name.removeprefix(RUNNING): float(value)
        for name, value in results.items()
        if name.startswith(RUNNING)
    }
