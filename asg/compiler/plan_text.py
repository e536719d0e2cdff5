"""Plans as tables, for people, and as JSON, for programs."""

from __future__ import annotations

import html as escape
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from asg.analysis.memory import MemoryPlan, Place
from asg.core.graph import Graph, bodies_of
from asg.core.node import Node
from asg.core.origin import short_path
from asg.core.table import aligned
from asg.core.tensor import Tensor
from asg.core.units import bytes_text, count_text

if TYPE_CHECKING:
    from asg.compiler.plan import OpWork, Plan

FORMAT, VERSION = "asg-plan", 1
LONGEST = 40


def title(plan: Plan) -> str:
    """``plan of 'train_step' on numpy, batch=64``."""
    sizes = "".join(f", {name}={number}" for name, number in plan.sizes.items())
    return f"plan of {plan.graph.name!r} on {plan.executable.backend.name}{sizes}"


def brief(plan: Plan) -> str:
    """Memory and work in a few words."""
    return f"{bytes_text(plan.peak_bytes)}, {count_text(plan.flops)} FLOPs"


def table(plan: Plan, top: int) -> str:
    """Totals, then the ops that work most, then the largest values with their places."""
    lines = [title(plan), *_memory_lines(plan), *_work_lines(plan), *_reported_lines(plan)]
    most = sorted(plan.work, key=lambda each: (-each.flops, -each.read - each.written))[:top]
    if most:
        lines += ["", f"most work ({len(most)} of {len(plan.work)} ops)"]
        lines += aligned([_WORK_HEAD, *(_work_row(plan, each) for each in most)], right=range(1, 6))
    if plan.memory is not None:
        lines += _map_lines(plan.graph, plan.memory, top)
    if plan.notes:
        lines += ["", "chosen by measurement", *(f"  {note}" for note in plan.notes)]
    return "\n".join(lines)


def html(plan: Plan) -> str:
    """The table for a notebook."""
    return f"<pre>{escape.escape(table(plan, 20))}</pre>"


# -- totals ---------------------------------------------------------------------------------------


def _memory_lines(plan: Plan) -> Iterator[str]:
    memory = plan.memory
    if memory is None:
        yield f"memory  {bytes_text(plan.peak_bytes)} at the peak, by the backend's own analysis"
        return
    parts = [f"{name} {bytes_text(nbytes)}" for name, nbytes in parts_of(memory) if nbytes]
    yield f"memory  {bytes_text(plan.peak_bytes)} at the peak: {', '.join(parts)}"
    yield (
        f"        no arena is smaller than {bytes_text(memory.lower_bound_bytes)}; "
        f"without sharing {bytes_text(memory.separate_bytes)}"
    )
    if any(node.op.own_sizes() for node in memory.computed):
        yield "        loops whose length only the run knows plan their bodies when they run"


def parts_of(memory: MemoryPlan) -> list[tuple[str, int]]:
    """What the peak is the sum of."""
    return [
        ("arena", memory.arena_bytes), ("bodies", memory.body_bytes),
        ("state", memory.state_bytes), ("constants", memory.constant_bytes),
        ("feeds", memory.feed_bytes), ("results", memory.result_bytes),
    ]  # fmt: skip


def _work_lines(plan: Plan) -> Iterator[str]:
    yield (
        f"work    {count_text(plan.flops)} FLOPs in {len(plan.work)} ops, "
        f"{bytes_text(plan.bytes_read)} read, {bytes_text(plan.bytes_written)} written, "
        f"{plan.intensity:.3g} FLOPs per byte"
    )


def _reported_lines(plan: Plan) -> Iterator[str]:
    if plan.reported:
        yield f"{plan.executable.backend.name} itself says:"
        rows = [[f"  {name}", f"{number:,.0f}"] for name, number in plan.reported.items()]
        yield from aligned(rows, right=[1])


# -- ops ------------------------------------------------------------------------------------------

_WORK_HEAD = ["op", "FLOPs", "share", "read", "written", "FLOPs/B", "scope", "line"]


def _work_row(plan: Plan, work: OpWork) -> list[str]:
    share = work.flops / max(plan.flops, 1)
    return [
        work.name, count_text(work.flops), f"{share:.1%}",
        bytes_text(work.read), bytes_text(work.written), f"{work.intensity:.3g}",
        scope_text(work.node), line_text(work.node),
    ]  # fmt: skip


def scope_text(node: Node) -> str:
    """The scope, with its gradient marked; the front is left out where it is long."""
    scope = node.origin.scope
    marked = f"∇ {scope}" if node.origin.gradient_of is not None else scope
    return marked if len(marked) <= LONGEST else f"…{marked[1 - LONGEST :]}"


def line_text(node: Node) -> str:
    """``model.py:12``, or nothing."""
    place = node.origin.location
    return f"{short_path(place.file)}:{place.line}" if place else ""


