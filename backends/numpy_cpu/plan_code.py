"""Plans as JSON, for the cache of compiled graphs: values and nodes by their number in the graph.

Told is what takes long to decide: where values lie, who shares memory with whom, and at which
offsets. Found again is what the graph and the tables of kernels say at once: kernels, constants and
their views. Plans of what runs inside nodes are told by node, and read when kernels ask for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np

from asg.analysis.liveness import Lifetime
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor

from .kernel import static_shape
from .layout import Layout, Layouts, nbytes_of, resolved_view
from .plan import ARENA, OUTSIDE, STATE, Plan, StateCopy, Storage, kernels_of

Json = Any
_CONSTANT = -1
_NOTHING = np.empty(0, np.uint8)


def plan_to_json(plan: Plan) -> Json:
    """What `plan_from_json` reads; complete once every node of the plan was bound."""
    return _Writer(plan).whole()


def plan_from_json(told: Json, graph: Graph) -> Plan:
    """The plan that was told, for a graph that is equal to the one it was made for.

    Raises:
        ValueError, LookupError, TypeError: it was made for another graph.
    """
    return _Reader(told, graph).plan()


def _values_of(graph: Graph) -> list[Tensor]:
    return [tensor for node in graph.nodes for tensor in node.outputs]


# -- telling ----------------------------------------------------------------------------------


class _Writer:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.numbers = {tensor: i for i, tensor in enumerate(_values_of(plan.graph))}
        self.positions = {node: i for i, node in enumerate(plan.graph.nodes)}
        self.storages: dict[Storage, int] = {}

    def whole(self) -> Json:
        """Tables of storages and of ways to lie in them, and rows of numbers that refer to both."""
        plan = self.plan
        owners, lying, ways = self._layouts()
        owned = [self._owned(tensor) for tensor in plan.storages]
        copies = [self._copy(*copy) for copy in plan.copies]
        return {
            "owners": owners,
            "lying": lying,
            "ways": ways,
            "parts": self._parts(),
            "owned": owned,
            "overwrites": sorted(self.numbers[tensor] for tensor in plan.overwrites),
            "copies": copies,
            "scratch": [self._scratch(*each) for each in plan.scratch.items()],
            "inside": [[self.positions[node], self._inside(node)] for node in plan.inside],
            "storages": [_storage_to_json(storage) for storage in self.storages],
            "bytes": [plan.arena_bytes, plan.state_bytes],
        }

    def _layouts(self) -> tuple[list[int], list[int], list[Json]]:
        """The owner of every value, and the number of the way it lies there."""
        ways: dict[Any, int] = {}
        owners, lying = [], []
        for tensor in self.numbers:
            each = self.plan.layouts[tensor]
            way = (each.whole, each.offset, each.strides, each.placed)
            constant = each.constant is not None
            owners.append(_CONSTANT if constant else self.numbers[each.owner])
            lying.append(_CONSTANT if constant else ways.setdefault(way, len(ways)))
        return owners, lying, list(ways)

    def _parts(self) -> Json:
        found = ((tensor, self.plan.layouts[tensor].parts) for tensor in self.numbers)
        return [
            [self.numbers[whole], [self.numbers[part] for part in parts]]
            for whole, parts in found
            if parts
        ]

    def _storage(self, storage: Storage) -> int:
        return self.storages.setdefault(storage, len(self.storages))

    def _owned(self, tensor: Tensor) -> Json:
        life = self.plan.life[tensor]
        return [self.numbers[tensor], self._storage(self.plan.storages[tensor]), *life]

    def _copy(self, position: int, source: Tensor, through: Storage | None) -> Json:
        return [
            position, self.numbers[source], None if through is None else self._storage(through)
        ]  # fmt: skip

    def _scratch(self, node: Node, storages: Iterable[Storage]) -> Json:
        return [self.positions[node], [self._storage(each) for each in storages]]

    def _inside(self, node: Node) -> Json:
        inside = self.plan.inside[node]
        return [plan_to_json(plan) for plan in dict.fromkeys([*inside.plans, *inside.nested])]


def _storage_to_json(storage: Storage) -> Json:
    return [
        storage.memory, storage.nbytes, storage.first, storage.last, storage.reserved,
        storage.offset,
    ]  # fmt: skip


# -- reading ----------------------------------------------------------------------------------


class _Reader:
    def __init__(self, told: Json, graph: Graph) -> None:
        self.told, self.graph = told, graph
        self.values = _values_of(graph)
        self.storages = [_storage_from_json(*each) for each in told["storages"]]

    def plan(self) -> Plan:
        """The plan; see `plan_from_json`."""
        told, values, nodes = self.told, self.values, self.graph.nodes
        layouts = self._layouts()
        arena_bytes, state_bytes = told["bytes"]
        plan = Plan(
            self.graph, layouts, kernels_of(self.graph, layouts),
            {values[number]: Lifetime(first, last) for number, _, first, last in told["owned"]},
            self.graph.state,
            overwrites={values[number] for number in told["overwrites"]},
            copies=[self._copy(*each) for each in told["copies"]],
            scratch={nodes[i]: [self.storages[s] for s in each] for i, each in told["scratch"]},
            told={nodes[i]: plans for i, plans in told["inside"]},
            arena_bytes=arena_bytes, state_bytes=state_bytes,
        )  # fmt: skip
        plan.storages = {values[n]: self.storages[s] for n, s, *_ in told["owned"]}
        _check_sizes(plan)
        return plan

    def _layouts(self) -> Layouts:
        ways = [
            partial(_lying, bool(whole), offset, tuple(strides), bool(placed))
            for whole, offset, strides, placed in self.told["ways"]
        ]
        values, layouts = self.values, Layouts()
        rows = zip(values, self.told["owners"], self.told["lying"], strict=True)
        for tensor, owner, way in rows:
            if way == _CONSTANT:
                layouts[tensor] = _constant(tensor.node, layouts)
            else:
                layouts[tensor] = ways[way](tensor, values[owner])
        for whole, parts in self.told["parts"]:
            found = tuple([values[part] for part in parts])
            layouts[values[whole]] = layouts[values[whole]]._replace(parts=found)
        return layouts

    def _copy(self, position: int, source: int, through: int | None) -> StateCopy:
        passing = None if through is None else self.storages[through]
        return StateCopy(position, self.values[source], passing)


def _lying(
    whole: bool, offset: int, strides: tuple[int, ...], placed: bool, tensor: Tensor, owner: Tensor
) -> Layout:
    of = tensor.type
    shape = static_shape(of.shape)
    if len(shape) != len(strides):
        raise ValueError(f"{of} is told to have {len(strides)} axes")
    return Layout(owner, whole, offset, shape, strides, of.dtype.numpy, None, placed)


def _constant(node: Node, layouts: Layouts) -> Layout:
    """Of a constant, or of a view of one."""
    found = resolved_view(node, layouts, _NOTHING, 0)
    if found is None or found.constant is None:
        raise ValueError(f"{node.op} is told to be constant")
    return found


def _storage_from_json(
    memory: str, nbytes: int, first: int, last: int, reserved: int | None, offset: int
) -> Storage:
    if memory not in (ARENA, STATE, OUTSIDE):
        raise ValueError(f"no memory is called {memory!r}")
    return Storage(memory, nbytes, first, last, reserved, offset)


def _check_sizes(plan: Plan) -> None:
    """The least that must hold for no value to be written outside of its memory."""
    limits = {ARENA: plan.arena_bytes, STATE: plan.state_bytes}
    for tensor, storage in plan.storages.items():
        end = storage.offset + storage.nbytes
        inside = storage.offset >= 0 and end <= limits.get(storage.memory, end)
        if storage.nbytes != nbytes_of(tensor) or not inside:
            raise ValueError(f"{tensor.type} is told to take {storage.nbytes} bytes")
