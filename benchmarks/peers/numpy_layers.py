"""Layers by hand: channels last, every buffer made once, products by BLAS.

A layer is made for the shape of its input. ``forward`` returns a buffer that stays valid until
the next step, ``backward`` takes the gradient of that and may overwrite it. The first layer of a
network is not asked for the gradient of its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from benchmarks import networks as described
from benchmarks.networks import Array
from benchmarks.peers.numpy_parameters import Parameters
from benchmarks.workload import Weights

COLUMNS = 1 << 18  # floats of a column matrix
WIDE = 4096  # floats of a row that a vector of channels is repeated to


class Layer(Protocol):
    """What a stack is made of; ``y`` is its output."""

    y: Array

    def forward(self, x: Array) -> Array:
        """The output."""

    def backward(self, dy: Array) -> Array:
        """The gradient of the input, and those of the weights in their places."""


class Setting:
    """What all layers of a network share."""

    def __init__(self, parameters: Parameters, training: bool) -> None:
        self.parameters, self.training = parameters, training

    def buffer(self, *shape: int) -> Array:
        """Zeros; none when only the backward pass needs them and there is none."""
        return np.zeros(shape if self.training else 0, np.float32)


class Dense:
    """``x W^T + b``."""

    def __init__(
        self, layer: described.Dense, name: str, x: Array, setting: Setting, first: bool
    ) -> None:
        parameters = setting.parameters
        self._weight, self._bias = (parameters.value(f"{name}.{p}") for p in ("weight", "bias"))
        self._dw, self._db = (parameters.gradient(f"{name}.{p}") for p in ("weight", "bias"))
        self.y = np.empty((len(x), layer.outputs), np.float32)
        self._dx = setting.buffer(len(x), 0 if first else layer.inputs)
        self._ones, self._first = np.ones(len(x), np.float32), first

    def forward(self, x: Array) -> Array:
        self._x = x
        np.dot(x, self._weight.T, self.y)
        return np.add(self.y, self._bias, self.y)

    def backward(self, dy: Array) -> Array:
        np.dot(dy.T, self._x, self._dw)
        np.dot(self._ones, dy, self._db)
        return dy if self._first else np.dot(dy, self._weight, self._dx)


class Correlation:
    """Stride 1, by column matrices of a few images at a time."""

    def __init__(self, shape: tuple[int, ...], kernel: int, padding: int) -> None:
        """``shape`` is that of the input ``[batch, height, width, channels]``."""
        count, height, width, channels = shape
        self._inner = padding, padding + height, padding + width
        self._size = (height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1)
        pixels, depth = self._size[0] * self._size[1], kernel * kernel * channels
        self.block = max(1, min(count, COLUMNS // (pixels * depth)))
        padded = (self.block, height + 2 * padding, width + 2 * padding, channels)
        self._padded = np.zeros(padded, np.float32)
        self.columns = np.empty((self.block * pixels, depth), np.float32)
        image, row, column, item = self._padded.strides
        run = kernel * channels
        self._windows = as_strided(
            self._padded, (self.block, *self._size, kernel, run), (image, row, column, row, item)
        )
        self._target = self.columns.reshape(self.block, *self._size, kernel, run)

    def columns_of(self, x: Array) -> Array:
        """The column matrix of at most ``block`` images."""
        count = len(x)
        start, bottom, right = self._inner
        self._padded[:count, start:bottom, start:right] = x
        np.copyto(self._target[:count], self._windows[:count])
        return self.columns[: count * self._size[0] * self._size[1]]

    def run(self, x: Array, weight: Array, out: Array) -> Array:
        """``out[n, i, j]`` is the window there times ``weight [depth, outputs]``."""
        for start in range(0, len(x), self.block):
            part = slice(start, start + self.block)
            np.dot(self.columns_of(x[part]), weight, out[part].reshape(-1, weight.shape[1]))
        return out


class Convolution:
    """A correlation; its backward pass is one with the kernel turned round."""

    def __init__(
        self, layer: described.Convolution, name: str, x: Array, setting: Setting, first: bool
    ) -> None:
        parameters, kernel = setting.parameters, layer.kernel
        self._weight, self._bias = (parameters.value(f"{name}.{p}") for p in ("weight", "bias"))
        self._dw, self._db = (parameters.gradient(f"{name}.{p}") for p in ("weight", "bias"))
        self._forward = Correlation(x.shape, kernel, layer.padding)
        change = 2 * layer.padding - kernel + 1
        size = x.shape[1] + change, x.shape[2] + change
        self.y = np.empty((len(x), *size, layer.outputs), np.float32)
        self._first, self._ones = first, np.ones(self.y[..., 0].size, np.float32)
        if setting.training:
            self._partial = np.empty((layer.outputs, self._forward.columns.shape[1]), np.float32)
            if not first:
                self._back = Correlation(self.y.shape, kernel, kernel - 1 - layer.padding)
                self._turned = np.empty((kernel, kernel, layer.outputs, layer.inputs), np.float32)
                self._dx = np.empty(x.shape, np.float32)

    def forward(self, x: Array) -> Array:
        self._x = x
        self._forward.run(x, self._weight.reshape(len(self._weight), -1).T, self.y)
        return np.add(self.y, self._bias, self.y)

    def backward(self, dy: Array) -> Array:
        rows = dy.reshape(-1, dy.shape[-1])
        np.dot(self._ones, rows, self._db)
        dw, x, block = self._dw.reshape(self._partial.shape), self._x, self._forward.block
        dw[...] = 0
        for start in range(0, len(x), block):
            part = slice(start, start + block)
            columns = self._forward.columns_of(x[part])
            np.dot(dy[part].reshape(len(columns), -1).T, columns, self._partial)
            np.add(dw, self._partial, dw)
        if self._first:
            return dy
        np.copyto(self._turned, self._weight[:, ::-1, ::-1].transpose(1, 2, 0, 3))
        return self._back.run(dy, self._turned.reshape(-1, self._turned.shape[-1]), self._dx)


class BatchNorm:
    """Rows are made wide, and vectors of channels repeated, so that ufuncs run over long rows."""

    def __init__(
        self, layer: described.BatchNorm, name: str, x: Array, setting: Setting, first: bool
    ) -> None:
        parameters, features = setting.parameters, layer.features
        self._weight, self._bias = (parameters.value(f"{name}.{p}") for p in ("weight", "bias"))
        self._dw, self._db = (parameters.gradient(f"{name}.{p}") for p in ("weight", "bias"))
        self._mean, self._variance = np.zeros(features, "f4"), np.ones(features, "f4")
        self._training, self._count = setting.training, x.size // features
        self._repeat = next(
            n for n in range(max(1, WIDE // features), 0, -1) if self._count % n == 0
        )
        self.y = np.empty(x.shape, np.float32)
        self._normal = setting.buffer(*self._wide(self.y).shape)
        self._ones = np.ones(self._count, np.float32)

    def _wide(self, x: Array) -> Array:
        return x.reshape(-1, x.shape[-1] * self._repeat)

    def _tiled(self, vector: Array) -> Array:
        return np.tile(vector.astype(np.float32), self._repeat)

    def _sum(self, x: Array) -> Array:
        """Over all pixels."""
        total: Array = np.dot(self._ones, x.reshape(self._count, -1))
        return total

    def forward(self, x: Array) -> Array:
        if not self._training:
            return self._by_running_statistics(x)
        y, normal, count = self._wide(self.y), self._normal, self._count
        mean = self._sum(x) / count
        np.subtract(self._wide(x), self._tiled(mean), normal)
        np.multiply(normal, normal, y)
        variance = self._sum(y) / count
        self._mean += 0.1 * (mean - self._mean)
        self._variance += 0.1 * (variance * count / (count - 1) - self._variance)
        self._inverse = 1 / np.sqrt(variance + 1e-5)
        np.multiply(normal, self._tiled(self._inverse), normal)
        np.multiply(normal, self._tiled(self._weight), y)
        np.add(y, self._tiled(self._bias), y)
        return self.y

    def _by_running_statistics(self, x: Array) -> Array:
        scale = self._weight / np.sqrt(self._variance + 1e-5)
        y = np.multiply(self._wide(x), self._tiled(scale), self._wide(self.y))
        np.add(y, self._tiled(self._bias - self._mean * scale), y)
        return self.y

    def backward(self, dy: Array) -> Array:
        gradient, scratch, normal = self._wide(dy), self._wide(self.y), self._normal
        np.multiply(gradient, normal, scratch)
        self._dw[...], self._db[...] = self._sum(scratch), self._sum(dy)
        np.multiply(normal, self._tiled(self._dw / self._count), normal)
        np.subtract(gradient, normal, gradient)
        np.subtract(gradient, self._tiled(self._db / self._count), gradient)
        np.multiply(gradient, self._tiled(self._weight * self._inverse), gradient)
        return dy


class Relu:
    """In the place of its input, which no layer before it needs."""

    def __init__(self, layer: Any, name: str, x: Array, setting: Setting, first: bool) -> None:
        self.y, self._mask = x, np.zeros(x.shape if setting.training else 0, bool)

    def forward(self, x: Array) -> Array:
        return np.maximum(x, np.float32(0), out=x)

    def backward(self, dy: Array) -> Array:
        np.greater(self.y, 0, self._mask)
        return np.multiply(dy, self._mask, dy)


class MaxPool:
    """The largest of four slices. (Equal ones are zeros here, behind a ReLU without gradient.)"""

    def __init__(self, layer: Any, name: str, x: Array, setting: Setting, first: bool) -> None:
        count, height, width, channels = x.shape
        assert height % 2 == width % 2 == 0
        self.y = np.empty((count, height // 2, width // 2, channels), np.float32)
        self._other = np.empty_like(self.y)
        self._mask = np.empty(self.y.shape if setting.training else 0, bool)
        self._dx = setting.buffer(*x.shape)

    @staticmethod
    def _corners(x: Array) -> list[Array]:
        return [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]

    def forward(self, x: Array) -> Array:
        self._x = x
        a, b, c, d = self._corners(x)
        np.maximum(a, b, out=self.y)
        np.maximum(c, d, out=self._other)
        return np.maximum(self.y, self._other, out=self.y)

    def backward(self, dy: Array) -> Array:
        for x, dx in zip(self._corners(self._x), self._corners(self._dx), strict=True):
            np.equal(x, self.y, self._mask)
            np.multiply(dy, self._mask, dx)
        return self._dx


class MeanPool:
    """Over all pixels."""

    def __init__(self, layer: Any, name: str, x: Array, setting: Setting, first: bool) -> None:
        self.y = np.empty((len(x), x.shape[-1]), np.float32)
        self._dx = setting.buffer(*x.shape)
        self._pixels = np.float32(x.shape[1] * x.shape[2])

    def forward(self, x: Array) -> Array:
        np.sum(x, (1, 2), out=self.y)
        return np.divide(self.y, self._pixels, self.y)

    def backward(self, dy: Array) -> Array:
        np.divide(dy, self._pixels, dy)
        np.copyto(self._dx, dy[:, None, None])
        return self._dx


class Flatten:
    """A view."""

    def __init__(self, layer: Any, name: str, x: Array, setting: Setting, first: bool) -> None:
        self.y, self._shape = x.reshape(len(x), -1), x.shape

    def forward(self, x: Array) -> Array:
        return self.y

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self._shape)


class Residual:
    """``relu(branch(x) + x)``."""

    def __init__(
        self, layer: described.Residual, name: str, x: Array, setting: Setting, first: bool
    ) -> None:
        self._branch = stack(layer.branch, f"{name}.module.", x, setting, first=False)
        self.y = np.empty_like(x)
        self._mask = np.empty(x.shape if setting.training else 0, bool)
        self._around = setting.buffer(*x.shape)

    def forward(self, x: Array) -> Array:
        np.add(run(self._branch, x), x, self.y)
        return np.maximum(self.y, np.float32(0), out=self.y)

    def backward(self, dy: Array) -> Array:
        np.greater(self.y, 0, self._mask)
        np.multiply(dy, self._mask, self._around)
        np.copyto(dy, self._around)
        dx = back(self._branch, dy)
        return np.add(dx, self._around, dx)


LAYERS: Mapping[type, Callable[..., Layer]] = {
    described.Dense: Dense,
    described.Convolution: Convolution,
    described.BatchNorm: BatchNorm,
    described.Relu: Relu,
    described.MaxPool: MaxPool,
    described.MeanPool: MeanPool,
    described.Flatten: Flatten,
    described.Residual: Residual,
}


def stack(
    layers: tuple[described.Layer, ...], prefix: str, x: Array, setting: Setting, first: bool = True
) -> list[Layer]:
    """Layers one after the other, for inputs like ``x``."""
    made: list[Layer] = []
    for position, layer in enumerate(layers):
        name = f"{prefix}{position}"
        made.append(LAYERS[type(layer)](layer, name, x, setting, first and not made))
        x = made[-1].y
    return made


def run(layers: list[Layer], x: Array) -> Array:
    """The output of the last."""
    for layer in layers:
        x = layer.forward(x)
    return x


def back(layers: list[Layer], dy: Array) -> Array:
    """The gradient of the input of the first."""
    for layer in reversed(layers):
        dy = layer.backward(dy)
    return dy


def own_layout(layers: tuple[described.Layer, ...], weights: Weights, prefix: str = "") -> Weights:
    """Kernels with channels last, and dense layers behind images likewise."""
    found: Weights = {}
    for position, layer in enumerate(layers):
        name = f"{prefix}{position}"
        own = {key: weights[key] for key in layer.variables(name)}
        if isinstance(layer, described.Residual):
            own = own_layout(layer.branch, weights, f"{name}.module.")
        elif isinstance(layer, described.Convolution):
            own[f"{name}.weight"] = own[f"{name}.weight"].transpose(0, 2, 3, 1)
        elif isinstance(layer, described.Dense) and layer.image is not None:
            images = own[f"{name}.weight"].reshape(-1, *layer.image).transpose(0, 2, 3, 1)
            own[f"{name}.weight"] = images.reshape(layer.outputs, layer.inputs)
        found |= own
    return found