# -- the map of the arena -------------------------------------------------------------------------

_MAP_HEAD = ["value", "bytes", "from", "to", "life", "type", "memory", "scope", "line"]


class PlacedValue(NamedTuple):
    """A value with its place.

    Attributes:
        position: of the node that makes it, as in `OpWork`.
        within: likewise; places are then in memory that each of its shards has.
        shards: how many there are, each with such a value; 1 outside of shards.
    """

    tensor: Tensor
    place: Place
    position: int
    within: int | None = None
    shards: int = 1

    @property
    def name(self) -> str:
        """``input 'x'``, ``matmul.44``, or ``matmul.155.12`` in the shards of node 155."""
        op = self.tensor.node.op
        outer = "" if self.within is None else f"{self.within}."
        if self.within is not None and op.is_placeholder:
            return f"operand {self.position} of {self.within}"
        return op.leaf_label() or f"{op.name}.{outer}{self.position}"


def placed_values(graph: Graph, memory: MemoryPlan) -> Iterator[PlacedValue]:
    """Every value with its place, those of shards as well; without constants, and without what
    lies in shards where an operand or a result does."""
    for position, node in enumerate(graph.nodes):
        for tensor in node.outputs:
            if memory.places[tensor].memory != "constant":
                yield PlacedValue(tensor, memory.places[tensor], position)
        shards = memory.nested.get(position, ())
        if not shards:
            continue
        (body,), places = bodies_of(node.op), shards[0].places
        for place, inner in enumerate(body.nodes):
            for tensor in inner.outputs:
                if places[tensor].memory == "arena":
                    yield PlacedValue(tensor, places[tensor], place, position, len(shards))


def _map_lines(graph: Graph, memory: MemoryPlan, top: int) -> Iterator[str]:
    own = [each for each in placed_values(graph, memory) if each.place.sharing != "view"]
    shown = sorted(own, key=lambda each: -each.place.nbytes)[:top]
    if not shown:
        return
    yield ""
    yield f"largest values ({len(shown)} of {len(own)})"
    yield from aligned([_MAP_HEAD, *map(_map_row, shown)], right=(1, 2, 3))


def _map_row(value: PlacedValue) -> list[str]:
    place, node = value.place, value.tensor.node
    memory = place.memory if value.within is None else f"each of {value.shards} shards"
    sharing = "" if place.sharing == "own" else f", {place.sharing}"
    return [
        value.name, bytes_text(place.nbytes), str(place.offset), str(place.offset + place.nbytes),
        f"{place.life.first}..{place.life.last}", str(value.tensor.type), f"{memory}{sharing}",
        scope_text(node), line_text(node),
    ]  # fmt: skip


# -- JSON -----------------------------------------------------------------------------------------


def to_json(plan: Plan) -> str:
    """The document of a plan."""
    memory = plan.memory
    data: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "graph": plan.graph.name,
        "backend": plan.executable.backend.name,
        "sizes": dict(plan.sizes),
        "peak_bytes": plan.peak_bytes,
        "flops": plan.flops,
        "bytes_read": plan.bytes_read,
        "bytes_written": plan.bytes_written,
        "reported": dict(plan.reported),
        "notes": list(plan.notes),
        "memory": None if memory is None else _memory_data(memory),
        "ops": [_op_data(each) for each in plan.work],
        "values": [] if memory is None else list(_value_data(plan.graph, memory)),
    }
    return json.dumps(data, ensure_ascii=False)


def _memory_data(memory: MemoryPlan) -> dict[str, int]:
    data = {f"{name}_bytes": nbytes for name, nbytes in parts_of(memory)}
    return data | {
        "lower_bound_bytes": memory.lower_bound_bytes,
        "separate_bytes": memory.separate_bytes,
    }


def _op_data(work: OpWork) -> dict[str, Any]:
    return {
        "name": work.name,
        "flops": work.flops,
        "read": work.read,
        "written": work.written,
        **where_data(work.node),
    }


def where_data(node: Node) -> dict[str, Any]:
    """Scope, line, and whether it belongs to a gradient."""
    place = node.origin.location
    return {
        "scope": node.origin.scope,
        "gradient": node.origin.gradient_of is not None,
        "file": short_path(place.file) if place else None,
        "line": place.line if place else None,
    }


def _value_data(graph: Graph, memory: MemoryPlan) -> Iterator[dict[str, Any]]:
    for value in placed_values(graph, memory):
        tensor, place = value.tensor, value.place
        yield {
            "name": value.name,
            "shards": value.shards,
            "type": str(tensor.type),
            "memory": place.memory,
            "offset": place.offset,
            "bytes": place.nbytes,
            "first": place.life.first,
            "last": place.life.last,
            "sharing": place.sharing,
            **where_data(tensor.node),
        }
