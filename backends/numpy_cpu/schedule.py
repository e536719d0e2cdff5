"""schedule: another order of the nodes where it lowers the peak of memory.

Nodes come in the order in which they were made. The gradient by a weight, say, waits behind that of
the layer below, though it is the last to read an activation and would free it. Here a node that
frees as much as it takes comes as soon as its operands are there; the others keep their order. The
new order is taken where its peak is clearly lower.

What memory an order needs is estimated first: views own nothing, next values of variables are
written into those, and a kernel that may overwrite an operand of the size of its result does so.
Where that promises something, both orders are planned. The estimate leaves out what has the sizes
of a variable: the order is then that of any batch, and a plan of one has formulas for the others.
Only where that gains nothing, all is counted: a batch of as many examples as a layer is wide, say.

Numerics: exact.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from heapq import heappop, heappush

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.region import Body, map_bodies
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.fused import Fused
from asg.rewrite.watch import may_replace, note_values

from .kernel import KERNELS, VIEWS, static_shape
from .layout import largest_bytes, nbytes_of
from .plan import make_plan

LEAST_BYTES = 1 << 20
"""Of the largest value: where all are smaller, so is what there is to gain."""

COUNTED = 1 << 14
"""Bytes from which on a value counts, beside one of `LEAST_BYTES`."""

PROMISED, CLEARLY = 0.97, 0.95
"""Of the peak before: what the estimate, and then the plan, of the new order must not exceed. An
order that was taken for less would change from size to size, and leave plans without formulas."""


def schedule(graph: Graph) -> Graph:
    """The graph with its nodes in the better order; bodies are entered, but for those of blocks."""
    return _scheduled(graph, {_extent(graph.inputs[slot.input]) for slot in graph.state})


def _extent(tensor: Tensor) -> Shape:
    """The sizes but for their order: that of a gradient is not always that of its variable."""
    return tuple(sorted(size for size in static_shape(tensor.shape) if size != 1))


def _scheduled(graph: Graph, lasting: Collection[Shape]) -> Graph:
    """``lasting``: the extents of variables."""
    graph = map_bodies(graph, lambda body: _scheduled(body, lasting), _is_entered)
    if not _has_large_values(graph) or not may_replace():
        return graph
    promising = dict.fromkeys(_promising(graph, lasting))
    before = _arena_bytes(graph) if promising else 0
    for order in promising:
        other = _in_order(graph, order)
        if _arena_bytes(other) <= CLEARLY * before:
            note_values("schedule", graph.outputs, other.outputs)
            return other
    return graph


def _promising(graph: Graph, lasting: Collection[Shape]) -> Iterator[tuple[int, ...]]:
    """Orders that seem to take less memory than that of the graph."""
    for left_out in (lasting, ()):
        needs = _Needs(graph, left_out)
        order = tuple(_freeing_first(needs))
        if needs.peak(order) <= PROMISED * needs.peak(range(len(order))):
            yield order


def _is_entered(op: Op) -> bool:
    return not isinstance(op, Fused)


def _arena_bytes(graph: Graph) -> int:
    """What is planned, but for what kernels ask for; operands and results of a body lie outside."""
    outside = (*graph.inputs, *graph.outputs) if isinstance(graph, Body) else ()
    return make_plan(graph, outside=outside).arena_bytes


def _has_large_values(graph: Graph) -> bool:
    """Not where sizes are still open: in loops of run-time length."""
    static = all(tensor.type.is_static for node in graph.nodes for tensor in node.outputs)
    return static and largest_bytes(graph) >= LEAST_BYTES


def _in_order(graph: Graph, order: Iterable[int]) -> Graph:
    """All nodes made anew, since their order is that of creation."""
    mapped: dict[Tensor, Tensor] = {}
    for place in order:
        node = graph.nodes[place]
        if not node.op.is_placeholder:
            made = node.with_inputs(tuple([mapped.get(tensor, tensor) for tensor in node.inputs]))
            mapped |= zip(node.outputs, made.outputs, strict=True)
    return graph.with_outputs([mapped.get(tensor, tensor) for tensor in graph.outputs])


class _Needs:
    """What every node takes and frees, by its place in the graph.

    Attributes:
        nodes: of the graph.
        sizes: bytes of every value that has memory of its own, by number; none for what has those
            of a variable.
        makes: the numbers of the values that a node makes.
        reads: those that it reads, itself or through views.
        readers: how many nodes read a value; more for what the caller gets.
    """

    def __init__(self, graph: Graph, lasting: Collection[Shape] = ()) -> None:
        self.nodes = graph.nodes
        self._lasting = lasting
        self.sizes: list[int] = []
        self.makes: list[list[int]] = []
        self.reads: list[list[int]] = []
        self.readers: list[int] = []
        stored = {graph.outputs[slot.output] for slot in graph.state if slot.output is not None}
        numbers: dict[Tensor, int] = {}
        for node in graph.nodes:
            self._add(node, numbers, stored)
        for number in {numbers[tensor] for tensor in graph.outputs if tensor in numbers}:
            self.readers[number] += 2  # and so never the last one

    def _add(self, node: Node, numbers: dict[Tensor, int], stored: set[Tensor]) -> None:
        read = list(dict.fromkeys([numbers[t] for t in node.inputs if t in numbers]))
        for number in read:
            self.readers[number] += 1
        self.reads.append(read)
        self.makes.append([])
        if type(node.op) in VIEWS and node.inputs and node.inputs[0] in numbers:
            numbers[node.outputs[0]] = numbers[node.inputs[0]]
        elif node.inputs and type(node.op) not in VIEWS:
            for tensor in node.outputs:
                numbers[tensor] = len(self.sizes)
                self.makes[-1].append(len(self.sizes))
                nbytes = nbytes_of(tensor)
                free = tensor in stored or nbytes < COUNTED or _extent(tensor) in self._lasting
                self.sizes.append(0 if free else nbytes)
                self.readers.append(0)

    def taken(self, place: int) -> int:
        """The bytes that a node makes."""
        return sum([self.sizes[number] for number in self.makes[place]])

    def peak(self, order: Iterable[int]) -> int:
        """The most bytes that exist at once."""
        left = list(self.readers)
        now = most = 0
        for place in order:
            taken = self.taken(place)
            for number in self.reads[place]:
                left[number] -= 1
            freed = [number for number in self.reads[place] if not left[number]]
            most = max(most, now + taken - self._overwritten(place, freed))
            unread = [number for number in self.makes[place] if not left[number]]
            now += taken - sum([self.sizes[number] for number in (*freed, *unread)])
        return most

    def _overwritten(self, place: int, freed: Sequence[int]) -> int:
        """The bytes of an operand that is over here, and that the result can be written over."""
        entry = KERNELS.get(type(self.nodes[place].op))
        made = [self.sizes[number] for number in self.makes[place]]
        if entry is None or not entry.inplace:
            return 0
        return max((self.sizes[n] for n in freed if self.sizes[n] in made), default=0)


def _freeing_first(needs: _Needs) -> Iterator[int]:
    """Places in an order in which operands come before users."""
    nodes = needs.nodes
    places = {node: place for place, node in enumerate(nodes)}
    waiting = [len({tensor.node for tensor in node.inputs}) for node in nodes]
    users: list[list[int]] = [[] for _ in nodes]
    for place, node in enumerate(nodes):
        for operand in {tensor.node for tensor in node.inputs}:
            users[places[operand]].append(place)
    ready = _Ready(needs)
    for place, count in enumerate(waiting):
        if not count:
            ready.add(place)
    while (now := ready.pop()) is not None:
        yield now
        for user in users[now]:
            waiting[user] -= 1
            if not waiting[user]:
                ready.add(user)


class _Ready:
    """The nodes that may come next, those that free as much as they take first."""

    def __init__(self, needs: _Needs) -> None:
        count = len(needs.nodes)
        self._needs = needs
        self._growth = [needs.taken(place) for place in range(count)]
        self._left = list(needs.readers)
        self._sum = [0] * len(needs.sizes)  # of the places of the readers that are left
        for place, read in enumerate(needs.reads):
            for number in read:
                self._sum[number] += place
        for number in range(len(needs.sizes)):
            self._look_for_last(number)
        self._is_ready = [False] * count
        self._is_done = [False] * count
        self._freeing: list[int] = []
        self._others: list[int] = []

    def add(self, place: int) -> None:
        """Its operands are there."""
        self._is_ready[place] = True
        heappush(self._freeing if self._growth[place] <= 0 else self._others, place)

    def pop(self) -> int | None:
        """The next one, which runs now."""
        for heap in (self._freeing, self._others):
            while heap:
                place = heappop(heap)
                if not self._is_done[place]:  # one that came to free something is in both
                    self._run(place)
                    return place
        return None

    def _run(self, place: int) -> None:
        self._is_done[place] = True
        for number in self._needs.reads[place]:
            self._left[number] -= 1
            self._sum[number] -= place
            last = self._look_for_last(number)
            if last is not None and self._is_ready[last] and self._growth[last] <= 0:
                heappush(self._freeing, last)

    def _look_for_last(self, number: int) -> int | None:
        """The only node left that reads a value, which is over with it."""
        if self._left[number] != 1:
            return None
        last = self._sum[number]
        self._growth[last] -= self._needs.sizes[number]
        return last
