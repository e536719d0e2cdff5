"""fuse: elementwise nodes over large values become one op, which needs one pass over memory.

A level is the number of groups that a path to a node has left. Nodes of one shape and one level
can be computed together: a path from one of them to another through anything else would have left
the group, and so would lead to a higher level.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import Body, body_input, map_bodies
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.fused import Fused
from asg.ops.leaf import Constant, Full
from asg.ops.reduce import Max, Min, Sum
from asg.passes.recompute import computed_again
from asg.rewrite.rule import RuleHit
from asg.rewrite.watch import first_allowed, note_values

Groups = list[list[Node]]

MOST_KEPT = 4096
"""Elements that a reduction over other than the last axes may leave: each block has as many."""


@dataclass(frozen=True)
class Fuse:
    """Puts neighbouring elementwise nodes into `Fused` ops, and reductions of their results.

    Attributes:
        smallest: elements a value must have; below that nothing is gained.
    """

    smallest: int
    name: str = "fuse"

    def __call__(self, graph: Graph, log: list[RuleHit]) -> Graph:
        """The graph with every group of two nodes or more in one op; loops are entered."""
        graph = map_bodies(
            graph, lambda body: self(body, log), lambda op: not isinstance(op, Fused)
        )
        groups = [*first_allowed(find_groups(graph, self.smallest))]
        return _contracted(graph, groups, log) if groups else graph


# -- which nodes ------------------------------------------------------------------------------


def find_groups(graph: Graph, smallest: int) -> Groups:
    """The nodes of each op to be made, in order; groups of one are left out."""
    shapes = _work_shapes(graph, smallest)
    if len(shapes) < 2:
        return []
    levels = _levels(graph, shapes)
    _sink(graph, shapes, levels)
    return [group for group in _components(shapes, levels) if len(group) > 1]


def _work_shapes(graph: Graph, smallest: int) -> dict[Node, Shape]:
    """The shape of the elements that each node could be computed block by block with."""
    shapes: dict[Node, Shape] = {}
    for node in graph.nodes:
        if node.op.broadcasts and len(node.outputs) == 1:
            size = node.output.type.size
            if isinstance(size, int) and size >= smallest:
                shapes[node] = node.output.shape
        elif node.inputs and _is_element(node.inputs[0], shapes) and _may_reduce(node):
            shapes[node] = node.inputs[0].shape
    return shapes


def _may_reduce(node: Node) -> bool:
    """A sum or an extreme over the last axes, or one that leaves little."""
    if not isinstance(node.op, Sum | Max | Min) or not node.op.axis:
        return False
    x = node.inputs[0]
    if x.dtype.is_float and x.dtype.itemsize == 2:
        return False  # is summed in float32 and rounded once
    last = node.op.axis == tuple(range(x.ndim - len(node.op.axis), x.ndim))
    size = node.output.type.size
    return last or (isinstance(size, int) and size <= MOST_KEPT)


def _is_element(tensor: Tensor, shapes: dict[Node, Shape]) -> bool:
    """True for a value that has an element for each one of its group's."""
    return tensor.node in shapes and tensor.node.op.broadcasts


def _joined(tensor: Tensor, node: Node, shapes: dict[Node, Shape]) -> bool:
    """True when ``node`` can read the operand inside of one group with what makes it."""
    return node in shapes and _is_element(tensor, shapes) and shapes[tensor.node] == shapes[node]


def _levels(graph: Graph, shapes: dict[Node, Shape]) -> dict[Node, int]:
    levels: dict[Node, int] = {}
    for node in graph.nodes:
        level = 0
        for tensor in node.inputs:
            leaves = tensor.node in shapes and not _joined(tensor, node, shapes)
            level = max(level, levels[tensor.node] + leaves)
        levels[node] = level
    return levels


