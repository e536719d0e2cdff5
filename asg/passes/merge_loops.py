"""merge_loops: scans that step alike over the same operands become one, with all their outputs.

The gradient of a scan needs values of every step, and asks for them with a scan of its own. Where
that scan carries what the original one carries, one loop can give both. Outputs that nothing uses
are dropped.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.region import Body, map_bodies, substitute
from asg.core.tensor import Tensor
from asg.ops.loops import Scan
from asg.passes.lean_loops import applied_like, lean_loops
from asg.passes.merge_equal import merge_equal, op_key
from asg.rewrite.watch import first_allowed, note_replacement

Numbers = dict[Hashable, int]
Tensors = tuple[Tensor, ...]


def merge_loops(graph: Graph) -> Graph:
    """The graph with fewer and leaner scans; bodies are entered.

    All but those that take the place of their op once sizes are known: only then do their scans
    meet the ones they may become one with, which they would not equal any more.
    """
    if any(isinstance(node.op, Scan) for node in graph.nodes):
        graph = _merged(lean_loops(graph))
    return map_bodies(graph, merge_loops, lambda op: not op.settles())


@dataclass(eq=False)
class _Loop:
    """A scan seen so that it can be compared with another one over other carries and captures.

    Attributes:
        inputs: for each operand, a key that says where its values come from.
        carries: for each carry, its key and the number of its next value.
        stacked: for each stacked output, the number of its value.
        extra: values of absorbed loops, in terms of this body.
    """

    node: Node
    op: Scan
    inputs: list[Hashable]
    carries: dict[Hashable, int]
    stacked: list[int]
    extra: list[Tensor]


def _merged(graph: Graph) -> Graph:
    numbers: Numbers = {}
    leaders: list[_Loop] = []
    absorbed: dict[Node, tuple[_Loop, list[int]]] = {}
    for node in graph.nodes:
        if isinstance(node.op, Scan):
            loop = _numbered(node, node.op, numbers)
            leader = next((each for each in leaders if _covers(each, loop)), None)
            if leader is None:
                leaders.append(loop)
            else:
                absorbed[node] = leader, _absorb(leader, loop)
    chosen = first_allowed([*absorbed])
    return _rebuilt(graph, leaders, {node: absorbed[node] for node in chosen}) if chosen else graph


def _rebuilt(
    graph: Graph, leaders: Sequence[_Loop], absorbed: dict[Node, tuple[_Loop, list[int]]]
) -> Graph:
    wider = {loop.node: loop for loop in leaders if loop.extra}
    made: dict[Node, Tensors] = {}

    def replaced(node: Node, inputs: Tensors) -> Tensors | None:
        if node in absorbed:
            leader, places = absorbed[node]
            outputs = tuple(made[leader.node][place] for place in places)
            note_replacement("merge_loops", node, inputs, outputs)
            return outputs
        if not isinstance(node.op, Scan):
            return None
        op = _widened(wider[node]) if node in wider else node.op
        same = op is node.op and inputs == node.inputs
        made[node] = node.outputs if same else applied_like(node, op, inputs)
        return made[node][: len(node.outputs)]

    return rebuild(graph, replaced)


def _numbered(node: Node, op: Scan, numbers: Numbers) -> _Loop:
    """Number the values of the body; equal values of comparable loops get the same number."""
    body = op.body
    keys = _input_keys(node, op)
    known: dict[Tensor, int] = {}

    def number(key: Hashable) -> int:
        return numbers.setdefault(key, len(numbers))

    for tensor, key in zip(body.inputs, keys, strict=True):
        known[tensor] = number(key)
    for inner in body.nodes:
        if not inner.op.is_placeholder:
            operands = tuple(known[tensor] for tensor in inner.inputs)
            types = tuple(output.type for output in inner.outputs)
            for output in inner.outputs:
                known[output] = number((op_key(inner.op), operands, types, output.index))
    after = [known[tensor] for tensor in body.outputs]
    carries = dict(zip(keys, after[: op.carries], strict=False))
    return _Loop(node, op, keys, carries, after[op.carries :], [])


def _input_keys(node: Node, op: Scan) -> list[Hashable]:
    """Where the values of each input of the body come from.

    Carries with equal first values are told apart by their order.
    """
    seen: dict[Tensor, int] = {}
    keys: list[Hashable] = []
    for position, tensor in enumerate(node.inputs):
        if position < op.carries:
            seen[tensor] = seen.get(tensor, -1) + 1
            keys.append(("carry", tensor, seen[tensor], op.length, op.reverse))
        else:
            keys.append(("element" if op.is_stacked(position) else "captured", tensor))
    return keys


def _covers(leader: _Loop, loop: _Loop) -> bool:
    """True when every carry of ``loop`` steps as one of ``leader``, which has all its operands.

    By induction over the steps, equal numbers then mean equal values.
    """
    return (
        leader.op.length == loop.op.length
        and leader.op.reverse == loop.op.reverse
        and leader.op.unroll == loop.op.unroll
        and set(loop.inputs) <= set(leader.inputs)
        and all(leader.carries[key] == after for key, after in loop.carries.items())
    )


def _absorb(leader: _Loop, loop: _Loop) -> list[int]:
    """Give the leader what it lacks; the places of the loop's outputs among the leader's."""
    order = list(leader.carries)
    places = [order.index(key) for key in loop.carries]
    own = dict(zip(leader.inputs, leader.op.body.inputs, strict=True))
    mapping = {t: own[key] for t, key in zip(loop.op.body.inputs, loop.inputs, strict=True)}
    values = loop.op.body.outputs[loop.op.carries :]
    for number, value in zip(loop.stacked, substitute(values, mapping), strict=True):
        if number not in leader.stacked:
            leader.stacked.append(number)
            leader.extra.append(value)
        places.append(len(order) + leader.stacked.index(number))
    return places


def _widened(loop: _Loop) -> Scan:
    """The leader's op with the values of absorbed loops as further outputs."""
    body = loop.op.body
    count = len(body.outputs)
    names = [*body.output_names, *(f"shared_{count + i}" for i in range(len(loop.extra)))]
    wider = Body.of(body.inputs, [*body.outputs, *loop.extra], names, (), body.name,
                    body.input_names)  # fmt: skip
    return replace(loop.op, body=merge_equal(wider))
