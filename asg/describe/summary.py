"""A table of a graph: per scope the ops of each part, parameters, and cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.registry import public
from asg.describe.entries import role_of, scope_of
from asg.describe.parts import parts_of, users_of
from asg.describe.schema import PARTS, Part

OUTSIDE = "(no scope)"


@dataclass
class Row:
    """Totals of one scope.

    Attributes:
        ops: computations (not leaves), by part.
        parameters: elements of the parameters.
        flops: of all parts together.
    """

    ops: dict[Part, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    parameters: Dim = 0
    flops: Dim = 0

    def add(self, node: Node, part: Part) -> None:
        """Count one node."""
        if node.inputs:
            self.ops[part] += 1
        if role_of(node) == "parameter":
            self.parameters = self.parameters + node.output.type.size
        types = tuple(t.type for t in node.inputs), tuple(t.type for t in node.outputs)
        self.flops = self.flops + node.op.flops(*types)

    def texts(self, name: str) -> tuple[str, ...]:
        """The cells."""
        numbers = (*(self.ops[part] for part in PARTS), self.parameters, self.flops)
        return (name, *(f"{n:,}" if isinstance(n, int) else str(n) for n in numbers))


@public
def summary(graph: Graph, depth: int = 1) -> str:
    """A table with one line per scope, and totals.

    Args:
        graph: what to count.
        depth: how many levels of scopes are told apart.

    Raises:
        OperandError: the depth is not positive.

    >>> import asg
    >>> with asg.scope("head"):
    ...     y = asg.input("x", ("batch", 3)) @ asg.parameter("head.weight", (3, 2), 0.0)
    >>> print(summary(asg.Graph(y=y)))
    scope  forward  gradient  update  parameters     flops
    head         1         0       0           6  12*batch
    total        1         0       0           6  12*batch
    """
    if not isinstance(depth, int) or depth < 1:
        raise OperandError(f"depth={depth!r}: give the number of scope levels, 1 or more")
    parts = parts_of(graph.nodes, users_of(graph.nodes))
    rows: dict[str, Row] = {}
    total = Row()
    for node in graph.nodes:
        row = rows.setdefault(_scope(node, depth), Row())
        row.add(node, parts[node])
        total.add(node, parts[node])
    head = ("scope", *PARTS, "parameters", "flops")
    shown = [row.texts(name) for name, row in rows.items() if _counts(row)]
    return _aligned([head, *shown, total.texts("total")])


def _scope(node: Node, depth: int) -> str:
    return "/".join(scope_of(node).split("/")[:depth]) or OUTSIDE


def _counts(row: Row) -> bool:
    """A scope of leaves without parameters, the inputs for instance, has nothing to tell."""
    return any(row.ops.values()) or row.parameters != 0


def _aligned(table: Iterable[tuple[str, ...]]) -> str:
    """Names to the left, numbers to the right."""
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *numbers in rows:
        cells = [f"{n:>{width}}" for n, width in zip(numbers, widths[1:], strict=True)]
        lines.append("  ".join([f"{name:<{widths[0]}}", *cells]))
    return "\n".join(lines)
