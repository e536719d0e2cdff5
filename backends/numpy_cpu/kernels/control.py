"""Loops and branches: a body is bound once, to memory of its own, and run as often as needed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import numpy as np

from asg.core.graph import Graph
from asg.core.region import body_input, inline
from asg.core.registry import service
from asg.core.state_slot import StateSlot
from asg.ops import branches, while_loops
from asg.ops import loops as ops
from asg.ops.own_sizes import RunTimeLength

from ..bind import bind
from ..kernel import Array, Call, Scratch, kernel

Calls = Sequence[Call]


class _Bound:
    """A body over memory of its own.

    Its first ``carries`` inputs are variables in the sense of the plan: their next values are
    written in place wherever that is safe, and copied at the end of a step elsewhere. The inputs
    ``captured`` are variables that are only read, so that their memory is never used again.

    Attributes:
        inputs: the arrays the body reads, in order.
        outputs: the arrays it leaves, valid until ``finish`` is run.
        schedule: the calls of one evaluation.
        finish: the calls that make the next carries current.
    """

    def __init__(self, body: Graph, carries: int, captured: Sequence[int]) -> None:
        slots = [StateSlot(i, i) for i in range(carries)]
        slots += [StateSlot(i, None) for i in captured]
        graph = Graph.of(
            body.inputs, body.outputs, body.output_names, slots, body.name, body.input_names, ()
        )
        program = bind(graph)
        self.inputs = [program.arrays[tensor] for tensor in graph.inputs]
        self.outputs = [program.arrays[tensor] for tensor in graph.outputs]
        self.schedule = program.schedule()
        self.finish = program.finish


@kernel(ops.Scan, wants_scratch=False)
def scan(op: ops.Scan, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    first, behind = op.carries, op.carries + op.stacked
    captured = range(behind, len(inputs))
    calls: list[Call] = []
    carried = inputs
    for together, starts in _pieces(op):
        bound = _Bound(op.body if together == 1 else _unrolled(op, together), first, captured)
        fed = [(bound.inputs[i][...], inputs[i]) for i in range(first, behind)]
        calls += _copies(bound.inputs, carried, range(first))
        calls += _copies(bound.inputs, inputs, captured)
        if together == 1:
            stacked = list(zip(outputs[first:], bound.outputs[first:], strict=True))
            loop: Call = _loop, (starts, fed, bound.schedule, stacked, bound.finish)
        else:
            spread = list(zip(cycle(outputs[first:]), _repeated(together, len(outputs) - first),
                              bound.outputs[first:], strict=False))  # fmt: skip
            loop = _long_loop, (starts, together, fed, bound.schedule, spread, bound.finish)
        calls.append(loop)
        carried = bound.inputs
    return [*calls, *_copies(outputs, carried, range(first))]


def _pieces(op: ops.Scan) -> list[tuple[int, range]]:
    """How many steps run together, and where each such piece starts; then the steps left over.

    >>> from asg.core.region import Body
    >>> _pieces(ops.Scan(Body.of((), (), ()), 7, 0, 0, True, False, 3))
    [(3, range(4, 0, -3)), (1, range(0, -1, -1))]
    """
    assert isinstance(op.length, int)
    length, together = op.length, op.steps_together()
    rest = length % together
    if op.reverse:
        pieces = range(length - together, rest - 1, -together), range(rest - 1, -1, -1)
    else:
        pieces = range(0, length - rest, together), range(length - rest, length)
    return [(n, starts) for n, starts in zip((together, 1), pieces, strict=True) if starts]


def _unrolled(op: ops.Scan, together: int) -> Graph:
    """The body of several steps; it reads blocks of x, and gives y one by one, in their order."""
    first, behind = op.carries, op.carries + op.stacked
    types = [tensor.type for tensor in op.body.inputs]
    types[first:behind] = [each.with_shape((together, *each.shape)) for each in types[first:behind]]
    leaves = [body_input(f"x{i}", each) for i, each in enumerate(types)]
    carry, results = tuple(leaves[:first]), {}
    for place in reversed(range(together)) if op.reverse else range(together):
        elements = [block[place] for block in leaves[first:behind]]
        outputs = inline(op.body, [*carry, *elements, *leaves[behind:]])
        carry, results[place] = outputs[:first], outputs[first:]
    values = [*carry, *(y for place in range(together) for y in results[place])]
    graph = Graph.of(leaves, values, [f"y{i}" for i in range(len(values))], (), op.body.name)
    unrolled: Graph = service("with_sizes")(graph, {}, "numpy")
    return unrolled


def _repeated(together: int, count: int) -> list[int]:
    """Every place ``count`` times: 0, 0, 1, 1, ..."""
    return [place for place in range(together) for _ in range(count)]


def _loop(
    steps: range,
    fed: list[tuple[Array, Array]],
    schedule: Calls,
    stacked: list[tuple[Array, Array]],
    finish: Calls,
) -> None:
    for step in steps:
        for element, whole in fed:
            element[...] = whole[step]
        for function, args in schedule:
            function(*args)
        for whole, element in stacked:
            whole[step] = element
        for function, args in finish:
            function(*args)


def _long_loop(
    starts: range,
    together: int,
    fed: list[tuple[Array, Array]],
    schedule: Calls,
    stacked: list[tuple[Array, int, Array]],
    finish: Calls,
) -> None:
    """`_loop` over pieces of several steps; stacked values have a place within the piece."""
    for start in starts:
        for block, whole in fed:
            block[...] = whole[start : start + together]
        for function, args in schedule:
            function(*args)
        for whole, place, element in stacked:
            whole[start + place] = element
        for function, args in finish:
            function(*args)


def _copies(targets: list[Array], sources: list[Array], places: Sequence[int]) -> list[Call]:
    """The calls that hand operands to a body, or its values on."""
    return [(np.copyto, (targets[i], sources[i])) for i in places]


@kernel(branches.Switch, wants_scratch=False)
def switch(
    op: branches.Switch, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [(_branch, (inputs[0], [_taken(b, inputs[1:], outputs) for b in op.branches]))]


def _taken(branch: Graph, operands: list[Array], outputs: list[Array]) -> list[Call]:
    """The calls when this branch is chosen; only the operands that it reads are handed over."""
    places = range(len(operands))
    bound = _Bound(branch, 0, places)
    read = {*branch.users, *branch.outputs}
    start = _copies(bound.inputs, operands, [i for i in places if branch.inputs[i] in read])
    last = _copies(outputs, bound.outputs, range(len(outputs)))
    return [*start, *bound.schedule, *last]


def _branch(index: Array, prepared: list[list[Call]]) -> None:
    place = min(max(int(index), 0), len(prepared) - 1)
    for function, args in prepared[place]:
        function(*args)


@kernel(while_loops.WhileLoop, wants_scratch=False)
def while_loop(
    op: while_loops.WhileLoop, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    first, everything = op.carries, range(len(inputs))
    test = _Bound(op.condition, 0, everything)
    body = _Bound(op.body, first, everything[first:])
    start = _copies(body.inputs, inputs, everything)
    start += _copies(test.inputs, inputs, everything[first:])
    asked = [*_copies(test.inputs, body.inputs, range(first)), *test.schedule]
    last = _copies(outputs, body.inputs, range(first))
    steps = [*body.schedule, *body.finish]
    return [*start, (_repeat, (asked, test.outputs[0], steps, outputs[-1])), *last]


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
            bound = _Bound(body, 0, ())
            start = _copies(bound.inputs, inputs, range(len(inputs)))
            last = _copies(outputs, bound.outputs, range(len(outputs)))
            found = [*start, *bound.schedule, *last]
        self.known[length] = found
        return found
