"""The workloads in careful NumPy, written by hand: derivatives too, and every buffer made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks import networks as described
from benchmarks.networks import Array, Network
from benchmarks.peers.numpy_layers import Setting, back, own_layout, run, stack
from benchmarks.peers.numpy_parameters import CrossEntropy, Parameters, Rule
from benchmarks.peers.numpy_recurrent import GRU, LSTM
from benchmarks.peers.numpy_transformer import Transformer
from benchmarks.workload import RESIDENT, Optimizer, Step, Workload

BLOCK = 32768  # elements that go through the whole elementwise formula at a time


class Stack:
    """The layers of a stack as one network."""

    def __init__(self, network: described.Stack, batch: int, setting: Setting) -> None:
        shape = network.shape
        if network.convolves:
            shape = (*shape[1:], shape[0])
        example = np.empty((batch, *shape), np.float32)
        self._layers = stack(network.layers, "", example, setting)

    def forward(self, x: Array) -> Array:
        return run(self._layers, x)

    def backward(self, dy: Array) -> None:
        back(self._layers, dy)


class Deep:
    """Many small layers, each added to what came before; all that ``forward`` makes is kept."""

    def __init__(self, network: described.Deep, batch: int, setting: Setting) -> None:
        h, bent = (np.empty((network.layers + 1, batch, network.width), "f4") for _ in range(2))
        self._h, self._scratch, self._more = h, np.empty_like(h[0]), np.empty_like(h[0])
        self._ones = np.ones(batch, np.float32)
        parameters, self._layers = setting.parameters, []
        for n in range(network.layers):
            names = (f"layers.{n}.weight", f"layers.{n}.bias")
            own = [*map(parameters.value, names), *map(parameters.gradient, names)]
            self._layers.append((*own, h[n], h[n + 1], bent[n]))

    def forward(self, x: Array) -> Array:
        self._h[0], scratch, tenth = x, self._scratch, np.float32(0.1)
        for weight, bias, _, _, before, after, bent in self._layers:
            np.dot(before, weight.T, bent)
            np.add(bent, bias, bent)
            np.tanh(bent, bent)
            np.multiply(bent, tenth, scratch)
            np.add(before, scratch, after)
        last: Array = self._h[-1]
        return last

    def backward(self, dy: Array) -> None:
        slope, more = self._scratch, self._more
        one, tenth = np.float32(1), np.float32(0.1)
        for weight, _, dw, db, before, _, bent in reversed(self._layers):
            np.multiply(bent, bent, slope)
            np.subtract(one, slope, slope)
            np.multiply(slope, dy, slope)
            np.multiply(slope, tenth, slope)
            np.dot(slope.T, before, dw)
            np.dot(self._ones, slope, db)
            np.dot(slope, weight, more)
            np.add(dy, more, dy)


class SquaredError:
    """Its mean, and its gradient in the place of the predictions."""

    def __call__(self, y: Array, labels: Array) -> float:
        np.subtract(y, labels, y)
        loss = float(np.dot(y.ravel(), y.ravel())) / y.size
        np.multiply(y, np.float32(2 / y.size), y)
        return loss


def elementwise_step(rule: Optimizer, x: Array) -> Step:
    """Loss, gradient and update of a block while it is in the cache."""
    size = x.size
    buffers = [np.empty(min(BLOCK, size), np.float32) for _ in range(4)]
    rate = np.float32(rule.rate / size)

    def step(position: int) -> float:
        total = 0.0
        for start in range(0, size, BLOCK):
            part = x[start : start + BLOCK]
            total += elementwise_block(part, rate, *(b[: len(part)] for b in buffers))
        return total / size

    return step


def elementwise_block(
    x: Array, rate: np.float32, t: Array, s: Array, e: Array, scratch: Array
) -> float:
    """The sum of ``t s + x e / 2``; x moves by ``rate`` times its derivative.

    With ``t = tanh(1.25 x + 0.1)``, ``s = sigmoid(-0.7 x) = (1 - tanh(0.35 x)) / 2`` and
    ``e = exp(-x^2)`` the derivative is ``1.25 (1 - t^2) s - 0.7 t s (1 - s) + (1/2 - x^2) e``.
    """
    one, half = np.float32(1), np.float32(0.5)
    np.multiply(x, np.float32(1.25), t)
    np.add(t, np.float32(0.1), t)
    np.tanh(t, t)
    np.multiply(x, np.float32(0.35), s)
    np.tanh(s, s)
    np.subtract(one, s, s)
    np.multiply(s, half, s)
    np.multiply(x, x, scratch)
    np.negative(scratch, e)
    np.exp(e, e)
    total = float(np.dot(t, s)) + 0.5 * float(np.dot(x, e))
    np.subtract(half, scratch, scratch)
    np.multiply(scratch, e, e)
    np.subtract(one, s, scratch)
    np.multiply(scratch, t, scratch)
    np.multiply(scratch, np.float32(-0.7), scratch)
    np.multiply(t, t, t)
    np.subtract(one, t, t)
    np.multiply(t, np.float32(1.25), t)
    np.add(t, scratch, t)
    np.multiply(t, s, t)
    np.add(t, e, t)
    np.multiply(t, rate, t)
    np.subtract(x, t, x)
    return total


def network_of(network: Network, batch: int, setting: Setting) -> Any:
    """The network with all its buffers."""
    if isinstance(network, described.Recurrent):
        return {"lstm": LSTM, "gru": GRU}[network.cell](network, batch, setting)
    kinds: Mapping[type, Callable[..., Any]] = {
        described.Stack: Stack, described.Transformer: Transformer, described.Deep: Deep,
    }  # fmt: skip
    return kinds[type(network)](network, batch, setting)


def resident(workload: Workload) -> list[dict[str, Array]]:
    """The batches, images with channels last, labels in the order of the scores."""
    network = workload.network
    found = []
    for batch in workload.batches():
        arrays = dict(batch)
        if isinstance(network, described.Stack) and network.convolves:
            arrays["inputs"] = np.ascontiguousarray(arrays["inputs"].transpose(0, 2, 3, 1))
        if isinstance(network, described.Transformer):
            arrays["labels"] = arrays["labels"].ravel()
        if isinstance(network, described.Recurrent):
            arrays["labels"] = arrays["labels"].T.ravel()
        found.append(arrays)
    return found


def make(workload: Workload) -> Step:
    """The step."""
    network, rule, weights = workload.network, workload.optimizer, workload.weights()
    if isinstance(network, described.Elementwise):
        assert rule is not None
        return elementwise_step(rule, weights["x"])
    if isinstance(network, described.Stack):
        weights = own_layout(network.layers, weights)
    parameters, batches = Parameters(weights, rule is not None), resident(workload)
    net = network_of(network, workload.batch, Setting(parameters, rule is not None))
    if rule is None:
        return lambda position: float(net.forward(batches[position % RESIDENT]["inputs"]).max())
    move = Rule(rule, parameters)
    loss_of = _loss(network, batches[0]["labels"])

    def step(position: int) -> float:
        batch = batches[position % RESIDENT]
        scores = net.forward(batch["inputs"])
        loss = loss_of(scores, batch["labels"])
        net.backward(scores)
        move()
        return loss

    return step


def _loss(network: Network, labels: Array) -> Callable[[Array, Array], float]:
    if isinstance(network, described.Deep):
        return SquaredError()
    return CrossEntropy(labels.size)
