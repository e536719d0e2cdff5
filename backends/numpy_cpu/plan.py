"""The buffer plan: which storage every value owns, and where the storage lies.

Decided in this order, everything by exact liveness over ``graph.nodes``:

1. views share the memory of their owner and extend its life (layout.py), and what is concatenated
   lies in the memory of the result (gather.py);
2. the next value of a variable is written straight into the variable's own memory, when every
   reader of the old value is done by then;
3. an output overwrites an operand that dies there, when the kernel allows it;
4. what remains is placed in one arena (asg/analysis/memory.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from asg.analysis.liveness import BEFORE, Lifetime, lifetimes
from asg.analysis.memory import (
    Block,
    MemoryPlan,
    Place,
    aligned,
    peak_live_bytes,
    place_blocks,
)
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor

from .gather import gather
from .kernel import Array, Kernel
from .layout import Layouts, kernel_of, nbytes_of, resolve_layouts

ARENA, STATE, CONSTANT, OUTSIDE = "arena", "state", "constant", "outside"


@dataclass(eq=False, slots=True)
class Storage:
    """A piece of memory that one owner after the other occupies.

    Attributes:
        memory: `ARENA`, `STATE`, or `OUTSIDE`: an array that whoever binds the plan provides.
        first: when its first occupant appears.
        last: when its last occupant is last read.
        reserved: of a variable, the position at which its next value is written into it.
        offset: bytes from the start of its memory, once placed.
    """

    memory: str
    nbytes: int
    first: int
    last: int
    reserved: int | None = None
    offset: int = 0


class StateCopy(NamedTuple):
    """At the end of a step, the value ``source`` is copied to the variable at an input position.

    With ``through`` the copy goes by way of memory of its own, because another copy may
    overwrite the source first.
    """

    position: int
    source: Tensor
    through: Storage | None


@dataclass(eq=False, slots=True)
class Inside:
    """What the kernel of a node holds beside the arena: plans of programs, and further bytes;
    and the plans of programs whose arenas it asked for as scratch memory. An earlier run may have
    told these plans, in the order in which they are asked for."""

    plans: list[Plan] = field(default_factory=list)
    nbytes: int = 0
    nested: list[Plan] = field(default_factory=list)
    told: Iterator[Any] = field(default_factory=lambda: iter(()))


@dataclass(eq=False, slots=True)
class Plan:
    """All decisions about memory; bind.py turns them into arrays and calls.

    ``kernels`` holds, in order, the nodes that are computed: no inputs, views or constants;
    ``inside`` what kernels of loops and branches hold besides; ``told`` the plans inside of nodes
    that an earlier run made, where the plan itself was read (plan_code.py).
    """

    graph: Graph
    layouts: Layouts
    kernels: dict[Node, Kernel]
    life: dict[Tensor, Lifetime]
    slots: tuple[StateSlot, ...]
    storages: dict[Tensor, Storage] = field(default_factory=dict)
    overwrites: set[Tensor] = field(default_factory=set)
    copies: list[StateCopy] = field(default_factory=list)
    scratch: dict[Node, list[Storage]] = field(default_factory=dict)
    inside: dict[Node, Inside] = field(default_factory=dict)
    told: dict[Node, list[Any]] = field(default_factory=dict)
    arena_bytes: int = 0
    state_bytes: int = 0

    def _passing(self) -> list[Storage]:
        """What is in the arena but no value: scratch memory and copies."""
        copies = [copy.through for copy in self.copies if copy.through is not None]
        return [*chain(*self.scratch.values()), *copies]

    def _nested(self) -> Iterator[tuple[int, tuple[MemoryPlan, ...]]]:
        """By the moment of a node; shards have one plan in common, which is told once."""
        for node, storages in self.scratch.items():
            plans = self.inside[node].nested if node in self.inside else []
            if plans:
                told = {each: each.summary() for each in dict.fromkeys(plans)}
                yield storages[0].first, tuple(told[each] for each in plans)

    @property
    def end(self) -> int:
        """The time after the last node."""
        return len(self.graph.nodes)

    def owner(self, tensor: Tensor) -> Tensor:
        """The value whose memory ``tensor`` reads."""
        return self.layouts[tensor].owner

    def summary(self) -> MemoryPlan:
        """The plan as tools read it."""
        blocks, passing = self.arena_blocks(), [s.nbytes for s in self._passing()]
        owners = [t for t, storage in self.storages.items() if storage.memory == ARENA]
        held = {slot.input for slot in self.slots}
        feeds = [tensor for i, tensor in enumerate(self.graph.inputs) if i not in held]
        next_values = {slot.output for slot in self.slots}
        results = [t for i, t in enumerate(self.graph.outputs) if i not in next_values]
        return MemoryPlan(
            places={tensor: self._place(tensor) for tensor in self.layouts},
            arena_bytes=self.arena_bytes,
            lower_bound_bytes=peak_live_bytes([Block(aligned(n), life) for n, life in blocks]),
            separate_bytes=sum(map(aligned, [*map(nbytes_of, owners), *passing])),
            state_bytes=self.state_bytes,
            constant_bytes=sum(self._constants().values()),
            feed_bytes=sum(map(nbytes_of, feeds)),
            result_bytes=sum(map(nbytes_of, results)),
            computed=tuple(self.kernels),
            blocks=tuple(blocks),
            inside={
                node: tuple(plan.summary() for plan in inside.plans)
                for node, inside in self.inside.items()
                if inside.plans
            },
            nested=dict(self._nested()),
            held_bytes=sum(inside.nbytes for inside in self.inside.values()),
        )

    def _constants(self) -> dict[int, int]:
        """Bytes of every array that holds constants, those of `inside` included."""
        arrays = [each.constant for each in self.layouts.values() if each.constant is not None]
        found = {id(held): held.nbytes for held in map(_holder, arrays)}
        for plan in (plan for inside in self.inside.values() for plan in inside.plans):
            found |= plan._constants()
        return found

    def _place(self, tensor: Tensor) -> Place:
        layout = self.layouts[tensor]
        start, stop = layout.extent()
        if layout.constant is not None:
            return Place(CONSTANT, 0, stop - start, Lifetime(BEFORE, self.end), "own")
        storage, life = self.storages[layout.owner], self.life[layout.owner]
        sharing = "in place" if tensor in self.overwrites else "own"
        if layout.owner is not tensor:
            sharing = "view"
        return Place(storage.memory, storage.offset + start, stop - start, life, sharing)

    def arena_storages(self) -> list[Storage]:
        """Every storage of the arena, scratch and copies included, once."""
        values = (s for s in self.storages.values() if s.memory == ARENA)
        return list(dict.fromkeys((*values, *self._passing())))

    def arena_blocks(self) -> list[Block]:
        """What `place_blocks` must place, in the order of `arena_storages`."""
        return [Block(s.nbytes, Lifetime(s.first, s.last)) for s in self.arena_storages()]


def _holder(array: Array) -> Array:
    """The array that holds the memory of ``array``: constants repeat elements by strides."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def make_plan(
    graph: Graph,
    reuse: bool = True,
    outside: Iterable[Tensor] = (),
    requests: Callable[[Plan], Mapping[Node, Sequence[int]]] = lambda plan: {},
    inputs_as_given: bool = False,
) -> Plan:
    """Plan a specialised, lowered graph.

    With ``reuse=False`` every value keeps its own memory to the end and states are ordinary
    inputs: the plan for looking at all intermediate values.

    ``requests`` tells, by a plan without places, what memory kernels ask for while their node runs.
    Inputs and outputs ``outside`` lie in arrays that are not planned here, if they can: an output
    that is a view, a constant, an input or another output as well has its place in the arena, and
    so has what does not lie in C order. With ``inputs_as_given`` all inputs do.
    """
    layouts = resolve_layouts(graph, inputs_as_given)
    slots = graph.state if reuse else ()
    outside = tuple(outside)
    if reuse and not outside:  # whoever provides memory for values expects them to lie there
        layouts = gather(graph, layouts, {graph.inputs[slot.input] for slot in slots})
    life = _lives(graph, layouts)
    if not reuse:
        life = {tensor: Lifetime(BEFORE, len(graph.nodes)) for tensor in life}
    plan = Plan(graph, layouts, kernels_of(graph, layouts), life, slots)
    _give_states_memory(plan)
    _leave_outside(plan, outside)
    if reuse:
        _write_states_in_place(plan)
    _give_values_memory(plan, reuse)
    _give_scratch_memory(plan, requests(plan))
    place(plan)
    return plan


