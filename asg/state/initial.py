"""The init graph: a seed's key in, the first value of every variable out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from zlib import crc32

from asg.core.dtype import uint32
from asg.core.errors import StateError
from asg.core.graph import Graph, is_state, reachable_nodes
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.ops.leaf import Input


def init_step(graph: Graph, names: Collection[str] | None = None) -> Graph:
    """A graph ``key: u32[2] -> every state of graph``, in slot order.

    Each variable draws from ``fold_in(key, crc32(name))``: adding a layer does not change the
    values of the others. An initial value may refer to other variables' leaves (an optimizer's
    copy of a parameter); they are replaced by those variables' initial values.

    Args:
        graph: a step, or any graph with variables.
        names: of the variables whose values are wanted; None wants all.

    Raises:
        StateError: a state came from a parsed graph, without initialiser; or a cycle.
    """
    key = Input("key", uint32, (2,))()
    leaves = {graph.inputs[slot.input]: graph.input_names[slot.input] for slot in graph.state}
    wanted = {leaf: name for leaf, name in leaves.items() if names is None or name in names}
    resolved = _resolve(_initial_values(wanted, leaves, key))
    values = [resolved[leaf] for leaf in wanted]
    return Graph.of([key], values, list(wanted.values()), (), f"init_{graph.name}")


def _initial_values(
    wanted: Collection[Tensor], leaves: Collection[Tensor], key: Tensor
) -> dict[Tensor, Tensor]:
    """Of the wanted variables, and of all that these refer to."""
    initial: dict[Tensor, Tensor] = {}
    pending = list(wanted)
    while pending:
        leaf = pending.pop()
        if leaf not in initial:
            initial[leaf] = _initial(leaf, key)
            pending += [other for other in _references(initial[leaf]) if other in leaves]
    return initial


def _initial(leaf: Tensor, key: Tensor) -> Tensor:
    cell: Any = leaf.node.op.cell  # type: ignore[attr-defined]
    if not hasattr(cell, "initial"):
        raise StateError(f"{cell.name!r} has no initialiser; pass its array: start(state=...)")
    value: Tensor = cell.initial(call("fold_in", key, crc32(cell.name.encode())))
    return value


def _resolve(initial: Mapping[Tensor, Tensor]) -> dict[Tensor, Tensor]:
    """Initial values with references to other variables replaced, those without first."""
    resolved: dict[Tensor, Tensor] = {}
    pending = dict(initial)
    while pending:
        ready = {leaf: v for leaf, v in pending.items() if _references(v) <= resolved.keys()}
        if not ready:
            raise StateError(
                "initial values refer to each other in a cycle, or to variables outside the graph: "
                + ", ".join(repr(leaf) for leaf in pending)
            )
        for leaf, value in ready.items():
            resolved[leaf] = replace_leaves(value, resolved)
            del pending[leaf]
    return resolved


def _references(value: Tensor) -> set[Tensor]:
    return {node.output for node in reachable_nodes([value]) if _is_state_node(node.outputs)}


def _is_state_node(outputs: Sequence[Tensor]) -> bool:
    return len(outputs) == 1 and is_state(outputs[0])


def replace_leaves(value: Tensor, replacements: Mapping[Tensor, Tensor]) -> Tensor:
    """``value`` with leaves replaced by other tensors of the same type."""
    mapped: dict[Tensor, Tensor] = {}
    for node in reachable_nodes([value]):
        inputs = tuple(mapped[tensor] for tensor in node.inputs)
        kept = node if inputs == node.inputs else node.with_inputs(inputs)
        for old, new in zip(node.outputs, kept.outputs, strict=True):
            mapped[old] = replacements.get(old, new)
    return mapped[value]
