"""move_transposes: elementwise work between transposes is done in the order of axes around them.

``tanh(x^T)^T`` is ``tanh(x)``: neighbouring elementwise nodes of one shape are a group, and a group
computes with permuted axes if that takes fewer transposes around it. Sums and extremes of what it
gives are taken along other axes instead, and products of matrices read a transposed matrix as it
lies. What comes from and goes to everything else is transposed where it was not before, so a group
that gains nothing stays.

Numerics: exact, but for sums, which are reassociating.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.leaf import full
from asg.ops.linalg import Matmul
from asg.ops.reduce import Max, Min, Sum
from asg.ops.shape import ExpandDims, PermuteDims, Reshape, inverse_permutation
from asg.rewrite.pattern import uniform_value
from asg.rewrite.watch import may_replace, note_replacement

MOST_ROUNDS = 8
"""Neighbours of a group that moved may have become one with it, and gain then."""

Axes = tuple[int, ...]
Tensors = tuple[Tensor, ...]


def move_transposes(graph: Graph) -> Graph:
    """The graph with fewer transposes around its elementwise nodes; bodies are entered."""
    graph = map_bodies(graph, move_transposes)
    for _ in range(MOST_ROUNDS):
        orders = _orders(graph)
        if not orders:
            break
        graph = rebuild(graph, _Mover(orders).move)
    return graph


def _orders(graph: Graph) -> dict[Node, Axes]:
    """The order for each node of a group that gains; of two that share a transpose, for one."""
    orders: dict[Node, Axes] = {}
    if not any(isinstance(node.op, PermuteDims) for node in graph.nodes) or not may_replace():
        return orders
    uses = _Uses(graph.users, frozenset(graph.outputs))
    claimed: set[Node] = set()
    for group in _groups(graph):
        order, transposes = group.best_order(uses)
        if order is not None and claimed.isdisjoint(transposes):
            orders |= dict.fromkeys(group.nodes, order)
            claimed |= transposes
    return orders


# -- which groups gain ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Uses:
    """Who reads the values of a graph, and which of them are returned."""

    users: Mapping[Tensor, Sequence[tuple[Node, int]]]
    returned: frozenset[Tensor]

    def of(self, tensor: Tensor) -> list[Node]:
        """The nodes that read a value."""
        return [user for user, _ in self.users.get(tensor, ())]


@dataclass
class _Group:
    """Elementwise nodes of one shape."""

    nodes: set[Node] = field(default_factory=set)

    def best_order(self, uses: _Uses) -> tuple[Axes | None, set[Node]]:
        """The order of axes in which the group needs the fewest transposes; None for its own.

        And the transposes that are read by the group alone or read it.
        """
        shape = next(iter(self.nodes)).output.shape
        given = {t for node in self.nodes for t in node.inputs if t.node not in self.nodes}
        entering = [t for t in given if t.shape == shape and self._is_only_for_us(t, uses)]
        readers = {node: {*uses.of(node.output)} - self.nodes for node in self.nodes}
        leaving = {user for users in readers.values() for user in users if _is_transpose(user)}
        votes = Counter(inverse_permutation(_axes(tensor.node)) for tensor in entering)
        votes.update(_axes(user) for user in leaving)
        around = leaving | {tensor.node for tensor in entering}
        before = len(entering) + sum(_cost(user, _axes(user), uses) for user in leaving)
        if not before:
            return None, around
        order = min(votes, key=lambda axes: (-votes[axes], axes))
        after = sum(_entry_cost(tensor, order, shape) for tensor in given)
        after += sum(_exit_cost(node, users, order, uses) for node, users in readers.items())
        return order if after < before else None, around

    def _is_only_for_us(self, tensor: Tensor, uses: _Uses) -> bool:
        """Whether a transpose is read by the group alone, so that it may fall away."""
        if not _is_transpose(tensor.node) or tensor in uses.returned:
            return False
        return self.nodes.issuperset(uses.of(tensor))


def _groups(graph: Graph) -> Iterable[_Group]:
    """Elementwise nodes of two axes or more, those together that read each other."""
    found: dict[Node, _Group] = {}
    for node in graph.nodes:
        if not node.op.broadcasts or len(node.outputs) != 1 or node.output.ndim < 2:
            continue
        group = _Group({node})
        found[node] = group
        for tensor in node.inputs:
            other = found.get(tensor.node)
            if other is None or other is group or tensor.shape != node.output.shape:
                continue
            small, group = (
                (group, other) if len(group.nodes) < len(other.nodes) else (other, group)
            )
            group.nodes |= small.nodes
            found |= dict.fromkeys(small.nodes, group)
    return {id(group): group for group in found.values()}.values()


def _entry_cost(tensor: Tensor, order: Axes, shape: Shape) -> int:
    """Transposes of a value from outside that the group needs in another order."""
    if uniform_value(tensor) is not None or sum(size != 1 for size in tensor.shape) < 2:
        return 0
    if tensor.shape != shape or not _is_transpose(tensor.node):
        return 1
    return int(not _is_in_order(_composed(_axes(tensor.node), order)))


def _exit_cost(node: Node, readers: Iterable[Node], order: Axes, uses: _Uses) -> int:
    """Transposes that readers outside need of a value which comes in another order."""
    back, cost, is_read = inverse_permutation(order), 0, node.output in uses.returned
    for user in readers:
        if _is_transpose(user):
            cost += _cost(user, _composed(back, _axes(user)), uses)
        elif not _is_product_of(user, back) and _reduced_before(user, back) is None:
            is_read = True
    return cost + is_read


def _cost(transpose: Node, axes: Axes, uses: _Uses) -> int:
    """1 for a transpose by these axes, 0 where there is none, or only products read it."""
    if _is_in_order(axes):
        return 0
    is_read = not all(_is_product_of(user, axes) for user in uses.of(transpose.output))
    return int(is_read or transpose.output in uses.returned)


def _is_product_of(user: Node, axes: Axes) -> bool:
    """Whether a product of matrices reads a value that is transposed like this as it lies."""
    last = len(axes) - 1
    return isinstance(user.op, Matmul) and axes == (*range(last - 1), last, last - 1)


def _reduced_before(user: Node, back: Axes) -> Axes | None:
    """The axes that a reduction takes of a value before that is transposed back."""
    if not isinstance(user.op, Sum | Max | Min):
        return None
    kept = [back[axis] for axis in range(len(back)) if axis not in user.op.axis]
    return tuple(sorted(back[axis] for axis in user.op.axis)) if kept == sorted(kept) else None


# -- moving them ----------------------------------------------------------------------------------


class _Mover:
    """Rebuilds nodes in the order of axes that was chosen for them."""

    def __init__(self, orders: dict[Node, Axes]) -> None:
        self._orders = orders
        self._moved: dict[Tensor, Tensor] = {}  # by the old value
        self._behind: dict[Tensor, tuple[Tensor, Axes]] = {}  # by what is transposed back
        self._entered: dict[tuple[Tensor, Axes], Tensor] = {}

    def move(self, node: Node, inputs: Tensors) -> Tensors | None:
        """For `rebuild`."""
        order = self._orders.get(node)
        if order is not None and may_replace():
            with derive("pass", "move_transposes", (node.lineage,), node.origin):
                return self._in_order(node, inputs, order)
        if inputs and inputs[0] in self._behind and may_replace():
            with derive("pass", "move_transposes", (node.lineage,), node.origin):
                return self._before_it_is_back(node, inputs)
        return None

    def _in_order(self, node: Node, inputs: Tensors, order: Axes) -> Tensors:
        """What a node of a group gives, transposed back for those outside."""
        shape = node.output.shape
        operands = [
            self._moved[old] if old in self._moved and self._orders[old.node] == order
            and old.shape == shape else self._enter(new, order, shape)
            for old, new in zip(node.inputs, inputs, strict=True)
        ]  # fmt: skip
        result: Tensor = node.op(*operands)
        back = inverse_permutation(order)
        returned: Tensor = PermuteDims(back)(result)
        self._moved[node.output] = result
        self._behind[returned] = (result, back)
        note_replacement("move_transposes", node, inputs, (returned,))
        return (returned,)

    def _enter(self, tensor: Tensor, order: Axes, shape: Shape) -> Tensor:
        """A value from outside, in the order of a group of a shape."""
        key = (tensor, order)
        if key not in self._entered:
            self._entered[key] = _in_other_order(tensor, order, shape)
        return self._entered[key]

    def _before_it_is_back(self, node: Node, inputs: Tensors) -> Tensors | None:
        """A transpose or a reduction of a value that a group gives, taken before it is back."""
        value, back = self._behind[inputs[0]]
        found: Tensor
        if _is_transpose(node):
            axes = _composed(back, _axes(node))
            found = value if _is_in_order(axes) else PermuteDims(axes)(value)
            return (found,)
        axes_before = _reduced_before(node, back)
        if axes_before is None:
            return None
        op: Sum = node.op  # type: ignore[assignment]
        found = type(op)(axes_before, False)(value)
        found = ExpandDims(op.axis)(found) if op.keepdims else found
        note_replacement("move_transposes", node, inputs, (found,), "reassociating")
        return (found,)


def _in_other_order(tensor: Tensor, order: Axes, shape: Shape) -> Tensor:
    """An operand as it broadcasts against values of a shape whose axes have this order."""
    if not tensor.ndim:
        return tensor
    wide = (1,) * (len(shape) - tensor.ndim) + tensor.shape
    wanted = tuple(wide[axis] for axis in order)
    number = uniform_value(tensor)
    if number is not None:
        return full(wanted, number, tensor.dtype)
    result: Tensor
    if sum(size != 1 for size in wide) < 2:
        result = Reshape(wanted)(tensor)
    elif wide == tensor.shape and _is_transpose(tensor.node):
        axes = _composed(_axes(tensor.node), order)
        (source,) = tensor.node.inputs
        result = source if _is_in_order(axes) else PermuteDims(axes)(source)
    else:
        result = PermuteDims(order)(tensor if wide == tensor.shape else Reshape(wide)(tensor))
    return result


# -- permutations ---------------------------------------------------------------------------------


def _is_transpose(node: Node) -> bool:
    return isinstance(node.op, PermuteDims)


def _axes(node: Node) -> Axes:
    axes: Axes = node.op.attributes()["axes"]
    return axes


def _composed(inner: Axes, outer: Axes) -> Axes:
    """Of ``permute(permute(x, inner), outer)``."""
    return tuple(inner[axis] for axis in outer)


def _is_in_order(axes: Axes) -> bool:
    return axes == tuple(range(len(axes)))
