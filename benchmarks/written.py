"""Programs with formulas written out, as they are found in users' code: what the rules are for.

Every program is a loss and its gradients; the optimizer's part is that of `benchmarks.workloads`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import asg
from asg.core.tensor import Tensor
from benchmarks.networks import Array

Make = Callable[[bool], "Program"]
PROGRAMS: dict[str, Make] = {}


@dataclass(frozen=True)
class Program:
    """A graph, and arrays for its inputs, by their names."""

    graph: asg.Graph
    feeds: Mapping[str, Array]


def program(name: str, tiny: bool = False) -> Program:
    """The program of a name, which `PROGRAMS` has."""
    return PROGRAMS[name](tiny)


def _listed(make: Make) -> Make:
    PROGRAMS[make.__name__.removeprefix("_")] = make
    return make


def _with_slopes(loss: Tensor, sizes: Mapping[str, int], classes: int = 2) -> Program:
    """The loss with its gradients by all floating inputs, and random feeds."""
    inputs = asg.Graph(loss=loss).feeds
    wrt = {name: each for name, each in inputs.items() if each.dtype.is_float}
    slopes = asg.grad(loss, list(wrt.values()))
    named = {f"d_{name}": slope for name, slope in zip(wrt, slopes, strict=True)}
    random = np.random.default_rng(0)
    feeds = {}
    for name, each in inputs.items():
        shape = [size if isinstance(size, int) else sizes[str(size)] for size in each.shape]
        drawn = random.uniform(0.1, 1.0, shape) / math.sqrt(shape[0] if len(shape) > 1 else 1)
        values = drawn if each.dtype.is_float else random.integers(0, classes, shape)
        feeds[name] = values.astype(each.dtype.numpy)
    return Program(asg.Graph(loss=loss, **named), feeds)


# -- transformers ---------------------------------------------------------------------------------


def _heads(x: Tensor, count: int) -> Tensor:
    batch, time, width = x.shape
    return asg.transpose(x.reshape(batch, time, count, width // count), (0, 2, 1, 3))


def _joined(x: Tensor) -> Tensor:
    batch, heads, time, width = x.shape
    return asg.transpose(x, (0, 2, 1, 3)).reshape(batch, time, heads * width)


def _softmax(x: Tensor) -> Tensor:
    raised = asg.exp(x - asg.max(x, axis=-1, keepdims=True))
    return raised / asg.sum(raised, axis=-1, keepdims=True)


def _layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    off = x - asg.mean(x, axis=-1, keepdims=True)
    variance = asg.mean(off * off, axis=-1, keepdims=True)
    return off / asg.sqrt(variance + 1e-5) * weight + bias


def _gelu(x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + asg.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


@_listed
def transformer(tiny: bool) -> Program:
    """A block as in minGPT: layer norm, causal attention, GELU, the loss by a pick."""
    width, heads, labels = (8, 2, 5) if tiny else (128, 4, 64)
    x = asg.input("x", ("batch", "time", width))
    targets = asg.input("targets", ("batch", "time"), "int32")
    matrix = {
        name: asg.input(name, shape)
        for name, shape in {
            "query": (width, width), "key": (width, width), "value": (width, width),
            "up": (width, 4 * width), "down": (4 * width, width), "head": (width, labels),
        }.items()
    }  # fmt: skip
    scale, shift = asg.input("scale", (width,)), asg.input("shift", (width,))
    batch, time, _ = x.shape

    h = _layer_norm(x, scale, shift)
    q, k, v = (_heads(h @ matrix[name], heads) for name in ("query", "key", "value"))
    scores = q @ asg.transpose(k, (0, 1, 3, 2)) / math.sqrt(width // heads)
    seen = asg.tril(asg.ones((time, time)))
    weights = _softmax(asg.where(asg.equal(seen, 0.0), float("-inf"), scores))
    x = x + _joined(weights @ v)
    x = x + _gelu(_layer_norm(x, scale, shift) @ matrix["up"]) @ matrix["down"]

    logits = (x @ matrix["head"]).reshape(batch * time, labels)
    shifted = logits - asg.max(logits, axis=-1, keepdims=True)
    logs = shifted - asg.log(asg.sum(asg.exp(shifted), axis=-1, keepdims=True))
    loss = -asg.mean(logs[asg.arange(batch * time), targets.reshape(batch * time)])
    return _with_slopes(loss, _sizes(tiny), labels)


def _rms_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * (asg.mean(x**2, axis=-1, keepdims=True) + 1e-6) ** -0.5 * weight


@_listed
def llama(tiny: bool) -> Program:
    """A block as in LLaMA: RMS norm, a mask that is added, SiLU, the loss by one-hot labels."""
    width, heads, labels = (8, 2, 5) if tiny else (128, 4, 64)
    x = asg.input("x", ("batch", "time", width))
    targets = asg.input("targets", ("batch", "time"), "int32")
    query, key, value = (asg.input(name, (width, width)) for name in ("query", "key", "value"))
    gate, up = (asg.input(name, (width, 2 * width)) for name in ("gate", "up"))
    down, head = asg.input("down", (2 * width, width)), asg.input("head", (width, labels))
    weight = asg.input("weight", (width,))
    time = x.shape[1]

    h = _rms_norm(x, weight)
    q, k, v = (_heads(h @ each, heads) for each in (query, key, value))
    scores = (q @ asg.transpose(k, (0, 1, 3, 2))) * (width // heads) ** -0.5
    hidden = asg.triu(asg.full((time, time), float("-inf")), 1)
    x = x + _joined(asg.softmax(scores + hidden, -1) @ v)
    h = _rms_norm(x, weight)
    gated = h @ gate
    x = x + (gated / (1.0 + asg.exp(-gated)) * (h @ up)) @ down
    chosen = asg.one_hot(targets, labels) * asg.log_softmax(x @ head, -1)
    return _with_slopes(-asg.mean(asg.sum(chosen, -1)), _sizes(tiny), labels)


def _sizes(tiny: bool) -> dict[str, int]:
    return {"batch": 2, "time": 4} if tiny else {"batch": 8, "time": 96}


# -- losses ---------------------------------------------------------------------------------------


def _vectors(tiny: bool) -> tuple[Tensor, Tensor, dict[str, int]]:
    """Inputs x of some features and y, and sizes for them."""
    width = 3 if tiny else 64
    sizes = {"batch": 4 if tiny else 4096}
    return asg.input("x", ("batch", width)), asg.input("y", ("batch", width)), sizes


@_listed
def logistic(tiny: bool) -> Program:
    """Logistic regressions by every formula for the sigmoid and for the loss."""
    x, y, sizes = _vectors(tiny)
    z = x * 3.0 - y
    by_exp = 1.0 / (1.0 + asg.exp(-z))
    by_tanh = 0.5 * (1.0 + asg.tanh(0.5 * x))
    likelihood = y * asg.log(by_exp) + (1.0 - y) * asg.log(1.0 - by_exp)
    stable = asg.maximum(z, 0.0) - z * y + asg.log1p(asg.exp(-asg.abs(z)))
    by_parts = asg.maximum(x, 0.0) + asg.log1p(asg.exp(-asg.abs(x)))
    plain = asg.log(1.0 + asg.exp(x)) + asg.log1p(asg.exp(y)) + asg.logaddexp(z, 0.0)
    return _with_slopes(asg.mean(by_tanh * (plain + by_parts + stable) - likelihood), sizes)


@_listed
def densities(tiny: bool) -> Program:
    """Mixtures of densities and counts, in logarithms."""
    x, y, sizes = _vectors(tiny)
    top = asg.max(x, axis=-1, keepdims=True)
    mixed = asg.log(asg.sum(asg.exp(x - top), axis=-1, keepdims=True)) + top
    plain = asg.log(asg.sum(asg.exp(y), axis=-1))
    shares = asg.log(_softmax(y)) + (x - asg.logsumexp(x, -1, keepdims=True))
    counts = (asg.exp(x) - 1.0) * asg.log(1.0 + y)
    picked = asg.nll_loss(asg.log(asg.softmax(x * y, -1)), asg.argmax(y, -1))
    total = asg.mean(mixed) + asg.mean(plain) + asg.mean(shares) + asg.mean(counts) + picked
    return _with_slopes(total, sizes)


# -- physics and linear algebra -------------------------------------------------------------------


@_listed
def bodies(tiny: bool) -> Program:
    """Energies of pairs of bodies, with every power as it stands in the textbook."""
    count = 4 if tiny else 256
    place, charge = asg.input("place", (count, 3)), asg.input("charge", (count,))
    off = asg.expand_dims(place, 1) - asg.expand_dims(place, 0)
    squared = asg.sum(off**2, -1) + 0.1
    distance = squared**0.5
    attraction = asg.expand_dims(charge, 1) * charge * (1.0 / asg.sqrt(squared))
    screened = asg.exp(-distance) * distance**-1 + asg.reciprocal(asg.sqrt(squared + distance))
    repulsion = squared**-0.5 * (squared**-1) ** 3
    motion = asg.sum(place * place) + asg.sum(charge**1)
    return _with_slopes(motion + asg.sum(repulsion - attraction + screened), {})


@_listed
def chain(tiny: bool) -> Program:
    """A vector behind a chain of matrices, multiplied from the left."""
    size = 6 if tiny else 384
    a, b, c = (asg.input(name, (size, size)) for name in "abc")
    y = a @ b @ c @ asg.input("v", (size, 2))
    return Program(asg.Graph(y=y), _with_slopes(asg.sum(y), {}).feeds)


@_listed
def channels(tiny: bool) -> Program:
    """Convolutions as a converter writes them: channels first, and all between channels last."""
    count, size, width = (2, 4, 3) if tiny else (16, 24, 32)
    h = x = asg.input("x", (count, size, size, width))
    shift = asg.input("shift", (width,))
    for layer in range(3):
        kernel = asg.input(f"kernel{layer}", (width, width, 3, 3))
        first = asg.conv2d(asg.transpose(h, (0, 3, 1, 2)), kernel, padding=1)
        h = asg.relu(asg.transpose(first, (0, 2, 3, 1)) + shift)
    return _with_slopes(asg.mean(asg.square(asg.mean(h + x, axis=(1, 2)))), {})


@_listed
def recurrent(tiny: bool) -> Program:
    """A recurrent network whose step multiplies its input too, with weights that are scaled."""
    width, time = (4, 5) if tiny else (96, 48)
    x = asg.input("x", (time, 2 if tiny else 16, width))
    inner, outer = asg.input("inner", (width, width)), asg.input("outer", (width, width))

    def step(h: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        h = asg.tanh(x @ outer + h @ (inner / asg.sqrt(asg.sum(inner * inner))))
        return h, h

    _, states = asg.scan(step, asg.zeros(x.shape[1:]), x)
    return _with_slopes(asg.mean(states * states), {})


@_listed
def gates(tiny: bool) -> Program:
    """An LSTM as it stands in the textbook: two weights and a bias for each of its gates."""
    width, time, batch = (4, 5, 2) if tiny else (64, 48, 16)
    x, names = asg.input("x", (time, batch, width)), ("input", "forget", "cell", "output")
    of_x = {name: asg.input(f"{name}_x", (width, width)) for name in names}
    of_h = {name: asg.input(f"{name}_h", (width, width)) for name in names}
    bias = {name: asg.input(f"{name}_bias", (width,)) for name in names}

    def step(state: tuple[Tensor, Tensor], x: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        h, c = state
        z = {name: x @ of_x[name] + h @ of_h[name] + bias[name] for name in names}
        c = asg.sigmoid(z["forget"]) * c + asg.sigmoid(z["input"]) * asg.tanh(z["cell"])
        h = asg.sigmoid(z["output"]) * asg.tanh(c)
        return (h, c), h

    zeros = asg.zeros(x.shape[1:])
    _, states = asg.scan(step, (zeros, zeros), x)
    return _with_slopes(asg.mean(states * states), {})


@_listed
def letters(tiny: bool) -> Program:
    """A window over a text as in Bengio's network: vectors of few letters, and what they give."""
    count, letters, width = (16, 3, 64) if tiny else (512, 27, 256)
    places = asg.input("places", (count, 2 if tiny else 8), "int32")
    table = asg.input("table", (letters, width))
    hidden, bias = asg.input("hidden", (width, width)), asg.input("bias", (width,))
    given = asg.tanh(asg.take(table, places, axis=0) @ hidden + bias)
    return _with_slopes(asg.mean(asg.max(given, axis=1)), {}, letters)


