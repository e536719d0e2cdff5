"""Binding: from a plan to fixed arrays and the flat list of calls of one step.

Kernels are bound twice: once on prototypes, to learn how much scratch memory each wants, and,
with that memory placed in the arena like any other value, once more on the real arrays.

Kernels of loops and branches bind programs of their own (`bind_inside`), which the plan counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np

from asg.analysis.memory import ALIGNMENT
from asg.core.explain import made_by
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.region import bodies_of
from asg.core.tensor import Tensor

from .kernel import Array, Call, Kernel, Scratch
from .layout import prototype_memory, reserved_memory
from .order import in_memory_order, memory_order
from .plan import ARENA, OUTSIDE, STATE, Inside, Plan, Storage, make_plan
from .plan_code import plan_from_json


@dataclass(eq=False, slots=True)
class Program:
    """Everything that runs, over memory that is allocated once.

    Attributes:
        arrays: of every value, by tensor.
        states: input position and array of every variable.
        steps: the calls of each node that has any, in order.
        finish: the copies to variables that could not be written in place.
        state_memory: what all variables lie in.
        arena: what everything else lies in, but for constants and what is outside.
    """

    plan: Plan
    arrays: dict[Tensor, Array]
    states: list[tuple[int, Array]]
    steps: list[tuple[Node, list[Call]]]
    finish: list[Call]
    state_memory: Array
    arena: Array

    @property
    def graph(self) -> Graph:
        """What is computed."""
        return self.plan.graph

    def feeds(self) -> list[tuple[int, Array]]:
        """Input position and array of every input that is copied in at each step."""
        held = {position for position, _ in self.states}
        inputs = enumerate(self.graph.inputs)
        return [(i, self.arrays[tensor]) for i, tensor in inputs if i not in held]

    def schedule(self) -> list[Call]:
        """The calls of a step, flat."""
        return [call for _, calls in self.steps for call in calls]

    def tell_where(self, error: Exception, function: object, args: tuple[Any, ...]) -> None:
        """Add to the error which node of the user's program failed, by the call that raised it."""
        for node, calls in self.steps:
            if any(call[0] is function and call[1] is args for call in calls):
                error.add_note(f"while running {node.op}, {made_by(node.outputs[0])}")

    def with_outside(self, outside: Mapping[Tensor, Array]) -> Program:
        """The same program over other arrays for some of the values that are outside.

        Only the kernels that touch them are bound again.
        """
        layouts = self.plan.layouts
        moved = {
            tensor for tensor, layout in layouts.items()
            if layout.owner in outside and layout.constant is None
        }  # fmt: skip
        arrays = dict(self.arrays)
        arrays |= {t: layouts[t].over(outside[layouts[t].owner], 0) for t in moved}
        steps = [
            (node, calls if moved.isdisjoint((*node.inputs, *node.outputs)) else
             bound_node(self.plan, node, arrays, self.arena))
            for node, calls in self.steps
        ]  # fmt: skip
        finish = _finish(self.plan, arrays, self.arena)
        return replace(self, arrays=arrays, steps=steps, finish=finish)


def bind(graph: Graph, reuse: bool = True, told: Any = None) -> Program:
    """Plan the memory of a graph, allocate it, and bind every kernel to it.

    A plan that `plan_to_json` has ``told`` is not made again.

    Raises:
        UnsupportedOp: a node has neither kernel nor view.
        ValueError, LookupError, TypeError: the plan was told of another graph.
    """
    plan = complete_plan(graph, reuse) if told is None else plan_from_json(told, graph)
    return bind_plan(plan, aligned_memory(plan.arena_bytes), {})


def complete_plan(
    graph: Graph,
    reuse: bool = True,
    outside: Iterable[Tensor] = (),
    inputs_as_given: bool = False,
) -> Plan:
    """`make_plan`, with the scratch memory that kernels ask for."""
    return make_plan(graph, reuse, outside, _scratch_requests, inputs_as_given)


