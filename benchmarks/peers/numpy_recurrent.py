"""LSTM and GRU by hand, their loops over time written out."""

from __future__ import annotations

import numpy as np

from benchmarks import networks as described
from benchmarks.networks import Array
from benchmarks.peers.numpy_layers import Dense, Setting
from benchmarks.peers.numpy_transformer import Table

ONE, HALF = np.float32(1), np.float32(0.5)


def sigmoid(x: Array) -> None:
    """In place, by tanh, which is quicker than exp."""
    np.multiply(x, HALF, x)
    np.tanh(x, x)
    np.add(x, ONE, x)
    np.multiply(x, HALF, x)


def slope_of_sigmoid(s: Array) -> None:
    """``s (1 - s)``, in place."""
    np.subtract(s, s * s, s)


def slope_of_tanh(t: Array) -> None:
    """``1 - t^2``, in place."""
    np.multiply(t, t, t)
    np.subtract(ONE, t, t)


class Recurrent:
    """What LSTM and GRU share: one product for the inputs of all steps, one for each gradient."""

    def __init__(self, network: described.Recurrent, batch: int, setting: Setting) -> None:
        self._hidden = network.hidden
        count, wide = network.time * batch, network.gates * network.hidden
        self._table = Table("embedding", count, setting)
        parts = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
        parameters = setting.parameters
        values = [parameters.value(f"rnn.{part}") for part in parts]
        self._wi, self._wh, self._bi, self._bh = values
        gradients = [parameters.gradient(f"rnn.{part}") for part in parts]
        self._dwi, self._dwh, self._dbi, self._dbh = gradients
        self._gates = np.empty((network.time, batch, wide), np.float32)
        self._product = np.empty((batch, wide), np.float32)
        self._h = np.zeros((network.time + 1, batch, network.hidden), np.float32)
        head = described.Dense(network.hidden, network.vocabulary)
        self._head = Dense(head, "head", self._h[1:].reshape(count, -1), setting, first=False)
        self._dx, self._ones = setting.buffer(count, network.hidden), np.ones(count, np.float32)

    def forward(self, tokens: Array) -> Array:
        """Scores in the order ``[time, batch]``."""
        x = self._table.forward(tokens.T.ravel())
        np.dot(x, self._wi.T, self._gates.reshape(len(x), -1))
        self._run_forward()
        return self._head.forward(self._h[1:].reshape(len(x), -1))

    def backward(self, dy: Array) -> None:
        self._run_backward(self._head.backward(dy).reshape(self._h[1:].shape))
        dgiven = self._gates.reshape(len(self._dx), -1)
        np.dot(dgiven.T, self._table.y, self._dwi)
        np.dot(self._ones, dgiven, self._dbi)
        self._table.backward(np.dot(dgiven, self._wi, self._dx))

    def _run_forward(self) -> None:
        """Turn what the inputs give into gates, and fill the states."""
        raise NotImplementedError

    def _run_backward(self, dh: Array) -> None:
        """Turn gates into gradients of what the inputs give."""
        raise NotImplementedError


