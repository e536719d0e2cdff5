"""A transformer by hand."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np

from benchmarks import networks as described
from benchmarks.networks import Array
from benchmarks.peers.numpy_layers import Dense, Setting

ROWS = 64  # of the hidden activations, which are computed in the cache


class Affine(Dense):
    """``x W + b``: the weights of GPT-2, which are input-major."""

    def __init__(self, name: str, x: Array, outputs: int, setting: Setting) -> None:
        super().__init__(described.Dense(x.shape[1], outputs), name, x, setting, first=False)
        self._weight = self._weight.T

    def backward(self, dy: Array) -> Array:
        np.dot(self._x.T, dy, self._dw)
        np.dot(self._ones, dy, self._db)
        return np.dot(dy, self._weight, self._dx)


class Head:
    """``x W^T``, the scores."""

    def __init__(self, name: str, x: Array, outputs: int, setting: Setting) -> None:
        self._weight = setting.parameters.value(f"{name}.weight")
        self._dw = setting.parameters.gradient(f"{name}.weight")
        self.y, self._dx = np.empty((len(x), outputs), np.float32), setting.buffer(*x.shape)

    def forward(self, x: Array) -> Array:
        self._x = x
        return np.dot(x, self._weight.T, self.y)

    def backward(self, dy: Array) -> Array:
        np.dot(dy.T, self._x, self._dw)
        return np.dot(dy, self._weight, self._dx)


class LayerNorm:
    """Rows by their mean and variance."""

    def __init__(self, name: str, x: Array, setting: Setting) -> None:
        parameters = setting.parameters
        self._weight, self._bias = (parameters.value(f"{name}.{p}") for p in ("weight", "bias"))
        self._dw, self._db = (parameters.gradient(f"{name}.{p}") for p in ("weight", "bias"))
        self.y, self._normal = np.empty_like(x), np.empty_like(x)
        self._share = np.full((x.shape[1], 1), 1 / x.shape[1], np.float32)
        self._inverse, self._column = (np.empty((len(x), 1), np.float32) for _ in range(2))
        self._ones = np.ones(len(x), np.float32)

    def forward(self, x: Array) -> Array:
        y, normal, inverse = self.y, self._normal, self._inverse
        np.dot(x, self._share, self._column)
        np.subtract(x, self._column, normal)
        np.multiply(normal, normal, y)
        np.dot(y, self._share, inverse)
        np.add(inverse, np.float32(1e-5), inverse)
        np.sqrt(inverse, inverse)
        np.reciprocal(inverse, inverse)
        np.multiply(normal, inverse, normal)
        np.multiply(normal, self._weight, y)
        return np.add(y, self._bias, y)

    def backward(self, dy: Array) -> Array:
        scratch, normal, column = self.y, self._normal, self._column
        np.multiply(dy, normal, scratch)
        np.dot(self._ones, scratch, self._dw)
        np.dot(self._ones, dy, self._db)
        np.multiply(dy, self._weight, dy)
        np.multiply(dy, normal, scratch)
        np.dot(scratch, self._share, column)
        np.multiply(normal, column, normal)
        np.dot(dy, self._share, column)
        np.subtract(dy, normal, dy)
        np.subtract(dy, column, dy)
        return np.multiply(dy, self._inverse, dy)


class Gelu:
    """Its tanh form, a few rows at a time."""

    def __init__(self, x: Array, setting: Setting) -> None:
        self.y, self._bent = np.empty_like(x), np.empty_like(x)
        self._scratch = np.empty((ROWS, x.shape[1]), np.float32)

    def forward(self, x: Array) -> Array:
        self._x = x
        root, cubic = np.float32(sqrt(2 / pi)), np.float32(sqrt(2 / pi) * 0.044715)
        for start in range(0, len(x), ROWS):
            given, bent, y = (a[start : start + ROWS] for a in (x, self._bent, self.y))
            np.multiply(given, given, bent)
            np.multiply(bent, cubic, bent)
            np.add(bent, root, bent)
            np.multiply(bent, given, bent)
            np.tanh(bent, bent)
            np.add(bent, np.float32(1), y)
            np.multiply(y, given, y)
            np.multiply(y, np.float32(0.5), y)
        return self.y

    def backward(self, dy: Array) -> Array:
        """``dy (1 + t) / 2 + dy x (1 - t^2) u' / 2`` with ``t = tanh(u)``."""
        root, cubic = np.float32(sqrt(2 / pi)), np.float32(3 * sqrt(2 / pi) * 0.044715)
        half, one = np.float32(0.5), np.float32(1)
        for start in range(0, len(dy), ROWS):
            given, bent, y, d = (a[start : start + ROWS] for a in (self._x, self._bent, self.y, dy))
            slope = self._scratch[: len(d)]
            np.multiply(given, given, slope)
            np.multiply(slope, cubic, slope)
            np.add(slope, root, slope)
            np.multiply(slope, given, slope)
            np.multiply(bent, bent, y)
            np.subtract(one, y, y)
            np.multiply(slope, y, slope)
            np.add(slope, bent, slope)
            np.add(slope, one, slope)
            np.multiply(slope, half, slope)
            np.multiply(d, slope, d)
        return dy