def bind_plan(plan: Plan, arena: Array, outside: Mapping[Tensor, Array]) -> Program:
    """The program of a plan over this memory; variables get new memory.

    ``outside`` holds a C-contiguous array for every value that the plan leaves outside.
    """
    graph = plan.graph
    state_memory = aligned_memory(plan.state_bytes)
    memories = {ARENA: arena, STATE: state_memory}
    bytes_of = {tensor: array.reshape(-1).view(np.uint8) for tensor, array in outside.items()}
    arrays = {tensor: _array_of(plan, tensor, memories, bytes_of) for tensor in plan.layouts}
    states = [(slot.input, arrays[graph.inputs[slot.input]]) for slot in plan.slots]
    steps = bound_steps(plan, arrays, arena)
    finish = _finish(plan, arrays, arena)
    return Program(plan, arrays, states, steps, finish, state_memory, arena)


def bound_steps(
    plan: Plan, arrays: Mapping[Tensor, Array], arena: Array
) -> list[tuple[Node, list[Call]]]:
    """The calls of every node that is computed, over these arrays and scratch in the arena."""
    return [(node, bound_node(plan, node, arrays, arena)) for node in plan.kernels]


def plan_only(graph: Graph) -> Plan:
    """The plan that `bind` follows, without any of the memory.

    Raises:
        UnsupportedOp: a node has neither kernel nor view.
    """
    token = _only_planned.set(True)
    try:
        plan = complete_plan(graph)
        arena = aligned_memory(plan.arena_bytes)
        memories = {ARENA: arena, STATE: aligned_memory(plan.state_bytes)}
        for node, entry in plan.kernels.items():
            if bodies_of(node.op) and not entry.wants_scratch:  # else bound for that already
                near = (*node.inputs, *node.outputs)
                arrays = {tensor: _array_of(plan, tensor, memories, {}) for tensor in near}
                bound_node(plan, node, arrays, arena)
    finally:
        _only_planned.reset(token)
    return plan


_only_planned: ContextVar[bool] = ContextVar("asg_only_planned", default=False)
_around: ContextVar[Inside | None] = ContextVar("asg_inside", default=None)


def only_planning() -> bool:
    """True inside `plan_only`: nothing that is bound now will ever run."""
    return _only_planned.get()


def bind_inside(graph: Graph, outside: Mapping[Tensor, Array]) -> Program:
    """`bind` for kernels: the program runs inside their node, and is part of the plan around it.

    ``outside`` holds C-contiguous arrays of values that do not lie in memory of the program:
    inputs, and values that kernels compute and that own their memory.
    """
    plan = plan_inside(graph, outside, inputs_as_given=True)
    program = bind_plan(plan, aligned_memory(plan.arena_bytes), outside)
    around = _around.get()
    if around is not None:
        around.plans.append(program.plan)
    return program


def plan_inside(
    graph: Graph, outside: Iterable[Tensor] = (), inputs_as_given: bool = False
) -> Plan:
    """`complete_plan` for kernels that bind programs; as an earlier run told it, where it did."""
    around = _around.get()
    told = None if around is None else next(around.told, None)
    if told is None:
        return complete_plan(graph, True, outside, inputs_as_given)
    return plan_from_json(told, graph)


def nested_memory(plan: Plan, scratch: Scratch) -> Array:
    """The arena of a program that runs inside a node, as scratch memory of that node."""
    around = _around.get()
    if around is not None:
        around.nested.append(plan)
    return scratch((max(plan.arena_bytes, 1),), np.uint8)


def held_array(shape: Sequence[int], dtype: Any) -> Array:
    """Memory that a kernel keeps for itself from step to step; it is part of the plan as well."""
    array = reserved_array(shape, dtype) if _only_planned.get() else np.empty(shape, dtype)
    around = _around.get()
    if around is not None:
        around.nbytes += array.nbytes
    return array


class _inside:  # noqa: N801 - a `with` of a class, since it is entered for every call of a block
    """Note in ``plan`` the memory that the kernel of ``node`` takes meanwhile."""

    __slots__ = ("_found", "_node", "_plan", "_token")

    def __init__(self, plan: Plan, node: Node) -> None:
        self._plan, self._node = plan, node
        self._found = Inside(told=iter(plan.told.get(node, ())))

    def __enter__(self) -> None:
        self._token = _around.set(self._found)

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        _around.reset(self._token)
        found = self._found
        if failure is None and (found.plans or found.nbytes or found.nested):
            self._plan.inside[self._node] = found


