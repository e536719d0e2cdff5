"""The workloads on PyTorch: eager, images with channels last, or compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks import networks as described
from benchmarks.networks import Network
from benchmarks.workload import RESIDENT, Optimizer, Step, Weights, Workload


class Residual(nn.Module):
    """``relu(module(x) + x)``."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.module(x) + x)


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
    described.Residual: lambda layer: Residual(stack(layer.branch)),
}


def stack(layers: tuple[described.Layer, ...]) -> nn.Module:
    """Layers one after the other."""
    return nn.Sequential(*(LAYERS[type(layer)](layer) for layer in layers))


class Attention(nn.Module):
    """Causal; queries, keys and values are one product."""

    def __init__(self, network: described.Transformer) -> None:
        super().__init__()
        self.heads, self.rate = network.heads, network.dropout
        self.c_attn = nn.Linear(network.width, 3 * network.width)
        self.c_proj = nn.Linear(network.width, network.width)
        self.dropout = nn.Dropout(network.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, width = x.shape
        shape = (batch, time, self.heads, width // self.heads)
        q, k, v = (part.view(shape).transpose(1, 2) for part in self.c_attn(x).split(width, dim=2))
        rate = self.rate if self.training else 0.0
        y = functional.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        merged = y.transpose(1, 2).reshape(batch, time, width)
        return self.dropout(self.c_proj(merged))


class FeedForward(nn.Module):
    """Two dense layers with a GELU between them."""

    def __init__(self, network: described.Transformer) -> None:
        super().__init__()
        self.c_fc = nn.Linear(network.width, 4 * network.width)
        self.c_proj = nn.Linear(4 * network.width, network.width)
        self.dropout = nn.Dropout(network.dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = functional.gelu(self.c_fc(x), approximate="tanh")
        return self.dropout(self.c_proj(hidden))


class Block(nn.Module):
    """Attention and feed-forward network behind their norms, each added to its input."""

    def __init__(self, network: described.Transformer) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(network.width), nn.LayerNorm(network.width)
        self.attn, self.mlp = Attention(network), FeedForward(network)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """GPT-2, its head untied."""

    def __init__(self, network: described.Transformer) -> None:
        super().__init__()
        parts = {
            "wte": nn.Embedding(network.vocabulary, network.width),
            "wpe": nn.Embedding(network.time, network.width),
            "h": nn.ModuleList(Block(network) for _ in range(network.layers)),
            "ln_f": nn.LayerNorm(network.width),
        }
        self.transformer = nn.ModuleDict(parts)
        self.dropout = nn.Dropout(network.dropout)
        self.lm_head = nn.Linear(network.width, network.vocabulary, bias=False)
        self.register_buffer("places", torch.arange(network.time), persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        body = self.transformer
        x = self.dropout(body["wte"](tokens) + body["wpe"](self.places))
        for block in body["h"]:
            x = block(x)
        return self.lm_head(body["ln_f"](x))


class Recurrent(nn.Module):
    """Embedding, LSTM or GRU, dense."""

    def __init__(self, network: described.Recurrent) -> None:
        super().__init__()
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[network.cell]
        self.embedding = nn.Embedding(network.vocabulary, network.hidden)
        self.rnn = cell(network.hidden, network.hidden, batch_first=True)
        self.head = nn.Linear(network.hidden, network.vocabulary)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        outputs, _ = self.rnn(self.embedding(tokens))
        return self.head(outputs)


class Deep(nn.Module):
    """Many small layers, each added to what came before."""

    def __init__(self, network: described.Deep) -> None:
        super().__init__()
        width = network.width
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(network.layers))

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            h = h + 0.1 * torch.tanh(layer(h))
        return h


class Elementwise(nn.Module):
    """The loss itself."""

    def __init__(self, network: described.Elementwise) -> None:
        super().__init__()
        self.x = nn.Parameter(torch.zeros(network.size))

    def forward(self) -> torch.Tensor:
        x = self.x
        waves = torch.tanh(1.25 * x + 0.1) * torch.sigmoid(-0.7 * x)
        return torch.mean(waves + 0.5 * x * torch.exp(-(x * x)))


def sequence_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross entropy of the next token."""
    return functional.cross_entropy(logits.flatten(0, 1), labels.flatten())


def network_of(network: Network) -> tuple[nn.Module, Callable[..., torch.Tensor]]:
    """The module, and its loss as a function of prediction and labels."""
    match network:
        case described.Stack():
            return stack(network.layers), functional.cross_entropy
        case described.Transformer():
            return Transformer(network), sequence_loss
        case described.Recurrent():
            return Recurrent(network), sequence_loss
        case described.Deep():
            return Deep(network), functional.mse_loss
        case described.Elementwise():
            return Elementwise(network), lambda loss: loss
    raise TypeError(f"no network for {network!r}")


def load(net: nn.Module, weights: Weights) -> None:
    """Give the module its first values; GPT-2 stores its projections the other way round."""
    state = dict(net.state_dict())
    for name, value in weights.items():
        turned = name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight"))
        state[name] = torch.tensor(value.T if turned else value)
    net.load_state_dict(state)


def optimizer_of(given: Optimizer, net: nn.Module) -> torch.optim.Optimizer:
    """The rule in its fused form, PyTorch's fastest."""
    parameters = list(net.parameters())
    if given.name == "sgd":
        return torch.optim.SGD(parameters, given.rate, momentum=given.momentum, fused=True)
    if given.name == "adam":
        return torch.optim.Adam(parameters, given.rate, fused=True)
    return torch.optim.AdamW(parameters, given.rate, weight_decay=given.decay, fused=True)


def resident(workload: Workload, layout: torch.memory_format) -> list[dict[str, torch.Tensor]]:
    """The batches as tensors."""
    found = []
    for batch in workload.batches():
        tensors = {name: torch.tensor(array) for name, array in batch.items()}
        if "labels" in tensors and not tensors["labels"].is_floating_point():
            tensors["labels"] = tensors["labels"].long()
        if tensors and tensors["inputs"].ndim == 4:
            tensors["inputs"] = tensors["inputs"].to(memory_format=layout)
        found.append(tensors)
    return found


def make(workload: Workload, layout: str = "channels_last", compiled: bool = False) -> Step:
    """The step; ``compiled`` by torch.compile, network and loss together."""
    memory = getattr(torch, layout)
    net, loss_of = network_of(workload.network)
    load(net, workload.weights())
    if isinstance(workload.network, described.Stack) and workload.network.convolves:
        net = net.to(memory_format=memory)
    batches = resident(workload, memory)
    if workload.optimizer is None:
        return forward_step(net.eval(), batches, compiled)

    def forward(inputs: Any = None, labels: Any = None) -> torch.Tensor:
        return loss_of(net()) if inputs is None else loss_of(net(inputs), labels)

    optimizer, clip = optimizer_of(workload.optimizer, net), workload.optimizer.clip
    loss_function = torch.compile(forward) if compiled else forward

    def step(position: int) -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = loss_function(**batches[position % RESIDENT])
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        return loss.item()

    return step


def forward_step(net: nn.Module, batches: list[dict[str, torch.Tensor]], compiled: bool) -> Step:
    """The outputs alone."""
    function = torch.compile(net) if compiled else net

    def step(position: int) -> float:
        with torch.inference_mode():
            outputs = function(batches[position % RESIDENT]["inputs"])
            return float(outputs.numpy().max())

    return step
