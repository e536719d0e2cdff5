"""remove_unused: drop what no result and no written state depends on.

Nodes that nothing uses fall away by themselves, since a graph is what its outputs reach. What can
be left over is in the signature: variables that are only read, by nothing any more.
"""

from __future__ import annotations

from asg.core.graph import Graph
from asg.core.state_slot import StateSlot


def remove_unused(graph: Graph) -> Graph:
    """The graph without state slots that are neither read nor written.

    Ordinary inputs stay: they are what the caller agreed to give.
    """
    returned = set(graph.outputs)
    dropped = {
        slot.input
        for slot in graph.state
        if slot.output is None
        and graph.inputs[slot.input] not in graph.users
        and graph.inputs[slot.input] not in returned
    }
    if not dropped:
        return graph
    kept = [i for i in range(len(graph.inputs)) if i not in dropped]
    moved = {old: new for new, old in enumerate(kept)}
    state = [StateSlot(moved[s.input], s.output) for s in graph.state if s.input in moved]
    return Graph.of(
        [graph.inputs[i] for i in kept], graph.outputs, graph.output_names, state, graph.name,
        [graph.input_names[i] for i in kept], graph.checks,
    )  # fmt: skip
