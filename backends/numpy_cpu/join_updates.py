"""join_updates: equal elementwise formulas over many small values become one over all of them.

An optimizer computes the same of every parameter, and for small ones the calls of NumPy cost more
than the numbers. The operands are concatenated, which costs nothing where they can be computed, or
kept, in one piece of memory (gather.py); the results are parts of one result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.tensor import Tensor
from asg.ops.join import Concat
from asg.ops.shape import Reshape
from asg.ops.slicing import Slice
from asg.passes.merge_equal import op_key
from asg.rewrite.rule import Numerics, RuleHit
from asg.rewrite.watch import first_allowed, note_values

LARGEST = 1 << 14
"""Elements. Of larger values the numbers take longer than the calls, and gradients, which have to
stay until all of them are there, take memory."""

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class JoinUpdates:
    """Finds formulas whose results nothing but the caller, or the next step, reads.

    Attributes:
        largest: elements of the values that are joined.
    """

    largest: int = LARGEST
    name: str = "join_updates"
    numerics: Numerics = "exact"

    def __call__(self, graph: Graph, log: list[RuleHit]) -> Graph:
        """The graph with one formula in place of each family of equal ones."""
        families: dict[Hashable, list[_Formula]] = defaultdict(list)
        for formula in _formulas(graph, self.largest):
            families[formula.key].append(formula)
        mapped: dict[Tensor, Tensor] = {}
        for family in first_allowed([each for each in families.values() if len(each) > 1]):
            joined = _joined(family)
            note_values(self.name, [*joined], [*joined.values()])
            mapped |= joined
            made = mapped[family[0].outputs[0]].node.serial
            log.append(RuleHit(self.name, family[0].nodes[-1].serial, (made,)))
        if not mapped:
            return graph
        return graph.with_outputs([mapped.get(tensor, tensor) for tensor in graph.outputs])


@dataclass(eq=False)
class _Formula:
    """Connected elementwise nodes of one shape, in an order that equal formulas have alike.

    Attributes:
        operands: what the nodes read of others, in order.
        outputs: what is returned, in the order of the graph.
        key: equal for formulas that compute the same of operands of the same kinds.
    """

    outputs: list[Tensor]
    nodes: list[Node] = field(default_factory=list)
    operands: list[Tensor] = field(default_factory=list)
    key: Hashable = None


# -- finding formulas ---------------------------------------------------------------------------


def _formulas(graph: Graph, largest: int) -> Iterator[_Formula]:
    members = _last_nodes(graph, largest)
    parents = {node: node for node in members}
    for node in members:
        for tensor in node.inputs:
            if tensor.node in members:
                parents[_root(parents, node)] = _root(parents, tensor.node)
    found: dict[Node, _Formula] = {}
    for tensor in dict.fromkeys(graph.outputs):
        if tensor.node in members:
            found.setdefault(_root(parents, tensor.node), _Formula([])).outputs.append(tensor)
    next_values = _next_values(graph)
    for formula in found.values():
        _complete(formula, members, next_values)
        yield formula


def _last_nodes(graph: Graph, largest: int) -> dict[Node, None]:
    """Elementwise nodes that only others of them, of the same shape, and the caller read."""
    members: dict[Node, None] = {}
    for node in reversed(graph.nodes):
        if not node.op.broadcasts or len(node.outputs) != 1:
            continue
        readers = [user for user, _ in graph.users.get(node.outputs[0], ())]
        if not members.keys() >= set(readers):
            continue
        shape, size = node.output.shape, node.output.type.size
        if not shape or not isinstance(size, int) or not 0 < size <= largest:
            continue
        given = all(_is_operand(tensor, node.output) for tensor in node.inputs)
        if given and all(user.output.shape == shape for user in readers):
            members[node] = None
    return members


def _is_operand(tensor: Tensor, output: Tensor) -> bool:
    return tensor.shape == output.shape or tensor.shape in ((), (1,))


def _next_values(graph: Graph) -> dict[Tensor, Tensor]:
    """The next value of every variable, by its leaf."""
    return {
        graph.inputs[slot.input]: graph.outputs[slot.output]
        for slot in graph.state
        if slot.output is not None
    }


def _root(parents: dict[Node, Node], node: Node) -> Node:
    while parents[node] is not node:
        parents[node] = node = parents[parents[node]]
    return node


def _complete(
    formula: _Formula, members: dict[Node, None], next_values: dict[Tensor, Tensor]
) -> None:
    """Order nodes and operands as the outputs need them, and write the key."""
    numbers: dict[Tensor, int] = {}
    lines: list[Hashable] = []
    for node in _needed(formula.outputs, members):
        for tensor in node.inputs:
            given = tensor.node not in members and tensor.shape == node.output.shape
            if given and tensor not in numbers:
                numbers[tensor] = len(numbers)
                formula.operands.append(tensor)
        places = tuple(numbers.get(tensor, tensor) for tensor in node.inputs)
        lines.append((op_key(node.op), places, node.output.dtype))
        numbers[node.output] = len(numbers)
        formula.nodes.append(node)
    kinds = [_kind(tensor, numbers, next_values) for tensor in formula.operands]
    returned = [numbers[tensor] for tensor in formula.outputs]
    formula.key = (tuple(lines), tuple(kinds), tuple(returned))


def _kind(
    tensor: Tensor, numbers: dict[Tensor, int], next_values: dict[Tensor, Tensor]
) -> Hashable:
    """Variables are joined with variables whose next values are joined as well."""
    leaf = tensor.node.op.is_placeholder
    after = next_values.get(tensor)
    return (tensor.dtype, leaf, None if after is None else numbers.get(after))


def _needed(outputs: Sequence[Tensor], members: dict[Node, None]) -> list[Node]:
    """Operands before users, following the operands of the outputs from left to right."""
    done: dict[Node, None] = {}
    stack = [tensor.node for tensor in reversed(outputs)]
    while stack:
        node = stack[-1]
        waiting = [
            t.node for t in reversed(node.inputs) if t.node in members and t.node not in done
        ]
        if waiting and node not in done:
            stack.extend(waiting)
        else:
            done[stack.pop()] = None
    return list(done)


# -- joining them -------------------------------------------------------------------------------


def _joined(family: Sequence[_Formula]) -> dict[Tensor, Tensor]:
    """For every output of every formula, its part of the joined result."""
    first = family[0]
    values: dict[Tensor, Tensor] = {}
    for place, tensor in enumerate(first.operands):
        with _derived(tensor.node, [formula.operands[place].node for formula in family]):
            values[tensor] = Concat(0)(*[_flat(each.operands[place]) for each in family])
    for place, node in enumerate(first.nodes):
        with _derived(node, [formula.nodes[place] for formula in family]):
            values[node.output] = node.op(*[values.get(tensor, tensor) for tensor in node.inputs])
    parts: dict[Tensor, Tensor] = {}
    for place, tensor in enumerate(first.outputs):
        start = 0
        for formula in family:
            output = formula.outputs[place]
            size = output.type.size
            assert isinstance(size, int)
            with _derived(output.node, [output.node]):
                piece = Slice((start,), (start + size,), (1,))(values[tensor])
                parts[output] = piece if output.ndim == 1 else Reshape(output.shape)(piece)
            start += size
    return parts


def _derived(like: Node, sources: Sequence[Node]) -> AbstractContextManager[None]:
    return derive("pass", "join_updates", tuple(n.lineage for n in sources), like.origin)


def _flat(tensor: Tensor) -> Tensor:
    return tensor if tensor.ndim == 1 else Reshape((tensor.type.size,))(tensor)
