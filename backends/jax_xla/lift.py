"""Graphs whose variables are stacks: what a program takes instead of the weights of many layers.

A graph with rolled layers stacks their weights before its loops and takes them apart behind. XLA
would compile a copy for every row of every stack; so the stacks themselves are made the variables
of the program, and stay stacked from step to step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asg.compiler.backend import ordered_slots
from asg.core.graph import Graph
from asg.core.region import body_input, substitute
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.ops.rows import StackRows
from asg.ops.slicing import Select
from asg.passes.stacks import Stacks

Rows = tuple[int, ...]
"""Positions of variables among the inputs of a graph, in the order of the rows of a stack."""

Place = tuple[int, int | None]
"""Where a variable is among the variables of a program: the number of one, and the row in it."""


@dataclass(frozen=True)
class Lifted:
    """A graph, and the same computation with stacks in the places of some of its variables.

    Attributes:
        graph: the given one.
        inner: the other one. Its feeds and results are those of ``graph``; of its inputs, the
            variables that are in no stack come first, then the stacks.
        stacks: the rows of every stack.
    """

    graph: Graph
    inner: Graph
    stacks: tuple[Rows, ...]

    def places(self) -> tuple[Place, ...]:
        """Of the variables of ``graph`` among those of ``inner``, both in the order of slots."""
        numbers = {slot.input: n for n, slot in enumerate(ordered_slots(self.inner.state))}
        alone = _others(len(self.graph.inputs), self.stacks)
        found: dict[int, Place] = {
            position: (numbers[inner], None)
            for inner, position in enumerate(alone)
            if inner in numbers
        }
        for inner, rows in enumerate(self.stacks, len(alone)):
            found |= {position: (numbers[inner], row) for row, position in enumerate(rows)}
        return tuple([found[slot.input] for slot in ordered_slots(self.graph.state)])


def lifted(graph: Graph) -> Lifted | None:
    """A graph with the stacks of its variables as variables; None if there is no such stack."""
    stacks = _stacks_of_variables(graph)
    return Lifted(graph, _over_stacks(graph, stacks), tuple(stacks)) if stacks else None


def _others(count: int, taken: Iterable[Rows]) -> list[int]:
    """The numbers below ``count`` that are in no tuple."""
    gone = {position for rows in taken for position in rows}
    return [position for position in range(count) if position not in gone]


def _stacks_of_variables(graph: Graph) -> dict[Rows, Tensor]:
    """The stacks of variables that are all written or all only read, and in no other stack."""
    positions = {tensor: position for position, tensor in enumerate(graph.inputs)}
    written = {slot.input: slot.output is not None for slot in graph.state}
    taken: set[int] = set()
    found: dict[Rows, Tensor] = {}
    for node in [node for node in graph.nodes if isinstance(node.op, StackRows)]:
        rows = tuple([positions.get(tensor, -1) for tensor in node.inputs])
        distinct = set(rows)
        if (
            distinct <= written.keys() - taken
            and len(distinct) == len(rows)
            and len({written[row] for row in rows}) == 1
        ):
            found[rows] = node.output
            taken |= distinct
    return found


def _over_stacks(graph: Graph, stacks: dict[Rows, Tensor]) -> Graph:
    after = {slot.input: slot.output for slot in graph.state if slot.output is not None}
    next_rows = {rows: tuple([after[row] for row in rows]) for rows in stacks if rows[0] in after}
    alone = _others(len(graph.inputs), stacks)
    kept = _others(len(graph.outputs), next_rows.values())
    names = {rows: _name(graph, rows) for rows in stacks}
    leaves = {rows: body_input(names[rows], whole.type) for rows, whole in stacks.items()}
    join = Stacks().stacked
    outputs = [graph.outputs[position] for position in kept]
    outputs += [join(tuple([graph.outputs[row] for row in rows])) for rows in next_rows.values()]
    return Graph.of(
        [*[graph.inputs[position] for position in alone], *leaves.values()],
        substitute(outputs, _in_stacks(graph, stacks, leaves)),
        [*[graph.output_names[position] for position in kept], *[names[r] for r in next_rows]],
        _slots(graph, alone, kept, list(stacks), list(next_rows)),
        graph.name,
        [*[graph.input_names[position] for position in alone], *names.values()],
        graph.checks,
    )


def _name(graph: Graph, rows: Rows) -> str:
    return f"{graph.input_names[rows[0]]} .. {graph.input_names[rows[-1]]}"


def _in_stacks(
    graph: Graph, stacks: dict[Rows, Tensor], leaves: dict[Rows, Tensor]
) -> dict[Tensor, Tensor]:
    """What stands for the stacks, and for those of their rows that others read as well."""
    mapping: dict[Tensor, Tensor] = {}
    returned = set(graph.outputs)
    for rows, whole in stacks.items():
        mapping[whole] = leaves[rows]
        for row, variable in enumerate(whole.node.inputs):
            if len(graph.users[variable]) > 1 or variable in returned:
                mapping[variable] = Select((0,), (row,))(leaves[rows])
    return mapping


def _slots(
    graph: Graph,
    alone: Sequence[int],
    kept: Sequence[int],
    stacks: Sequence[Rows],
    written: Sequence[Rows],
) -> list[StateSlot]:
    """The variables in no stack, then the stacks, of which some are written."""
    inputs = {position: number for number, position in enumerate(alone)}
    outputs: dict[int | None, int] = {position: number for number, position in enumerate(kept)}
    slots = [
        StateSlot(inputs[slot.input], outputs.get(slot.output))
        for slot in graph.state
        if slot.input in inputs
    ]
    places = {rows: place for place, rows in enumerate(written, len(kept))}
    slots += [StateSlot(n, places.get(rows)) for n, rows in enumerate(stacks, len(alone))]
    return slots
