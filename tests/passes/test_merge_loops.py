"""merge_loops: scans that step alike become one; others stay; unused outputs go."""

from collections.abc import Callable
from typing import Any

import numpy as np

import asg
from asg.passes.merge_equal import merge_equal
from asg.passes.merge_loops import merge_loops

Step = Callable[[Any, Any], Any]


def scans(graph: asg.Graph) -> list[Any]:
    return [node.op for node in graph.nodes if node.op.name == "scan"]


def merged(graph: asg.Graph) -> asg.Graph:
    return asg.verify(merge_loops(merge_equal(graph)))


def test_forward_and_gradient_share_one_loop() -> None:
    xs, w = asg.input("xs", (6, 3), asg.float64), asg.input("w", (3, 3), asg.float64)

    def step(carry: Any, x: Any) -> Any:
        return (asg.tanh(carry[0] @ w + x), carry[0] * carry[1]), carry[0].sum()

    zeros = asg.zeros((3,), asg.float64)
    last, y = asg.scan(step, (zeros, zeros + 1.0), xs)
    loss = last[0].sum() + y.sum()
    graph = asg.Graph(loss=loss, g=asg.grad(loss, w))
    assert [op.reverse for op in scans(graph)] == [False, False, True]
    after = merged(graph)
    assert [op.reverse for op in scans(after)] == [False, True]
    drawn = np.random.default_rng(0)
    feeds = {"xs": drawn.normal(size=(6, 3)), "w": drawn.normal(size=(3, 3))}
    plain = asg.compile(graph, pipeline=())(**feeds)
    for name, value in asg.compile(after, pipeline=())(**feeds).items():
        np.testing.assert_allclose(value, plain[name], rtol=1e-13)


def test_a_loop_over_a_part_of_the_carries_joins_the_whole() -> None:
    x = asg.input("x", (4,))
    both = asg.scan(lambda c, e: ((c[0] + e, c[1] * e), None), (0.0, 1.0), x)[0]
    part = asg.scan(lambda c, e: (c * e, c), 1.0, x)
    graph = merged(asg.Graph(a=both[0], b=both[1], c=part[0], d=part[1]))
    (loop,) = scans(graph)
    assert loop.carries == 2 and len(loop.body.outputs) == 3
    run = asg.compile(graph)(x=np.array([1, 2, 3, 4], np.float32))
    assert [run[name].tolist() for name in "abcd"] == [10.0, 24.0, 24.0, [1.0, 1.0, 2.0, 6.0]]


def different(first: Step, second: Step, **options: Any) -> int:
    x = asg.input("x", (4,))
    one, other = asg.scan(first, 1.0, x)[1], asg.scan(second, 1.0, x, **options)[1]
    return len(scans(merged(asg.Graph(a=one, b=other))))


def test_loops_that_step_differently_stay_apart() -> None:
    add: Step = lambda c, e: (c + e, c)  # noqa: E731
    assert different(add, add) == 1
    assert different(add, lambda c, e: (c + e, c * 2.0)) == 1
    assert different(add, lambda c, e: (c - e, c)) == 2
    assert different(add, add, reverse=True) == 2
    assert different(lambda c, e: (c * 0.0, c), lambda c, e: (c * -0.0, c)) == 2


def test_outputs_that_nothing_uses_are_dropped() -> None:
    x = asg.input("x", (4,))
    last, (squares, _) = asg.scan(lambda c, e: (c + e, (e * e, asg.exp(e))), 0.0, x)
    (loop,) = scans(merged(asg.Graph(last=last, squares=squares)))
    assert [node.op.name for node in loop.body.nodes if node.inputs] == ["add", "multiply"]
