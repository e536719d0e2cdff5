"""lean_loops: scans without what nothing uses: outputs, carries, operands, operands given twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from asg.core.graph import Graph, reachable_nodes, rebuild
from asg.core.node import Node
from asg.core.op import Op
from asg.core.region import Body, substitute
from asg.core.tensor import Tensor
from asg.core.types import take_checks
from asg.ops.loops import Scan

Tensors = tuple[Tensor, ...]
Used = Callable[[Tensor], bool]


def lean_loops(graph: Graph) -> Graph:
    """The graph with leaner scans; bodies are not entered.

    A stacked output that nothing uses goes, and with it the memory of a whole stack; a carry whose
    last value nothing uses and on which no other output depends; an operand that the body does not
    read; an operand, other than a carry, that is given twice.
    """
    returned = set(graph.outputs)

    def used(tensor: Tensor) -> bool:
        return tensor in graph.users or tensor in returned

    def lean(node: Node, inputs: Tensors) -> Tensors | None:
        return _lean(node, node.op, inputs, used) if isinstance(node.op, Scan) else None

    return rebuild(graph, lean)


def _lean(node: Node, op: Scan, inputs: Tensors, used: Used) -> Tensors | None:
    outputs = _needed_outputs(op, [i for i, tensor in enumerate(node.outputs) if used(tensor)])
    if not outputs:
        return None
    places = _read_inputs(op, outputs, inputs)
    if len(outputs) == len(node.outputs) and len(places) == len(inputs):
        return None
    made = apply_part(node, op, places, outputs, inputs)
    found = dict(zip(outputs, made, strict=True))
    return tuple(found.get(i, old) for i, old in enumerate(node.outputs))


def _needed_outputs(op: Scan, asked: Sequence[int]) -> list[int]:
    """The outputs asked for, and the carries that these depend on, at some step."""
    needed = set(asked)
    while True:
        reached = set(reachable_nodes(op.body.outputs[i] for i in needed))
        found = {i for i in range(op.carries) if op.body.inputs[i].node in reached} - needed
        if not found:
            return sorted(needed)
        needed |= found


def _read_inputs(op: Scan, outputs: Sequence[int], inputs: Tensors) -> dict[int, int]:
    """The operands to keep, each with the first position of the same operand."""
    reached = set(reachable_nodes(op.body.outputs[i] for i in outputs))
    first: dict[tuple[Tensor, bool], int] = {}
    places: dict[int, int] = {}
    for i, tensor in enumerate(op.body.inputs):
        if i < op.carries:
            if i in outputs:
                places[i] = i
        elif tensor.node in reached:
            places[i] = first.setdefault((inputs[i], op.is_stacked(i)), i)
    return places


def apply_part(
    node: Node,
    op: Scan,
    places: dict[int, int],
    outputs: Sequence[int],
    inputs: Tensors,
) -> Tensors:
    """The scan with some of its operands and outputs; a carry among both or neither.

    ``places`` says of every operand that is read which one stands for it, itself or an earlier one.
    """
    body = op.body
    kept = [i for i, place in places.items() if i == place]
    twins = {body.inputs[i]: body.inputs[place] for i, place in places.items() if i != place}
    values = substitute([body.outputs[i] for i in outputs], twins)
    part = Body.of([body.inputs[i] for i in kept], values, [body.output_names[i] for i in outputs],
                   (), body.name, [body.input_names[i] for i in kept])  # fmt: skip
    carries = sum(i < op.carries for i in kept)
    stacked = sum(op.is_stacked(i) for i in kept)
    leaner: Scan = replace(op, body=part, carries=carries, stacked=stacked)
    return applied_like(node, leaner, tuple(inputs[i] for i in kept))


def fresh_names(prefix: str, taken: Sequence[str], count: int) -> list[str]:
    """So many names that are not taken.

    >>> fresh_names("x", ["a", "x_2"], 2)
    ['x_3', 'x_4']
    """
    start = len(taken)
    while any(f"{prefix}_{start + i}" in taken for i in range(count)):
        start += 1
    return [f"{prefix}_{start + i}" for i in range(count)]


def applied_like(node: Node, op: Op, inputs: Tensors) -> Tensors:
    """The loop in the place of ``node``, with its origin and its claims about sizes."""
    types = op.infer(*(tensor.type for tensor in inputs))
    take_checks()  # the node has them already
    assert isinstance(types, tuple)
    return Node(op, inputs, types, node.checks, node.origin, node.lineage).outputs
