"""collect_factors: numbers that multiply large values are multiplied with each other first.

Gradients are full of them: the 1/n of a mean goes into every branch of what was averaged, and a
learning rate comes on top of whatever made the step. A value of sums, products and numbers is
written as ``c1 * a + c2 * b + ...``; the c of a product is the product of the c of its factors, and
equal a come together. So each of a and b is multiplied once, at the end.

    (0.5 * x * e) * k + (0.5 * k) * e     ->  (x * e) * (0.5 k) + e * (0.5 k)
    p + (s * u + 0.01 * p) * -0.001       ->  0.99999 * p + (-0.001 * s) * u

A tensor of no axes counts as a number where values are scaled, not where they are multiplied with
each other, and numbers stay where they are once they leave 2**-40 to 2**40: they may be what keeps
a product from overflowing. Neighbouring values of one shape are rewritten together, and only where
fewer operations are left.

Numerics: reassociating. Floats of 32 and 64 bits alone.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.elementwise import Add, Divide, Multiply, Subtract
from asg.ops.elementwise_unary import Negative, Square
from asg.ops.leaf import constant
from asg.passes.merge_equal import op_key
from asg.rewrite.pattern import uniform_value
from asg.rewrite.watch import may_replace, note_replacement

SMALLEST, LARGEST = 2.0**-40, 2.0**40
"""Of the numbers that are moved."""

MOST_TERMS, MOST_SCALARS = 16, 4
"""Of one value: longer ones would be copied again and again."""

LINEAR = frozenset((Add, Subtract, Multiply, Negative, Square, Divide))

Value = Any
"""A tensor; or, while operations are only counted, the number of an operation or a tensor."""
Scalars = tuple[Tensor, ...]
Term = tuple[float, Scalars, Value | None]
"""``number * scalars * value``; None for a value of one."""
Terms = list[Term]


def collect_factors(graph: Graph) -> Graph:
    """The graph with fewer multiplications by numbers; bodies are entered."""
    graph = map_bodies(graph, collect_factors)
    found = [nodes for nodes in _connected(graph) if any(map(_scales, nodes))]
    if not found:
        return graph
    around = Surroundings(graph.users, frozenset(graph.outputs), _levels(graph))
    regions = _worthwhile([Region(nodes, around) for nodes in found])
    if not regions:
        return graph
    region_of = {node: region for region in regions for node in region.nodes}
    made = _Made({})
    forms: dict[Region, _Forms] = {region: _Forms(region, made) for region in regions}
    changed = False

    def collect(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        nonlocal changed
        value = None
        if node in region_of:
            made.tensors.update(zip(node.inputs, inputs, strict=True))
            with derive("pass", "collect_factors", (node.lineage,), node.origin):
                value = forms[region_of[node]].visit(node)
        if value is not None and value.type == node.output.type and may_replace():
            changed = True
            note_replacement("collect_factors", node, inputs, (value,), "reassociating")
            return (value,)
        # What comes after a new node is made anew as well: the order is that of creation.
        return node.with_inputs(inputs).outputs if changed and inputs else None

    return rebuild(graph, collect)


# -- where ------------------------------------------------------------------------------------


@dataclass(eq=False)
class Surroundings:
    """What all regions of a graph have in common.

    Attributes:
        users: of every value.
        returned: the outputs of the graph.
        levels: of all nodes; a way through anything but elementwise work leads to a higher one.
    """

    users: Mapping[Tensor, Sequence[tuple[Node, int]]]
    returned: frozenset[Tensor]
    levels: Mapping[Node, int]


@dataclass(eq=False)
class Region:
    """Connected sums, products and the like of one type; ``nodes`` are in order of the graph."""

    nodes: list[Node]
    around: Surroundings


def _connected(graph: Graph) -> Iterable[list[Node]]:
    """The nodes of every region, of which each has two at least."""
    members = {node: None for node in graph.nodes if _is_linear(node)}
    parents = {node: node for node in members}
    for node in members:
        for tensor in node.inputs:
            if tensor.node in members and tensor.type == node.output.type:
                parents[_root(parents, node)] = _root(parents, tensor.node)
    found: dict[Node, list[Node]] = defaultdict(list)
    for node in members:
        found[_root(parents, node)].append(node)
    return [nodes for nodes in found.values() if len(nodes) > 1]


def _is_linear(node: Node) -> bool:
    if type(node.op) not in LINEAR:
        return False
    kind = node.output.type
    wide = kind.dtype.is_float and kind.dtype.itemsize > 2 and bool(kind.shape)
    return wide and any(tensor.type == kind and _number(tensor) is None for tensor in node.inputs)


def _levels(graph: Graph) -> dict[Node, int]:
    levels: dict[Node, int] = {}
    for node in graph.nodes:
        below = max([levels[tensor.node] for tensor in node.inputs], default=0)
        levels[node] = below + bool(node.inputs and not node.op.broadcasts)
    return levels


def _root(parents: dict[Node, Node], node: Node) -> Node:
    while parents[node] is not node:
        parents[node] = node = parents[parents[node]]
    return node


def _number(tensor: Tensor) -> float | None:
    value = uniform_value(tensor)
    return None if value is None else float(value)


# -- whether ----------------------------------------------------------------------------------


def _worthwhile(regions: Sequence[Region]) -> list[Region]:
    """Those that save operations, counted once for all that are written alike, as layers are."""
    saves: dict[Hashable, bool] = {}
    chosen = []
    of_length = Counter(len(region.nodes) for region in regions)
    for region in regions:
        key = _written(region) if of_length[len(region.nodes)] > 1 else len(region.nodes)
        if key not in saves:
            saves[key] = _saves(region)
        if saves[key]:
            chosen.append(region)
    return chosen


def _written(region: Region) -> Hashable:
    """All that `_saves` depends on: values from outside are numbered as they appear."""
    kind, around = region.nodes[0].output.type, region.around
    base = around.levels[region.nodes[0]]
    members = {node.outputs[0] for node in region.nodes}
    numbers: dict[Tensor, tuple[object, ...]] = {}
    written: list[object] = [kind.dtype]
    for node in region.nodes:
        output = node.outputs[0]
        inside = output not in around.returned and all(
            [user.outputs[0] in members for user, _ in around.users.get(output, ())]
        )
        written += (type(node.op), around.levels[node] - base, inside)
        for tensor in node.inputs:
            if tensor not in numbers:
                facts = (_number(tensor), not tensor.shape, tensor.type == kind)
                numbers[tensor] = (len(numbers), *facts)
            written.append(numbers[tensor])
        numbers[output] = (len(numbers),)
    return tuple(written)


def _saves(region: Region) -> bool:
    """Whether fewer operations on whole values are left."""
    count = _Count(region.nodes[0].output.type)
    forms = _Forms(region, count)
    for node in region.nodes:
        forms.visit(node)
    return count.whole < len(region.nodes)


def _scales(node: Node) -> bool:
    numbers = (t for t in node.inputs if not t.shape or _number(t) is not None)
    return isinstance(node.op, Multiply | Divide) and any(True for _ in numbers)


@dataclass(eq=False)
class _Count:
    """Stands for operations by numbers, equal ones by the same; ``whole`` of them are large."""

    kind: TensorType
    known: dict[Hashable, int] = field(default_factory=dict)
    whole: int = 0

    def number(self, value: float, like: TensorType) -> Value:
        return ("number", value)

    def old(self, tensor: Tensor) -> Value:
        return tensor

    def apply(self, op: Op, *operands: Value) -> Value:
        key = (op_key(op), operands)
        if key not in self.known:
            self.known[key] = len(self.known)
            self.whole += not all(self._is_scalar(each) for each in operands)
        return ("made", self.known[key], all(self._is_scalar(each) for each in operands))

    def _is_scalar(self, value: Value) -> bool:
        if isinstance(value, Tensor):
            return value.type != self.kind
        return value[0] == "number" or value[-1] is True


@dataclass(eq=False)
class _Made:
    """Operations as nodes, equal ones once; ``tensors`` are the new ones by the old ones."""

    tensors: dict[Tensor, Tensor]
    known: dict[Hashable, Tensor] = field(default_factory=dict)

    def number(self, value: float, like: TensorType) -> Value:
        key = (value, like.dtype)
        if key not in self.known:
            self.known[key] = constant(value, like.dtype)
        return self.known[key]

    def old(self, tensor: Tensor) -> Value:
        return self.tensors[tensor]

    def apply(self, op: Op, *operands: Value) -> Value:
        key = (op_key(op), operands)
        if key not in self.known:
            self.known[key] = op(*operands)
        return self.known[key]


# -- how --------------------------------------------------------------------------------------


class _Forms:
    """The terms of every value of a region, worked out in order.

    Attributes:
        terms: by value.
    """

    def __init__(self, region: Region, maker: _Count | _Made) -> None:
        self.maker = maker
        self.kind = region.nodes[0].output.type
        self.members = set(region.nodes)
        self.levels = region.around.levels
        self.returned = region.around.returned
        self.users = region.around.users
        self.terms: dict[Tensor, Terms] = {}

    def visit(self, node: Node) -> Value | None:
        """Note the terms of a node; the value where it has to be there, else None."""
        terms = self._terms_of(node)
        output = node.outputs[0]
        users = [user for user, _ in self.users.get(output, ())]
        inside = output not in self.returned and all(user in self.members for user in users)
        if inside and self._stays_open(node, terms, users):
            self.terms[output] = terms
            return None
        factor = self._common(terms)
        value = self._sum([(each[0] / factor, each[1], each[2]) for each in terms])
        if inside:
            self.terms[output] = [(factor, (), value)]
            return None
        value = self._product((factor, (), value))
        self.terms[output] = [(1.0, (), value)]
        return value

    def _stays_open(self, node: Node, terms: Terms, users: Sequence[Node]) -> bool:
        """Whether the users take the terms, and the value itself need not be there."""
        if len(terms) == 1:
            return not terms[0][1] or all(map(self._takes_terms, users))
        at_once = len(users) == 1 and self.levels[users[0]] == self.levels[node]
        return at_once and len(terms) <= MOST_TERMS and self._takes_terms(users[0])

    def _takes_terms(self, user: Node) -> bool:
        """Whether a node adds or scales, and so passes terms on."""
        return isinstance(user.op, Add | Subtract | Negative) or (
            isinstance(user.op, Multiply | Divide) and any(map(self._scale, user.inputs))
        )

    def _common(self, terms: Terms) -> float:
        """The number that all terms have, up to their signs."""
        first = abs(terms[0][0])
        return first if all(abs(each[0]) == first for each in terms) else 1.0

    def _terms_of(self, node: Node) -> Terms:
        op, operands = node.op, node.inputs
        match op:
            case Negative():
                return self._times(self._read(operands[0]), -1.0, ())
            case Add() | Subtract():
                sign = 1.0 if isinstance(op, Add) else -1.0
                right = self._times(self._read(operands[1]), sign, ())
                return self._together([*self._read(operands[0]), *right])
            case Square():
                number, value = self._split(operands[0])
                return self._checked(number * number, self.maker.apply(op, value))
        for one, other in (operands, operands[::-1]) if isinstance(op, Multiply) else (operands,):
            scale = self._scale(other)
            if scale is not None and (isinstance(op, Multiply) or not scale[1]):
                number = scale[0] if isinstance(op, Multiply) else 1.0 / scale[0]
                return self._times(self._read(one), number, scale[1])
        (first, left), (second, right) = map(self._split, operands)
        number = first * second if isinstance(op, Multiply) else first / second
        return self._checked(number, self.maker.apply(op, left, right))

    def _scale(self, tensor: Tensor) -> tuple[float, Scalars] | None:
        """A number, or a tensor without axes, as a factor."""
        number = _number(tensor)
        if number is not None:
            return (number, ()) if _is_moved(number) else None
        return (1.0, (tensor,)) if not tensor.shape else None

    def _read(self, tensor: Tensor) -> Terms:
        """The terms of an operand."""
        if tensor in self.terms:
            return self.terms[tensor]
        number = _number(tensor)
        if number is not None and _is_moved(number):
            return [(number, (), None)]
        return [(1.0, (), self.maker.old(tensor))]

    def _times(self, terms: Terms, number: float, scalars: Scalars) -> Terms:
        """The terms scaled; those that would leave the range are made into a value first."""
        scaled = [(n * number, s + scalars, value) for n, s, value in terms]
        if all(_is_moved(each[0]) and len(each[1]) <= MOST_SCALARS for each in scaled):
            return scaled
        return [(number, scalars, self._sum(terms))]

    def _split(self, tensor: Tensor) -> tuple[float, Value]:
        """A number and the rest, which has neither numbers nor scalars to give."""
        if tensor not in self.terms:
            return 1.0, self.maker.old(tensor)
        terms = self.terms[tensor]
        if len(terms) == 1 and not terms[0][1]:
            return terms[0][0], terms[0][2]
        return 1.0, self._sum(terms)

    def _checked(self, number: float, value: Value) -> Terms:
        if _is_moved(number):
            return [(number, (), value)]
        return [(1.0, (), self._product((number, (), value)))]

    def _together(self, terms: Terms) -> Terms:
        """Equal values once, unless they would cancel."""
        found: dict[tuple[Scalars, Value | None], list[float]] = {}
        for number, scalars, value in terms:
            found.setdefault((scalars, value), []).append(number)
        together: Terms = []
        for (scalars, value), numbers in found.items():
            total = sum(numbers)
            kept = [total] if _is_moved(total) else numbers
            together += [(number, scalars, value) for number in kept]
        return together

    def _sum(self, terms: Terms) -> Value:
        """The value of terms: what is subtracted comes last, after numbers."""
        order = sorted(terms, key=lambda each: (_is_subtracted(each), each[2] is None))
        total = self._product(order[0])
        for term in order[1:]:
            if _is_subtracted(term):
                total = self.maker.apply(Subtract(), total, term[2])
            else:
                total = self.maker.apply(Add(), total, self._product(term))
        return total

    def _product(self, term: Term) -> Value:
        number, scalars, value = term
        factors = [self.maker.old(scalar) for scalar in scalars]
        if value is None or abs(number) != 1.0 or (factors and number < 0):
            factors.append(self._number(number))
        elif number < 0:
            return self.maker.apply(Negative(), value)
        if not factors:
            return value
        factor = factors[0]
        for each in factors[1:]:
            factor = self.maker.apply(Multiply(), factor, each)
        return factor if value is None else self.maker.apply(Multiply(), value, factor)

    def _number(self, value: float) -> Value:
        rounded = float(self.kind.dtype.numpy.type(value))
        return self.maker.number(rounded, self.kind)


def _is_subtracted(term: Term) -> bool:
    number, scalars, value = term
    return number == -1.0 and not scalars and value is not None


def _is_moved(number: float) -> bool:
    return SMALLEST <= abs(number) <= LARGEST  # neither infinite nor NaN
