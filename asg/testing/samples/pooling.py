"""Samples of averages and norms over windows, against loops over every window."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.pooling import AvgPool, LpPool
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def _padded(x: Array, pairs: Any, value: float) -> Array:
    """Padding of both signs around the spatial axes."""
    for axis, (low, high) in enumerate(pairs, start=2):
        widths = [(0, 0)] * x.ndim
        widths[axis] = int(low), max(int(high), 0)
        x = np.pad(x, widths, constant_values=value)
        x = np.moveaxis(np.moveaxis(x, axis, 0)[: min(int(high), 0) or None], 0, axis)
    return x


def _average(op: AvgPool, x: Array) -> Array:
    counted = np.ones((1, 1, *x.shape[2:]))
    counted = _padded(counted, op.padding, float(op.count_include_pad))
    ends = [(0, extra) for extra in op.extra]
    totals = _windows(op, _padded(_padded(x, op.padding, 0.0), ends, 0.0)).sum(-1)
    if op.divisor is not None:
        return np.asarray(totals / op.divisor).astype(x.dtype)
    return np.asarray(totals / _windows(op, _padded(counted, ends, 0.0)).sum(-1)).astype(x.dtype)


def _norm(op: LpPool, x: Array) -> Array:
    parts = np.abs(_windows(op, _padded(x, op.padding, 0.0)))
    norms = np.linalg.norm(parts, op.norm, -1)
    if op.filled:
        share = _windows(op, _padded(np.ones((1, 1, *x.shape[2:])), op.padding, 0.0)).mean(-1)
        norms = norms / share ** (1 / op.norm)
    return np.asarray(norms).astype(x.dtype)


def _windows(op: AvgPool | LpPool, x: Array) -> Array:
    """All windows, flat along the last axis."""
    axes = tuple(range(2, x.ndim))
    views = np.lib.stride_tricks.sliding_window_view(x, op.window, axes)
    key: Any = (slice(None), slice(None), *(slice(None, None, step) for step in op.stride))
    chosen: Array = views[key]
    return np.asarray(chosen.reshape(*chosen.shape[: x.ndim], int(np.prod(op.window))))


def _avg(op: AvgPool, x: Array, symbolic: SymbolicShape, **facts: Any) -> Sample:
    return Sample(op, (x,), lambda a: _average(op, a), (symbolic,), **facts)


def _lp(op: LpPool, x: Array, symbolic: SymbolicShape, **facts: Any) -> Sample:
    return Sample(op, (x,), lambda a: _norm(op, a), (symbolic,), **facts)


TWO, NONE = (2, 2), ((0, 0), (0, 0))

register_samples(
    [
        _avg(AvgPool((3,), (2,), ((1, 1),), (0,)), _numbers(2, 2, 5), ("n", "c", "l")),
        _avg(AvgPool((3,), (2,), ((1, 1),), (0,), False), _numbers(2, 2, 5), ("n", "c", "l")),
        _avg(AvgPool(TWO, TWO, NONE, (0, 0)), _numbers(2, 3, 4, 5), ("n", 3, "h", "w")),
        _avg(AvgPool((3, 2), TWO, ((1, 0), (1, 1)), (1, -1)), _numbers(1, 1, 5, 4),
             ("n", 1, "h", 4), label="beyond the padding"),
        _avg(AvgPool((3, 2), TWO, ((1, 0), (1, 1)), (1, 0), False), _numbers(1, 1, 5, 4),
             ("n", 1, "h", 4),
             symbolic_op=AvgPool((3, 2), TWO, ((1, 0), (1, 1)), (as_dim("h - 4"), 0), False)),
        _avg(AvgPool((1, 2, 2), (1, 1, 2), ((0, 0),) * 3, (0, 0, 0)), _numbers(1, 1, 2, 3, 4),
             ("n", 1, 2, "h", 4)),
        _avg(AvgPool(TWO, TWO, NONE, (0, 0)), np.zeros((0, 3, 4, 4)), ("n", 3, 4, 4)),
        _lp(LpPool(2.0, (2,), (2,), ((0, 1),)), _numbers(2, 2, 5), ("n", "c", "l")),
        _avg(AvgPool((3, 2), TWO, ((1, 0), (1, 1)), (1, 0), divisor=5), _numbers(1, 1, 5, 4),
             ("n", 1, "h", 4),
             symbolic_op=AvgPool((3, 2), TWO, ((1, 0), (1, 1)), (as_dim("h - 4"), 0), divisor=5)),
        _lp(LpPool(2.0, (2, 3), (2, 3), ((0, 1), (0, 2)), True), _numbers(1, 2, 3, 4),
            ("n", 2, "h", 4)),
        _lp(LpPool(1.0, (2,), (2,), ((0, 1),), True), _numbers(2, 2, 5), ("n", "c", "l")),
        _lp(LpPool(3.0, TWO, (1, 2), NONE), _numbers(1, 2, 4, 4), ("n", 2, "h", "w")),
        _lp(LpPool(1.0, (2,), (2,), ((0, 0),)), _numbers(2, 2, 4), ("n", "c", "l")),
        _lp(LpPool(np.inf, (2,), (2,), ((0, 0),)), _numbers(2, 2, 4), ("n", "c", "l")),
        _lp(LpPool(2.0, (2,), (2,), ((0, 0),)), np.array([[[0.0, 0.0, 3.0, 4.0]]]), ("n", 1, "l"),
            label="zeros", kink=(np.array([[[0.0, 0.0, 0.6, 0.8]]]),)),
    ]
)  # fmt: skip
