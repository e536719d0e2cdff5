"""The workloads on asg, as its users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import asg
from asg import nn, optim
from benchmarks import networks as described
from benchmarks.networks import Batch, Network
from benchmarks.workload import RESIDENT, Optimizer, Step, Workload

LAYERS: Mapping[type, Callable[[Any], nn.Module]] = {
    described.Dense: lambda layer: nn.Linear(layer.inputs, layer.outputs),
    described.Convolution: lambda layer: nn.Conv2d(
        layer.inputs, layer.outputs, layer.kernel, padding=layer.padding
    ),
    described.BatchNorm: lambda layer: nn.BatchNorm2d(layer.features),
    described.Relu: lambda layer: nn.ReLU(),
    described.MaxPool: lambda layer: nn.MaxPool2d(2),
    described.MeanPool: lambda layer: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    described.Flatten: lambda layer: nn.Flatten(),
    described.Residual: lambda layer: nn.Residual(stack(layer.branch), activation=nn.ReLU()),
}


def stack(layers: tuple[described.Layer, ...]) -> nn.Module:
    """Layers one after the other."""
    return nn.Sequential(*(LAYERS[type(layer)](layer) for layer in layers))


def transformer(network: described.Transformer) -> nn.Module:
    """The GPT of the model zoo."""
    config = nn.models.GPTConfig(
        vocab_size=network.vocabulary, n_positions=network.time, n_embd=network.width,
        n_layer=network.layers, n_head=network.heads, tie_word_embeddings=False,
        resid_pdrop=network.dropout, embd_pdrop=network.dropout, attn_pdrop=network.dropout,
    )  # fmt: skip
    return nn.models.GPT(config)


class Recurrent(nn.Module):
    """Embedding, LSTM or GRU, dense."""

    def __init__(self, network: described.Recurrent) -> None:
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[network.cell]
        self.embedding = nn.Embedding(network.vocabulary, network.hidden)
        self.rnn = cell(network.hidden, network.hidden, batch_first=True)
        self.head = nn.Linear(network.hidden, network.vocabulary)

    def forward(self, tokens: asg.Tensor) -> asg.Tensor:
        outputs, _ = self.rnn(self.embedding(tokens))
        logits: asg.Tensor = self.head(outputs)
        return logits


class Deep(nn.Module):
    """Many small layers, each added to what came before."""

    def __init__(self, network: described.Deep) -> None:
        width = network.width
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(network.layers))

    def forward(self, h: asg.Tensor) -> asg.Tensor:
        for layer in self.layers:
            h = h + 0.1 * asg.tanh(layer(h))
        return h


def elementwise(network: described.Elementwise) -> asg.Tensor:
    """The loss itself."""
    x = asg.parameter("x", (network.size,), init=0.0)
    return asg.mean(asg.tanh(1.25 * x + 0.1) * asg.sigmoid(-0.7 * x) + 0.5 * x * asg.exp(-(x * x)))


def optimizer_of(given: Optimizer) -> Any:
    """The rule, after the clip where there is one."""
    rule = {
        "sgd": lambda: optim.sgd(given.rate, momentum=given.momentum),
        "adam": lambda: optim.adam(given.rate),
        "adamw": lambda: optim.adamw(given.rate, weight_decay=given.decay),
    }[given.name]()
    return rule if given.clip is None else optim.chain(optim.clip_by_global_norm(given.clip), rule)


def network_of(network: Network) -> tuple[nn.Module, Callable[..., asg.Tensor]]:
    """The module, and its loss as a function of prediction and labels."""
    match network:
        case described.Stack():
            return stack(network.layers), asg.cross_entropy
        case described.Transformer():
            return transformer(network), sequence_loss
        case described.Recurrent():
            return Recurrent(network), sequence_loss
        case described.Deep():
            return Deep(network), asg.mse_loss
    raise TypeError(f"no network for {network!r}")


def sequence_loss(logits: asg.Tensor, labels: asg.Tensor) -> asg.Tensor:
    """Cross entropy of the next token."""
    return asg.cross_entropy(logits, labels, axis=-1)


def step_graph(workload: Workload, batch: Batch) -> asg.Graph:
    """The training step; the batch may have any number of examples."""
    assert workload.optimizer is not None
    optimizer = optimizer_of(workload.optimizer)
    if isinstance(workload.network, described.Elementwise):
        return asg.train_step(elementwise(workload.network), optimizer=optimizer)
    net, loss = network_of(workload.network)
    types = {name: (("batch", *a.shape[1:]), a.dtype.name) for name, a in batch.items()}
    return asg.train_step(net, loss=loss, optimizer=optimizer)(**types)


def forward_graph(workload: Workload, batch: Batch) -> asg.Graph:
    """The outputs of the network in evaluation mode."""
    net, _ = network_of(workload.network)
    inputs = batch["inputs"]
    with asg.training_mode(False):
        given = asg.input("inputs", ("batch", *inputs.shape[1:]), inputs.dtype.name)
        return asg.Graph(outputs=net(given))


def session_of(workload: Workload, backend: str) -> tuple[asg.Session, Sequence[Mapping[str, Any]]]:
    """The compiled step with the given weights, and its batches."""
    batches = workload.batches()
    if workload.optimizer is None:
        batches = [{"inputs": batch["inputs"]} for batch in batches]
    build = forward_graph if workload.optimizer is None else step_graph
    executable = asg.compile(build(workload, batches[0]), backend=backend)
    session = executable.start(seed=0, state=workload.weights())
    return session, [on_device(batch) for batch in batches] if backend == "jax" else batches


def on_device(batch: Batch) -> dict[str, Any]:
    """A batch as JAX holds it, as the peer in JAX does."""
    import jax.numpy as jnp

    held: dict[str, Any] = {name: jnp.array(array) for name, array in batch.items()}
    return held


def make(workload: Workload, backend: str = "numpy") -> Step:
    """The compiled step."""
    session, batches = session_of(workload, backend)
    if workload.optimizer is None:
        return lambda i: float(np.asarray(session(**batches[i % RESIDENT])["outputs"]).max())
    return lambda i: float(session(**batches[i % RESIDENT])["loss"])