# -- functions for general use --------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """Of functions for general use, at values that ask for nothing."""

    scale: float = 1.0
    shift: float = 0.0
    sign: float = -1.0
    power: int = 1
    masked: bool = False
    axes: tuple[int, ...] = ()
    dtype: str = "float64"


def _prepared(x: Tensor, filler: Any, given: Options) -> Tensor:
    """Numbers scaled, shifted and masked."""
    x = (x - given.shift) / given.scale * given.scale + given.shift
    x = asg.where(asg.full(x.shape, given.masked), filler, x) ** given.power
    x = (given.shift - x) * given.sign
    return asg.where(asg.greater(x, 0.5), x, x).astype(given.dtype).astype(x.dtype)


def _arranged(x: Tensor, given: Options) -> Tensor:
    """Axes added, removed and stretched, sums over axes of which there are none."""
    x = asg.squeeze(asg.expand_dims(x, given.axes), given.axes)
    one = asg.sum(x, axis=0, keepdims=True)
    total = asg.sum(asg.expand_dims(asg.squeeze(one, 0), 0), axis=0)
    wide = asg.broadcast_to(asg.broadcast_to(total, (2, *total.shape)), (3, 2, *total.shape))
    return asg.sum(x, axis=given.axes) - -asg.sum(wide, axis=(0, 1))


@_listed
def general(tiny: bool) -> Program:
    """Functions with many options, called with those that change nothing."""
    x, y, sizes = _vectors(tiny)
    given, filler = Options(), asg.parameter("filler", (), init=0.0)
    prepared = _prepared(x, filler, given) * _prepared(y, filler, given)
    return _with_slopes(asg.sum(asg.tanh(_arranged(prepared, given))), sizes)


@_listed
def pieces(tiny: bool) -> Program:
    """A signal padded in steps, cut in steps, joined piece by piece; a table for any length."""
    time, width = (4, 3) if tiny else (1024, 64)
    x, table = asg.input("x", ("time", width)), asg.input("table", (time, width))
    x = x + table[: x.shape[0]]
    x = asg.tanh(asg.pad(x, ((0, -x.shape[0] % 4), (0, 0))))  # to a multiple of the stride
    bordered = asg.pad(asg.pad(x, ((1, 1), (0, 0))), ((2, 2), (0, 0)))
    every = bordered[::2][1:][:, ::2]
    joined = asg.concat([every], 1)
    for number in range(3):
        joined = asg.concat([joined, asg.tanh(every * number)], 1)
    return _with_slopes(asg.sum(joined * joined), {"time": time})