def aligned_memory(nbytes: int) -> Array:
    """Uninitialised bytes that start at a multiple of `ALIGNMENT`, one at least."""
    if _only_planned.get():
        return reserved_memory(nbytes + 1)
    raw = np.empty(nbytes + 2 * ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + nbytes + 1]


def _array_of(
    plan: Plan, tensor: Tensor, memories: Mapping[str, Array], outside: Mapping[Tensor, Array]
) -> Array:
    layout = plan.layouts[tensor]
    if layout.constant is not None:
        return layout.constant
    storage = plan.storages[layout.owner]
    memory = outside[layout.owner] if storage.memory == OUTSIDE else memories[storage.memory]
    return layout.over(memory, storage.offset)


def bound_node(plan: Plan, node: Node, arrays: Mapping[Tensor, Array], arena: Array) -> list[Call]:
    """The calls of a node over these arrays."""
    scratch = _ReservedScratch(arena, plan.scratch.get(node, ()))
    with _inside(plan, node):
        return _calls(node, plan.kernels[node], arrays, scratch)


def _calls(
    node: Node, entry: Kernel, arrays: Mapping[Tensor, Array], scratch: Scratch
) -> list[Call]:
    inputs = [arrays[tensor] for tensor in node.inputs]
    outputs = [arrays[tensor] for tensor in node.outputs]
    order = memory_order(outputs[0]) if entry.order == "elementwise" else None
    if order is not None:
        inputs, outputs = ([in_memory_order(x, order) for x in each] for each in (inputs, outputs))
    return entry.bind(node.op, inputs, outputs, scratch)


def _finish(plan: Plan, arrays: dict[Tensor, Array], arena: Array) -> list[Call]:
    """First every detour, then every copy, so that no copy reads what another has written."""
    detours: list[Call] = []
    copies: list[Call] = []
    for position, source, through in plan.copies:
        array = arrays[source]
        if through is not None:
            passing = np.ndarray(array.shape, array.dtype, arena, through.offset)
            detours.append((np.copyto, (passing, array)))
            array = passing
        copies.append((np.copyto, (arrays[plan.graph.inputs[position]], array)))
    return detours + copies


# -- scratch ----------------------------------------------------------------------------------


def reserved_array(shape: Sequence[int], dtype: Any, /) -> Array:
    """An array that nobody touches."""
    dtype = np.dtype(dtype)
    return np.ndarray(tuple(shape), dtype, reserved_memory(prod(shape) * dtype.itemsize + 1))


@dataclass(eq=False, slots=True)
class _RecordedScratch:
    """Notes the sizes a kernel asks for."""

    sizes: list[int] = field(default_factory=list)

    def __call__(self, shape: Sequence[int], dtype: Any, /) -> Array:
        array = reserved_array(shape, dtype)
        self.sizes.append(array.nbytes)
        return array


@dataclass(eq=False, slots=True)
class _ReservedScratch:
    """Hands out what was reserved, in the order it was asked for."""

    memory: Array
    reserved: Sequence[Storage]
    used: int = 0

    def __call__(self, shape: Sequence[int], dtype: Any, /) -> Array:
        nbytes = prod(shape) * np.dtype(dtype).itemsize
        if self.used < len(self.reserved) and self.reserved[self.used].nbytes >= nbytes:
            storage = self.reserved[self.used]
            self.used += 1
            return np.ndarray(tuple(shape), dtype, self.memory, storage.offset)
        # Asked for more than on the prototypes: memory of its own is always right.
        return np.empty(shape, dtype)


def is_only_asked(scratch: Scratch) -> bool:
    """Whether a kernel is bound for its requests alone: the calls are thrown away."""
    return isinstance(scratch, _RecordedScratch)


def _scratch_requests(plan: Plan) -> dict[Node, Sequence[int]]:
    requests: dict[Node, Sequence[int]] = {}
    asking = {node: entry for node, entry in plan.kernels.items() if entry.wants_scratch}
    prototypes = prototype_memory(plan.graph)
    for node, entry in asking.items():
        near = (*node.inputs, *node.outputs)
        arrays = {tensor: plan.layouts[tensor].over(prototypes, 0) for tensor in near}
        recorded = _RecordedScratch()
        with _inside(plan, node):
            _calls(node, entry, arrays, recorded)
        if recorded.sizes:
            requests[node] = tuple(recorded.sizes)
    return requests
