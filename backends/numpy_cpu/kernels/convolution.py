"""Convolutions as products of matrices, over columns that are gathered block by block.

Where the batch lies innermost (order.py), `asg.backends.numpy_cpu.batch_convolution` does it; the
rest is here.

Three ways to the same sum, chosen by what they move (`_usual`) or by measurement (tuning.py):

* by places: a column for each place of a window, one product for each image;
* by elements, for few places and large windows (the gradient by a weight): the same, with places
  and window elements exchanged, summed over the images;
* by scattering, when the input is spread out or has more channels than the output (the gradient
  by x): first the product, then its columns are added up where they belong.

Copies skip what lies in the padding, so nothing is padded or spread in memory. No block is larger
than about what the second-level cache holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import convolution as ops
from asg.ops.windows import Axis, Meeting, taps, visits

from .. import batch_convolution
from ..kernel import Array, Axes, Call, Scratch, kernel
from ..order import batch_innermost, is_innermost
from ..products import products_of
from ..tuning import Way, chosen

BLOCK_BYTES = 1 << 20

Slices = tuple[slice, ...]
BatchWay = Callable[[ops.Conv, Array, Array, Array, Scratch], list[Call]]


class Problem(NamedTuple):
    """A convolution with its channels split into groups.

    x is ``[batch, groups, ins, *sizes]``, weight ``[groups, outs, ins, *window]``, out
    ``[batch, groups, outs, *places]``, in which products are summed (float32 for narrow floats).
    """

    x: Array
    weight: Array
    out: Array
    axes: list[Axis]
    scratch: Scratch

    @property
    def window(self) -> tuple[int, ...]:
        return tuple(self.weight.shape[3:])

    @property
    def places(self) -> tuple[int, ...]:
        return tuple(self.out.shape[3:])

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(self.x.shape[3:])


def _order(op: ops.Conv, inputs: list[Array]) -> list[Axes | None]:
    return [_batch_way(op, *inputs)[0]]


def _batch_way(op: ops.Conv, x: Array, weight: Array) -> tuple[Axes | None, BatchWay | None]:
    """How to convolve with the batch innermost, and the order of the output; None: as usual.

    The axis that is summed over, with few places of large windows, makes the gradient by a weight.
    """
    axes: list[Axis] = op.axes(weight)  # type: ignore[arg-type]
    places = prod(int(axis.places(size)) for axis, size in zip(axes, x.shape[2:], strict=True))
    if places * 2 <= prod(weight.shape[2:]) and op.groups == 1 and is_innermost(x, 1):
        return (1, 0, *range(2, x.ndim)), batch_convolution.by_weight
    if is_innermost(x, 0):
        return batch_innermost(x.ndim), batch_convolution.by_windows
    return None, None


@kernel(ops.Conv, order=_order, prefers_batch_innermost=True)
def conv(op: ops.Conv, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x, weight), (out,) = inputs, outputs
    if out.size == 0:
        return []
    if weight.size == 0 or x.size == 0:
        return [(out.fill, (0,))]
    _, batch_way = _batch_way(op, x, weight)
    if batch_way is not None:
        return batch_way(op, x, weight, out, scratch)
    usual = _usual(_problem(op, x, weight, out, scratch))
    ways: dict[str, Way] = {
        name: partial(_by, name) for name in WAYS if name != "scattering" or _steps_by_one(op)
    }
    return chosen(op, (x, weight, out), ways, lambda: usual)(op, x, weight, out, scratch)


def _steps_by_one(op: ops.Conv) -> bool:
    return set(op.stride) <= {1}


def _by(
    way: str, op: ops.Conv, x: Array, weight: Array, out: Array, scratch: Scratch
) -> list[Call]:
    narrow = out.dtype.itemsize == 2 and as_dtype(out.dtype).is_float
    total = scratch(out.shape, np.float32) if narrow else out
    calls = WAYS[way](_problem(op, x, weight, total, scratch))
    return [*calls, (_copy, (out, total))] if narrow else calls


def _problem(op: ops.Conv, x: Array, weight: Array, total: Array, scratch: Scratch) -> Problem:
    axes: list[Axis] = op.axes(weight)  # type: ignore[arg-type]
    outs, ins = (count // op.groups for count in (weight.shape[0], x.shape[1]))
    return Problem(
        x.reshape(x.shape[0], op.groups, ins, *x.shape[2:]),
        weight.reshape(op.groups, outs, *weight.shape[1:]),
        total.reshape(x.shape[0], op.groups, outs, *total.shape[2:]),
        axes, scratch,
    )  # fmt: skip


def _usual(problem: Problem) -> str:
    """The way that moves least; an addition costs about as much as two copies."""
    if prod(problem.places) * 2 <= prod(problem.window):
        return "elements"
    spread_out = any(axis.input_dilation > 1 for axis in problem.axes)
    outs, ins = problem.weight.shape[1:3]
    added, copied = outs * prod(problem.sizes), ins * prod(problem.places)
    if max(axis.stride for axis in problem.axes) == 1 and (spread_out or 2 * added <= copied):
        return "scattering"
    return "places"


def _copy(target: Array, source: Array) -> None:
    np.copyto(target, source, casting="unsafe")


def _blocks(count: int, nbytes: int) -> Iterator[slice]:
    """Ranges of ``count`` things of ``nbytes`` each that fit into a block."""
    step = min(count, max(1, BLOCK_BYTES // max(nbytes, 1)))
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def _by_places(problem: Problem) -> list[Call]:
    x, weight, out = problem.x, problem.weight, problem.out
    batch, groups, outs = out.shape[:3]
    ins, elements, places = x.shape[2], prod(problem.window), prod(problem.places)
    calls, rows = _matrix(weight, (groups, outs, ins * elements), out.dtype, problem.scratch)
    target = out.reshape(batch, groups, outs, places)
    if _reads_all_once(problem) and x.flags.c_contiguous and x.dtype == out.dtype:
        return [*calls, *products_of(rows, x.reshape(batch, groups, ins, places), target)]
    blocks = list(_blocks(batch, groups * ins * elements * places * out.itemsize))
    shape = (blocks[0].stop, groups, ins, elements, *problem.places)
    columns = problem.scratch(shape, out.dtype)
    meetings = list(taps(problem.axes, problem.sizes))
    calls += _zeros_around(columns, 4, meetings, 3)
    for block in blocks:
        part = columns[: block.stop - block.start]
        for k, to, source in meetings:
            calls += _moved(part[:, :, :, k], to, x[block], source)
        matrix = part.reshape(len(part), groups, ins * elements, places)
        calls += products_of(rows, matrix, target[block])
    return calls


def _reads_all_once(problem: Problem) -> bool:
    """A window of one element that visits every element of x in order."""
    return set(problem.window) == {1} and all(
        axis.stride == axis.input_dilation == 1 and axis.padding == (0, 0) for axis in problem.axes
    )


def _matrix(
    source: Array, shape: tuple[int, ...], dtype: Any, scratch: Scratch
) -> tuple[list[Call], Array]:
    """``source`` as contiguous matrices, with the call that copies it if it is not."""
    if source.flags.c_contiguous and source.dtype == dtype:
        return [], source.reshape(shape)
    copy = scratch(source.shape, dtype)
    return [(_copy, (copy, source))], copy.reshape(shape)


def _moved(target: Array, to: Slices, source: Array, start: Slices) -> list[Call]:
    """The copy of the part of the last axes of ``source`` to that of ``target``."""
    into = at_end(target, to)
    return [(_copy, (into, at_end(source, start)))] if into.size else []


def at_end(x: Array, parts: Slices) -> Array:
    """Parts of the last axes."""
    key: Any = (..., *parts)
    part: Array = x[key]
    return part


def _zeros_around(columns: Array, first: int, meetings: list[Meeting], numbered: int) -> list[Call]:
    """Zeros where no copy writes; once, since every block is copied to the same places."""
    calls: list[Call] = []
    for number, parts, _ in meetings:
        slab = columns[(slice(None),) * numbered + (number,)]
        shape = columns.shape[first:]
        if any(part.step != 1 for part in parts):
            calls.append((slab.fill, (0,)))
            continue
        for axis, (part, size) in enumerate(zip(parts, shape, strict=True)):
            for border in (slice(0, part.start), slice(part.stop, size)):
                edge = at_end(slab, (border, *(slice(None),) * (len(shape) - 1 - axis)))
                calls += [(edge.fill, (0,))] if edge.size else []
    return calls


def _by_elements(problem: Problem) -> list[Call]:
    batch, groups, outs = problem.out.shape[:3]
    ins, elements, places = problem.x.shape[2], prod(problem.window), prod(problem.places)
    scratch, dtype = problem.scratch, problem.out.dtype
    width = groups * (batch * places + outs) * elements * dtype.itemsize
    blocks = list(_blocks(ins, width))
    widest = blocks[0].stop
    columns = scratch((groups * batch * places * widest * elements,), dtype)
    rows = scratch((groups * outs * widest * elements,), dtype)
    total, part = (scratch((groups, outs, batch * places), dtype) for _ in range(2))
    calls: list[Call] = []
    meetings = list(visits(problem.axes, problem.sizes))
    for block in blocks:
        count = block.stop - block.start
        gathered = _front(columns, (groups, batch, places, count, *problem.window))
        weights = _front(rows, (groups, outs, count, *problem.window))
        calls += _gather_elements(problem, gathered, block, meetings)
        calls.append((_copy, (weights, problem.weight[:, :, block])))
        matrix = gathered.reshape(groups, batch * places, count * elements).swapaxes(1, 2)
        target = part if block.start else total
        calls += products_of(weights.reshape(groups, outs, -1), matrix, target)
        calls += [(np.add, (total, part, total))] if block.start else []
    result = total.reshape(groups, outs, batch, *problem.places)
    return [*calls, (_copy, (problem.out, np.moveaxis(result, 2, 0)))]


def _front(memory: Array, shape: tuple[int, ...]) -> Array:
    return memory[: prod(shape)].reshape(shape)


def _gather_elements(
    problem: Problem, gathered: Array, block: slice, meetings: list[Meeting]
) -> list[Call]:
    """What every place reads of some input channels, next to each other."""
    source = np.moveaxis(problem.x[:, :, block], 0, 1)
    calls = _zeros_around(gathered, 4, meetings, 2)
    for p, to, start in meetings:
        calls += _moved(gathered[:, :, p], to, source, start)
    return calls


def _by_scattering(problem: Problem) -> list[Call]:
    x, weight, out = problem.x, problem.weight, problem.out
    batch, groups, outs = out.shape[:3]
    ins, elements, size = x.shape[2], prod(problem.window), prod(x.shape[3:])
    last = np.moveaxis(weight, 2, -1)
    calls, rows = _matrix(last, (groups, outs * elements, ins), out.dtype, problem.scratch)
    copies, matrix = _matrix(x, (batch, groups, ins, size), out.dtype, problem.scratch)
    calls += [*copies, (out.fill, (0,))]
    blocks = list(_blocks(batch, groups * outs * elements * size * out.itemsize))
    columns = problem.scratch((blocks[0].stop, groups, outs * elements, size), out.dtype)
    meetings = list(taps(problem.axes, problem.sizes))
    for block in blocks:
        part = columns[: block.stop - block.start]
        calls += products_of(rows, matrix[block], part)
        spatial = part.reshape(len(part), groups, outs, elements, *x.shape[3:])
        for k, to, source in meetings:
            into, values = at_end(out[block], to), at_end(spatial[:, :, :, k], source)
            calls += [(np.add, (into, values, into))] if into.size else []
    return calls


WAYS: dict[str, Callable[[Problem], list[Call]]] = {
    "places": _by_places,
    "elements": _by_elements,
    "scattering": _by_scattering,
}
