"""Samples of the pseudoinverse; the answers are of the normal equations."""

from __future__ import annotations

import numpy as np

from asg.ops.pseudoinverses import Pinv
from asg.testing.sample import Array, Sample, register_samples
from asg.testing.samples.solvers import numbers, well_conditioned


def _pinv(x: Array) -> Array:
    """Of full rank."""
    turned = np.swapaxes(x, -1, -2)
    if x.shape[-2] >= x.shape[-1]:
        return np.asarray(np.linalg.inv(turned @ x) @ turned)
    return np.asarray(turned @ np.linalg.inv(x @ turned))


_LINE = np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]])
"""Of rank one: the pseudoinverse is the transpose over the sum of squares."""


register_samples(
    [
        Sample(Pinv(), (numbers(3, 2),), _pinv, (("m", "n"),)),
        Sample(Pinv(), (numbers(2, 2, 3),), _pinv, (("b", "m", "n"),)),
        Sample(Pinv(1e-3), (well_conditioned(2, 2),), _pinv, (("n", "n"),)),
        Sample(Pinv(), (np.array([[-4.0]]),), _pinv, None),
        Sample(Pinv(), (np.zeros((0, 2, 3)),), _pinv, None),
        Sample(Pinv(), (np.zeros((2, 0)),), _pinv, None),
        Sample(Pinv(), (_LINE,), lambda x: x.T / (x * x).sum(), None, differentiate=(),
               label="rank one"),
    ]
)  # fmt: skip
