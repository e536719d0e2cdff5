"""PassRecord: what one pass did, for printing, timing, the viewer and tests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from asg.core.graph import Graph
from asg.core.node import Node
from asg.rewrite.rule import RuleHit


@dataclass(frozen=True)
class PassRecord:
    """The graph before and after one pass, the rules that fired, and the seconds it took.

    Nodes are immutable and shared between passes, so what changed is a difference of two sets.
    A node that only got other operands keeps its lineage: it counts as rewired, not as new.
    """

    name: str
    before: Graph
    after: Graph
    seconds: float
    hits: tuple[RuleHit, ...] = field(default=())

    @property
    def added(self) -> tuple[Node, ...]:
        """Nodes of the new graph that the old one does not have."""
        return _missing(self.after, self.before)

    @property
    def removed(self) -> tuple[Node, ...]:
        """Nodes of the old graph that the new one does not have."""
        return _missing(self.before, self.after)

    @property
    def rewired(self) -> tuple[Node, ...]:
        """Nodes of the new graph that repeat a node of the old one on other operands."""
        shared, old = set(self.before.nodes), {node.lineage for node in self.before.nodes}
        return tuple(n for n in self.after.nodes if n not in shared and n.lineage in old)

    @property
    def changed(self) -> bool:
        """True when the pass did anything."""
        return bool(self.added or self.removed or self.rewired)

    def rule_counts(self) -> dict[str, int]:
        """How often each rule fired, most frequent first."""
        return dict(Counter(hit.rule for hit in self.hits).most_common())

    def __str__(self) -> str:
        """``merge_equal: 42 -> 38 nodes (+0 -4 ~3) 0.8 ms``."""
        counts = ", ".join(f"{rule} x{count}" for rule, count in self.rule_counts().items())
        return (
            f"{self.name}: {len(self.before.nodes)} -> {len(self.after.nodes)} nodes "
            f"(+{len(self.added)} -{len(self.removed)} ~{len(self.rewired)}) "
            f"{self.seconds * 1e3:.1f} ms"
            + (f"  [{counts}]" if counts else "")
        )


def _missing(graph: Graph, other: Graph) -> tuple[Node, ...]:
    """Nodes of ``graph`` whose lineage ``other`` does not have."""
    known = {node.lineage for node in other.nodes}
    return tuple(node for node in graph.nodes if node.lineage not in known)
