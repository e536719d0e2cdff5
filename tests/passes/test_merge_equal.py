"""merge_equal: what is equal, and what only looks so."""

from __future__ import annotations

import asg
from asg.core.node import Node
from asg.core.types import TensorType
from asg.ops.elementwise_unary import Exp
from asg.ops.reduce import Sum
from asg.passes.merge_equal import merge_equal, op_key


def test_applications_of_other_types_are_told_apart() -> None:
    x = asg.input("x", ("n",))
    known = TensorType.of("float32", (4,))
    nodes = [Node(Exp(), (x,), (of,)) for of in (x.type, known, x.type, known, x.type)]
    graph = asg.Graph({f"y{i}": node.output for i, node in enumerate(nodes)})
    merged = merge_equal(graph).outputs
    assert merged == tuple(nodes[i].output for i in (0, 1, 0, 1, 0))


def test_the_key_of_an_op_is_written_once() -> None:
    op = Sum((0,), False)
    assert op_key(op) is op_key(op) and op_key(op) == op_key(Sum((0,), False))
    assert op_key(op) != op_key(Sum((0,), True)) and op == Sum((0,), False)
