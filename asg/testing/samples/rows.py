"""Samples of many tensors as the rows of one."""

from __future__ import annotations

import numpy as np

from asg.ops.rows import StackRows, UnstackRows
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def _stacked(*rows: Array) -> Array:
    return np.stack(rows)


def _rows(x: Array) -> tuple[Array, ...]:
    return tuple(x)


register_samples(
    [
        Sample(StackRows(), (_numbers(2, 3), _numbers(2, 3) + 1, _numbers(2, 3) * 2), _stacked,
               (("n", 3), ("n", 3), ("n", 3))),
        Sample(StackRows(), (np.array(2.0), np.array(3.0)), _stacked, None, label="scalars"),
        Sample(StackRows(), (_numbers(4),), _stacked, None, label="one"),
        Sample(StackRows(), (np.arange(3), np.arange(3) * 2), _stacked, None, label="integers"),
        Sample(UnstackRows(3), (_numbers(3, 2),), _rows, ((3, "n"),)),
        Sample(UnstackRows(1), (_numbers(1, 2, 2),), _rows, None, label="one row"),
        Sample(UnstackRows(2), (np.array([True, False]),), _rows, None, label="booleans"),
    ]
)  # fmt: skip
