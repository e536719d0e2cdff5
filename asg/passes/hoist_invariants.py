"""hoist_invariants: what is the same at every step of a loop is computed once, before the loop.

A value is the same at every step when it depends on captured values and constants alone. It is
hoisted unless it is larger than what it is computed from: a broadcast stays inside, where it costs
nothing to keep. Nothing is hoisted out of branches, which may not be taken.

Numerics: exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.region import Body, body_input, map_bodies, substitute
from asg.core.tensor import Tensor
from asg.ops.loops import Scan
from asg.ops.while_loops import WhileLoop
from asg.passes.lean_loops import applied_like, fresh_names, lean_loops
from asg.passes.merge_equal import merge_equal
from asg.rewrite.watch import may_replace, note_replacement

Tensors = tuple[Tensor, ...]


def hoist_invariants(graph: Graph) -> Graph:
    """The graph with invariants taken out of its scans and while loops, the inner ones first."""
    graph = map_bodies(graph, hoist_invariants)
    if not any(isinstance(node.op, Scan | WhileLoop) for node in graph.nodes):
        return graph
    hoisted = False

    def hoist(node: Node, inputs: Tensors) -> Tensors | None:
        nonlocal hoisted
        if not may_replace():
            return None
        outputs = None
        if isinstance(node.op, Scan):
            outputs = _out_of_scan(node, node.op, inputs)
        elif isinstance(node.op, WhileLoop):
            outputs = _out_of_while(node, node.op, inputs)
        if outputs is not None:
            note_replacement("hoist_invariants", node, inputs, outputs)
            hoisted = True
        return outputs

    result = rebuild(graph, hoist)
    return merge_equal(lean_loops(result)) if hoisted else graph


def _out_of_scan(node: Node, op: Scan, inputs: Tensors) -> Tensors | None:
    first = op.carries + op.stacked
    found = _worth_hoisting(op.body, op.body.inputs[first:])
    if not found:
        return None
    outside = _computed_outside([(op.body, found)], first, inputs)
    leaner: Scan = replace(op, body=_with_captured(op.body, found, found))
    return applied_like(node, leaner, (*inputs, *outside))


def _out_of_while(node: Node, op: WhileLoop, inputs: Tensors) -> Tensors | None:
    bodies = [op.condition, op.body]
    found = [_worth_hoisting(body, body.inputs[op.carries :]) for body in bodies]
    everything = [tensor for tensors in found for tensor in tensors]
    if not everything:
        return None
    outside = _computed_outside(zip(bodies, found, strict=True), op.carries, inputs)
    condition, body = (
        _with_captured(graph, tensors, everything)
        for graph, tensors in zip(bodies, found, strict=True)
    )
    leaner: WhileLoop = replace(op, condition=condition, body=body)
    return applied_like(node, leaner, (*inputs, *outside))


# -- what is worth it -------------------------------------------------------------------------


def _worth_hoisting(body: Graph, captured: Sequence[Tensor]) -> list[Tensor]:
    """The invariants that what changes reads, or the values these are computed from."""
    computed = _invariants(body, captured)
    pending = _read_elsewhere(body, computed)
    seen = set(pending)
    found: list[Tensor] = []
    while pending:
        tensor = pending.pop()
        if _is_as_small(tensor):
            found.append(tensor)
            continue
        more = {t for t in tensor.node.inputs if t.node in computed} - seen
        pending += more
        seen |= more
    return sorted(found, key=lambda tensor: (tensor.node.serial, tensor.index))


def _invariants(body: Graph, captured: Sequence[Tensor]) -> set[Node]:
    """The nodes that compute the same at every step; what constants alone give is left to `fold`.

    Loops and branches inside are not among them.
    """
    known, given = set(captured), set(captured)
    computed: set[Node] = set()
    for node in body.nodes:
        if not node.inputs:
            known.update(node.outputs if not node.op.is_placeholder else ())
        elif node.op.category != "control" and known.issuperset(node.inputs):
            known.update(node.outputs)
            if not given.isdisjoint(node.inputs):
                given.update(node.outputs)
                computed.add(node)
    return computed


def _read_elsewhere(body: Graph, computed: set[Node]) -> list[Tensor]:
    read = {t: None for node in body.nodes if node not in computed for t in node.inputs}
    read |= dict.fromkeys(body.outputs)
    return [tensor for tensor in read if tensor.node in computed]


def _is_as_small(tensor: Tensor) -> bool:
    """Whether a value is not larger than what it is computed from; False if undecided."""
    sizes = [each.type.size for each in (tensor, *tensor.node.inputs)]
    numbers = [size for size in sizes if isinstance(size, int)]
    return len(numbers) == len(sizes) and numbers[0] <= sum(numbers[1:])


# -- in and out -------------------------------------------------------------------------------


def _computed_outside(
    parts: Iterable[tuple[Graph, list[Tensor]]], first: int, inputs: Tensors
) -> list[Tensor]:
    outside: list[Tensor] = []
    for body, tensors in parts:
        given = dict(zip(body.inputs[first:], inputs[first:], strict=True))
        outside += substitute(tensors, given)
    return outside


def _with_captured(body: Graph, own: Sequence[Tensor], given: Sequence[Tensor]) -> Body:
    """The body with an input more for each of the values given, which it reads for its own."""
    leaves = {tensor: body_input(f"invariant_{i}", tensor.type) for i, tensor in enumerate(given)}
    values = substitute(body.outputs, {tensor: leaves[tensor] for tensor in own})
    names = [*body.input_names, *fresh_names("invariant", body.input_names, len(given))]
    inputs = [*body.inputs, *leaves.values()]
    return Body.of(inputs, values, body.output_names, (), body.name, names)