def _sink(graph: Graph, shapes: dict[Node, Shape], levels: dict[Node, int]) -> None:
    """Move nodes to the level of all their users, where that keeps no more memory alive.

    What an optimizer makes of its state alone, say, goes to what it makes of the gradient.
    """
    returned = set(graph.outputs)
    for node in reversed(shapes):
        output = node.outputs[0]
        users = [user for user, _ in graph.users.get(output, ())]
        if output in returned or not users or not _keeps_little(node):
            continue
        if all(_joined(output, user, shapes) for user in users):
            lowest = min(levels[user] for user in users)
            if all(levels[user] == lowest for user in users):
                levels[node] = lowest


def _keeps_little(node: Node) -> bool:
    """True when the operands that have to live longer are not larger than the output."""
    kept = {tensor for tensor in node.inputs if not tensor.node.op.is_placeholder}
    return sum(_nbytes(tensor) for tensor in kept) <= _nbytes(node.outputs[0])


def _nbytes(tensor: Tensor) -> int:
    size = tensor.type.size
    assert isinstance(size, int), f"{tensor.type} is symbolic; specialise the graph first"
    return size * tensor.dtype.itemsize


def _components(shapes: dict[Node, Shape], levels: dict[Node, int]) -> Iterable[list[Node]]:
    """Nodes of one shape and level that are joined, or read the same value of that shape."""
    parents: dict[Node, Node] = {node: node for node in shapes}
    readers: dict[tuple[Tensor, int], Node] = {}
    for node, shape in shapes.items():
        for tensor in node.inputs:
            if tensor.shape != shape:
                continue
            other = readers.setdefault((tensor, levels[node]), node)
            _unite(parents, node, other)
            if _joined(tensor, node, shapes) and levels[tensor.node] == levels[node]:
                _unite(parents, node, tensor.node)
    found: dict[Node, list[Node]] = defaultdict(list)
    for node in shapes:
        found[_root(parents, node)].append(node)
    return found.values()


def _root(parents: dict[Node, Node], node: Node) -> Node:
    while parents[node] is not node:
        parents[node] = node = parents[parents[node]]
    return node


def _unite(parents: dict[Node, Node], one: Node, other: Node) -> None:
    parents[_root(parents, one)] = _root(parents, other)


# -- the new graph ----------------------------------------------------------------------------


def _contracted(graph: Graph, groups: Groups, log: list[RuleHit]) -> Graph:
    """The graph with an op for each group.

    Nodes that come after one are made anew as well, since their order is that of creation.
    """
    works = {id(work.group): work for work in _works(graph, groups)}
    mapped: dict[Tensor, Tensor] = {}  # only what is made anew
    made: dict[int, dict[Tensor, Tensor]] = {}
    changed = False
    for unit in _in_order(graph, groups):
        if id(unit) in works:
            changed = True
            made[id(unit)] = _fused(works[id(unit)], mapped, log)
            mapped |= made[id(unit)]
        elif changed and unit[0].inputs:
            node = unit[0]
            kept = node.with_inputs(tuple([mapped.get(tensor, tensor) for tensor in node.inputs]))
            mapped |= zip(node.outputs, kept.outputs, strict=True)
    for group in groups:  # the order in which they are counted
        last = group[-1].outputs[0]
        values = made[id(group)] or {last: last}  # nothing: all readers compute it again
        note_values("fuse", [*values], [*values.values()], "reassociating")
    return graph.with_outputs([mapped.get(tensor, tensor) for tensor in graph.outputs])


