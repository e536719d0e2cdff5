"""Samples of matrices made of their diagonal."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from asg.ops.diagonal_matrices import DiagEmbed
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples
from asg.testing.samples.solvers import numbers


def _embedded(offset: int) -> Callable[[Array], Array]:
    def matrices(x: Array) -> Array:
        size = x.shape[-1] + abs(offset)
        out = np.zeros((*x.shape[:-1], size, size), x.dtype)
        for place in np.ndindex(x.shape[:-1]):
            out[place] = np.diag(x[place], offset)
        return out

    return matrices


def _sample(offset: int, x: Array, named: SymbolicShape | None) -> Sample:
    return Sample(DiagEmbed(offset), (x,), _embedded(offset), None if named is None else (named,))


register_samples(
    [
        _sample(0, numbers(3), ("n",)),
        _sample(0, numbers(2, 3), ("b", "n")),
        _sample(2, numbers(2, 2), ("b", "n")),
        _sample(-1, numbers(3), ("n",)),
        _sample(0, np.zeros(0), ("n",)),
        _sample(1, np.zeros((0, 2)), None),
        _sample(0, np.array([True, False]), None),
    ]
)
