"""The gradient of a switch: a switch between the gradients of its branches."""

from __future__ import annotations

from collections.abc import Sequence

from asg.autodiff.loops import is_zero
from asg.autodiff.vjp import active_tensors, pullback
from asg.core.graph import Graph, reachable_nodes
from asg.core.region import Body, body_input
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.ops.branches import Switch
from asg.ops.leaf import zeros_like

Tensors = Sequence[Tensor]
Found = list[Tensor | None]


@public
def switch_vjp(
    op: Switch, wanted: Sequence[bool], inputs: Tensors, cotangents: Tensors
) -> list[Tensor | None]:
    """The cotangents of the wanted operands of a switch; None where none flows in any branch."""
    places = [i for i, asked in enumerate(wanted[1:]) if asked and inputs[i + 1].dtype.is_float]
    seeds = _seeds(op, places, cotangents)
    pulled = [_pull(branch, places, seeds) for branch in op.branches]
    flowing = [k for k in range(len(places)) if any(found[k] is not None for found in pulled)]
    if not flowing:
        return [None] * len(inputs)
    results = [
        [_or_zeros(found[k], branch.inputs[places[k]]) for k in flowing]
        for found, branch in zip(pulled, op.branches, strict=True)
    ]
    used = _used_inputs(op.branches, results)
    bodies = tuple(
        _body(branch, values, seeds, used)
        for branch, values in zip(op.branches, results, strict=True)
    )
    given = [*(cotangents[i] for i in seeds), *(inputs[i + 1] for i in used)]
    outputs = Switch(bodies).apply(inputs[0], *given)
    by_operand = {places[k] + 1: out for k, out in zip(flowing, outputs, strict=True)}
    return [by_operand.get(i) for i in range(len(inputs))]


def _seeds(op: Switch, places: Sequence[int], cotangents: Tensors) -> dict[int, Tensor]:
    """Placeholders for the cotangents that are not zero, of outputs that depend on ``places``."""
    seeds: dict[int, Tensor] = {}
    for branch in op.branches:
        reached = active_tensors(branch.nodes, [branch.inputs[i] for i in places])
        for i, tensor in enumerate(branch.outputs):
            if tensor in reached and i not in seeds and not is_zero(cotangents[i]):
                seeds[i] = body_input(f"cotangent_{i}", cotangents[i].type)
    return dict(sorted(seeds.items()))


def _pull(branch: Graph, places: Sequence[int], seeds: dict[int, Tensor]) -> Found:
    outputs = [branch.outputs[i] for i in seeds]
    return pullback(outputs, list(seeds.values()), [branch.inputs[i] for i in places])


def _used_inputs(branches: Sequence[Graph], results: Sequence[Tensors]) -> list[int]:
    """Operands that the gradient of any branch reads."""
    used: set[int] = set()
    for branch, values in zip(branches, results, strict=True):
        reached = set(reachable_nodes(values))
        used.update(i for i, tensor in enumerate(branch.inputs) if tensor.node in reached)
    return sorted(used)


def _body(branch: Graph, values: Tensors, seeds: dict[int, Tensor], used: Sequence[int]) -> Body:
    inputs = [*seeds.values(), *(branch.inputs[i] for i in used)]
    names = [f"captured_{i}" for i in range(len(inputs))]
    outputs = [f"y_{i}" for i in range(len(values))]
    return Body.of(inputs, values, outputs, (), branch.name, names)


def _or_zeros(found: Tensor | None, like: Tensor) -> Tensor:
    return zeros_like(like) if found is None else found
