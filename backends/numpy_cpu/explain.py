"""A bound program as text: what lies where, and which calls a step makes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from types import ModuleType

from asg.analysis.memory import MemoryPlan, Place
from asg.core.node import Node
from asg.core.origin import short_path
from asg.core.units import bytes_text

from .bind import Program
from .kernel import Call


def explain_program(program: Program) -> str:
    """Totals, then a line per value: number, type, place, op with operands, calls, origin."""
    plan = program.plan.summary()
    calls = dict(program.steps)
    lines = [_title(program), *_totals(plan)]
    for node in program.graph.nodes:
        lines.extend(_node_lines(node, plan, calls.get(node, [])))
    names, copies = program.graph.input_names, program.plan.copies
    lines += [f"then copy %{c.source.node.serial} to {names[c.position]}" for c in copies]
    return "\n".join(lines)


def _title(program: Program) -> str:
    graph = program.graph
    count = len(program.schedule()) + len(program.finish)
    return f"graph {graph.name!r}: {len(graph.nodes)} nodes, {count} calls a step"


def _totals(plan: MemoryPlan) -> Iterator[str]:
    yield (
        f"arena {bytes_text(plan.arena_bytes)} (no plan below "
        f"{bytes_text(plan.lower_bound_bytes)}; without sharing {bytes_text(plan.separate_bytes)})"
    )
    yield f"state {bytes_text(plan.state_bytes)}, constants {bytes_text(plan.constant_bytes)}"


def _node_lines(node: Node, plan: MemoryPlan, calls: list[Call]) -> Iterator[str]:
    operands = ", ".join(f"%{t.node.serial}" for t in node.inputs)
    shown = f"{node.op}({operands})" if node.inputs else node.op.leaf_label() or str(node.op)
    for tensor in node.outputs:
        place = _place_text(plan.places[tensor])
        yield f"%{node.serial:<6} {tensor.type!s:<18} {place:<32} {shown}{_origin_text(node)}"
    for function, _ in calls:
        yield f"        {_function_name(function)}"


def _place_text(place: Place) -> str:
    sharing = "" if place.sharing == "own" else f" {place.sharing}"
    if place.memory == "constant":
        return f"constant ({place.nbytes} B)"
    return f"{place.memory}[{place.offset}:{place.offset + place.nbytes}]{sharing}"


def _origin_text(node: Node) -> str:
    location, scope = node.origin.location, node.origin.scope
    where = f"  {short_path(location.file)}:{location.line}" if location else ""
    return f"{where} [{scope}]" if scope else where


def _function_name(function: object) -> str:
    if isinstance(function, partial):
        return _function_name(function.func)
    name = getattr(function, "__name__", type(function).__name__)
    owner = getattr(function, "__self__", None)
    bound = owner is not None and not isinstance(owner, ModuleType)
    return f"{getattr(owner, '__name__', type(owner).__name__)}.{name}" if bound else str(name)