class LSTM(Recurrent):
    """Gates i, f, g, o: ``c = f c + i g`` and ``h = o tanh(c)``."""

    def __init__(self, network: described.Recurrent, batch: int, setting: Setting) -> None:
        super().__init__(network, batch, setting)
        self._c, self._bent = np.zeros_like(self._h), np.empty_like(self._h)

    def _parts(self, rows: Array) -> tuple[Array, ...]:
        size = self._hidden
        return tuple(rows[:, n * size : (n + 1) * size] for n in range(4))

    def _run_forward(self) -> None:
        np.add(self._gates, self._bi + self._bh, self._gates)
        for t, gates in enumerate(self._gates):
            np.dot(self._h[t], self._wh.T, self._product)
            np.add(gates, self._product, gates)
            i, f, g, o = self._parts(gates)
            sigmoid(gates[:, : 2 * self._hidden])
            np.tanh(g, g)
            sigmoid(o)
            c, bent = self._c[t + 1], self._bent[t + 1]
            np.multiply(f, self._c[t], c)
            np.multiply(i, g, bent)
            np.add(c, bent, c)
            np.tanh(c, bent)
            np.multiply(o, bent, self._h[t + 1])

    def _run_backward(self, dh: Array) -> None:
        carried, dc, scratch = (np.zeros_like(self._h[0]) for _ in range(3))
        for t in reversed(range(len(dh))):
            gates, bent = self._gates[t], self._bent[t + 1]
            np.add(carried, dh[t], carried)
            np.multiply(carried, self._parts(gates)[3], scratch)
            np.add(dc, scratch, dc)
            np.multiply(scratch, bent, scratch)
            np.multiply(scratch, bent, scratch)
            np.subtract(dc, scratch, dc)
            self._turn_gates(gates, carried, dc, bent, self._c[t])
            np.dot(gates, self._wh, carried)
        rows = self._gates.reshape(len(self._ones), -1)
        np.dot(rows.T, self._h[:-1].reshape(len(rows), -1), self._dwh)
        np.dot(self._ones, rows, self._dbh)

    def _turn_gates(self, gates: Array, dh: Array, dc: Array, bent: Array, before: Array) -> None:
        """Into their gradients, and the gradient of c into that of the c before."""
        (i, f, g, o), (di, df, dg, do) = self._parts(gates), self._parts(self._product)
        np.multiply(dc, g, di)
        np.multiply(dc, before, df)
        np.multiply(dc, i, dg)
        np.multiply(dh, bent, do)
        np.multiply(dc, f, dc)
        slope_of_sigmoid(gates[:, : 2 * self._hidden])
        slope_of_tanh(g)
        slope_of_sigmoid(o)
        np.multiply(gates, self._product, gates)


class GRU(Recurrent):
    """Gates r, z, n: ``n = tanh(x' + r h')`` and ``h = (1 - z) n + z h``."""

    def __init__(self, network: described.Recurrent, batch: int, setting: Setting) -> None:
        super().__init__(network, batch, setting)
        self._inner = np.empty_like(self._h[1:])
        self._dproduct = np.empty_like(self._gates)

    def _parts(self, rows: Array) -> tuple[Array, ...]:
        size = self._hidden
        return rows[:, :size], rows[:, size : 2 * size], rows[:, 2 * size :]

    def _run_forward(self) -> None:
        np.add(self._gates, self._bi, self._gates)
        both = 2 * self._hidden
        for t, gates in enumerate(self._gates):
            before, h, inner = self._h[t], self._h[t + 1], self._inner[t]
            np.dot(before, self._wh.T, self._product)
            np.add(self._product, self._bh, self._product)
            np.add(gates[:, :both], self._product[:, :both], gates[:, :both])
            sigmoid(gates[:, :both])
            r, z, n = self._parts(gates)
            np.copyto(inner, self._product[:, both:])
            np.multiply(r, inner, h)
            np.add(n, h, n)
            np.tanh(n, n)
            np.subtract(before, n, h)
            np.multiply(h, z, h)
            np.add(h, n, h)

    def _run_backward(self, dh: Array) -> None:
        carried, both = np.zeros_like(self._h[0]), 2 * self._hidden
        for t in reversed(range(len(dh))):
            gates, dproduct = self._gates[t], self._dproduct[t]
            (r, z, n), (dr, dz, dn) = self._parts(gates), self._parts(dproduct)
            np.add(carried, dh[t], carried)
            np.subtract(self._h[t], n, dz)
            np.multiply(dz, carried, dz)
            np.subtract(ONE, z, dn)
            np.multiply(dn, carried, dn)
            np.multiply(carried, z, carried)
            slope_of_tanh(n)
            np.multiply(n, dn, n)
            np.multiply(n, self._inner[t], dr)
            np.multiply(n, r, dn)
            slope_of_sigmoid(gates[:, :both])
            np.multiply(gates[:, :both], dproduct[:, :both], gates[:, :both])
            np.copyto(dproduct[:, :both], gates[:, :both])
            np.add(carried, np.dot(dproduct, self._wh), carried)
        rows = self._dproduct.reshape(len(self._ones), -1)
        np.dot(rows.T, self._h[:-1].reshape(len(rows), -1), self._dwh)
        np.dot(self._ones, rows, self._dbh)
