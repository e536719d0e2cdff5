"""Random networks of layers that repeat, with gradients and updates: what `roll` is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import asg
from asg import Tensor, nn, optim
from asg.core.convert import as_tensor
from asg.core.graph import Graph

BATCH = 4


@dataclass
class Context:
    """What layers share: the width, the network's input, a weight, and values of layers before."""

    width: int
    first: Tensor
    shared: Tensor
    before: Tensor | None = None
    pair: tuple[Tensor, Tensor] | None = None
    total: Any = 0.0
    made: list[Tensor] = field(default_factory=list)

    def weight(self, *shape: int) -> Tensor:
        """A parameter of its own."""
        name = f"weight_{len(self.made)}"
        variable = asg.parameter(name, shape, dtype=asg.float64, init=nn.init.normal(0.3))
        self.made.append(as_tensor(variable))
        return self.made[-1]


def dense(c: Context, h: Tensor) -> Tensor:
    return asg.tanh(h @ c.weight(c.width, c.width) + c.weight(c.width))


def residual(c: Context, h: Tensor) -> Tensor:
    return h + 0.1 * dense(c, h)


def with_first(c: Context, h: Tensor) -> Tensor:
    """Reads what is the same for all layers, and a layer's own result at its end."""
    return asg.sin(h @ c.weight(c.width, c.width)) + c.first


def gate(c: Context, h: Tensor) -> Tensor:
    return h * asg.sigmoid(h @ c.weight(c.width, c.width)) + 0.1 * c.weight(c.width)


def shared(c: Context, h: Tensor) -> Tensor:
    return h + 0.1 * asg.tanh(h @ c.shared)


def without_weights(c: Context, h: Tensor) -> Tensor:
    return h * 1.01 + asg.exp(-h * h)


def normalised(c: Context, h: Tensor) -> Tensor:
    centred = h - h.mean(1, keepdims=True)
    scaled = centred / asg.sqrt((centred * centred).mean(1, keepdims=True) + 1e-5)
    inner = asg.gelu(scaled @ c.weight(c.width, 2 * c.width))
    return h + 0.1 * (inner @ c.weight(2 * c.width, c.width))


def from_before_last(c: Context, h: Tensor) -> Tensor:
    """Reads the layer before the last one."""
    before = h if c.before is None else c.before
    c.before = h + 0.1 * asg.tanh(before @ c.weight(c.width, c.width))
    return c.before


def two_streams(c: Context, h: Tensor) -> Tensor:
    """Two values change places at every layer."""
    a, b = c.pair or (h, h)
    c.pair = (b + 0.1 * asg.tanh(a @ c.weight(c.width, c.width)), a)
    return h + 0.1 * c.pair[0]


def summed(c: Context, h: Tensor) -> Tensor:
    """Adds to a penalty that runs through all layers."""
    c.total = c.total + (h * h).sum()
    return h + 0.05 * asg.tanh(h)


def tied(c: Context, h: Tensor) -> Tensor:
    weight = c.weight(c.width, c.width)
    return h + 0.1 * asg.tanh(h @ weight) @ weight.T


def with_loop(c: Context, h: Tensor) -> Tensor:
    zeros = asg.zeros((c.width,), dtype=asg.float64)
    last, y = asg.scan(lambda s, x: (0.5 * s + asg.tanh(x), s * x), zeros, h)
    result: Tensor = h + 0.1 * y + 0.01 * last
    return result


LAYERS: tuple[Callable[[Context, Tensor], Tensor], ...] = (
    dense, residual, with_first, gate, shared, without_weights, normalised, from_before_last,
    two_streams, summed, tied, with_loop,
)  # fmt: skip

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optim.sgd(0.01),
    "momentum": lambda: optim.sgd(0.01, momentum=0.9),
    "adam": lambda: optim.adam(0.01),
    "clipped": lambda: optim.chain(optim.clip_by_global_norm(0.5), optim.adam(0.01)),
    "second order": lambda: optim.sgd(0.01),
}


def deep_step(seed: int, loops: bool = True) -> Graph:
    """The training step of a network: blocks of up to 9 repeats of up to 3 layers.

    With ``loops`` some of the layers may be scans.
    Its feeds are ``x`` and ``y`` of 4 rows and some columns, in float64.
    """
    draw = Random(seed)
    width = draw.choice([2, 3, 5])
    x, y = (asg.input(name, (BATCH, width), dtype=asg.float64) for name in "xy")
    weight = asg.parameter("shared", (width, width), dtype=asg.float64, init=nn.init.normal(0.3))
    context = Context(width, x, as_tensor(weight))
    h = x @ weight
    for _ in range(draw.randint(1, 3)):
        block = draw.choices(LAYERS if loops else LAYERS[:-1], k=draw.randint(1, 3))
        for layer in block * draw.randint(2, 9):
            h = layer(context, h)
    loss = ((h - y) ** 2).mean() + 0.01 * context.total
    name = draw.choice(list(OPTIMIZERS))
    if name == "second order":
        slope = asg.grad(loss, x)
        loss = loss + 0.1 * (slope * slope).sum()
    step: Graph = asg.train_step(loss, optimizer=OPTIMIZERS[name]())
    return step
