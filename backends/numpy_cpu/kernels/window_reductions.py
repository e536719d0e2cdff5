"""Reductions over windows: one pass over the places for every element of a window.

Passes skip what lies in the padding. Sums and maxima go axis by axis, so that a window of k by k
costs 2 k passes. Choosing is done on the bits of numbers (all or none): far faster than writing
under a mask, and right for infinities and NaN, which a product with zeros and ones is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype, iinfo
from asg.ops import window_reductions as ops
from asg.ops.windows import Axis, taps

from ..kernel import Array, Call, Scratch, kernel, ufunc_call


def at_end(x: Array, parts: Sequence[slice]) -> Array:
    """Parts of the last axes."""
    key: Any = (..., *parts)
    part: Array = x[key]
    return part


def _is_half(x: Array) -> bool:
    return as_dtype(x.dtype).is_float and x.dtype.itemsize == 2


@kernel(ops.WindowSum)
def window_sum(
    op: ops.WindowSum, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x,), (out,) = inputs, outputs
    if not _is_half(out):
        return _axis_by_axis(np.add, 0, op.axes(), x, out, scratch)
    wide, total = scratch(x.shape, np.float32), scratch(out.shape, np.float32)
    return [
        (np.copyto, (wide, x)),
        *_axis_by_axis(np.add, 0, op.axes(), wide, total, scratch),
        (_narrow, (out, total)),
    ]


@kernel(ops.MaxPool)
def max_pool(
    op: ops.MaxPool, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x,), (out,) = inputs, outputs
    dtype = as_dtype(x.dtype)
    lowest = -np.inf if dtype.is_float else iinfo(dtype).min
    return _axis_by_axis(np.maximum, lowest, op.axes(), x, out, scratch)


def _narrow(out: Array, total: Array) -> None:
    np.copyto(out, total, casting="unsafe")


def _axis_by_axis(
    combine: Any, initial: float, axes: Sequence[Axis], x: Array, out: Array, scratch: Scratch
) -> list[Call]:
    """``out`` from ``x``; the first axes, along which elements lie far apart, first."""
    calls: list[Call] = []
    for number, axis in enumerate(axes, start=2):
        last = number == x.ndim - 1
        shape = (*x.shape[:number], out.shape[number], *x.shape[number + 1 :])
        target = out if last else scratch(shape, out.dtype)
        calls += _along(combine, initial, axis, np.moveaxis(x, number, -1),
                        np.moveaxis(target, number, -1))  # fmt: skip
        x = target
    return calls


def _along(combine: Any, initial: float, axis: Axis, x: Array, out: Array) -> list[Call]:
    parts = [(at_end(out, to), at_end(x, source)) for _, to, source in taps([axis], x.shape[-1:])]
    whole = next((i for i, (into, _) in enumerate(parts) if into.size == out.size), None)
    if whole is None:
        calls: list[Call] = [(_fill, (out, initial))]
    else:
        calls = [(np.copyto, parts.pop(whole))]
    return calls + [ufunc_call(combine, into, part, out=into) for into, part in parts if into.size]


def _fill(out: Array, value: float) -> None:
    out[...] = value


class Chooser:
    """Memory for passes over parts of an output that pick elements by their number."""

    def __init__(self, chosen: Array, scratch: Scratch) -> None:
        self.chosen = chosen
        self.memory = scratch((chosen.size,), np.bool_)

    def mask(self, to: Sequence[slice], number: int) -> tuple[list[Call], Array]:
        """Bytes, -1 where the number is chosen and 0 elsewhere, with the calls that make them."""
        chosen = at_end(self.chosen, to)
        equal = self.memory[: chosen.size].reshape(chosen.shape)
        bits = equal.view(np.int8)
        wanted = self.chosen.dtype.type(number)
        return [(np.equal, (chosen, wanted, equal)), (np.negative, (bits, bits))], bits


def _bits(x: Array) -> Array:
    """The same memory as integers; signed ones, so that -1 is all bits in any width."""
    return x.view(np.dtype(f"i{x.dtype.itemsize}"))


@kernel(ops.WindowFind)
def window_find(
    op: ops.WindowFind, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x, y), (out,) = inputs, outputs
    equal, other = (scratch((out.size,), np.bool_) for _ in range(2))
    candidates = scratch((out.size,), out.dtype)
    calls: list[Call] = [(out.fill, (ops.none_of(op.window),))]
    for number, to, source in taps(op.axes(), x.shape[2:]):
        part, into = at_end(x, source), at_end(out, to)
        hit, nan, candidate = (
            memory[: part.size].reshape(part.shape) for memory in (equal, other, candidates)
        )
        calls.append((np.equal, (part, at_end(y, to), hit)))
        if as_dtype(x.dtype).is_float:
            calls += [(np.not_equal, (part, part, nan)), (np.logical_or, (hit, nan, hit))]
        calls += [
            (partial(np.subtract, dtype=out.dtype), (hit.view(np.uint8), 1, candidate)),
            (np.bitwise_or, (candidate, out.dtype.type(number), candidate)),
            ufunc_call(np.minimum, into, candidate, out=into),
        ]
    return calls


@kernel(ops.WindowSelect)
def window_select(
    op: ops.WindowSelect, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (x, chosen), (out,) = inputs, outputs
    chooser, memory = Chooser(chosen, scratch), scratch((out.size,), out.dtype)
    calls: list[Call] = [(out.fill, (0,))]
    for number, to, source in taps(op.axes(), x.shape[2:]):
        part, into = _bits(at_end(x, source)), _bits(at_end(out, to))
        kept = _bits(memory[: part.size].reshape(part.shape))
        masking, mask = chooser.mask(to, number)
        calls += [*masking, (np.bitwise_and, (part, mask, kept)),
                  (np.bitwise_or, (into, kept, into))]  # fmt: skip
    return calls


@kernel(ops.WindowPlace)
def window_place(
    op: ops.WindowPlace, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (y, chosen), (out,) = inputs, outputs
    chooser, memory = Chooser(chosen, scratch), scratch((y.size,), y.dtype)
    total = scratch(out.shape, np.float32) if _is_half(out) else out
    calls: list[Call] = [(total.fill, (0,))]
    for number, to, source in taps(op.axes(), out.shape[2:]):
        part, into = at_end(y, to), at_end(total, source)
        kept = memory[: part.size].reshape(part.shape)
        masking, mask = chooser.mask(to, number)
        calls += [*masking, (np.bitwise_and, (_bits(part), mask, _bits(kept))),
                  (np.add, (into, kept, into))]  # fmt: skip
    return calls if total is out else [*calls, (_narrow, (out, total))]
