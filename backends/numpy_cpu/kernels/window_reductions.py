"""Reductions over windows: one pass over the places for every element of a window.

Passes skip what lies in the padding. Sums and maxima go axis by axis, so that a window of k by k
costs 2 k passes. Choosing is done on the bits of numbers (all or none): far faster than writing
under a mask, and right for infinities and NaN, which a product with zeros and ones is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from asg.core.dtype import as_dtype, iinfo
from asg.core.op import Op
from asg.ops import window_reductions as ops
from asg.ops.windows import Axis, Meeting, taps

from ..bind import is_only_asked
from ..blocks import SameMemory
from ..kernel import Array, Call, Scratch, kernel, ufunc_call
from ..order import memory_order
from ..threads import TEAM, beside_others, threads_here

BLOCK_BYTES, THREAD_BLOCK_BYTES = 1 << 19, 1 << 20
"""Of the widest array, on one thread and on several: what stays in the cache from one element of
the windows to the next. Threads that make shorter calls wait for each other."""

FEWEST_SHARED = 1 << 19
"""Elements: half a millisecond of work, from which on threads share it."""


class Laid(NamedTuple):
    """The arrays of a kernel with their axes as they lie in memory.

    Attributes:
        arrays: inputs, then the output.
        lead: how many axes precede the spatial ones: batch and channels, or channels alone when
            the batch lies innermost.
    """

    arrays: tuple[Array, ...]
    lead: int

    def part(self, x: Array, parts: Sequence[slice]) -> Array:
        """Parts of the spatial axes."""
        return x[(slice(None),) * self.lead + tuple(parts)]

    def block(self, start: int, stop: int) -> Laid:
        """A part of the first axis."""
        return self._replace(arrays=tuple(array[start:stop] for array in self.arrays))

    def sizes(self, x: Array) -> tuple[int, ...]:
        """Of the spatial axes."""
        return tuple(x.shape[self.lead : self.lead + x.ndim - 2])


def _laid(inputs: list[Array], outputs: list[Array]) -> Laid:
    order = memory_order(outputs[0])
    if order is None:
        return Laid((*inputs, *outputs), 2)
    return Laid(tuple(each.transpose(order) for each in (*inputs, *outputs)), 1)


Binder = Callable[[Any, Laid, Scratch], list[Call]]


def _windows(op_class: type[Op]) -> Callable[[Binder], Binder]:
    """Register a kernel over arrays as they lie; threads share its first axis, which no window
    leaves, and each goes through its share in blocks."""

    def register(function: Binder) -> Binder:
        @kernel(op_class, order="follows")
        def bind(
            op: Op, inputs: list[Array], outputs: list[Array], scratch: Scratch
        ) -> list[Call]:
            parts: list[list[Call]] = []
            for blocks in _shares(_laid(inputs, outputs)):
                memory = SameMemory(scratch)
                bound = blocks[:1] if is_only_asked(scratch) else blocks
                parts.append([c for each in bound for c in function(op, each, memory.anew())])
            return parts[0] if len(parts) == 1 else [(TEAM.run, (parts,))]

        return function

    return register


def _shares(laid: Laid) -> list[list[Laid]]:
    """The blocks for each thread."""
    length, largest = len(laid.arrays[0]), max(laid.arrays, key=lambda array: array.size)
    count = min(threads_here(), length) if largest.size >= FEWEST_SHARED else 1
    most = THREAD_BLOCK_BYTES if count > 1 or beside_others() else BLOCK_BYTES
    blocks = largest.nbytes // (count * most)
    return [
        [laid.block(*edges) for edges in _edges(start, stop, blocks)]
        for start, stop in _edges(0, length, count)
    ]


def _edges(start: int, stop: int, count: int) -> Iterator[tuple[int, int]]:
    """Of about equal pieces, none of them empty, the first as long as any."""
    count = max(1, min(count, stop - start))
    return pairwise(start - (start - stop) * number // count for number in range(count + 1))


def _is_half(x: Array) -> bool:
    return as_dtype(x.dtype).is_float and x.dtype.itemsize == 2


@_windows(ops.WindowSum)
def window_sum(op: ops.WindowSum, laid: Laid, scratch: Scratch) -> list[Call]:
    x, out = laid.arrays
    if not _is_half(out):
        return _axis_by_axis(np.add, 0, op.axes(), laid, scratch)
    wide, total = scratch(x.shape, np.float32), scratch(out.shape, np.float32)
    return [
        (np.copyto, (wide, x)),
        *_axis_by_axis(np.add, 0, op.axes(), Laid((wide, total), laid.lead), scratch),
        (_narrow, (out, total)),
    ]


@_windows(ops.MaxPool)
def max_pool(op: ops.MaxPool, laid: Laid, scratch: Scratch) -> list[Call]:
    dtype = as_dtype(laid.arrays[0].dtype)
    lowest = -np.inf if dtype.is_float else iinfo(dtype).min
    return _axis_by_axis(np.maximum, lowest, op.axes(), laid, scratch)


def _narrow(out: Array, total: Array) -> None:
    np.copyto(out, total, casting="unsafe")


def _axis_by_axis(
    combine: Any, initial: float, axes: Sequence[Axis], laid: Laid, scratch: Scratch
) -> list[Call]:
    """Output from input; the first axes, along which elements lie far apart, first."""
    x, out = laid.arrays
    calls: list[Call] = []
    if out.size == 0:
        return calls
    for number, axis in enumerate(axes, start=laid.lead):
        last = number == laid.lead + len(axes) - 1
        shape = (*x.shape[:number], out.shape[number], *x.shape[number + 1 :])
        target = out if last else scratch(shape, out.dtype)
        calls += _along(combine, initial, axis, number, x, target)
        x = target
    return calls


def _along(
    combine: Any, initial: float, axis: Axis, number: int, x: Array, out: Array
) -> list[Call]:
    before = (slice(None),) * number
    parts = [
        (out[(*before, *to)], x[(*before, *source)])
        for _, to, source in taps([axis], x.shape[number : number + 1])
    ]
    parts.sort(key=lambda part: part[0].size != out.size)  # those that cover the output first
    covering = [source for into, source in parts if into.size == out.size]
    calls: list[Call] = [(_fill, (out, initial))]
    if len(covering) > 1:
        calls = [ufunc_call(combine, *covering[:2], out=out)]
    elif covering:
        calls = [(np.copyto, (out, covering[0]))]
    rest = parts[min(len(covering), 2) :]
    return calls + [ufunc_call(combine, into, part, out=into) for into, part in rest if into.size]


def _fill(out: Array, value: float) -> None:
    out[...] = value


class Chooser:
    """Memory for passes over parts of an output that pick elements by their number."""

    def __init__(self, laid: Laid, chosen: Array, scratch: Scratch) -> None:
        self.laid, self.chosen = laid, chosen
        self.memory = scratch((chosen.size,), np.bool_)

    def mask(self, to: Sequence[slice], number: int) -> tuple[list[Call], Array]:
        """Bytes, -1 where the number is chosen and 0 elsewhere, with the calls that make them."""
        chosen = self.laid.part(self.chosen, to)
        equal = self.memory[: chosen.size].reshape(chosen.shape)
        bits = equal.view(np.int8)
        wanted = self.chosen.dtype.type(number)
        return [(np.equal, (chosen, wanted, equal)), (np.negative, (bits, bits))], bits


def _bits(x: Array) -> Array:
    """The same memory as integers; signed ones, so that -1 is all bits in any width."""
    return x.view(np.dtype(f"i{x.dtype.itemsize}"))


@_windows(ops.WindowFind)
def window_find(op: ops.WindowFind, laid: Laid, scratch: Scratch) -> list[Call]:
    x, _, out = laid.arrays
    if out.size == 0:
        return []
    equal, other = (scratch((out.size,), np.bool_) for _ in range(2))
    candidates = scratch((out.size,), out.dtype)
    start: Call = (out.fill, (ops.none_of(op.window),))
    if not as_dtype(x.dtype).is_float:
        return [start, *_found(op, laid, (equal, candidates, None))]
    usual, with_nan = (_found(op, laid, (equal, candidates, nan)) for nan in (None, other))
    return [start, (_find, (x, scratch((), x.dtype), usual, with_nan))]


def _find(x: Array, largest: Array, usual: list[Call], with_nan: list[Call]) -> None:
    """One look for a NaN in x is cheaper than one at every element of every window."""
    np.maximum.reduce(x, axis=None, out=largest)
    for function, args in usual if largest == largest else with_nan:
        function(*args)


def _found(
    op: ops.WindowFind, laid: Laid, memory: tuple[Array, Array, Array | None]
) -> list[Call]:
    x, y, out = laid.arrays
    calls: list[Call] = []
    for number, to, source in taps(op.axes(), laid.sizes(x)):
        part, into = laid.part(x, source), laid.part(out, to)
        hit, candidate, nan = (
            None if each is None else each[: part.size].reshape(part.shape) for each in memory
        )
        assert hit is not None
        calls.append((np.equal, (part, laid.part(y, to), hit)))
        if nan is not None:
            calls += [(np.not_equal, (part, part, nan)), (np.logical_or, (hit, nan, hit))]
        calls += [
            (partial(np.subtract, dtype=out.dtype), (hit.view(np.uint8), 1, candidate)),
            (np.bitwise_or, (candidate, out.dtype.type(number), candidate)),
            ufunc_call(np.minimum, into, candidate, out=into),
        ]
    return calls


@_windows(ops.WindowSelect)
def window_select(op: ops.WindowSelect, laid: Laid, scratch: Scratch) -> list[Call]:
    x, chosen, out = laid.arrays
    chooser, memory = Chooser(laid, chosen, scratch), scratch((out.size,), out.dtype)
    calls: list[Call] = [(out.fill, (0,))]
    for number, to, source in taps(op.axes(), laid.sizes(x)):
        part, into = _bits(laid.part(x, source)), _bits(laid.part(out, to))
        kept = _bits(memory[: part.size].reshape(part.shape))
        masking, mask = chooser.mask(to, number)
        calls += [*masking, (np.bitwise_and, (part, mask, kept)),
                  (np.bitwise_or, (into, kept, into))]  # fmt: skip
    return calls


@_windows(ops.WindowPlace)
def window_place(op: ops.WindowPlace, laid: Laid, scratch: Scratch) -> list[Call]:
    y, chosen, out = laid.arrays
    chooser = Chooser(laid, chosen, scratch)
    meetings = list(taps(op.axes(), laid.sizes(out)))
    if all(axis.stride >= axis.extent for axis in op.axes()):
        return _placed_apart(laid, chooser, meetings)
    memory = scratch((y.size,), y.dtype)
    total = scratch(out.shape, np.float32) if _is_half(out) else out
    calls: list[Call] = [(total.fill, (0,))]
    for number, to, source in meetings:
        part, into = laid.part(y, to), laid.part(total, source)
        kept = memory[: part.size].reshape(part.shape)
        masking, mask = chooser.mask(to, number)
        calls += [*masking, (np.bitwise_and, (_bits(part), mask, _bits(kept))),
                  (np.add, (into, kept, into))]  # fmt: skip
    return calls if total is out else [*calls, (_narrow, (out, total))]


def _placed_apart(laid: Laid, chooser: Chooser, meetings: Sequence[Meeting]) -> list[Call]:
    """No two windows share an element, so that each is written at most once, without adding."""
    y, _, out = laid.arrays
    written = sum(laid.part(out, source).size for _, _, source in meetings)
    calls: list[Call] = [] if written == out.size else [(out.fill, (0,))]
    for number, to, source in meetings:
        masking, mask = chooser.mask(to, number)
        into = _bits(laid.part(out, source))
        calls += [*masking, (np.bitwise_and, (_bits(laid.part(y, to)), mask, into))]
    return calls
