"""The dense and elementwise workloads on PyTensor: one function per step, compiled by Numba."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks import networks as described
from benchmarks.networks import Network
from benchmarks.workload import RESIDENT, Optimizer, Step, Workload

pytensor.config.floatX = "float32"  # numbers in formulas would make it float64

Shared = Mapping[str, Any]
Updates = list[tuple[Any, Any]]


def stack(network: described.Stack, shared: Shared, x: Any) -> Any:
    """Dense layers and what bends their outputs."""
    for position, layer in enumerate(network.layers):
        if isinstance(layer, described.Dense):
            x = x @ shared[f"{position}.weight"].T + shared[f"{position}.bias"]
        else:
            x = pt.maximum(x, np.float32(0))
    return x


def deep(network: described.Deep, shared: Shared, h: Any) -> Any:
    """Many small layers, each added to what came before."""
    for number in range(network.layers):
        name = f"layers.{number}"
        bent = pt.tanh(h @ shared[f"{name}.weight"].T + shared[f"{name}.bias"])
        h = h + np.float32(0.1) * bent
    return h


def elementwise(x: Any) -> Any:
    """The loss itself."""
    waves = pt.tanh(1.25 * x + 0.1) * pt.sigmoid(-0.7 * x)
    return pt.mean(waves + 0.5 * x * pt.exp(-(x * x)))


def cross_entropy(scores: Any, labels: Any) -> Any:
    """Its mean over the batch."""
    logs = pt.special.log_softmax(scores, axis=-1)
    return -pt.mean(logs[pt.arange(labels.shape[0]), labels])


def outputs_of(network: Network, shared: Shared, inputs: Any) -> Any:
    """The network's scores."""
    build: Callable[..., Any] = stack if isinstance(network, described.Stack) else deep
    return build(network, shared, inputs)


def loss_of(network: Network, outputs: Any, labels: Any) -> Any:
    """Cross-entropy, or the mean of squares."""
    if isinstance(network, described.Stack):
        return cross_entropy(outputs, labels)
    return pt.mean((outputs - labels) ** 2)


def clipped(gradients: list[Any], largest: float | None) -> list[Any]:
    """Gradients whose common norm is at most ``largest``."""
    if largest is None:
        return gradients
    norm = pt.sqrt(sum(pt.sum(gradient**2) for gradient in gradients))
    factor = pt.minimum(np.float32(largest) / (norm + np.float32(1e-6)), np.float32(1))
    return [gradient * factor for gradient in gradients]


def momentum(rule: Optimizer, values: list[Any], gradients: list[Any]) -> Updates:
    """SGD."""
    updates: Updates = []
    for value, gradient in zip(values, gradients, strict=True):
        buffer = zeros(value)
        moved = np.float32(rule.momentum) * buffer + gradient
        updates += [(buffer, moved), (value, value - np.float32(rule.rate) * moved)]
    return updates


def adam(rule: Optimizer, values: list[Any], gradients: list[Any]) -> Updates:
    """Adam; with a decay, AdamW."""
    count = pytensor.shared(np.float32(0))
    steps = count + np.float32(1)
    one, first, second = np.float32(1), np.float32(0.9), np.float32(0.999)
    rate, decay = np.float32(rule.rate), np.float32(1 - rule.rate * rule.decay)
    pace, spread = rate / (one - first**steps), pt.sqrt(one - second**steps)
    updates: Updates = [(count, steps)]
    for value, gradient in zip(values, gradients, strict=True):
        mean, square = zeros(value), zeros(value)
        new_mean = first * mean + (one - first) * gradient
        new_square = second * square + (one - second) * gradient * gradient
        denominator = pt.sqrt(new_square) / spread + np.float32(1e-8)
        moved = decay * value - pace * new_mean / denominator
        updates += [(mean, new_mean), (square, new_square), (value, moved)]
    return updates


def zeros(value: Any) -> Any:
    """A shared variable like another."""
    return pytensor.shared(np.zeros_like(value.get_value(borrow=True)))


def variable(array: np.ndarray[Any, Any]) -> Any:
    """A variable of the type of an array."""
    return pt.tensor(dtype=str(array.dtype), shape=array.shape)


def make(workload: Workload) -> Step:
    """The step; the batches are arrays that PyTensor reads where they lie."""
    shared = {name: pytensor.shared(value, name) for name, value in workload.weights().items()}
    batches = [list(batch.values()) for batch in workload.batches()]
    feeds = [variable(array) for array in batches[0]]
    network, rule = workload.network, workload.optimizer
    if rule is None:
        largest = pt.max(outputs_of(network, shared, feeds[0]))
        function = pytensor.function(feeds[:1], largest, mode="NUMBA")
        return lambda position: float(function(batches[position % RESIDENT][0]))
    if isinstance(network, described.Elementwise):
        loss = elementwise(shared["x"])
    else:
        loss = loss_of(network, outputs_of(network, shared, feeds[0]), feeds[1])
    values = list(shared.values())
    gradients = clipped(pytensor.grad(loss, values), rule.clip)
    updates = (momentum if rule.name == "sgd" else adam)(rule, values, gradients)
    step = pytensor.function(feeds, loss, updates=updates, mode="NUMBA", trust_input=True)
    return lambda position: float(step(*batches[position % RESIDENT]))
