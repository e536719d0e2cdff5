"""Loops and branches: bodies are bound once, to memory of their own; scans as in ../loop.py."""

from __future__ import annotations

from collections.abc import Sequence

from asg.core.graph import Graph
from asg.core.registry import service
from asg.core.state_slot import StateSlot
from asg.core.tensor import Tensor
from asg.ops import branches, while_loops
from asg.ops import loops as ops
from asg.ops.own_sizes import RunTimeLength

from ..bind import bind_inside
from ..kernel import Array, Call, Scratch, kernel
from ..loop import copies, readable_in_place, scan_calls

Calls = Sequence[Call]


class _Bound:
    """A body over memory of its own.

    Its first ``carries`` inputs are variables in the sense of the plan: their next values are
    written in place wherever that is safe, and copied at the end of a step elsewhere. The other
    inputs are read where they lie, in ``arrays``.

    Attributes:
        start: the calls that make what lies in another order readable; before the first step.
        inputs: the arrays the body reads, in order.
        outputs: the arrays it leaves, valid until ``finish`` is run.
        schedule: the calls of one evaluation.
        finish: the calls that make the next carries current.
    """

    def __init__(self, body: Graph, carries: int, arrays: Sequence[Array]) -> None:
        slots = [StateSlot(i, i) for i in range(carries)]
        graph = Graph.of(
            body.inputs, body.outputs, body.output_names, slots, body.name, body.input_names, ()
        )
        self.start: list[Call] = []
        given: dict[Tensor, Array] = {}
        for tensor, array in zip(body.inputs[carries:], arrays, strict=True):
            if tensor in body.users or tensor in body.outputs:
                calls, given[tensor] = readable_in_place(array)
                self.start += calls
        program = bind_inside(graph, given)
        self.inputs = [program.arrays[tensor] for tensor in graph.inputs]
        self.outputs = [program.arrays[tensor] for tensor in graph.outputs]
        self.schedule = program.schedule()
        self.finish = program.finish


@kernel(ops.Scan, wants_scratch=False)
def scan(op: ops.Scan, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    return scan_calls(op, inputs, outputs)


@kernel(branches.Switch, wants_scratch=False)
def switch(
    op: branches.Switch, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_branch, (inputs[0], [_taken(b, inputs[1:], outputs) for b in op.branches]))]


def _taken(branch: Graph, operands: list[Array], outputs: list[Array]) -> list[Call]:
    """The calls when this branch is chosen."""
    bound = _Bound(branch, 0, operands)
    return [*bound.start, *bound.schedule, *copies(outputs, bound.outputs)]


def _branch(index: Array, prepared: list[list[Call]]) -> None:
    place = min(max(int(index), 0), len(prepared) - 1)
    for function, args in prepared[place]:
        function(*args)


@kernel(while_loops.WhileLoop, wants_scratch=False)
def while_loop(
    op: while_loops.WhileLoop, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    first = op.carries
    body = _Bound(op.body, first, inputs[first:])
    test = _Bound(op.condition, 0, [*body.inputs[:first], *inputs[first:]])
    start = [*copies(body.inputs[:first], inputs[:first]), *body.start, *test.start]
    steps = [*body.schedule, *body.finish]
    run = (_repeat, (test.schedule, test.outputs[0], steps, outputs[-1]))
    return [*start, run, *copies(outputs[:first], body.inputs[:first])]


def _repeat(asked: Calls, answer: Array, steps: Calls, counted: Array) -> None:
    count = 0
    while True:
        for function, args in asked:
            function(*args)
        if not answer:
            break
        count += 1
        for function, args in steps:
            function(*args)
    counted[...] = count


@kernel(RunTimeLength, wants_scratch=False)
def run_time_length(
    op: RunTimeLength, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_at_length, (_Programs(op), inputs, outputs))]


def _at_length(programs: _Programs, inputs: list[Array], outputs: list[Array]) -> None:
    for function, args in programs.calls(program_length(int(inputs[0])), inputs, outputs):
        function(*args)


def program_length(steps: int) -> int:
    """The length of the program for a loop of so many steps: up to 15 as it is, then of 4 bits.

    Eight lengths serve all numbers of steps from one power of two to the next, and at most one step
    in nine is wasted.

    >>> [program_length(steps) for steps in (0, 1, 15, 17, 100, 1000)]
    [1, 1, 15, 18, 104, 1024]
    """
    unit = 1 << max(steps.bit_length() - 4, 0)
    return max(-(-steps // unit) * unit, 1)


class _Programs:
    """The calls of one `RunTimeLength` for the lengths that were used last.

    Each has memory of its own, for what it keeps of all its steps.
    """

    LIMIT = 8

    def __init__(self, op: RunTimeLength) -> None:
        self.op = op
        self.known: dict[int, list[Call]] = {}

    def calls(self, length: int, inputs: list[Array], outputs: list[Array]) -> list[Call]:
        found = self.known.pop(length, None)
        if found is None:
            if len(self.known) == self.LIMIT:
                del self.known[next(iter(self.known))]
            body = service("with_sizes")(self.op.body, {self.op.size: length}, "numpy")
            bound = _Bound(body, 0, inputs)
            found = [*bound.start, *bound.schedule, *copies(outputs, bound.outputs)]
        self.known[length] = found
        return found