def _lives(graph: Graph, layouts: Layouts) -> dict[Tensor, Lifetime]:
    """Of every owner but constants; what is put together exists from its first part on."""
    owners = {tensor: layout.owner for tensor, layout in layouts.items()}
    life = lifetimes(graph, owners)
    life = {t: each for t, each in life.items() if layouts[t].constant is None}
    positions = {node: position for position, node in enumerate(graph.nodes)}
    for whole in [tensor for tensor in life if layouts[tensor].parts]:
        first = min(_moment_of(part.node, positions) for part in layouts[whole].parts)
        life[whole] = life[whole]._replace(first=first)
    return life


def _moment_of(maker: Node, positions: Mapping[Node, int]) -> int:
    return BEFORE if maker.op.is_placeholder else positions[maker]


def kernels_of(graph: Graph, layouts: Layouts) -> dict[Node, Kernel]:
    """Those of the nodes that are computed."""
    return {
        node: kernel_of(node).of(node.op)
        for node in graph.nodes
        if not node.op.is_placeholder and layouts[node.outputs[0]].is_written(node.outputs[0])
    }


def place(plan: Plan) -> None:
    """Give every storage of the arena an offset."""
    placement = place_blocks(plan.arena_blocks())
    for storage, offset in zip(plan.arena_storages(), placement.offsets, strict=True):
        storage.offset = offset
    plan.arena_bytes = placement.nbytes


