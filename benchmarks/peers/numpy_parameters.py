"""Parameters by hand: one flat vector of values, one of gradients, and the rules that move it."""

from __future__ import annotations

from math import sqrt

import numpy as np

from benchmarks.networks import Array
from benchmarks.workload import Optimizer, Weights

BLOCK = 16384  # floats that a rule moves at a time, so that they stay in the cache


class Parameters:
    """Arrays by name that are views of one vector, and their gradients of another."""

    def __init__(self, weights: Weights, training: bool = True) -> None:
        """Copy the first values."""
        self.values = np.concatenate([value.ravel() for value in weights.values()])
        self.gradients = np.zeros_like(self.values) if training else self.values[:0]
        self._places: dict[str, tuple[slice, tuple[int, ...]]] = {}
        start = 0
        for name, value in weights.items():
            self._places[name] = slice(start, start + value.size), value.shape
            start += value.size

    def value(self, name: str) -> Array:
        """A view."""
        place, shape = self._places[name]
        return self.values[place].reshape(shape)

    def gradient(self, name: str) -> Array:
        """A view, to be overwritten at every step."""
        place, shape = self._places[name]
        return self.gradients[place].reshape(shape) if self.gradients.size else np.empty(0)


class Rule:
    """Moves the values by the gradients, a block at a time."""

    def __init__(self, given: Optimizer, parameters: Parameters) -> None:
        """Moments start at zero; they are kept unscaled, ``m / (1 - beta1)``."""
        self._given, self._count = given, 0
        self._values, self._gradients = parameters.values, parameters.gradients
        self._scratch = np.empty(min(BLOCK, self._values.size), np.float32)
        moments = 2 if given.name != "sgd" else int(given.momentum != 0)
        self._moments = [np.zeros_like(self._values) for _ in range(moments)]
        arrays = [self._values, self._gradients, *self._moments]
        self._blocks = [
            [array[start : start + BLOCK] for array in arrays]
            for start in range(0, self._values.size, BLOCK)
        ]

    def __call__(self) -> None:
        """One step."""
        if self._given.clip is not None:
            norm = sqrt(float(np.dot(self._gradients, self._gradients)))
            if norm + 1e-6 > self._given.clip:
                np.multiply(self._gradients, self._given.clip / (norm + 1e-6), self._gradients)
        self._count += 1
        (self._sgd if self._given.name == "sgd" else self._adam)()

    def _sgd(self) -> None:
        rate, momentum = np.float32(self._given.rate), np.float32(self._given.momentum)
        for values, gradients, *moments in self._blocks:
            scratch = self._scratch[: len(values)]
            for moment in moments:
                np.multiply(moment, momentum, moment)
                gradients = np.add(moment, gradients, moment)
            np.multiply(gradients, rate, scratch)
            np.subtract(values, scratch, values)

    def _adam(self) -> None:
        given, count = self._given, self._count
        beta = sqrt(0.001 / (1 - 0.999**count))
        rate = np.float32(given.rate * 0.1 / (1 - 0.9**count) / beta)
        small, kept = np.float32(1e-8 / beta), np.float32(1 - given.rate * given.decay)
        first, second = np.float32(0.9), np.float32(0.999)
        for values, gradients, m, v in self._blocks:
            scratch = self._scratch[: len(values)]
            np.multiply(m, first, m)
            np.add(m, gradients, m)
            np.multiply(v, second, v)
            np.multiply(gradients, gradients, scratch)
            np.add(v, scratch, v)
            np.sqrt(v, scratch)
            np.add(scratch, small, scratch)
            np.divide(m, scratch, scratch)
            np.multiply(scratch, rate, scratch)
            if given.decay:
                np.multiply(values, kept, values)
            np.subtract(values, scratch, values)


class CrossEntropy:
    """Mean cross entropy of rows of scores, and its gradient in the place of the scores."""

    def __init__(self, rows: int) -> None:
        """For a number of rows."""
        self._rows = np.arange(rows)
        self._column = np.empty((rows, 1), np.float32)

    def __call__(self, scores: Array, labels: Array) -> float:
        """The loss; ``scores`` are overwritten by the gradient."""
        column, rows = self._column, self._rows
        np.max(scores, 1, column, keepdims=True)
        np.subtract(scores, column, scores)
        chosen = scores[rows, labels]
        np.exp(scores, scores)
        np.sum(scores, 1, out=column, keepdims=True)
        loss = float(np.mean(np.log(column[:, 0]) - chosen))
        np.multiply(column, np.float32(len(rows)), column)
        np.divide(scores, column, scores)
        scores[rows, labels] -= np.float32(1 / len(rows))
        return loss
