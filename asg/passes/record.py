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
    """

    name: str
    before: Graph
    after: Graph
    seconds: float
    hits: tuple[RuleHit, ...] = field(default=())

    @property
    def added(self) -> tuple[Node, ...]:
        """Nodes of the new graph that the old one does not have."""
        old = set(self.before.nodes)
        return tuple(node for node in self.after.nodes if node not in old)

    @property
    def removed(self) -> tuple[Node, ...]:
        """Nodes of the old graph that the new one does not have."""
        new = set(self.after.nodes)
        return tuple(node for node in self.before.nodes if node not in new)

    @property
    def changed(self) -> bool:
        """True when the pass did anything."""
        return bool(self.added or self.removed)

    def rule_counts(self) -> dict[str, int]:
        """How often each rule fired, most frequent first."""
        return dict(Counter(hit.rule for hit in self.hits).most_common())

    def __str__(self) -> str:
        """``merge_equal: 42 -> 38 nodes (+0 -4) 0.8 ms``."""
        counts = ", ".join(f"{rule} x{count}" for rule, count in self.rule_counts().items())
        return (
            f"{self.name}: {len(self.before.nodes)} -> {len(self.after.nodes)} nodes "
            f"(+{len(self.added)} -{len(self.removed)}) {self.seconds * 1e3:.1f} ms"
            + (f"  [{counts}]" if counts else "")
        )
