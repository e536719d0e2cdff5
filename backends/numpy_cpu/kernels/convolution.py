"""Convolutions as products of matrices, over columns that are gathered block by block.

Three ways to the same sum, chosen by what they move (`_way`):

* by places: a column for each place of a window, one product for each image;
* by elements, for few places and large windows (the gradient by a weight): the same, with places
  and window elements exchanged, summed over the images;
* by scattering, when the input is spread out or has far more channels than the output (the
  gradient by x): first the product, then its columns are added up where they belong.

Copies skip what lies in the padding, so nothing is padded or spread in memory. No block is larger
than about what the second-level cache holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import convolution as ops
from asg.ops.windows import Axis, overlap

from ..kernel import Array, Call, Scratch, kernel

BLOCK_BYTES = 1 << 20

Slices = tuple[slice, ...]


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

    def spatial(self) -> Iterator[tuple[Axis, int, int, int]]:
        """Of each axis: its geometry, and sizes of window, places and input."""
        return zip(self.axes, self.window, self.places, self.x.shape[3:], strict=True)

    def taps(self) -> Iterator[tuple[int, Slices, Slices]]:
        """Of each window element: its number, the places it is read at, and what they read."""
        return _numbered(self.window, [
            [overlap(k * a.dilation - int(a.padding[0]), a.stride, p, s, a.input_dilation)
             for k in range(w)]
            for a, w, p, s in self.spatial()
        ])  # fmt: skip

    def visits(self) -> Iterator[tuple[int, Slices, Slices]]:
        """Of each place: its number, the window elements that read something, and what they do."""
        return _numbered(self.places, [
            [overlap(p * a.stride - int(a.padding[0]), a.dilation, w, s, a.input_dilation)
             for p in range(n)]
            for a, w, n, s in self.spatial()
        ])  # fmt: skip


def _numbered(
    shape: tuple[int, ...], along: list[list[tuple[slice, slice]]]
) -> Iterator[tuple[int, Slices, Slices]]:
    for number, index in enumerate(np.ndindex(shape)):
        pairs = [along[axis][place] for axis, place in enumerate(index)]
        yield number, tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


@kernel(ops.Conv)
def conv(op: ops.Conv, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x, weight), (out,) = inputs, outputs
    if out.size == 0:
        return []
    if weight.size == 0:
        return [(out.fill, (0,))]
    narrow = out.dtype.itemsize == 2 and as_dtype(out.dtype).is_float
    total = scratch(out.shape, np.float32) if narrow else out
    axes = op.axes(weight)  # type: ignore[arg-type]
    outs, ins = (count // op.groups for count in (weight.shape[0], x.shape[1]))
    problem = Problem(
        x.reshape(x.shape[0], op.groups, ins, *x.shape[2:]),
        weight.reshape(op.groups, outs, *weight.shape[1:]),
        total.reshape(x.shape[0], op.groups, outs, *total.shape[2:]),
        axes, scratch,
    )  # fmt: skip
    calls = _way(problem)(problem)
    return [*calls, (_copy, (out, total))] if narrow else calls


def _way(problem: Problem) -> Any:
    strides = [axis.stride for axis in problem.axes]
    if prod(problem.places) * 2 <= prod(problem.window):
        return _by_elements
    if max(strides) == 1:
        spread_out = any(axis.input_dilation > 1 for axis in problem.axes)
        if spread_out or problem.weight.shape[2] >= 3 * problem.weight.shape[1]:
            return _by_scattering
    return _by_places


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
    ins, taps, places = x.shape[2], prod(problem.window), prod(problem.places)
    calls, rows = _matrix(weight, (groups, outs, ins * taps), out.dtype, problem.scratch)
    target = out.reshape(batch, groups, outs, places)
    if _reads_all_once(problem) and x.flags.c_contiguous and x.dtype == out.dtype:
        return [*calls, (np.matmul, (rows, x.reshape(batch, groups, ins, places), target))]
    blocks = list(_blocks(batch, groups * ins * taps * places * out.itemsize))
    shape = (blocks[0].stop, groups, ins, taps, *problem.places)
    columns = problem.scratch(shape, out.dtype)
    calls += _zeros_around(columns, 4, [(k, to) for k, to, _ in problem.taps()], 3)
    for block in blocks:
        part = columns[: block.stop - block.start]
        for k, to, source in problem.taps():
            calls += _moved(part[:, :, :, k], to, x[block], source)
        matrix = part.reshape(len(part), groups, ins * taps, places)
        calls.append((np.matmul, (rows, matrix, target[block])))
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


def _zeros_around(
    columns: Array, first: int, kept: list[tuple[int, Slices]], numbered: int
) -> list[Call]:
    """Zeros where no copy writes; once, since every block is copied to the same places."""
    calls: list[Call] = []
    for number, parts in kept:
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
    ins, taps, places = problem.x.shape[2], prod(problem.window), prod(problem.places)
    scratch, dtype = problem.scratch, problem.out.dtype
    width = groups * (batch * places + outs) * taps * dtype.itemsize
    blocks = list(_blocks(ins, width))
    widest = blocks[0].stop
    columns = scratch((groups * batch * places * widest * taps,), dtype)
    rows = scratch((groups * outs * widest * taps,), dtype)
    total, part = (scratch((groups, outs, batch * places), dtype) for _ in range(2))
    calls: list[Call] = []
    for block in blocks:
        count = block.stop - block.start
        gathered = _front(columns, (groups, batch, places, count, *problem.window))
        weights = _front(rows, (groups, outs, count, *problem.window))
        calls += _gather_elements(problem, gathered, block)
        calls.append((_copy, (weights, problem.weight[:, :, block])))
        matrix = gathered.reshape(groups, batch * places, count * taps).swapaxes(1, 2)
        target = part if block.start else total
        calls.append((np.matmul, (weights.reshape(groups, outs, -1), matrix, target)))
        calls += [(np.add, (total, part, total))] if block.start else []
    result = total.reshape(groups, outs, batch, *problem.places)
    return [*calls, (_copy, (problem.out, np.moveaxis(result, 2, 0)))]


def _front(memory: Array, shape: tuple[int, ...]) -> Array:
    return memory[: prod(shape)].reshape(shape)


def _gather_elements(problem: Problem, gathered: Array, block: slice) -> list[Call]:
    """What every place reads of some input channels, next to each other."""
    source = np.moveaxis(problem.x[:, :, block], 0, 1)
    visits = list(problem.visits())
    calls = _zeros_around(gathered, 4, [(p, to) for p, to, _ in visits], 2)
    for p, to, start in visits:
        calls += _moved(gathered[:, :, p], to, source, start)
    return calls


def _by_scattering(problem: Problem) -> list[Call]:
    x, weight, out = problem.x, problem.weight, problem.out
    batch, groups, outs = out.shape[:3]
    ins, taps, size = x.shape[2], prod(problem.window), prod(x.shape[3:])
    last = np.moveaxis(weight, 2, -1)
    calls, rows = _matrix(last, (groups, outs * taps, ins), out.dtype, problem.scratch)
    copies, matrix = _matrix(x, (batch, groups, ins, size), out.dtype, problem.scratch)
    calls += [*copies, (out.fill, (0,))]
    blocks = list(_blocks(batch, groups * outs * taps * size * out.itemsize))
    columns = problem.scratch((blocks[0].stop, groups, outs * taps, size), out.dtype)
    for block in blocks:
        part = columns[: block.stop - block.start]
        calls.append((np.matmul, (rows, matrix[block], part)))
        spatial = part.reshape(len(part), groups, outs, taps, *x.shape[3:])
        for k, to, source in problem.taps():
            into, values = at_end(out[block], to), at_end(spatial[:, :, :, k], source)
            calls += [(np.add, (into, values, into))] if into.size else []
    return calls
