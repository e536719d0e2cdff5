"""Samples of blocks: columns of images and back, channels and pixels exchanged."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.types import as_shape
from asg.ops.blocks import Fold, PixelShuffle, PixelUnshuffle, Unfold
from asg.testing.sample import Array, Sample, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _together(*fields: Any) -> Any:
    return zip(*fields, strict=True)


def _reads(op: Unfold | Fold, sizes: tuple[int, ...]) -> list[tuple[int, int, tuple[Any, ...]]]:
    """(row, column, place in the padded image) of every element that is read."""
    pads: list[Any] = [sum(pair) for pair in op.padding]
    counts: list[Any] = [
        (size + wide - (k - 1) * d - 1) // s + 1
        for size, wide, k, s, d in _together(sizes, pads, op.kernel, op.stride, op.dilation)
    ]
    return [
        (row, column, tuple(b * s + k * d for b, s, k, d in
                            _together(block, op.stride, element, op.dilation)))
        for column, block in enumerate(np.ndindex(*counts))
        for row, element in enumerate(np.ndindex(*op.kernel))
    ]  # fmt: skip


def _unfolded(op: Unfold) -> Any:
    def value(x: Array) -> Array:
        padded = np.pad(x, ((0, 0), (0, 0), *op.padding))  # type: ignore[arg-type]
        reads = _reads(op, x.shape[2:])
        rows, columns = (len({read[i] for read in reads}) for i in (0, 1))
        result = np.zeros((*x.shape[:2], rows, columns), x.dtype)
        for row, column, place in reads:
            result[:, :, row, column] = padded[(slice(None), slice(None), *place)]
        return result.reshape(x.shape[0], -1, columns)

    return value


def _folded(op: Fold, *sizes: int) -> Any:
    def value(x: Array) -> Array:
        columns = x.reshape(x.shape[0], -1, int(np.prod(op.kernel)), x.shape[2])
        widths: Any = op.padding
        wide = [size + sum(pair) for size, pair in zip(sizes, widths, strict=True)]
        total = np.zeros((*columns.shape[:2], *wide), x.dtype)
        for row, column, place in _reads(op, sizes):
            total[(slice(None), slice(None), *place)] += columns[:, :, row, column]
        inner = tuple(slice(p[0], p[0] + s) for p, s in zip(widths, sizes, strict=True))
        return total[(slice(None), slice(None), *inner)]

    return value


PLAIN = ((2, 2), (1, 1), ((0, 0), (0, 0)), (1, 1))
STRIDED = ((2, 3), (2, 1), ((1, 0), (1, 2)), (1, 2))
LINE = ((2,), (2,), ((0, 0),), (1,))

register_samples(
    [
        Sample(Unfold(*PLAIN), (_numbers(2, 2, 3, 4),), _unfolded(Unfold(*PLAIN)),
               (("n", 2, "h", "w"),)),
        Sample(Unfold(*STRIDED), (_numbers(1, 2, 3, 4),), _unfolded(Unfold(*STRIDED)),
               (("n", "c", 3, 4),)),
        Sample(Unfold(*LINE), (np.arange(10, dtype=np.int32).reshape(2, 1, 5),),
               _unfolded(Unfold(*LINE)), None),
        Sample(Unfold(*PLAIN), (np.zeros((0, 2, 3, 3)),), lambda x: np.zeros((0, 8, 4)), None),
        Sample(Fold(*PLAIN, (3, 4)), (_numbers(2, 8, 6),), _folded(Fold(*PLAIN, (3, 4)), 3, 4),
               (("n", 8, 6),)),
        Sample(Fold(*STRIDED, (3, 4)), (_numbers(1, 12, 6),),
               _folded(Fold(*STRIDED, (3, 4)), 3, 4), (("n", 12, 6),)),
        Sample(Fold(*LINE, (4,)), (np.arange(8, dtype=np.int32).reshape(1, 4, 2),),
               _folded(Fold(*LINE, (4,)), 4), (("n", "c", "k"),), Fold(*LINE, as_shape("s"))),
    ]
)  # fmt: skip


def _shuffled(x: Array, r: int) -> Array:
    y = np.zeros((*x.shape[:-3], x.shape[-3] // r**2, x.shape[-2] * r, x.shape[-1] * r), x.dtype)
    for i, j in np.ndindex(r, r):
        y[..., i::r, j::r] = x[..., i * r + j :: r**2, :, :]
    return y


def _unshuffled(x: Array, r: int) -> Array:
    y = np.zeros((*x.shape[:-3], x.shape[-3] * r**2, x.shape[-2] // r, x.shape[-1] // r), x.dtype)
    for i, j in np.ndindex(r, r):
        y[..., i * r + j :: r**2, :, :] = x[..., i::r, j::r]
    return y


register_samples(
    [
        Sample(PixelShuffle(2), (_numbers(2, 8, 2, 3),), lambda x: _shuffled(x, 2),
               (("n", 8, "h", "w"),)),
        Sample(PixelShuffle(3), (_numbers(9, 1, 2),), lambda x: _shuffled(x, 3), None),
        Sample(PixelShuffle(1), (np.arange(4, dtype=np.int8).reshape(1, 2, 2),), np.copy, None),
        Sample(PixelUnshuffle(2), (_numbers(2, 2, 4, 6),), lambda x: _unshuffled(x, 2),
               (("n", "c", 4, 6),)),
        Sample(PixelUnshuffle(3), (_numbers(1, 3, 6),), lambda x: _unshuffled(x, 3), None),
    ]
)  # fmt: skip
