"""The networks of the workloads as descriptions, which every peer turns into a program of its own.

Weights are named and laid out as asg and PyTorch name and lay them out; a peer that prefers another
layout converts them once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Batch = Mapping[str, Array]


@dataclass(frozen=True)
class Variable:
    """Shape and first values: uniform on ``center +- spread``."""

    shape: tuple[int, ...]
    spread: float = 0.0
    center: float = 0.0


Variables = dict[str, Variable]


def affine(name: str, outputs: int, *inputs: int, bias: bool = True) -> Variables:
    """Weight ``[outputs, *inputs]`` and bias of a layer, as large as PyTorch's defaults."""
    spread = prod(inputs) ** -0.5
    found = {f"{name}.weight": Variable((outputs, *inputs), spread)}
    return {**found, f"{name}.bias": Variable((outputs,), spread)} if bias else found


def norm(name: str, features: int) -> Variables:
    """Scale and shift of a normalisation."""
    shape = (features,)
    return {f"{name}.weight": Variable(shape, center=1.0), f"{name}.bias": Variable(shape)}


# -- layers of a stack ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Dense:
    """``x W^T + b``; ``image`` is the ``(channels, height, width)`` that was flattened into x."""

    inputs: int
    outputs: int
    image: tuple[int, int, int] | None = None

    def variables(self, name: str) -> Variables:
        return affine(name, self.outputs, self.inputs)


@dataclass(frozen=True)
class Convolution:
    """A square kernel over images, with a bias."""

    inputs: int
    outputs: int
    kernel: int
    padding: int = 0

    def variables(self, name: str) -> Variables:
        return affine(name, self.outputs, self.inputs, self.kernel, self.kernel)


@dataclass(frozen=True)
class BatchNorm:
    """Each channel by its mean and variance over batch and pixels; eps 1e-5, momentum 0.1."""

    features: int

    def variables(self, name: str) -> Variables:
        return norm(name, self.features)


@dataclass(frozen=True)
class Plain:
    """What has no weights."""

    def variables(self, name: str) -> Variables:
        return {}


@dataclass(frozen=True)
class Relu(Plain):
    """``max(x, 0)``."""


@dataclass(frozen=True)
class MaxPool(Plain):
    """The largest of each square of 2 x 2 pixels."""


@dataclass(frozen=True)
class MeanPool(Plain):
    """The mean over all pixels, flattened."""


@dataclass(frozen=True)
class Flatten(Plain):
    """An image as one row."""


@dataclass(frozen=True)
class Residual:
    """``relu(branch(x) + x)``."""

    branch: tuple[Layer, ...]

    def variables(self, name: str) -> Variables:
        return stacked(self.branch, f"{name}.module.")


Layer = Dense | Convolution | BatchNorm | Relu | MaxPool | MeanPool | Flatten | Residual


def stacked(layers: tuple[Layer, ...], prefix: str = "") -> Variables:
    """The variables of layers, which are named by their positions."""
    found: Variables = {}
    for position, layer in enumerate(layers):
        found |= layer.variables(f"{prefix}{position}")
    return found


# -- networks -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stack:
    """Layers one after the other, on examples of a shape, to scores of classes; cross entropy."""

    layers: tuple[Layer, ...]
    shape: tuple[int, ...]
    classes: int = 10

    def variables(self) -> Variables:
        return stacked(self.layers)

    def batch(self, random: np.random.Generator, size: int) -> Batch:
        inputs = random.standard_normal((size, *self.shape), np.float32)
        return {"inputs": inputs, "labels": random.integers(0, self.classes, size).astype("i4")}

    @property
    def convolves(self) -> bool:
        """Whether the examples are images."""
        return len(self.shape) == 3


class _Language:
    """What networks of characters share: tokens in, the next token as label."""

    vocabulary: int
    time: int

    def batch(self, random: np.random.Generator, size: int) -> Batch:
        text = random.integers(0, self.vocabulary, (size, self.time + 1)).astype("i4")
        return {"inputs": text[:, :-1].copy(), "labels": text[:, 1:].copy()}


@dataclass(frozen=True)
class Transformer(_Language):
    """GPT-2 with learned positions and a head of its own; names and layouts of `nn.models.GPT`."""

    vocabulary: int = 65
    time: int = 128
    width: int = 128
    layers: int = 4
    heads: int = 4
    dropout: float = 0.0

    def variables(self) -> Variables:
        width = self.width
        found = {
            "transformer.wte.weight": Variable((self.vocabulary, width), 0.035),
            "transformer.wpe.weight": Variable((self.time, width), 0.035),
        }
        for number in range(self.layers):
            found |= self._block(f"transformer.h.{number}")
        found |= norm("transformer.ln_f", width)
        return found | affine("lm_head", self.vocabulary, width, bias=False)

    def _block(self, name: str) -> Variables:
        width = self.width
        projections = {
            "attn.c_attn": (width, 3 * width),
            "attn.c_proj": (width, width),
            "mlp.c_fc": (width, 4 * width),
            "mlp.c_proj": (4 * width, width),
        }
        found = norm(f"{name}.ln_1", width) | norm(f"{name}.ln_2", width)
        for part, shape in projections.items():
            found[f"{name}.{part}.weight"] = Variable(shape, shape[0] ** -0.5)
            found[f"{name}.{part}.bias"] = Variable(shape[1:], 0.02)
        return found


@dataclass(frozen=True)
class Recurrent(_Language):
    """Embedding, one layer of an LSTM or GRU, dense."""

    cell: str = "lstm"
    vocabulary: int = 65
    hidden: int = 256
    time: int = 64

    @property
    def gates(self) -> int:
        """How many blocks of ``hidden`` rows the weights have."""
        return {"lstm": 4, "gru": 3}[self.cell]

    def variables(self) -> Variables:
        rows, spread = self.gates * self.hidden, self.hidden**-0.5
        found = {"embedding.weight": Variable((self.vocabulary, self.hidden), 1.0)}
        for side in ("ih", "hh"):
            found[f"rnn.weight_{side}_l0"] = Variable((rows, self.hidden), spread)
        for side in ("ih", "hh"):
            found[f"rnn.bias_{side}_l0"] = Variable((rows,), spread)
        return found | affine("head", self.vocabulary, self.hidden)


@dataclass(frozen=True)
class Elementwise:
    """``mean(tanh(1.25 x + 0.1) sigmoid(-0.7 x) + 0.5 x exp(-x^2))`` of the variable ``x``."""

    size: int

    def variables(self) -> Variables:
        return {"x": Variable((self.size,), 2.0)}

    def batch(self, random: np.random.Generator, size: int) -> Batch:
        return {}


@dataclass(frozen=True)
class Deep:
    """``h <- h + 0.1 tanh(h W^T + b)``, many times; mean squared error."""

    layers: int
    width: int = 8

    def variables(self) -> Variables:
        found: Variables = {}
        for number in range(self.layers):
            found |= affine(f"layers.{number}", self.width, self.width)
        return found

    def batch(self, random: np.random.Generator, size: int) -> Batch:
        shape = (size, self.width)
        return {name: random.standard_normal(shape, np.float32) for name in ("inputs", "labels")}


Network = Stack | Transformer | Recurrent | Elementwise | Deep
