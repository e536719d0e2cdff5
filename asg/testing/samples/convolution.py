"""Samples of convolutions: strides, paddings, holes, groups; against loops over every element."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dim import as_dim
from asg.ops.convolution import Conv, ConvTranspose
from asg.testing.sample import Array, Sample, SymbolicShape, register_samples


def _numbers(*shape: int) -> Array:
    return np.asarray(np.random.default_rng(len(shape)).normal(size=shape))


def _loops(op: Conv, x: Array, weight: Array) -> Array:
    """One window after the other, from x that is spread out and padded as memory."""
    for axis, (low, high) in enumerate(op.padding, start=2):
        x = _spread(x, axis, op.input_dilation[axis - 2])
        x = _padded(x, axis, int(low), int(high))
    spans = [d * (k - 1) + 1 for d, k in zip(op.dilation, weight.shape[2:], strict=True)]
    starts = [range(0, s - e + 1, t) for s, e, t in
              zip(x.shape[2:], spans, op.stride, strict=True)]  # fmt: skip
    out = np.zeros((len(x), len(weight), *map(len, starts)), x.dtype)
    ins, outs = weight.shape[1], len(weight) // op.groups
    for n, o, *place in np.ndindex(*out.shape):
        window = tuple(slice(r[p], r[p] + e, d) for r, p, e, d in
                       zip(starts, place, spans, op.dilation, strict=True))  # fmt: skip
        first = o // outs * ins
        out[(n, o, *place)] = (x[(n, slice(first, first + ins), *window)] * weight[o]).sum()
    return out


def _spread(x: Array, axis: int, step: int) -> Array:
    shape = list(x.shape)
    shape[axis] = (shape[axis] - 1) * step + 1
    wide = np.zeros(shape, x.dtype)
    wide[(slice(None),) * axis + (slice(None, None, step),)] = x
    return wide


def _padded(x: Array, axis: int, low: int, high: int) -> Array:
    widths = [(0, 0)] * x.ndim
    widths[axis] = max(low, 0), max(high, 0)
    inner = slice(max(-low, 0), min(high, 0) or None)
    return np.pad(x, widths)[(slice(None),) * axis + (inner,)]


def _conv(
    op: Conv, x: tuple[int, ...], weight: tuple[int, ...],
    symbolic: tuple[SymbolicShape, ...] | None = None, **facts: Any,
) -> Sample:  # fmt: skip
    return Sample(op, (_numbers(*x), _numbers(*weight) + 0.1),
                  lambda a, b: _loops(op, a, b), symbolic, **facts)  # fmt: skip


def _scattered(op: ConvTranspose, x: Array, weight: Array) -> Array:
    """Every element adds its window; then the padding is cut off."""
    spans = [d * (k - 1) + 1 for d, k in zip(op.dilation, weight.shape[2:], strict=True)]
    sizes = [(n - 1) * s + e + extra for n, s, e, extra in
             zip(x.shape[2:], op.stride, spans, op.output_padding, strict=True)]  # fmt: skip
    ins, outs = x.shape[1] // op.groups, weight.shape[1]
    out = np.zeros((len(x), outs * op.groups, *sizes), x.dtype)
    for n, c, *place in np.ndindex(*x.shape):
        into = tuple(slice(p * s, p * s + e, d) for p, s, e, d in
                     zip(place, op.stride, spans, op.dilation, strict=True))  # fmt: skip
        first = c // ins * outs
        out[(n, slice(first, first + outs), *into)] += x[(n, c, *place)] * weight[c]
    kept = tuple(slice(int(low), size - int(high)) for size, (low, high) in
                 zip(sizes, op.padding, strict=True))  # fmt: skip
    return out[(slice(None), slice(None), *kept)]


def _transpose(
    op: ConvTranspose, x: tuple[int, ...], weight: tuple[int, ...],
    symbolic: tuple[SymbolicShape, ...] | None = None, **facts: Any,
) -> Sample:  # fmt: skip
    return Sample(op, (_numbers(*x), _numbers(*weight) + 0.1),
                  lambda a, b: _scattered(op, a, b), symbolic, **facts)  # fmt: skip


NONE = ((0, 0), (0, 0))
ONES = (1, 1)

register_samples(
    [
        _conv(Conv((1,), ((0, 0),), (1,), (1,)), (2, 2, 5), (3, 2, 3),
              (("n", "c", "l"), ("o", "c", 3))),
        _conv(Conv((2,), ((1, 0),), (2,), (1,)), (1, 1, 8), (1, 1, 3),
              (("n", 1, "l"), (1, 1, "k"))),
        _conv(Conv((2, 1), ((1, 2), (0, 1)), (1, 2), ONES), (2, 2, 5, 4), (3, 2, 3, 2),
              (("n", 2, "h", "w"), (3, 2, 3, 2))),
        _conv(Conv((2, 2), ((1, 1), (1, 1)), ONES, ONES, 2), (2, 4, 4, 5), (2, 2, 3, 3),
              (("n", 4, 4, 5), (2, 2, 3, 3)), label="groups"),
        _conv(Conv(ONES, ((1, 1), (1, 1)), ONES, ONES, 3), (1, 3, 3, 3), (6, 1, 3, 3),
              (("n", 3, "h", "w"), (6, 1, 3, 3)), label="depthwise"),
        _conv(Conv((2, 1), ((-1, 2), (2, -1)), ONES, (3, 2)), (1, 2, 3, 3), (2, 2, 2, 2),
              (("n", 2, "h", "w"), (2, 2, 2, 2)), label="cropped and spread"),
        _conv(Conv(ONES, NONE, ONES, ONES), (2, 3, 2, 2), (2, 3, 1, 1),
              (("n", 3, "h", "w"), (2, 3, 1, 1)), label="one element"),
        _conv(Conv(ONES, ((2, 1), (1, 1)), ONES, ONES),
              (2, 6, 2, 3), (1, 6, 2, 2), (("n", 6, 2, 3), (1, 6, 2, 2)), label="many channels",
              symbolic_op=Conv(ONES, ((as_dim("n"), 1), (1, 1)), ONES, ONES)),
        _conv(Conv((1, 2, 1), ((1, 0), (0, 0), (0, 1)), (1, 1, 1), (1, 1, 1)),
              (1, 2, 2, 3, 2), (2, 2, 2, 2, 2), (("n", 2, 2, 3, 2), (2, 2, 2, 2, 2))),
        _conv(Conv(ONES, NONE, ONES, ONES), (0, 2, 3, 3), (2, 2, 2, 2),
              (("n", 2, 3, 3), (2, 2, 2, 2)), label="no image"),
        _conv(Conv((1,), ((0, 0),), (1,), (1,)), (2, 0, 3), (2, 0, 2), None, label="no channel"),
        _transpose(ConvTranspose((1,), ((0, 0),), (0,), (1,)), (2, 2, 3), (2, 3, 2),
                   (("n", "c", "l"), ("c", "o", 2))),
        _transpose(ConvTranspose((2, 3), ((1, 0), (2, 1)), (1, 2), ONES), (1, 2, 3, 2),
                   (2, 2, 3, 3), (("n", 2, "h", 2), (2, 2, 3, 3))),
        _transpose(ConvTranspose((2, 1), ((1, 1), (0, 1)), (1, 0), (2, 1), 2), (2, 4, 2, 2),
                   (4, 1, 2, 2), (("n", 4, "h", "w"), (4, 1, 2, 2)), label="groups"),
    ]
)  # fmt: skip
