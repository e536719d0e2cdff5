"""Samples of reductions over windows, against loops over every window and element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.window_reductions import (
    MaxPool,
    WindowFind,
    WindowOp,
    WindowPlace,
    WindowSelect,
    WindowSum,
)
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape))


def _windows(
    op: WindowOp, sizes: tuple[int, ...]
) -> Iterator[tuple[tuple[int, ...], int, tuple[int, ...]]]:
    """(place, number of the element, place in x) of everything that windows read."""
    spread = getattr(op, "input_dilation", (1,) * len(sizes))
    padded = [(n - 1) * e + 1 + int(low) + int(high) for n, e, (low, high) in
              zip(sizes, spread, op.padding, strict=True)]  # fmt: skip
    places = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in
              zip(padded, op.dilation, op.window, op.stride, strict=True)]  # fmt: skip
    for place in np.ndindex(*places):
        for number, element in enumerate(np.ndindex(*op.window)):
            at = [p * s + k * d - int(low) for p, s, k, d, (low, _) in
                  zip(place, op.stride, element, op.dilation, op.padding, strict=True)]  # fmt: skip
            inside = all(a % e == 0 and 0 <= a // e < n
                         for a, e, n in zip(at, spread, sizes, strict=True))  # fmt: skip
            yield (
                place,
                number if inside else -1,
                tuple(a // e for a, e in zip(at, spread, strict=True)),
            )


def _reduced(op: WindowOp, x: Array, initial: float, ufunc: Any) -> Array:
    found = list(_windows(op, x.shape[2:]))
    out = np.full((*x.shape[:2], *np.max([p for p, _, _ in found], 0) + 1), initial, x.dtype)
    for place, number, at in found:
        if number >= 0:
            into: Any = (slice(None), slice(None), *place)
            source: Any = (slice(None), slice(None), *at)
            out[into] = ufunc(out[into], x[source])
    return out


def _found(op: WindowOp, x: Array, y: Array) -> Array:
    out = np.full(y.shape, 255, np.uint8)
    for n, c in np.ndindex(y.shape[:2]):
        for place, number, at in _windows(op, x.shape[2:]):
            if number >= 0 and out[(n, c, *place)] == 255:
                value = x[(n, c, *at)]
                if value == y[(n, c, *place)] or value != value:
                    out[(n, c, *place)] = number
    return out


def _selected(op: WindowOp, x: Array, chosen: Array) -> Array:
    out = np.zeros(chosen.shape, x.dtype)
    for n, c in np.ndindex(chosen.shape[:2]):
        for place, number, at in _windows(op, x.shape[2:]):
            if number >= 0 and chosen[(n, c, *place)] == number:
                out[(n, c, *place)] = x[(n, c, *at)]
    return out


def _placed(op: WindowPlace, y: Array, chosen: Array) -> Array:
    sizes = tuple(int(size) for size in op.sizes)
    out = np.zeros((*y.shape[:2], *sizes), y.dtype)
    for n, c in np.ndindex(y.shape[:2]):
        for place, number, at in _windows(op, sizes):
            if number >= 0 and chosen[(n, c, *place)] == number:
                out[(n, c, *at)] += y[(n, c, *place)]
    return out


def _sum(op: WindowSum, x: Array, symbolic: SymbolicShape | None, **facts: Any) -> Sample:
    named = None if symbolic is None else (symbolic,)
    return Sample(op, (x,), lambda a: _reduced(op, a, 0, np.add), named, **facts)


def _max(op: MaxPool, x: Array, symbolic: SymbolicShape | None, **facts: Any) -> Sample:
    named = None if symbolic is None else (symbolic,)
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    return Sample(op, (x,), lambda a: _reduced(op, a, least, np.maximum), named, **facts)


LINE = ((3,), (2,), ((1, 1),), (1,))
SQUARE = ((2, 2), (2, 2), ((0, 0), (0, 0)), (1, 1))
UNEVEN = ((2, 3), (1, 2), ((1, 0), (1, 2)), (2, 1))
BLOCK = ((2, 1, 2), (1, 1, 2), ((0, 1), (0, 0), (1, 0)), (1, 1, 1))
NUMBERED = np.array([[[0, 2, 255, 1]]], np.uint8)
GRID = np.random.default_rng(0).integers(0, 4, (2, 1, 2, 2)).astype(np.uint8)
TIES = np.array([[[1.0, 3.0, 3.0, 3.0, np.nan, 2.0, np.nan, -np.inf]]])

register_samples(
    [
        _sum(WindowSum(*LINE, (1,)), _numbers(2, 2, 5), ("n", "c", "l")),
        _sum(WindowSum(*UNEVEN, (1, 1)), _numbers(1, 2, 4, 5), ("n", 2, "h", "w")),
        _sum(WindowSum((2, 3), (2, 1), ((2, -1), (-1, 3)), (1, 2), (3, 2)), _numbers(1, 1, 3, 4),
             ("n", 1, "h", "w"), label="spread and cropped"),
        _sum(WindowSum(*BLOCK, (1, 1, 1)), _numbers(1, 1, 3, 2, 4), ("n", 1, 3, "h", 4)),
        _sum(WindowSum((18,), (2,), ((4, 3),), (1,), (1,)), _numbers(1, 2, 16), ("n", 2, "l"),
             label="long window"),
        _sum(WindowSum(*SQUARE, (1, 1)), np.zeros((0, 2, 4, 4)), ("n", 2, 4, 4), label="empty"),
        _sum(WindowSum(*SQUARE, (1, 1)), np.arange(16).reshape(1, 1, 4, 4), None),
        _max(MaxPool(*LINE), _numbers(2, 2, 5), ("n", "c", "l")),
        _max(MaxPool(*SQUARE), _numbers(2, 3, 4, 5), ("n", 3, "h", "w")),
        _max(MaxPool(*UNEVEN), _numbers(1, 2, 4, 5), ("n", 2, "h", "w")),
        _max(MaxPool(*BLOCK), _numbers(1, 1, 3, 2, 4), ("n", 1, 3, "h", 4)),
        _max(MaxPool((17,), (2,), ((4, 3),), (1,)), _numbers(1, 2, 16), None, label="long window"),
        _max(MaxPool(*SQUARE), np.zeros((0, 2, 4, 4)), ("n", 2, 4, 4), label="empty"),
        _max(MaxPool(*UNEVEN), -np.arange(16, dtype=np.int8).reshape(1, 1, 4, 4), None),
        _max(MaxPool(*LINE), TIES[..., :4], ("n", 1, "l"), label="ties",
             kink=(np.array([[[0.0, 2.0, 0.0, 0.0]]]),)),
        _max(MaxPool((2,), (2,), ((0, 0),), (1,)), np.array([[[-np.inf, -np.inf, 1.0, np.nan]]]),
             None, label="infinite", kink=(np.array([[[1.0, 0.0, 0.0, 1.0]]]),)),
        Sample(WindowFind(*LINE), (TIES, np.array([[[3.0, 3.0, np.nan, np.nan]]])),
               lambda a, b: _found(WindowFind(*LINE), a, b),
               (("n", 1, "l"), ("n", 1, "p"))),
        Sample(WindowFind(*UNEVEN), (GRID.repeat(2, 2).astype(np.float64),
                                     np.full((2, 1, 3, 2), 2.0)),
               lambda a, b: _found(WindowFind(*UNEVEN), a, b), (("n", 1, 4, 2), ("n", 1, 3, 2))),
        Sample(WindowSelect(*LINE), (_numbers(1, 1, 8), NUMBERED),
               lambda a, b: _selected(WindowSelect(*LINE), a, b),
               (("n", 1, "l"), ("n", 1, "p"))),
        Sample(WindowSelect(*SQUARE), (_numbers(2, 1, 4, 5), GRID),
               lambda a, b: _selected(WindowSelect(*SQUARE), a, b),
               (("n", 1, "h", 5), ("n", 1, "p", 2))),
        Sample(WindowPlace(*LINE, (8,)), (_numbers(1, 1, 4), NUMBERED),
               lambda a, b: _placed(WindowPlace(*LINE, (8,)), a, b),
               (("n", 1, "p"), ("n", 1, "p")), WindowPlace(*LINE, (as_dim("2*p"),))),
        Sample(WindowPlace(*SQUARE, (4, 5)), (_numbers(2, 1, 2, 2), GRID),
               lambda a, b: _placed(WindowPlace(*SQUARE, (4, 5)), a, b),
               (("n", 1, 2, 2), ("n", 1, 2, 2))),
        Sample(WindowPlace((2, 2), (1, 1), ((1, 0), (0, 1)), (1, 1), (2, 2)),
               (_numbers(2, 1, 2, 2), GRID),
               lambda a, b: _placed(WindowPlace((2, 2), (1, 1), ((1, 0), (0, 1)), (1, 1), (2, 2)),
                                    a, b), (("n", 1, 2, 2), ("n", 1, 2, 2)), label="overlapping"),
        Sample(WindowPlace(*SQUARE, (4, 5)), (np.full((2, 1, 2, 2), np.inf), GRID),
               lambda a, b: _placed(WindowPlace(*SQUARE, (4, 5)), a, b), None, differentiate=(),
               label="infinite"),
    ]
)  # fmt: skip
