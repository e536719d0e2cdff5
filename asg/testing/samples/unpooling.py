"""Samples of unpooling, against a loop over every element."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.unpooling import MaxUnpool
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def _placed(sizes: tuple[int, ...], x: Array, indices: Array) -> Array:
    put: dict[tuple[int, ...], list[Any]] = {}
    for place in np.ndindex(*x.shape):
        target = (*place[:2], *np.unravel_index(indices[place], sizes))
        put.setdefault(target, []).append(x[place])
    result = np.zeros((*x.shape[:2], *sizes), x.dtype)
    for target, values in put.items():
        result[target] = np.mean(values)
    return result


def _indices(places: tuple[int, ...], sizes: tuple[int, ...]) -> Array:
    """For each of two batches and channels other places, all of them different."""
    random, count = np.random.default_rng(3), int(np.prod(places))
    rows = [random.permutation(int(np.prod(sizes)))[:count] for _ in range(4)]
    return np.asarray(np.stack(rows).reshape(2, 2, *places).astype(np.int32))


register_samples(
    [
        Sample(MaxUnpool((6,)), (_numbers(2, 2, 3), _indices((3,), (6,))),
               lambda x, i: _placed((6,), x, i), (("n", "c", "l"), ("n", "c", "l")),
               MaxUnpool((as_dim("2*l"),))),
        Sample(MaxUnpool((3, 5)), (_numbers(2, 2, 2, 3), _indices((2, 3), (3, 5))),
               lambda x, i: _placed((3, 5), x, i), (("n", 2, "h", "w"), ("n", 2, "h", "w")),
               MaxUnpool((as_dim("h + 1"), as_dim("2*w - 1")))),
        Sample(MaxUnpool((2, 2, 1)), (_numbers(2, 2, 1, 2, 1), _indices((1, 2, 1), (2, 2, 1))),
               lambda x, i: _placed((2, 2, 1), x, i), (("n", 2, 1, 2, 1), ("n", 2, 1, 2, 1))),
        Sample(MaxUnpool((4,)), (np.array([[[1.0, 2.0, 6.0, 5.0]]]), np.array([[[3, 0, 3, 1]]])),
               lambda x, i: _placed((4,), x, i), (("n", 1, "l"), ("n", 1, "l")),
               MaxUnpool((as_dim("l"),)), label="the same place twice"),
    ]
)  # fmt: skip
