"""Samples of Kronecker and vector products."""

from __future__ import annotations

import numpy as np

from asg.ops.matrix_products import Cross, Kron
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.solvers import numbers


def _kron(a: Array, b: Array) -> Array:
    return np.asarray(np.kron(a, b))


def _cross(a: Array, b: Array) -> Array:
    """By the determinant's rule, written out."""
    x = [a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
         a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
         a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]]  # fmt: skip
    return np.stack(x, -1)


def _cross_in_front(a: Array, b: Array) -> Array:
    return np.swapaxes(_cross(np.swapaxes(a, -1, -2), np.swapaxes(b, -1, -2)), -1, -2)


register_samples(
    [
        Sample(Kron(), (numbers(2, 3), numbers(3, 2)), _kron, (("a", "b"), ("c", "d"))),
        Sample(Kron(), (numbers(2), numbers(2, 2)), _kron, (("a",), ("c", "d"))),
        Sample(Kron(), (numbers(2, 1, 2), numbers(2)), _kron, (("a", 1, "b"), ("c",))),
        Sample(Kron(), (np.array(2.0), np.array(3.0)), _kron, ((), ())),
        Sample(Kron(), (np.zeros((0, 2)), numbers(2, 2)), _kron, None),
        Sample(Kron(), (np.arange(4).reshape(2, 2), np.arange(2)), _kron, None),
        Sample(Cross(), (numbers(3), numbers(3, seed=1)), _cross, ((3,), (3,))),
        Sample(Cross(), (numbers(2, 3), numbers(3)), _cross, (("b", "n"), (3,))),
        Sample(Cross(-2), (numbers(2, 3, 2), numbers(3, 1)), _cross_in_front,
               (("a", 3, "b"), ("n", 1))),
        Sample(Cross(), (np.zeros((0, 3)), numbers(3)), _cross, None),
    ]
)  # fmt: skip
