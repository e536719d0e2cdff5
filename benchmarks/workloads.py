"""The workloads by name.

The first eight kinds are what asg is tuned for. Those under "held back" are others of the same
kinds, so that tuning to the first alone would show. Each has a tiny form, for tests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from benchmarks.networks import (
    BatchNorm,
    Convolution,
    Deep,
    Dense,
    Elementwise,
    Flatten,
    Layer,
    MaxPool,
    MeanPool,
    Recurrent,
    Relu,
    Residual,
    Stack,
    Transformer,
)
from benchmarks.workload import Optimizer, Workload

Make = Callable[[bool], Workload]

TRAINING: dict[str, Make] = {}
HELD_BACK: dict[str, Make] = {}
INFERENCE: dict[str, Make] = {}
GROUPS = {"training": TRAINING, "held_back": HELD_BACK, "inference": INFERENCE}


def _listed(table: dict[str, Make]) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        table[make.__name__] = make
        return make

    return add


def names() -> list[str]:
    """All workloads."""
    return [name for group in GROUPS.values() for name in group]


def chosen(words: Sequence[str]) -> list[str]:
    """The workloads that names of workloads and of groups stand for, each once."""
    return list(dict.fromkeys(name for word in words for name in GROUPS.get(word, (word,))))


def workload(name: str, scale: str = "full") -> Workload:
    """A workload by name; with ``scale="tiny"`` the same kind of network in milliseconds."""
    make = {**TRAINING, **HELD_BACK, **INFERENCE}[name]
    return make({"full": False, "tiny": True}[scale])


# -- dense ----------------------------------------------------------------------------------------


def _perceptron(*widths: int) -> Stack:
    layers: list[Layer] = []
    for inputs, outputs in pairwise(widths):
        layers += [Dense(inputs, outputs), Relu()]
    return Stack(tuple(layers[:-1]), widths[:1], widths[-1])


@_listed(TRAINING)
def mlp(tiny: bool) -> Workload:
    net = _perceptron(12, 8, 8, 4) if tiny else _perceptron(784, 512, 512, 10)
    return Workload(net, 4 if tiny else 128, Optimizer("adamw", 1e-3, decay=0.01))


@_listed(TRAINING)
def mlp_small(tiny: bool) -> Workload:
    net = _perceptron(6, 5, 4) if tiny else _perceptron(64, 32, 10)
    return Workload(net, 4 if tiny else 32, Optimizer("sgd", 0.01, momentum=0.9))


@_listed(HELD_BACK)
def mlp_wide(tiny: bool) -> Workload:
    net = _perceptron(9, 16, 7, 3) if tiny else _perceptron(300, 1500, 700, 20)
    return Workload(net, 5 if tiny else 48, Optimizer("adam", 3e-4, clip=1.0))


@_listed(HELD_BACK)
def digits(tiny: bool) -> Workload:
    net = _perceptron(6, 6, 4) if tiny else _perceptron(64, 64, 10)
    return Workload(net, 4 if tiny else 64, Optimizer("adam", 1e-3))


# -- images ---------------------------------------------------------------------------------------


@_listed(TRAINING)
def lenet(tiny: bool) -> Workload:
    first, second = (2, 3) if tiny else (6, 16)
    widths = (12, 8, 10) if tiny else (120, 84, 10)
    features = (
        *(Convolution(1, first, 5, padding=2), Relu(), MaxPool()),
        *(Convolution(first, second, 5), Relu(), MaxPool(), Flatten()),
    )
    net = Stack((*features, *_head((second, 5, 5), *widths)), (1, 28, 28))
    return Workload(net, 3 if tiny else 64, Optimizer("adam", 1e-3))


@_listed(TRAINING)
def cnn(tiny: bool) -> Workload:
    channels, size = ((4, 6, 8), 16) if tiny else ((32, 64, 128), 32)
    features: list[Layer] = []
    for inputs, outputs in pairwise((3, *channels)):
        convolution = Convolution(inputs, outputs, 3, padding=1)
        features += [convolution, BatchNorm(outputs), Relu(), MaxPool()]
    image = (channels[-1], size // 8, size // 8)
    widths = (12, 8, 10) if tiny else (512, 256, 10)
    net = Stack((*features, Flatten(), *_head(image, *widths)), (3, size, size))
    return Workload(net, 6 if tiny else 128, Optimizer("adam", 1e-4))


@_listed(HELD_BACK)
def vgg(tiny: bool) -> Workload:
    """Two convolutions before each pooling, no batch normalisation."""
    channels, size = ((3, 5), 8) if tiny else ((48, 96), 24)
    features: list[Layer] = []
    for inputs, outputs in pairwise((3, *channels)):
        for width in (inputs, outputs):
            features += [Convolution(width, outputs, 3, padding=1), Relu()]
        features.append(MaxPool())
    image = (channels[-1], size // 4, size // 4)
    widths = (9, 10) if tiny else (200, 10)
    net = Stack((*features, Flatten(), *_head(image, *widths)), (3, size, size))
    return Workload(net, 3 if tiny else 40, Optimizer("sgd", 0.01, momentum=0.9))


@_listed(HELD_BACK)
def resnet(tiny: bool) -> Workload:
    """Two residual blocks on one resolution, the mean over pixels."""
    width, size = (4, 8) if tiny else (32, 20)
    convolution = Convolution(width, width, 3, padding=1)
    branch: tuple[Layer, ...] = (
        *(convolution, BatchNorm(width), Relu()),
        *(convolution, BatchNorm(width)),
    )
    stem = (Convolution(3, width, 3, padding=1), BatchNorm(width), Relu())
    layers = (*stem, Residual(branch), MaxPool(), Residual(branch), MeanPool(), Dense(width, 10))
    return Workload(Stack(layers, (3, size, size)), 6 if tiny else 64, Optimizer("sgd", 0.01))


def _head(image: tuple[int, int, int], *widths: int) -> list[Layer]:
    """Dense layers behind a flattened image."""
    channels, height, columns = image
    first, *others = _perceptron(channels * height * columns, *widths).layers
    assert isinstance(first, Dense)
    return [replace(first, image=image), *others]


# -- sequences ------------------------------------------------------------------------------------

_TINY_TRANSFORMER = Transformer(vocabulary=11, time=6, width=8, layers=2, heads=2)


@_listed(TRAINING)
def gpt(tiny: bool) -> Workload:
    net = _TINY_TRANSFORMER if tiny else Transformer()
    return Workload(net, 3 if tiny else 16, Optimizer("adamw", 1e-3, decay=0.01, clip=1.0))


@_listed(HELD_BACK)
def gpt_unclipped(tiny: bool) -> Workload:
    net = Transformer(time=96, width=192, layers=2, heads=6)
    return Workload(_TINY_TRANSFORMER if tiny else net, 2 if tiny else 10, Optimizer("adam", 1e-3))


@_listed(HELD_BACK)
def gpt_dropout(tiny: bool) -> Workload:
    """Masks differ from peer to peer, so their losses are only near each other."""
    net = replace(_TINY_TRANSFORMER if tiny else Transformer(), dropout=0.1)
    optimizer = Optimizer("adamw", 1e-4, decay=0.01, clip=1.0)
    return Workload(net, 3 if tiny else 16, optimizer, tolerance=0.2 if tiny else 0.03)


def _recurrent(cell: str, tiny: bool) -> Recurrent:
    return Recurrent(cell, vocabulary=7, hidden=6, time=5) if tiny else Recurrent(cell)


@_listed(TRAINING)
def lstm(tiny: bool) -> Workload:
    optimizer = Optimizer("adam", 1e-3, clip=1.0)
    return Workload(_recurrent("lstm", tiny), 3 if tiny else 32, optimizer)


@_listed(HELD_BACK)
def gru(tiny: bool) -> Workload:
    net = _recurrent("gru", tiny)
    if not tiny:
        net = replace(net, hidden=192, time=40)
    return Workload(net, 3 if tiny else 24, Optimizer("adam", 1e-3))


# -- others ---------------------------------------------------------------------------------------


@_listed(TRAINING)
def elemwise(tiny: bool) -> Workload:
    size = 1000 if tiny else 4_000_000
    return Workload(Elementwise(size), 1, Optimizer("sgd", 0.1 * size))


def _deep(layers: int) -> Make:
    def make(tiny: bool) -> Workload:
        net = Deep(layers // 50, width=3) if tiny else Deep(layers)
        return Workload(net, 4 if tiny else 32, Optimizer("sgd", 0.01))

    make.__name__ = f"deep{layers}"
    return make


deep100, deep300, deep1000 = (_listed(TRAINING)(_deep(layers)) for layers in (100, 300, 1000))


def _forward(training: Make) -> Make:
    def make(tiny: bool) -> Workload:
        return replace(training(tiny), optimizer=None)

    make.__name__ = f"{training.__name__}_forward"
    return make


mlp_forward, cnn_forward, gpt_forward = (_listed(INFERENCE)(_forward(m)) for m in (mlp, cnn, gpt))
