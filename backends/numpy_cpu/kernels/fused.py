"""Fused elementwise work: every op of the body on one block after the other.

The blocks of all values in between are the same memory for every block, and stay in the cache.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.fused import Fused
from asg.ops.leaf import Constant, Full
from asg.ops.reduce import Max, Min, Reduction, Sum

from ..bind import is_only_asked
from ..block_calls import BlockCalls
from ..block_program import BlockProgram, block_program
from ..blocks import Index, Part, Spread, common_axes, cut
from ..kernel import KERNELS, VIEWS, Array, Call, Pairs, Scratch, kernel, static_shape
from ..threads import TEAM, beside_others, threads_here

BLOCK_BYTES = 1 << 17
"""Of one value: with the five to ten values of a chain, what the second-level cache
holds. Measured on 29 calls over 4 million float32 (ms): 32 KB 12.7, 64 KB 10.4, 128 KB 9.0,
256 KB 9.3, 1 MB 9.6, whole arrays 16.6."""

THREAD_BLOCK_BYTES = 1 << 18
"""The same on several threads, which wait for each other's interpreter lock between calls. The
same chain on two threads of an EPYC with a fast third-level cache (ms): 64 KB 11.6, 128 KB 7.2,
256 KB 5.4, 1 MB 4.6. Its work on two threads of a Xeon, whose second-level cache holds 2 MB (ms of
the processor's time): 128 KB 39, 256 KB 42, 512 KB 61, 1 MB 74; updates of AdamW likewise."""

SHARED_BYTES = 1 << 18
"""What each thread must get of a value; less is not worth handing over."""

UFUNCS: dict[type[Op], np.ufunc] = {Sum: np.add, Max: np.maximum, Min: np.minimum}


# -- what the kernel serves -------------------------------------------------------------------


def _in_blocks(op: Fused, types: tuple[TensorType, ...]) -> bool:
    """Elementwise ops of one shape with kernels, numbers, and reductions that nothing reads."""
    body = op.body
    whole = _whole(body)
    if whole is None or any(size == 0 for size in whole.shape):
        return False
    return all(_is_number(node) or _is_work(node, whole, body) for node in body.nodes) and all(
        tensor.node.inputs for tensor in body.outputs
    )


def _whole(body: Graph) -> Tensor | None:
    """A value with all the elements that the others have, or repeat."""
    found = (node.outputs[0] for node in body.nodes if node.inputs and node.op.broadcasts)
    return next(found, None)


def _is_number(node: Node) -> bool:
    if node.inputs or node.op.is_placeholder:
        return node.op.is_placeholder
    return isinstance(node.op, Constant | Full) and node.output.type.size == 1


def _is_work(node: Node, whole: Tensor, body: Graph) -> bool:
    if len(node.outputs) != 1 or type(node.op) in VIEWS or type(node.op) not in KERNELS:
        return False
    if not node.op.broadcasts:
        known = type(node.op) in UFUNCS and node.output not in body.users
        return known and node.inputs[0].shape == whole.shape and bool(node.inputs[0].node.inputs)
    entry = KERNELS[type(node.op)]
    types = tuple(tensor.type for tensor in node.inputs)
    accepted = entry.accepts is None or entry.accepts(node.op, types)
    return accepted and node.output.shape == whole.shape


def _overwritable(op: Fused) -> Pairs:
    """An output may be written over an operand that nothing in the body reads afterwards."""
    body = op.body
    place = {node: number for number, node in enumerate(body.nodes)}
    pairs = []
    for position, operand in enumerate(body.inputs):
        users = body.users.get(operand, [])
        last = max((place[user] for user, _ in users), default=-1)
        for index, output in enumerate(body.outputs):
            maker = output.node
            if place[maker] > last or (place[maker] == last and _overwrites(maker, operand)):
                pairs.append((index, position))
    return tuple(pairs)


def _overwrites(node: Node, operand: Tensor) -> bool:
    entry = KERNELS[type(node.op)]
    positions = [i for i, tensor in enumerate(node.inputs) if tensor is operand]
    several = len(positions) > 1 and not isinstance(entry.inplace, bool)
    return not several and all(entry.may_overwrite(0, i, 1) for i in positions)


# -- the kernel -------------------------------------------------------------------------------


@kernel(Fused, inplace=_overwritable, accepts=_in_blocks, order="follows")
def fused(op: Fused, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    firsts = [op.body.outputs.index(tensor) for tensor in op.body.outputs]
    own = sorted(set(firsts))
    body = op.body if len(own) == len(firsts) else _giving(op.body, own)
    work = _Work(body, inputs, [outputs[place] for place in own], scratch)
    again: list[Call] = [
        (np.copyto, (outputs[place], outputs[first]))
        for place, first in enumerate(firsts)
        if place != first
    ]
    return [*work.calls(scratch), *work.last, *again]


def _giving(body: Graph, places: Sequence[int]) -> Graph:
    """The body with some of its outputs only."""
    outputs = [body.outputs[place] for place in places]
    names = [body.output_names[place] for place in places]
    return type(body).of(body.inputs, outputs, names, (), body.name, body.input_names, ())


class _Work:
    """The arrays of a fused op over common axes, and how they are cut.

    Attributes:
        inputs, outputs: over the common axes; numbers have none.
        parts: the indices of the blocks, for each thread.
        indices: of all blocks.
        reduced: the results of reductions among the outputs, by position; in the order of the
            nodes, as `block_program` wants them.
        last: what remains to be done after all blocks.
    """

    def __init__(
        self, body: Graph, inputs: list[Array], outputs: list[Array], scratch: Scratch
    ) -> None:
        self.body = body
        results = [_broadcastable(tensor.node, array)
                   for tensor, array in zip(body.outputs, outputs, strict=True)]  # fmt: skip
        like = _like(body, inputs, outputs)
        sizes, spread = common_axes([*inputs, *results], like)
        self.inputs = [_number(array) if tensor.type.size == 1 else each for tensor, array, each
                       in zip(body.inputs, inputs, spread, strict=False)]  # fmt: skip
        self.outputs = spread[len(inputs) :]
        widest = max(node.outputs[0].dtype.itemsize for node in body.nodes)
        self.parts = _parts(sizes, widest)
        self.indices = [index for part in self.parts for index in part]
        place_of = {tensor.node: place for place, tensor in enumerate(body.outputs)}
        self.reduced = {
            place_of[node]: _Partial(
                UFUNCS[type(node.op)], self.outputs[place_of[node]], self.indices, scratch
            )
            for node in body.nodes
            if isinstance(node.op, Reduction)
        }
        self.last = [call for partial in self.reduced.values() for call in partial.finish()]

    def calls(self, scratch: Scratch) -> list[Call]:
        """Those of every block, each part in one piece of scratch memory."""
        parts = [self._part(indices, scratch) for indices in self.parts]
        return parts[0] if len(parts) == 1 else [(TEAM.run, (parts,))]

    def _part(self, indices: Sequence[Index], scratch: Scratch) -> list[Call]:
        known: dict[tuple[int, ...], BlockProgram] = {}
        programs = [self._program(index, known) for index in indices]
        arena = scratch((max(each.plan.arena_bytes for each in known.values()) + 1,), np.uint8)
        if is_only_asked(scratch):
            return []
        blocks = {program: BlockCalls(program, arena) for program in known.values()}
        calls: list[Call] = []
        for program, index in zip(programs, indices, strict=True):
            inputs = [x.part(index) if isinstance(x, Spread) else x for x in self.inputs]
            outputs = [self._target(place, index) for place in range(len(self.outputs))]
            calls += blocks[program].of(inputs, outputs)
        return calls

    def _target(self, place: int, index: Index) -> Array:
        if place in self.reduced:
            return self.reduced[place].part(index)
        return self.outputs[place].part(index)

    def _program(self, index: Index, known: dict[tuple[int, ...], BlockProgram]) -> BlockProgram:
        """That of a block, by the shape, among or put among those that are ``known``."""
        shape = tuple([part.stop - part.start for part in index if isinstance(part, slice)])
        if shape not in known:
            first = len(index) - len(shape)
            reduced = tuple(each.axes(first) for each in self.reduced.values())
            known[shape] = block_program(self.body, shape, reduced)
        return known[shape]


def _parts(sizes: tuple[int, ...], itemsize: int) -> list[list[Index]]:
    """The blocks for each thread; as many for one as for another."""
    size = math.prod(sizes)
    threads = min(threads_here(), size * itemsize // SHARED_BYTES)
    if threads < 2:
        most = THREAD_BLOCK_BYTES if beside_others() else BLOCK_BYTES
        return [list(cut(sizes, most // itemsize))]
    rounds = -(-size // (threads * THREAD_BLOCK_BYTES // itemsize))
    indices = list(cut(sizes, -(-size // (rounds * threads))))
    each = -(-len(indices) // threads)
    return [indices[start : start + each] for start in range(0, len(indices), each)]


def _number(array: Array) -> Array:
    """The only element, without axes."""
    only: Array = array[(0,) * array.ndim + (...,)]
    return only


def _like(body: Graph, inputs: list[Array], outputs: list[Array]) -> Array:
    """An array of the whole shape whose order in memory the blocks follow."""
    whole = _whole(body)
    assert whole is not None
    for tensor, array in (*zip(body.outputs, outputs, strict=True),
                          *zip(body.inputs, inputs, strict=True)):  # fmt: skip
        if tensor.shape == whole.shape and all(array.strides):
            return array
    return np.broadcast_to(np.empty(()), static_shape(whole.shape))


def _broadcastable(node: Node, result: Array) -> Array:
    """A result with the axes that a reduction took, as size 1."""
    if not isinstance(node.op, Reduction) or node.op.keepdims:
        return result
    return np.expand_dims(result, node.op.axis)


class _Partial:
    """What a reduction makes of each block, until all are put together.

    The axes that the result does not have are those it is repeated along.
    """

    def __init__(
        self, ufunc: np.ufunc, result: Spread, indices: Sequence[Index], scratch: Scratch
    ) -> None:
        self.ufunc, self.repeated = ufunc, result.repeated
        self.places: dict[tuple[int, ...], int] = {}
        for index in indices:
            self.places.setdefault(self._along(index), len(self.places))
        kept = tuple(0 if same else slice(None) for same in self.repeated)
        self.result: Array = result.array[(*kept, ...)]
        alone = len(self.places) == 1 and self.result.flags.c_contiguous
        shape = (len(self.places), *self.result.shape)
        self.parts = self.result[None] if alone else scratch(shape, self.result.dtype)

    def _along(self, index: Index) -> tuple[int, ...]:
        """Where a block starts on the axes that are reduced."""
        pairs = zip(index, self.repeated, strict=True)
        return tuple(_start(part) for part, same in pairs if same)

    def axes(self, first: int) -> tuple[int, ...]:
        """The axes to reduce of a block, which has the common axes from ``first`` on."""
        return tuple(i - first for i, same in enumerate(self.repeated) if same and i >= first)

    def part(self, index: Index) -> Array:
        """Where the result for a block belongs."""
        kept = [part for part, same in zip(index, self.repeated, strict=True) if not same]
        target: Array = self.parts[(self.places[self._along(index)], *kept, ...)]
        return target

    def finish(self) -> list[Call]:
        """The calls that put the parts together."""
        if np.may_share_memory(self.parts, self.result):
            return []
        return [(self.ufunc.reduce, (self.parts, 0, self.result.dtype, self.result))]


def _start(part: Part) -> int:
    return part if isinstance(part, int) else part.start
