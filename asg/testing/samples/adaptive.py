"""Samples of pooling to a given number of places, against slices of every window."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor
from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.adaptive import AdaptiveAvgPool, AdaptiveMaxPool, AdaptivePool
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def _sliced(op: AdaptivePool, function: Callable[..., Any], x: Array) -> Array:
    counts = [int(count) for count in op.places]
    out = np.zeros((*x.shape[:2], *counts), x.dtype)
    axes = tuple(range(2, x.ndim))
    for place in np.ndindex(*counts):
        window: Any = (..., *(
            slice(floor(i * n / m), ceil((i + 1) * n / m))
            for i, n, m in zip(place, x.shape[2:], counts, strict=True)
        ))  # fmt: skip
        key: Any = (..., *place)
        out[key] = function(x[window], axes)
    return out


def _sample(
    op: AdaptivePool, x: Array, symbolic: SymbolicShape, symbolic_op: AdaptivePool | None = None,
    **facts: Any,
) -> Sample:  # fmt: skip
    function = np.mean if isinstance(op, AdaptiveAvgPool) else np.max
    return Sample(op, (x,), lambda a: _sliced(op, function, a), (symbolic,), symbolic_op, **facts)


UNEVEN: list[tuple[tuple[int, ...], tuple[int, ...], SymbolicShape]] = [
    ((3, 2), (1, 2, 5, 7), ("n", 2, 5, 7)),
    ((1, 3), (1, 2, 3, 4), ("n", 2, "h", 4)),
    ((5,), (2, 1, 3), ("n", 1, 3)),
    ((2, 1, 2), (1, 1, 3, 2, 2), ("n", 1, 3, "h", 2)),
]

register_samples(
    [
        _sample(each((2,)), _numbers(2, 2, 6), ("n", "c", "2*l"))
        for each in (AdaptiveAvgPool, AdaptiveMaxPool)
    ]
    + [
        _sample(each(places), _numbers(*shape), symbolic)
        for each in (AdaptiveAvgPool, AdaptiveMaxPool)
        for places, shape, symbolic in UNEVEN
    ]
    + [
        _sample(AdaptiveAvgPool((4, 2)), _numbers(1, 1, 4, 3), ("n", 1, "h", 3),
                AdaptiveAvgPool((as_dim("h"), 2)), label="an axis kept"),
        _sample(AdaptiveMaxPool((4, 2)), _numbers(1, 1, 4, 3), ("n", 1, "h", 3),
                AdaptiveMaxPool((as_dim("h"), 2)), label="an axis kept"),
        _sample(AdaptiveMaxPool((2,)), np.array([[[3.0, 3.0, 3.0]]]), ("n", 1, 3), label="ties",
                kink=(np.array([[[1.0, 1.0, 0.0]]]),)),
    ]
)  # fmt: skip
