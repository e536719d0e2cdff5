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
    drop: nn.Module
    number: int = 0
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


Layer = Callable[[Context, Tensor], Tensor]


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


def attention(c: Context, h: Tensor) -> Tensor:
    """Rows attend to each other: products of which the gradients read transposed ones."""
    query, key = (h @ c.weight(c.width, c.width) for _ in range(2))
    result: Tensor = h + 0.1 * asg.softmax(query @ key.T) @ h
    return result


def dropped(c: Context, h: Tensor) -> Tensor:
    """One stream of random numbers runs through all layers."""
    result: Tensor = h + 0.1 * c.drop(asg.tanh(h @ c.weight(c.width, c.width)))
    return result


def numbered(c: Context, h: Tensor) -> Tensor:
    """A number that is another one in every layer, and an array that is the same."""
    same = asg.constant([[0.1 * (i - j) for i in range(c.width)] for j in range(c.width)])
    return h * (1.0 - 0.01 * c.number) + 0.1 * asg.tanh(h @ same.astype(h.dtype))


def halves(c: Context, h: Tensor) -> Tensor:
    """Several results of one op, of which one gates the other."""
    left, right = asg.split(h @ c.weight(c.width, 2 * c.width), 2, axis=1)
    result: Tensor = h + 0.1 * left * asg.sigmoid(right)
    return result


def branch(c: Context, h: Tensor) -> Tensor:
    result: Tensor = asg.cond(h.sum() > 0.1, lambda: asg.tanh(h), lambda: 0.5 * h)
    return result + 0.1 * c.weight(c.width)


def with_loop(c: Context, h: Tensor) -> Tensor:
    zeros = asg.zeros((c.width,), dtype=asg.float64)
    last, y = asg.scan(lambda s, x: (0.5 * s + asg.tanh(x), s * x), zeros, h)
    result: Tensor = h + 0.1 * y + 0.01 * last
    return result


def with_weights(c: Context, h: Tensor) -> Tensor:
    """A recurrent layer; every other one runs backwards."""
    weight, bias = c.weight(c.width, c.width), c.weight(c.width)
    zeros = asg.zeros((c.width,), dtype=asg.float64)
    last, y = asg.scan(
        lambda s, x: (asg.tanh(s @ weight + x + bias), s + x), zeros, h, reverse=c.number % 2 == 0
    )
    result: Tensor = h + 0.1 * y + 0.05 * last
    return result


LAYERS: tuple[Layer, ...] = (
    dense, residual, with_first, gate, shared, without_weights, normalised, from_before_last,
    two_streams, summed, tied, attention, dropped, numbered, halves, branch, with_loop,
    with_weights,
)  # fmt: skip
LOOPS = (with_loop, with_weights)

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optim.sgd(0.01),
    "momentum": lambda: optim.sgd(0.01, momentum=0.9),
    "adam": lambda: optim.adam(0.01),
    "clipped": lambda: optim.chain(optim.clip_by_global_norm(0.5), optim.adam(0.01)),
    "some decayed": lambda: optim.adamw(0.01, weight_decay=0.1, no_decay="*shared*"),
    "scheduled": lambda: optim.adam(optim.warmup_cosine(0.01, 2, 10)),
    "accumulated": lambda: optim.accumulate(2, optim.sgd(0.01, momentum=0.9, nesterov=True)),
    "grouped": lambda: optim.groups({"shared": optim.sgd(0.01)}, optim.adam(0.01)),
    "second order": lambda: optim.sgd(0.01),
}


def deep_step(seed: int, loops: bool = True) -> Graph:
    """The training step of a network: blocks of up to 9 repeats of up to 3 layers.

    With ``loops`` some of the layers may be scans.
    Its feeds are ``x`` and ``y`` of 4 rows and some columns, in float64.
    """
    draw = Random(seed)
    width = draw.choice([2, 3, 5])
    layers = [layer for layer in LAYERS if loops or layer not in LOOPS]
    blocks = [
        draw.choices(layers, k=draw.randint(1, 3)) * draw.randint(2, 9)
        for _ in range(draw.randint(1, 3))
    ]
    name = draw.choice(list(OPTIMIZERS))
    batch: Any = ((BATCH, width), asg.float64)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return _loss(width, [layer for block in blocks for layer in block], name, x, y)

    step: Graph = asg.train_step(loss, optimizer=OPTIMIZERS[name]())(x=batch, y=batch)
    return step


def _loss(width: int, layers: list[Layer], name: str, x: Tensor, y: Tensor) -> Tensor:
    weight = asg.parameter("shared", (width, width), dtype=asg.float64, init=nn.init.normal(0.3))
    context = Context(width, x, as_tensor(weight), nn.Dropout(0.25))
    h = x @ weight
    for layer in layers:
        h = layer(context, h)
        context.number += 1
    loss: Tensor = ((h - y) ** 2).mean() + 0.01 * context.total
    if name == "second order":
        slope = asg.grad(loss, x)
        loss = loss + 0.1 * (slope * slope).sum()
    return loss
