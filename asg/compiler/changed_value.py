"""ChangedValue: what a pass did to a number it should have kept, told so that one can mend it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.explain import made_by
from asg.core.graph import Graph, reachable_nodes
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.text import node_line
from asg.rewrite.watch import Replacement

_MOST_LINES = 12


@dataclass(frozen=True, eq=False)
class ChangedValue:
    """The first value that is not what it was before a pass.

    Attributes:
        pass_name: the pass.
        number: which of its replacements did it, counted from 1; 0 when the pass counts none, or
            it was none of those.
        replacement: that replacement.
        value: what was compared: the node replaced, or an output of the graph by name.
        index: the element.
        before: its value before.
        after: and after.
        allowed: by how much it might have changed.
        graph: the first of the graphs that the passes went through.
        feeds: arrays of its inputs by name for which it happens.
    """

    pass_name: str
    number: int
    replacement: Replacement | None
    value: str
    index: tuple[int, ...]
    before: Any
    after: Any
    allowed: float
    graph: Graph
    feeds: Mapping[str, Any]

    @property
    def rule(self) -> str:
        """The name of the rule, or of the pass where it has none."""
        return self.replacement.name if self.replacement else self.pass_name

    def __str__(self) -> str:
        """Pass, rule, line, both sides, both numbers, and the inputs."""
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        return "\n".join([
            f"pass {self.pass_name!r} changes a value{self._by_whom()}",
            *self._sides(),
            f"  {self.value}{place}: {self.before!s} before, {self.after!s} after "
            f"(off by at most {self.allowed:.3g} is allowed)",
            *self._inputs(),
        ])  # fmt: skip

    def _by_whom(self) -> str:
        if self.replacement is None:
            return ""
        return (
            f": rule {self.replacement.name} ({self.replacement.numerics}), replacement "
            f"{self.number} of the pass, of what was {made_by(self.replacement.old[0])}"
        )

    def _inputs(self) -> Iterator[str]:
        """Those that the value depends on, each with its range and place in the user's code."""
        ends = self.replacement.old if self.replacement else self.graph.outputs
        needed = {node.output for node in reachable_nodes(ends) if node.op.is_placeholder}
        for name, tensor in zip(self.graph.input_names, self.graph.inputs, strict=True):
            if tensor in needed:
                yield f"  with {_range(name, tensor, self.feeds[name])}, {made_by(tensor)}"

    def _sides(self) -> Iterator[str]:
        if self.replacement is None:
            return
        old, new = self.replacement.old, self.replacement.new
        for side, own, other in (("before", old, new), ("after", new, old)):
            lines = list(own_lines(own, other))
            more = [] if len(lines) <= _MOST_LINES else [f"... {len(lines) - _MOST_LINES} more"]
            yield from (f"  {side}: {line}" for line in [*more, *lines[-_MOST_LINES:]])


def _range(name: str, tensor: Tensor, array: Any) -> str:
    told = f"{name}: {tensor.type}"
    if not np.size(array) or tensor.dtype.is_bool:
        return told
    return f"{told}, {np.min(array):.4g} to {np.max(array):.4g}"


def own_lines(own: Sequence[Tensor], other: Sequence[Tensor]) -> Iterator[str]:
    """The nodes that only one side has, as text; at least those that give its results."""
    shared: set[Node] = set(reachable_nodes(other)) - {tensor.node for tensor in own}
    for node in reachable_nodes(own):
        if node not in shared:
            yield node_line(node, _name).replace("\n", "\n    ")


def _name(tensor: Tensor) -> str:
    """``x`` of an input, the number of an inline constant, else ``%12``."""
    op: Any = tensor.node.op
    if op.is_placeholder:
        return str(op.cell.name if hasattr(op, "cell") else op.label)
    index = f".{tensor.index}" if len(tensor.node.outputs) > 1 else ""
    return f"%{tensor.node.lineage}{index}"