class Attention:
    """Causal, an example at a time, so that its scores stay in the cache."""

    def __init__(
        self, network: described.Transformer, name: str, x: Array, setting: Setting
    ) -> None:
        width, self._heads, self._time = network.width, network.heads, network.time
        self._joined = Affine(f"{name}.c_attn", x, 3 * width, setting)
        self._heads_y = np.empty_like(x)
        self._out = Affine(f"{name}.c_proj", self._heads_y, width, setting)
        self.y = self._out.y
        batch, square = len(x) // self._time, (self._heads, self._time, self._time)
        self._shares = np.empty((batch if setting.training else 1, *square), np.float32)
        self._dscores = setting.buffer(*square)
        self._djoined = setting.buffer(*self._joined.y.shape)
        self._scale = np.float32((width // self._heads) ** -0.5)
        self._hidden = np.triu(np.full(square[1:], -np.inf, np.float32), 1)
        self._column = np.empty((*square[:2], 1), np.float32)

    def _split(self, joined: Array) -> Array:
        """``[batch, (q, k, v), heads, time, features]``, a view."""
        shape = (-1, self._time, 3, self._heads, joined.shape[1] // (3 * self._heads))
        return joined.reshape(shape).transpose(0, 2, 3, 1, 4)

    def _merge(self, rows: Array) -> Array:
        """``[batch, heads, time, features]``, a view."""
        shape = (-1, self._time, self._heads, rows.shape[1] // self._heads)
        return rows.reshape(shape).transpose(0, 2, 1, 3)

    def forward(self, x: Array) -> Array:
        examples = zip(
            self._split(self._joined.forward(x)), self._merge(self._heads_y), strict=True
        )
        for number, ((q, k, v), y) in enumerate(examples):
            shares, column = self._shares[number % len(self._shares)], self._column
            np.matmul(q, k.swapaxes(1, 2), shares)
            np.multiply(shares, self._scale, shares)
            np.add(shares, self._hidden, shares)
            np.max(shares, 2, column, keepdims=True)
            np.subtract(shares, column, shares)
            np.exp(shares, shares)
            np.sum(shares, 2, out=column, keepdims=True)
            np.divide(shares, column, shares)
            np.matmul(shares, v, y)
        return self._out.forward(self._heads_y)

    def backward(self, dy: Array) -> Array:
        dheads = self._out.backward(dy)
        grouped = zip(
            self._split(self._joined.y), self._split(self._djoined), self._merge(dheads),
            self._merge(self._heads_y), self._shares, strict=True,
        )  # fmt: skip
        dscores, column = self._dscores, self._column
        for (q, k, v), (dq, dk, dv), d, y, shares in grouped:
            np.matmul(shares.swapaxes(1, 2), d, dv)
            np.matmul(d, v.swapaxes(1, 2), dscores)
            np.einsum("htf,htf->ht", d, y, out=column[..., 0])
            np.subtract(dscores, column, dscores)
            np.multiply(dscores, shares, dscores)
            np.multiply(dscores, self._scale, dscores)
            np.matmul(dscores, k, dq)
            np.matmul(dscores.swapaxes(1, 2), q, dk)
        return self._joined.backward(self._djoined)


class Block:
    """Attention and feed-forward network behind their norms, each added to its input."""

    def __init__(
        self, network: described.Transformer, name: str, x: Array, setting: Setting
    ) -> None:
        self._norm1, self._norm2 = (LayerNorm(f"{name}.ln_{n}", x, setting) for n in (1, 2))
        self._attention = Attention(network, f"{name}.attn", x, setting)
        self._middle, self.y = np.empty_like(x), np.empty_like(x)
        self._inner = Affine(f"{name}.mlp.c_fc", x, 4 * network.width, setting)
        self._gelu = Gelu(self._inner.y, setting)
        self._outer = Affine(f"{name}.mlp.c_proj", self._gelu.y, network.width, setting)

    def forward(self, x: Array) -> Array:
        np.add(x, self._attention.forward(self._norm1.forward(x)), self._middle)
        hidden = self._gelu.forward(self._inner.forward(self._norm2.forward(self._middle)))
        return np.add(self._middle, self._outer.forward(hidden), self.y)

    def backward(self, dy: Array) -> Array:
        hidden = self._gelu.backward(self._outer.backward(dy))
        np.add(dy, self._norm2.backward(self._inner.backward(hidden)), dy)
        return np.add(dy, self._norm1.backward(self._attention.backward(dy)), dy)


class Table:
    """Rows of an embedding; its gradient is a product by a one-hot matrix."""

    def __init__(self, name: str, count: int, setting: Setting) -> None:
        self._weight = setting.parameters.value(f"{name}.weight")
        self._dw = setting.parameters.gradient(f"{name}.weight")
        self.y = np.empty((count, self._weight.shape[1]), np.float32)
        self._hot = setting.buffer(count, len(self._weight))
        self._rows = np.arange(count)

    def forward(self, tokens: Array) -> Array:
        self._tokens = tokens
        return np.take(self._weight, tokens, 0, self.y, mode="clip")

    def backward(self, dy: Array) -> None:
        self._hot[self._rows, self._tokens] = 1
        np.dot(self._hot.T, dy, self._dw)
        self._hot[self._rows, self._tokens] = 0


class Transformer:
    """GPT-2, its head untied."""

    def __init__(self, network: described.Transformer, batch: int, setting: Setting) -> None:
        count, self._time = batch * network.time, network.time
        self._tokens = Table("transformer.wte", count, setting)
        self._places = setting.parameters.value("transformer.wpe.weight")
        self._dplaces = setting.parameters.gradient("transformer.wpe.weight")
        x, names = self._tokens.y, [f"transformer.h.{n}" for n in range(network.layers)]
        self._blocks = [Block(network, name, x, setting) for name in names]
        self._norm = LayerNorm("transformer.ln_f", x, setting)
        self._head = Head("lm_head", x, network.vocabulary, setting)

    def forward(self, tokens: Array) -> Array:
        x = self._tokens.forward(tokens.ravel())
        by_example = x.reshape(-1, *self._places.shape)
        np.add(by_example, self._places, by_example)
        for block in self._blocks:
            x = block.forward(x)
        return self._head.forward(self._norm.forward(x))

    def backward(self, dy: Array) -> None:
        dx = self._norm.backward(self._head.backward(dy))
        for block in reversed(self._blocks):
            dx = block.backward(dx)
        np.sum(dx.reshape(-1, *self._places.shape), 0, out=self._dplaces)
        self._tokens.backward(dx)
