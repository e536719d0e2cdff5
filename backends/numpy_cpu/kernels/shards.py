"""Shards on a team of threads: one program each, with BLAS on the thread that calls it.

Pieces are read where the operands lie and results written where they belong, as far as these are
contiguous there; what shards have to themselves is planned as scratch memory of the op. Between two
meetings (`AllReduceSum`) the shards run at the same time; the thread that calls adds up what they
bring.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asg.core.tensor import Tensor
from asg.ops import shards as ops
from asg.ops.shards import SUM, Place

from ..bind import bind_plan, is_only_asked, nested_memory, only_planning, plan_inside
from ..kernel import Array, Call, Scratch, kernel
from ..plan import OUTSIDE, Plan
from ..share import ShardCalls, Share, is_meeting
from ..threads import on_one_thread


@kernel(ops.ShardMap)
def shard_map(
    op: ops.ShardMap, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    with on_one_thread():
        return _shards(op, inputs, outputs, scratch)


def _shards(
    op: ops.ShardMap, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    lies = _lies_outside(op, inputs, outputs)
    asked = is_only_asked(scratch) and not only_planning()  # planning looks into the programs
    plan = _plan(op, lies, asked)
    parts: list[ShardCalls] = []
    added: list[Call] = []
    for shard in range(op.shards):
        given = [_piece(op, x, p, shard) for x, p in zip(inputs, op.operand_places, strict=True)]
        targets = []
        for y, place in zip(outputs, op.result_places, strict=True):
            own = shard > 0 and not isinstance(place, int)
            targets.append(scratch(y.shape, y.dtype) if own else _piece(op, y, place, shard))
            if own and place == SUM:
                added.append((np.add, (y, targets[-1], y)))
        arena = nested_memory(plan, scratch)
        if not asked:
            parts.append(_part(plan, lies, given, targets, arena))
    return [] if asked else [(Share(parts, _meetings(parts)), ()), *added]


@kernel(ops.AllReduceSum, inplace=True, wants_scratch=False)
def all_reduce_sum(
    op: ops.AllReduceSum, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    """By itself; in the body of a `ShardMap` the shards' `_meetings` stand for it."""
    return [(np.multiply, (inputs[0], op.shards, outputs[0]))]


def _meetings(parts: Sequence[ShardCalls]) -> list[list[Call]]:
    """The sums of each meeting: into the total of the first shard, from there to the others'."""
    return [
        _all_reduced([part.program.arrays[node.inputs[0]] for part in parts],
                     [part.program.arrays[node.output] for part in parts])
        for node, _ in parts[0].program.steps
        if is_meeting(node)
    ]  # fmt: skip


def _all_reduced(given: Sequence[Array], totals: Sequence[Array]) -> list[Call]:
    """Each total may be over what its shard gave."""
    first, *others = totals
    start: Call = (np.add, (*given[:2], first)) if others else (np.copyto, (first, *given))
    added: list[Call] = [(np.add, (first, each, first)) for each in given[2:]]
    return [start, *added, *[(np.copyto, (each, first)) for each in others]]


def _piece(op: ops.ShardMap, array: Array, place: Place, shard: int) -> Array:
    """The part of an operand or result that one shard has to do with."""
    if not isinstance(place, int):
        return array
    size = array.shape[place] // op.shards
    return array[(slice(None),) * place + (slice(shard * size, (shard + 1) * size),)]


def _lies_outside(
    op: ops.ShardMap, inputs: Sequence[Array], outputs: Sequence[Array]
) -> dict[Tensor, int]:
    """The values of the body that are an operand or a result as it lies, and which one of them."""
    pieces = [
        *zip(op.body.inputs, inputs, op.operand_places, strict=True),
        *zip(op.body.outputs, outputs, op.result_places, strict=True),
    ]
    read = set(op.body.inputs)
    found: dict[Tensor, int] = {}
    for number, (tensor, array, place) in enumerate(pieces):
        whole = _piece(op, array, place, 0).flags.c_contiguous
        if whole and (number < len(inputs) or tensor not in read):
            found.setdefault(tensor, number)
    return found


_planned: dict[int, Plan] = {}
"""By the identity of its body, the plan of an op whose kernel was only asked for memory so far."""


def _plan(op: ops.ShardMap, lies: dict[Tensor, int], asked: bool) -> Plan:
    """The plan that all shards share, since their pieces lie alike; made once for both bindings."""
    plan = _planned.pop(id(op.body), None) or plan_inside(op.body, lies)
    if asked:
        _planned[id(op.body)] = plan
    return plan


def _part(
    plan: Plan, lies: dict[Tensor, int], given: list[Array], targets: list[Array], arena: Array
) -> ShardCalls:
    """The calls of one shard."""
    graph, near = plan.graph, [*given, *targets]
    outside = {
        tensor: near[number]
        for tensor, number in lies.items()
        if tensor in plan.storages and plan.storages[tensor].memory == OUTSIDE
    }
    program = bind_plan(plan, arena, outside)
    start: list[Call] = [
        (np.copyto, (program.arrays[tensor], array))
        for tensor, array in zip(graph.inputs, given, strict=True)
        if tensor not in outside
    ]
    last: list[Call] = [
        (np.copyto, (target, program.arrays[tensor]))
        for tensor, target in zip(graph.outputs, targets, strict=True)
        if outside.get(tensor) is not target
    ]
    return ShardCalls(start, program, last)
