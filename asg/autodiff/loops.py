"""The gradient of a scan: a forward scan that keeps what is needed, and a scan backwards.

With ``c', y = body(c, x, k)``, the pullback of the body is built once, as graph. What it reads of
the body becomes operands of the backward scan: elements of x are run over again, captured values
stay captured, and everything else (carries, intermediate values) is stacked by a forward scan of
its own, of which passes make one with the original. The backward scan carries the cotangents of
the carries and sums up those of captured values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asg.autodiff.vjp import active_tensors, pullback
from asg.core.graph import reachable_nodes
from asg.core.region import Body, body_input, body_of, free_tensors, substitute
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.ops.leaf import Full, zeros_like
from asg.ops.loops import Scan

Tensors = Sequence[Tensor]


@public
def scan_vjp(
    op: Scan, wanted: Sequence[bool], inputs: Tensors, cotangents: Tensors
) -> list[Tensor | None]:
    """The cotangents of the wanted operands of a scan; None where none flows."""
    pulled = _pull_body(op, wanted, cotangents)
    carried = [i for i in pulled.active if i < op.carries]
    summed = [i for i in pulled.active if i >= op.carries + op.stacked and wanted[i]]
    mapped = [i for i in pulled.active if op.is_stacked(i) and wanted[i]]
    summed = [i for i in summed if pulled.found[i] is not None]
    mapped = [i for i in mapped if pulled.found[i] is not None]
    body = op.body
    sums = {i: body_input(f"sum_{i}", inputs[i].type) for i in summed}
    results = {f"next_{i}": _or_zeros(pulled.found[i], body.inputs[i]) for i in carried}
    results |= {f"next_sum_{i}": call("add", sums[i], pulled.found[i]) for i in summed}
    results |= {f"x_{i}": _or_zeros(pulled.found[i], body.inputs[i]) for i in mapped}
    carries = [*(pulled.seeds[i] for i in carried), *sums.values()]
    seeds = [position for position in pulled.seeds if position >= op.carries]
    first = [*(cotangents[i] for i in carried), *(zeros_like(inputs[i]) for i in summed)]
    elements = [pulled.seeds[position] for position in seeds]
    given = [cotangents[position] for position in seeds]
    outputs = _backward(op, inputs, carries, first, elements, given, results)
    places = [*carried, *summed, *mapped]
    by_operand = dict(zip(places, outputs, strict=True))
    return [by_operand.get(i) if wanted[i] else None for i in range(len(inputs))]


@dataclass(frozen=True, eq=False)
class _Pulled:
    """The pullback of a body.

    Attributes:
        active: positions of the inputs through which a derivative flows.
        seeds: the cotangents of the outputs, by position.
        found: the cotangents of the active inputs, by position.
    """

    active: list[int]
    seeds: dict[int, Tensor]
    found: dict[int, Tensor | None]


def _pull_body(op: Scan, wanted: Sequence[bool], cotangents: Tensors) -> _Pulled:
    body = op.body
    active, reached = _active_inputs(op, wanted)
    seeds = {
        i: body_input(f"cotangent_{i}", tensor.type)
        for i, tensor in enumerate(body.outputs)
        if (i in active if i < op.carries else tensor in reached and not is_zero(cotangents[i]))
    }
    found = pullback(
        [body.outputs[i] for i in seeds], list(seeds.values()), [body.inputs[i] for i in active]
    )
    return _Pulled(active, seeds, dict(zip(active, found, strict=True)))


def _active_inputs(op: Scan, wanted: Sequence[bool]) -> tuple[list[int], set[Tensor]]:
    """Inputs through which a derivative by the wanted ones flows, and all values it reaches."""
    body = op.body
    active = {i for i, tensor in enumerate(body.inputs) if wanted[i] and tensor.dtype.is_float}
    while True:
        reached = active_tensors(body.nodes, [body.inputs[i] for i in active])
        more = {i for i in range(op.carries) if body.outputs[i] in reached} - active
        if not more:
            return sorted(active), reached
        active |= more


def _backward(
    op: Scan,
    inputs: Tensors,
    carries: Tensors,
    first: Tensors,
    elements: Tensors,
    given: Tensors,
    results: dict[str, Tensor],
) -> tuple[Tensor, ...]:
    """The scan in the other direction, its reads of the forward body made operands."""
    if not results:
        return ()
    outside = _Forward(op)
    read = free_tensors(results.values(), {*carries, *elements}, outside)
    places = {tensor: i for i, tensor in enumerate(op.body.inputs)}
    captured = [t for t in read if places.get(t, 0) >= op.carries + op.stacked]
    again = [t for t in read if t in places and op.is_stacked(places[t])]
    kept = [t for t in read if t not in captured and t not in again]
    leaves = [body_input(f"kept_{i}", t.type) for i, t in enumerate((*again, *kept))]
    values = substitute(results.values(), dict(zip((*again, *kept), leaves, strict=True)))
    named = dict(zip(results, values, strict=True))
    body = body_of([*carries, *elements, *leaves], named, captured)
    stacked = [*given, *(inputs[places[t]] for t in again), *stacked_values(op, inputs, kept)]
    scan = replace(op, body=body, carries=len(carries), stacked=len(stacked),
                   reverse=not op.reverse)  # fmt: skip
    return scan.apply(*first, *stacked, *(inputs[places[t]] for t in captured))


class _Forward:
    """Says of a tensor whether it is a value of the forward body that changes from step to step.

    What depends on captured values alone is computed again in the backward body, as is, with
    ``checkpoint``, everything but the inputs.
    """

    def __init__(self, op: Scan) -> None:
        self.inputs = set(op.body.inputs)
        self.changing: set[Tensor] = set(op.body.inputs[: op.carries + op.stacked])
        for node in () if op.checkpoint else op.body.nodes:
            if any(tensor in self.changing for tensor in node.inputs):
                self.changing.update(node.outputs)

    def __call__(self, tensor: Tensor) -> bool:
        return tensor in self.changing or tensor in self.inputs


def stacked_values(op: Scan, inputs: Tensors, values: Tensors) -> tuple[Tensor, ...]:
    """Values of the body at every step, by a scan that computes nothing else."""
    if not values:
        return ()
    body = op.body
    carried = _needed_carries(op, values)
    outputs = [*(body.outputs[i] for i in carried), *values]
    reached = {node for node in reachable_nodes(outputs)}
    used = [
        i for i, tensor in enumerate(body.inputs) if i in carried or
        (i >= op.carries and tensor.node in reached)
    ]  # fmt: skip
    names = [*(f"next_{i}" for i in carried), *(f"kept_{i}" for i in range(len(values)))]
    part = Body.of([body.inputs[i] for i in used], outputs, names, (), body.name,
                   [body.input_names[i] for i in used])  # fmt: skip
    stacked = sum(op.is_stacked(i) for i in used)
    scan = replace(op, body=part, carries=len(carried), stacked=stacked)
    return scan.apply(*(inputs[i] for i in used))[len(carried) :]


def _needed_carries(op: Scan, values: Tensors) -> list[int]:
    """The carries that the values depend on, at this step or through earlier ones."""
    needed: set[int] = set()
    while True:
        outputs = [*values, *(op.body.outputs[i] for i in needed)]
        reached = set(reachable_nodes(outputs))
        found = {i for i in range(op.carries) if op.body.inputs[i].node in reached}
        if found <= needed:
            return sorted(needed)
        needed |= found


def _or_zeros(found: Tensor | None, like: Tensor) -> Tensor:
    return zeros_like(like) if found is None else found


def is_zero(tensor: Tensor) -> bool:
    """True for zeros that the driver has filled in."""
    op = tensor.node.op
    return isinstance(op, Full) and op.value == 0