def _in_order(graph: Graph, groups: Groups) -> Iterator[list[Node]]:
    """Groups and single nodes, operands first, otherwise by their first node.

    What nobody reads but the caller, such as the update of a variable, comes as soon as it can, so
    that its operands are not kept; so do single numbers, which updates wait for.
    """
    unit_of: dict[Node, list[Node]] = {node: group for group in groups for node in group}
    units: list[list[Node]] = []
    places: dict[Node, int] = {}
    for node in graph.nodes:
        if node not in places:
            unit = unit_of.get(node, [node])
            places |= dict.fromkeys(unit, len(units))
            units.append(unit)
    waiting = [0] * len(units)
    users: list[list[int]] = [[] for _ in units]
    for node, place in places.items():
        for tensor in node.inputs:
            operand = places[tensor.node]
            if operand != place:
                waiting[place] += 1
                users[operand].append(place)
    ready = [(-1, False, number) for number, count in enumerate(waiting) if not count]
    while ready:
        now, _, number = heappop(ready)
        yield units[number]
        for user in users[number]:
            waiting[user] -= 1
            if not waiting[user]:
                soon = not users[user] or all([t.type.size == 1 for t in units[user][0].outputs])
                heappush(ready, (max(now, 0) if soon else user, soon, user))


@dataclass(frozen=True, eq=False)
class _Work:
    """What an op is to do.

    Attributes:
        group: the nodes it stands for.
        nodes: those it computes, in order; some may be of other groups.
        results: what is read of it.
    """

    group: list[Node]
    nodes: list[Node]
    results: list[Tensor]


def _works(graph: Graph, groups: Groups) -> Iterator[_Work]:
    again = computed_again(graph, groups)
    place_of = {node: place for place, group in enumerate(groups) for node in group}
    order = {node: number for number, node in enumerate(graph.nodes)}
    returned = set(graph.outputs)
    for place, group in enumerate(groups):
        results = []
        for output in (node.outputs[0] for node in group):
            readers = {place_of.get(user, -1) for user, _ in graph.users.get(output, ())}
            outside = (each for each in readers if each != place)
            if output in returned or any(r < 0 or output.node not in again[r] for r in outside):
                results.append(output)
        candidates = sorted((*group, *again[place]), key=order.__getitem__)
        yield _Work(group, _needed(candidates, results), results)


def _needed(nodes: Sequence[Node], results: Sequence[Tensor]) -> list[Node]:
    """The nodes that results depend on; in order, as they are given."""
    needed = set(results)
    kept = []
    for node in reversed(nodes):
        if node.outputs[0] in needed:
            needed.update(node.inputs)
            kept.append(node)
    return kept[::-1]


def _fused(work: _Work, mapped: dict[Tensor, Tensor], log: list[RuleHit]) -> dict[Tensor, Tensor]:
    """What stands for the results."""
    if not work.results:  # all readers compute them themselves
        return {}
    operands = _operands(work.nodes)
    leaves = [body_input(f"x{i}", tensor.type) for i, tensor in enumerate(operands)]
    body_values: dict[Tensor, Tensor] = dict(zip(operands, leaves, strict=True))
    for node in work.nodes:
        inputs = tuple(body_values.get(tensor, tensor) for tensor in node.inputs)
        body_values[node.outputs[0]] = node.with_inputs(inputs).outputs[0]
    names = [f"y{i}" for i in range(len(work.results))]
    outputs = [body_values[tensor] for tensor in work.results]
    body = Body.of(leaves, outputs, names, (), "fused", None, ())
    sources, last = tuple(node.lineage for node in work.nodes), work.group[-1]
    with derive("pass", "fuse", sources, last.origin):
        made = Fused(body).apply(*[mapped.get(tensor, tensor) for tensor in operands])
    log.append(RuleHit("fuse", last.serial, (made[0].node.serial,)))
    return dict(zip(work.results, made, strict=True))


def _operands(nodes: Sequence[Node]) -> list[Tensor]:
    """What the nodes read of others, once; numbers belong into the body."""
    inside = {node.outputs[0] for node in nodes}
    read = {tensor: None for node in nodes for tensor in node.inputs if tensor not in inside}
    return [tensor for tensor in read if not _is_number(tensor)]


def _is_number(tensor: Tensor) -> bool:
    return isinstance(tensor.node.op, Constant | Full) and tensor.type.size == 1