def _leave_outside(plan: Plan, outside: Iterable[Tensor]) -> None:
    """Nothing else is ever written to such memory: it is there for one value only."""
    for tensor in outside:
        layout = plan.layouts[tensor]
        own = layout.owner is tensor and layout.constant is None and layout.whole
        if own and tensor not in plan.storages:
            plan.storages[tensor] = Storage(OUTSIDE, nbytes_of(tensor), BEFORE, plan.end)


# -- variables --------------------------------------------------------------------------------


def _give_states_memory(plan: Plan) -> None:
    for slot in plan.slots:
        owner = plan.owner(plan.graph.inputs[slot.input])
        if owner in plan.storages:
            continue
        storage = Storage(STATE, nbytes_of(owner), BEFORE, plan.end, offset=plan.state_bytes)
        plan.storages[owner] = storage
        plan.state_bytes += aligned(storage.nbytes)


def _write_states_in_place(plan: Plan) -> None:
    positions = {node: position for position, node in enumerate(plan.graph.nodes)}
    pairs = {
        plan.graph.inputs[slot.input]: plan.graph.outputs[slot.output]
        for slot in plan.slots
        if slot.output is not None
    }
    together = _written_together(plan, pairs)
    straight: set[Tensor] = set()
    for old, new in (*together.items(), *pairs.items()):
        maker = plan.owner(new)
        if plan.owner(old) is old and _may_go_straight(plan, old, new, positions[maker.node]):
            straight.add(old)
            plan.storages[maker] = plan.storages[old]
            plan.storages[old].reserved = positions[maker.node]
            if plan.life[old].last == positions[maker.node]:
                plan.overwrites.add(maker)
    for slot in plan.slots:
        old = plan.graph.inputs[slot.input]
        new = pairs.get(old, old)
        if new is not old and plan.owner(old) not in straight:
            plan.copies.append(StateCopy(slot.input, new, _detour(plan, new)))


