"""The difference of two graphs as text."""

import re

import asg
from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.tensor import Tensor


def sine_for_tanh(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
    if node.op.name != "tanh":
        return None
    with derive("rule", "sine_for_tanh", (node.lineage,), node.origin):
        return (asg.sin(*inputs),)


def anonymous(text: str) -> str:
    """Serial numbers in order of appearance."""
    names: dict[str, str] = {}
    return re.sub(r"%\d+", lambda match: names.setdefault(match[0], f"%{len(names)}"), text)


def test_a_replaced_node_stands_above_its_replacement() -> None:
    x = asg.input("x", ("n",))
    before = Graph(y=asg.tanh(x) * 2.0)
    after = rebuild(before, sine_for_tanh)
    assert anonymous(after.diff(before)).splitlines() == [
        "graph 'graph': 4 -> 4 nodes (+2 -2 lines)",
        "- %0 = tanh(x) : f32[n]",
        "+ %1 = sin(x) : f32[n]",
        "- %2 = multiply(%0, 2.0) : f32[n]",
        "+ %2 = multiply(%1, 2.0) : f32[n]",
    ]


def test_changed_outputs_are_told() -> None:
    x = asg.input("x", ("n",))
    y = asg.sin(x)
    first, second = Graph(y=y), Graph(y=x, z=y)
    assert anonymous(second.diff(first)).splitlines() == [
        "graph 'graph': 2 -> 2 nodes (+0 -0 lines)",
        "- output y = %0",
        "+ output y = x",
        "+ output z = %0",
    ]


def test_no_change() -> None:
    graph = Graph(y=asg.sin(asg.input("x", ())))
    assert graph.diff(graph) == "graph 'graph': no change"
