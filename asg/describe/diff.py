"""What changed between two graphs, as text: the nodes that went and those that came."""

from __future__ import annotations

from collections.abc import Iterable

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.registry import public
from asg.core.text import node_line, serial_namer


@public
def graph_diff(before: Graph, after: Graph) -> str:
    """Lines only in ``before`` with ``-``, only in ``after`` with ``+``, then changed outputs.

    Nodes are named by lineage, so a node whose operands were merely made anew keeps its line, and
    the difference shows what a pass really did. A new node stands below the old one it was derived
    from. Numbers that are written in place have no line.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> first, second = asg.Graph(y=x), asg.Graph(y=x.T)
    >>> print(graph_diff(first, first))
    graph 'graph': no change
    >>> print(graph_diff(first, second).splitlines()[0])
    graph 'graph': 1 -> 2 nodes (+1 -0 lines)
    """
    old, new = _lines(before), _lines(after)
    removed = [node for line, node in old.items() if line not in new]
    added = [node for line, node in new.items() if line not in old]
    results = _output_lines(before, after)
    if before.nodes == after.nodes and not results:
        return f"graph {after.name!r}: no change"
    head = (
        f"graph {after.name!r}: {len(before.nodes)} -> {len(after.nodes)} nodes "
        f"(+{len(added)} -{len(removed)} lines)"
    )
    return "\n".join([head, *_node_lines(removed, added), *results])


def _lines(graph: Graph) -> dict[str, Node]:
    return {node_line(node): node for node in graph.nodes if not _in_place(node)}


def _node_lines(removed: Iterable[Node], added: Iterable[Node]) -> list[str]:
    gone = {node.serial for node in removed} | {node.lineage for node in removed}
    marked = [(node.lineage, "-", node) for node in removed]
    marked += [(_replaced(node, gone), "+", node) for node in added]
    marked.sort(key=lambda item: (item[0], item[1] == "+", item[2].serial))
    return [f"{mark} {node_line(node)}" for _, mark, node in marked]


def _replaced(node: Node, gone: set[int]) -> int:
    """Serial of the removed node that this one came from, the latest step first; else its own."""
    for step in reversed(node.origin.derived):
        for source in step.sources:
            if source in gone:
                return source
    return node.lineage


def _in_place(node: Node) -> bool:
    """Scalar constants are written where they are used."""
    return not serial_namer(node.outputs[0]).startswith("%")


def _output_lines(before: Graph, after: Graph) -> list[str]:
    old = dict(zip(before.output_names, map(serial_namer, before.outputs), strict=True))
    new = dict(zip(after.output_names, map(serial_namer, after.outputs), strict=True))
    lines = []
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            lines += [f"- output {name} = {old[name]}"] if name in old else []
            lines += [f"+ output {name} = {new[name]}"] if name in new else []
    return lines
