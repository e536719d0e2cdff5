"""unroll: loops written out, one copy of the body for each step; the inverse of `roll`.

What a loop takes and gives along its first axis is followed row by row through stacks, parts of
them and joins, so that none of these is left between two loops that were written out.
Numerics: exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import inline
from asg.core.tensor import Tensor
from asg.ops.join import Concat, Flip
from asg.ops.loops import Scan
from asg.ops.rows import StackRows, UnstackRows
from asg.ops.shape import Reshape
from asg.ops.slicing import Select, Slice
from asg.passes.stacks import taken_from
from asg.rewrite.watch import may_replace, note_replacement

Rows = tuple[Tensor, ...]
Row = TypeVar("Row")


def unroll(graph: Graph, steps: int | None = None) -> Graph:
    """The graph with its loops written out.

    Loops whose length is no number, or 0, stay as they are; so do loops inside of bodies.

    Args:
        graph: any graph.
        steps: the most that a loop may have; None: any number.
    """
    found = [node for node in graph.nodes if isinstance(node.op, Scan) and _fits(node.op, steps)]
    return _Unrolling(graph, set(found)).unrolled() if found else graph


def _fits(op: Scan, steps: int | None) -> bool:
    length = op.length
    return isinstance(length, int) and length > 0 and (steps is None or length <= steps)


@dataclass
class _Unrolling:
    """Copies a graph from operands to users.

    Attributes:
        loops: what is written out.
        new: what stands for a value of the graph in the copy, of those that changed.
        rows: of values of the copy that are stacks, their rows.
        read: the rows that are read one by one of other values, by their places.
    """

    graph: Graph
    loops: set[Node]
    new: dict[Tensor, Tensor] = field(default_factory=dict)
    rows: dict[Tensor, Rows] = field(default_factory=dict)
    read: dict[tuple[Tensor, int], Tensor] = field(default_factory=dict)

    def unrolled(self) -> Graph:
        """The copy."""
        for node in self.graph.nodes:
            inputs = tuple([self.new.get(tensor, tensor) for tensor in node.inputs])
            outputs = self._outputs(node, inputs)
            self.new.update(
                (old, new) for old, new in zip(node.outputs, outputs, strict=True) if new is not old
            )
        results = [self.new.get(tensor, tensor) for tensor in self.graph.outputs]
        return self.graph.with_outputs(results)

    def _outputs(self, node: Node, inputs: Rows) -> Rows:
        if node in self.loops and may_replace():
            with derive("pass", "unroll", (node.lineage,), node.origin):
                outputs = self._written_out(node.op, inputs)  # type: ignore[arg-type]
            note_replacement("unroll", node, inputs, outputs)
            return outputs
        known = self._known_rows(node, inputs)
        if known is not None:
            return known
        same = inputs == node.inputs
        outputs = node.outputs if same else node.with_inputs(inputs).outputs
        self._note_stack(node, inputs, outputs)
        return outputs

    def _known_rows(self, node: Node, inputs: Rows) -> Rows | None:
        """What takes rows out of a stack, if these are known."""
        if isinstance(node.op, UnstackRows):
            return self.rows.get(inputs[0])
        taken = taken_from(node.outputs[0])
        return None if taken is None else (self._row(inputs[0], taken[1], node),)

    def _row(self, whole: Tensor, place: int, node: Node | None = None) -> Tensor:
        """A row of a value; ``node`` is what reads it already, if there is one."""
        rows = self.rows.get(whole)
        if rows is not None:
            return rows[place]
        if (whole, place) not in self.read:
            if node is None:
                row: Tensor = Select((0,), (place,))(whole)
            else:
                same = node.inputs == (whole,)
                row = node.output if same else node.with_inputs((whole,)).output
            self.read[whole, place] = row
        return self.read[whole, place]

    def _note_stack(self, node: Node, inputs: Rows, outputs: Rows) -> None:
        """The rows of what joins rows, or takes a part of them."""
        op, known = node.op, [self.rows.get(tensor) for tensor in inputs]
        rows: Rows | None = None
        one_row = isinstance(op, Reshape) and op.shape == (1, *inputs[0].shape)
        if one_row or isinstance(op, StackRows):
            rows = inputs
        elif isinstance(op, Concat) and op.axis == 0 and any(known) and _are_counted(inputs):
            rows = tuple([row for tensor in inputs for row in self._rows_of(tensor)])
        elif isinstance(op, Flip) and op.axes == (0,) and known[0] is not None:
            rows = known[0][::-1]
        elif isinstance(op, Slice) and known[0] is not None:
            rows = _part(op, known[0], inputs[0])
        if rows is not None:
            self.rows[outputs[0]] = rows

    def _written_out(self, op: Scan, inputs: Rows) -> Rows:
        assert isinstance(op.length, int)
        first, behind = op.carries, op.carries + op.stacked
        elements = [self._rows_of(tensor) for tensor in inputs[first:behind]]
        carries: Sequence[Tensor] = inputs[:first]
        kept: list[Rows] = []
        for step in range(op.length)[:: -1 if op.reverse else 1]:
            given = [rows[step] for rows in elements]
            outputs = inline(op.body, [*carries, *given, *inputs[behind:]])
            carries = outputs[:first]
            kept.append(outputs[first:])
        stacks = [self._stack(rows) for rows in zip(*kept[:: -1 if op.reverse else 1], strict=True)]
        return (*carries, *stacks)

    def _rows_of(self, tensor: Tensor) -> Rows:
        if tensor not in self.rows:
            whole, places = _in_whole(tensor)
            self.rows[tensor] = tuple([self._row(whole, place) for place in places])
        return self.rows[tensor]

    def _stack(self, rows: Rows) -> Tensor:
        stack = StackRows()(*rows)
        self.rows[stack] = rows
        return stack


def _in_whole(tensor: Tensor) -> tuple[Tensor, Sequence[int]]:
    """Where the rows of a tensor come from, and their places there."""
    op = tensor.node.op
    if isinstance(op, Slice) and _are_counted(tensor.node.inputs):
        (whole,) = tensor.node.inputs
        places = _part(op, tuple(range(_count(whole))), whole)
        if places is not None:
            return whole, places
    return tensor, range(_count(tensor))


def _count(tensor: Tensor) -> int:
    count = tensor.shape[0]
    assert isinstance(count, int)  # asked for before
    return count


def _are_counted(tensors: Rows) -> bool:
    """Whether the numbers of rows are known."""
    return all(isinstance(tensor.shape[0], int) for tensor in tensors)


def _part(op: Slice, rows: tuple[Row, ...], whole: Tensor) -> tuple[Row, ...] | None:
    """The rows that a slice takes whole; None if it takes parts of them."""
    start, stop, step = op.start[0], op.stop[0], op.step[0]
    rest = Slice(op.start[1:], op.stop[1:], op.step[1:])
    size = len(whole.shape) - 1
    if rest != Slice((0,) * size, whole.shape[1:], (1,) * size):
        return None
    if step < 1 or not isinstance(start, int) or not isinstance(stop, int) or start < 0:
        return None
    return rows[start:stop:step]
