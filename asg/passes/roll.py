"""roll: layers that repeat become one `Scan`, which takes as long to compile as one layer.

A run of repeats (asg/passes/repeats.py) is exchanged for a loop over its repeats. What an operand
of the body is follows from where it comes from in all repeats: from the same repeat; from the one
before (carried); the same from outside (captured); or another from outside in each (stacked: the
weights of the layers, and what the forward part has kept for the gradient). A run of which this
cannot be said of every operand stays as it is.

The inverse is `unroll` (asg/passes/unroll.py). Numerics: exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from asg.analysis.memory import known_bytes
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import Body, body_input
from asg.core.tensor import Tensor
from asg.ops.loops import Scan
from asg.passes.repeats import Order, Run
from asg.passes.stacks import Stacks, rows_of
from asg.rewrite.watch import may_replace, note_replacement

Kind = TypeVar("Kind")
Value = tuple[int, int]
"""A value of a repeat: the place of its node in the repeat, and the number of the output."""


def roll(graph: Graph, repeats: int, nodes: int, mean_bytes: float = inf) -> Graph:
    """The graph with its runs as loops.

    Args:
        graph: sizes are numbers.
        repeats: how many layers a run has at least.
        nodes: how many nodes all loops together save at least, to be worth it.
        mean_bytes: how large the values of a layer are at most, on average. A loop copies what it
            takes and gives at every step, which costs more than the calls that it saves where
            values are large.
    """
    order = Order(graph)
    runs = [run for run in order.runs(repeats) if _mean_bytes(order, run) <= mean_bytes]
    found = [_layers(order, run, graph) for run in runs]
    layers = [each for each in found if each is not None]
    saved = sum(each.run.period * (each.run.count - 1) for each in layers)
    return _Rolling(graph, order, layers).rolled() if layers and saved >= nodes else graph


def _mean_bytes(order: Order, run: Run) -> float:
    nodes = order.nodes[run.start : run.start + run.period]
    sizes = [known_bytes(tensor.type) for node in nodes for tensor in node.outputs]
    return sum(sizes) / len(sizes)


# -- what a run is --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Carried:
    """A value of the repeat before; ``first`` stands for it in the first one."""

    value: Value
    first: Tensor


@dataclass(frozen=True)
class _Stacked:
    """Another value in every repeat, the first one first."""

    rows: tuple[Tensor, ...]


Source = Value | _Carried | _Stacked | Tensor
"""Where an operand comes from; a tensor from outside is the same in every repeat."""


@dataclass(frozen=True)
class _Layers:
    """A run with the sources of its operands, and the values that others read.

    Attributes:
        run: where it stands.
        sources: of every node of a repeat the sources of its operands.
        read: the values that are read outside of the run, with the repeats in which they are.
    """

    run: Run
    sources: tuple[tuple[Source, ...], ...]
    read: dict[Value, set[int]]

    def distinct(self, kind: type[Kind]) -> list[Kind]:
        """The sources of one kind, each once, in order."""
        every = (source for sources in self.sources for source in sources)
        return list(dict.fromkeys(source for source in every if isinstance(source, kind)))


def _layers(order: Order, run: Run, graph: Graph) -> _Layers | None:
    """None for a run with an operand that is neither of these."""
    sources = []
    for offset in range(run.period):
        nodes = order.nodes[run.start + offset : run.stop : run.period]
        found = [_source(order, run, rows) for rows in zip(*[n.inputs for n in nodes], strict=True)]
        if not _alike(nodes) or None in found:
            return None
        sources.append(tuple(source for source in found if source is not None))
    return _Layers(run, tuple(sources), _read_outside(order, run, graph))


def _alike(nodes: Sequence[Node]) -> bool:
    """Whether nodes give values of the same types by the same op; of operands, see `_source`."""
    first = nodes[0]
    types = [tensor.type for tensor in first.outputs]
    return all(
        node.op == first.op and [tensor.type for tensor in node.outputs] == types for node in nodes
    )


def _source(order: Order, run: Run, rows: Sequence[Tensor]) -> Source | None:
    """Of an operand that is ``rows[i]`` in repeat ``i``."""
    first, second = rows[0], rows[1]
    if any(row.type != first.type for row in rows):
        return None
    places = [order.place(row) for row in rows]
    if all(place < run.start for place in places):
        return first if all(_is_same(row, first) for row in rows) else _Stacked(tuple(rows))
    offset = (places[1] - run.start) % run.period
    begin = run.start + offset
    if any(row.index != second.index for row in rows[1:]):
        return None
    if places == list(range(begin, run.stop, run.period)) and first.index == second.index:
        return offset, second.index
    before = list(range(begin, run.stop - run.period, run.period))
    if places[1:] == before and places[0] < run.start:
        return _Carried((offset, second.index), first)
    return None


def _is_same(one: Tensor, other: Tensor) -> bool:
    equal = _is_constant(one) and one.node.op == other.node.op and one.index == other.index
    return one is other or equal


def _read_outside(order: Order, run: Run, graph: Graph) -> dict[Value, set[int]]:
    returned = set(graph.outputs)
    read: dict[Value, set[int]] = {}
    for place in range(run.start, run.stop):
        repeat, offset = divmod(place - run.start, run.period)
        for tensor in order.nodes[place].outputs:
            users = graph.users.get(tensor, ())
            inside = all(run.start <= order.places[user] < run.stop for user, _ in users)
            if not inside or tensor in returned:
                read.setdefault((offset, tensor.index), set()).add(repeat)
    return read


# -- making loops ---------------------------------------------------------------------------------


@dataclass
class _Rolling:
    """Copies a graph from operands to users, with loops in the places of runs.

    Attributes:
        new: what stands for a value of the graph in the copy, of those that changed.
    """

    graph: Graph
    order: Order
    layers: Sequence[_Layers]
    new: dict[Tensor, Tensor] = field(default_factory=dict)
    stacks: Stacks = field(default_factory=Stacks)

    def rolled(self) -> Graph:
        """The copy."""
        for each in self.layers:
            for source in each.distinct(_Stacked):
                self.stacks.expect(source.rows)
        starts = {each.run.start: each for each in self.layers}
        place = 0
        while place < len(self.order.nodes):
            layers = starts.get(place)
            if layers is not None and may_replace():
                self._loop(layers)
                place = layers.run.stop
            else:
                self._copy(self.order.nodes[place])
                place += 1
        return self.graph.with_outputs(self._now(self.graph.outputs))

    def _now(self, tensors: Iterable[Tensor]) -> tuple[Tensor, ...]:
        return tuple([self.new.get(tensor, tensor) for tensor in tensors])

    def _copy(self, node: Node) -> None:
        inputs = self._now(node.inputs)
        if inputs != node.inputs:
            self.new.update(zip(node.outputs, node.with_inputs(inputs).outputs, strict=True))

    def _loop(self, layers: _Layers) -> None:
        run, nodes = layers.run, self.order.nodes
        first = nodes[run.start]
        told = tuple(node.lineage for node in nodes[run.start : run.start + run.period])
        with derive("pass", "roll", told, first.origin):
            body = _Body(layers, nodes[run.start : run.start + run.period])
            rows = [self._now(source.rows) for source in body.stacked]
            reverse = self.stacks.are_backwards(rows)
            stacked = [self.stacks.stacked(each[::-1] if reverse else each) for each in rows]
            operands = (
                *self._now(source.first for source in body.carried), *stacked,
                *self._now(body.captured),
            )  # fmt: skip
            op = Scan(body.graph(), run.count, len(body.carried), len(stacked), reverse)
            outputs = op.apply(*operands)
            self._note_results(layers, body, outputs, reverse)
        last = nodes[run.stop - 1]
        values = [self.new.get(tensor) for tensor in last.outputs]
        if all(value is not None for value in values):
            note_replacement("roll", last, last.inputs, self._now(last.outputs))

    def _note_results(
        self, layers: _Layers, body: _Body, outputs: Sequence[Tensor], reverse: bool
    ) -> None:
        """What stands for the values of the run that are read outside of it."""
        run = layers.run
        for value, tensor in zip(body.kept, outputs[len(body.carried) :], strict=True):
            rows = rows_of(tensor)
            for repeat, row in enumerate(rows[::-1] if reverse else rows):
                self.new[self._value(run, repeat, value)] = row
        for value, tensor in zip(body.lasts, outputs, strict=False):
            self.new.setdefault(self._value(run, run.count - 1, value), tensor)

    def _value(self, run: Run, repeat: int, value: Value) -> Tensor:
        offset, index = value
        node = self.order.nodes[run.start + repeat * run.period + offset]
        return node.outputs[index]


class _Body:
    """The body of a loop, made of the nodes of the first repeat.

    Attributes:
        carried, stacked, captured: the sources of its inputs, in order.
        lasts: of every carry the value that it is.
        kept: the values that are stacked, as more than the last of them are read.
    """

    def __init__(self, layers: _Layers, nodes: Sequence[Node]) -> None:
        """``nodes`` are those of the first repeat."""
        self.carried = layers.distinct(_Carried)
        self.stacked = layers.distinct(_Stacked)
        self.captured = [each for each in layers.distinct(Tensor) if not _is_constant(each)]
        self.lasts = [each.value for each in self.carried]
        only_last = {layers.run.count - 1}
        self.kept = [
            value
            for value, repeats in layers.read.items()
            if repeats != only_last or value not in self.lasts
        ]
        self._inputs = self._named_inputs()
        self._values = self._computed(layers, nodes)

    def _named_inputs(self) -> dict[Source, Tensor]:
        named: dict[Source, Tensor] = {}
        for number, carry in enumerate(self.carried):
            named[carry] = body_input(f"carry_{number}", carry.first.type)
        for number, each in enumerate(self.stacked):
            named[each] = body_input(f"x_{number}", each.rows[0].type)
        for number, tensor in enumerate(self.captured):
            named[tensor] = body_input(f"captured_{number}", tensor.type)
        return named

    def _computed(self, layers: _Layers, nodes: Sequence[Node]) -> dict[Value, Tensor]:
        values: dict[Value, Tensor] = {}
        for offset, (node, sources) in enumerate(zip(nodes, layers.sources, strict=True)):
            inputs = tuple([self._operand(source, values) for source in sources])
            for output in node.with_inputs(inputs).outputs:
                values[offset, output.index] = output
        return values

    def _operand(self, source: Source, values: dict[Value, Tensor]) -> Tensor:
        if isinstance(source, tuple):
            return values[source]
        if isinstance(source, Tensor) and _is_constant(source):
            return source
        return self._inputs[source]

    def graph(self) -> Body:
        """The closed body: next carries, then what is stacked."""
        results = {f"carry_{i}": self._values[value] for i, value in enumerate(self.lasts)}
        results |= {f"y_{i}": self._values[value] for i, value in enumerate(self.kept)}
        inputs = list(self._inputs.values())
        return Body.of(inputs, list(results.values()), list(results), (), "layers")


def _is_constant(tensor: Tensor) -> bool:
    """Whether a value from outside belongs to whoever uses it: constants, and what is like them."""
    return not tensor.node.inputs and not tensor.node.op.is_placeholder
