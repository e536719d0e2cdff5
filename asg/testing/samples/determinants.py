"""Samples of determinants; the answers are by Laplace's expansion."""

from __future__ import annotations

import numpy as np

from asg.ops.determinants import Det, SlogDet
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.solvers import well_conditioned


def _det(x: Array) -> Array:
    if x.shape[-1] == 0:
        return np.ones(x.shape[:-2], x.dtype)
    total = np.zeros(x.shape[:-2], x.dtype)
    for column in range(x.shape[-1]):
        minor = np.delete(x[..., 1:, :], column, -1)
        total = total + (-1) ** column * x[..., 0, column] * _det(minor)
    return np.asarray(total)


def _slogdet(x: Array) -> tuple[Array, Array]:
    determinant = _det(x)
    return np.sign(determinant), np.log(np.abs(determinant))


_SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])


register_samples(
    [
        Sample(op, operands, oracle, symbolic, differentiate=chosen)
        for op, oracle in ((Det(), _det), (SlogDet(), _slogdet))
        for operands, symbolic, chosen in [
            ((well_conditioned(3, 3),), (("n", "n"),), None),
            ((well_conditioned(2, 2, 2),), (("b", "m", "n"),), None),
            ((np.array([[-4.0]]),), None, None),
            ((np.zeros((0, 0)),), None, None),
            ((np.zeros((0, 2, 2)),), None, None),
            ((_SINGULAR,), None, ()),
        ]
    ]
)