def _written_together(plan: Plan, pairs: dict[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    """For memory that several variables share, the value that is the next one of all of them.

    Each has its next value in that value at the place that it has in the memory.
    """
    found: dict[Tensor, Tensor] = {}
    for whole in {plan.owner(old): None for old in pairs}:
        parts = plan.layouts[whole].parts
        after = {plan.owner(pairs.get(part, part)) for part in parts}
        if len(after) == 1 and all(
            _same_place(plan, part, pairs.get(part, part)) for part in parts
        ):
            (value,) = after
            if value is not whole and value.type == whole.type:
                found[whole] = value
    return found


def _same_place(plan: Plan, old: Tensor, new: Tensor) -> bool:
    one, other = plan.layouts[old], plan.layouts[new]
    return (one.offset, one.shape, one.strides) == (other.offset, other.shape, other.strides)


def _may_go_straight(plan: Plan, old: Tensor, new: Tensor, position: int) -> bool:
    layout = plan.layouts[new]
    maker = layout.owner
    if layout.constant is not None or not layout.whole:
        return False
    if maker.node.op.is_placeholder or maker in plan.storages or plan.layouts[maker].parts:
        return False
    last_read = plan.life[old].last
    if last_read == position:
        return _may_overwrite(plan, maker.node, maker, old)
    return last_read < position


def _detour(plan: Plan, new: Tensor) -> Storage | None:
    owner = plan.owner(new)
    if plan.layouts[new].constant is not None or owner not in plan.storages:
        return None
    if not owner.node.op.is_placeholder and not plan.layouts[owner].parts:
        return None
    return Storage(ARENA, nbytes_of(new), plan.end, plan.end)


# -- values -----------------------------------------------------------------------------------


def _give_values_memory(plan: Plan, reuse: bool) -> None:
    for tensor in plan.life:
        if tensor.node.op.is_placeholder and tensor not in plan.storages:
            _give_own_memory(plan, tensor)
    for node in plan.graph.nodes:
        for tensor in _owning_outputs(plan, node):
            victim = _victim(plan, node, tensor) if reuse and node in plan.kernels else None
            if victim is None:
                _give_own_memory(plan, tensor)
            else:
                storage = plan.storages[tensor] = plan.storages[victim]
                storage.last = max(storage.last, plan.life[tensor].last)
                plan.overwrites.add(tensor)


def _owning_outputs(plan: Plan, node: Node) -> Iterator[Tensor]:
    for tensor in node.outputs:
        if tensor in plan.life and tensor not in plan.storages:
            yield tensor


def _give_own_memory(plan: Plan, tensor: Tensor) -> None:
    life = plan.life[tensor]
    plan.storages[tensor] = Storage(ARENA, nbytes_of(tensor), life.first, life.last)


def _victim(plan: Plan, node: Node, output: Tensor) -> Tensor | None:
    """An owner that ``output`` may overwrite: memory of a variable first, it is free anyway."""
    if not plan.kernels[node].inplace:
        return None
    position = plan.life[output].first
    taken = {plan.storages[other] for other in node.outputs if other in plan.storages}
    found: Tensor | None = None
    for operand in node.inputs:
        owner = plan.owner(operand)
        storage = plan.storages.get(owner)
        if storage is None or storage in taken or plan.life[owner].last != position:
            continue
        if not _may_overwrite(plan, node, output, owner):
            continue
        if storage.memory == ARENA:
            found = owner if found is None else found
        elif _ends_before_next_value(plan, output, storage):
            return owner
    return found


def _ends_before_next_value(plan: Plan, output: Tensor, storage: Storage) -> bool:
    """A temporary may use a variable's memory between its old and its next value."""
    if storage.reserved is None:
        return False
    last = plan.life[output].last
    if last != storage.reserved:
        return last < storage.reserved
    writer = plan.graph.nodes[storage.reserved]
    written = [tensor for tensor in writer.outputs if plan.storages.get(tensor) is storage]
    return _may_overwrite(plan, writer, written[0], output)


def _may_overwrite(plan: Plan, node: Node, output: Tensor, owner: Tensor) -> bool:
    """Whether the kernel of ``node`` may write ``output`` over ``owner``, which dies there.

    All operands in that memory must be read exactly as the output is written.
    """
    entry = plan.kernels[node]
    count = len(node.outputs)
    positions = [i for i, tensor in enumerate(node.inputs) if plan.owner(tensor) is owner]
    if not isinstance(entry.inplace, bool) and len(positions) > 1:
        return False
    written, nbytes = plan.layouts[output], nbytes_of(output)
    return nbytes_of(owner) == nbytes and all(
        plan.layouts[node.inputs[i]].same_places(written)
        and node.inputs[i].type == output.type
        and entry.may_overwrite(output.index, i, count)
        for i in positions
    )


def _give_scratch_memory(plan: Plan, requests: Mapping[Node, Sequence[int]]) -> None:
    if not requests:
        return
    positions = {node: position for position, node in enumerate(plan.graph.nodes)}
    for node, sizes in requests.items():
        moment = positions[node]
        plan.scratch[node] = [Storage(ARENA, nbytes, moment, moment) for nbytes in sizes]
