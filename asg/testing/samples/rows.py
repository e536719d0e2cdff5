"""Samples of many tensors as the rows of one."""

from __future__ import annotations

import numpy as np

from asg.ops.rows import Stack, Unstack
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def _stacked(*rows: Array) -> Array:
    return np.stack(rows)


def _rows(x: Array) -> tuple[Array, ...]:
    return tuple(x)


register_samples(
    [
        Sample(Stack(), (_numbers(2, 3), _numbers(2, 3) + 1, _numbers(2, 3) * 2), _stacked,
               (("n", 3), ("n", 3), ("n", 3))),
        Sample(Stack(), (np.array(2.0), np.array(3.0)), _stacked, None, label="scalars"),
        Sample(Stack(), (_numbers(4),), _stacked, None, label="one"),
        Sample(Stack(), (np.arange(3), np.arange(3) * 2), _stacked, None, label="integers"),
        Sample(Unstack(3), (_numbers(3, 2),), _rows, ((3, "n"),)),
        Sample(Unstack(1), (_numbers(1, 2, 2),), _rows, None, label="one row"),
        Sample(Unstack(2), (np.array([True, False]),), _rows, None, label="booleans"),
    ]
)  # fmt: skip
