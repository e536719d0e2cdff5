"""Shards run on threads, in planned memory, and fail with the user's line."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import blas, share
from asg.backends.numpy_cpu import kernel as table
from asg.backends.numpy_cpu.bind import Program, bind_plan
from asg.backends.numpy_cpu.interpreter import NumpyExecutable
from asg.backends.numpy_cpu.kernels import shards
from asg.backends.numpy_cpu.plan import Plan

import asg
from asg.core.graph import Graph
from asg.core.region import Body, body_input
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.shards import SUM, WHOLE, AllReduceSum, ShardMap
from asg.passes.shard import ANY_WORK, Shard


def _refuse_negative(x: Any, y: Any) -> None:
    if (x < 0).any():
        raise ValueError("a negative number")
    np.copyto(y, x)


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    with asg.configure(threads=2):
        yield


def leaf(name: str, *shape: int) -> Tensor:
    return body_input(name, TensorType.of("float64", shape))


def layer(rows: int, inputs: int = 30, outputs: int = 20) -> tuple[Graph, list[Any]]:
    """Two layers on two shards, with the sums of the gradients of a loss."""
    x, w = asg.input("x", (rows, inputs), "float64"), asg.input("w", (inputs, outputs), "float64")
    y = asg.tanh(x @ w)
    loss = asg.sum(y * y)
    graph = Graph(loss=loss, gradient=asg.grad(loss, w), y=y)
    part = Shard(ANY_WORK)(graph, [])
    drawn = np.random.default_rng(0)
    return part, [drawn.normal(size=(rows, inputs)), drawn.normal(size=(inputs, outputs))]


def test_an_error_in_a_shard_names_the_line_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def bind(op: Any, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return [(_refuse_negative, (inputs[0], outputs[0]))]

    monkeypatch.setitem(table.KERNELS, OPS["tan"], table.Kernel(bind))
    x = asg.input("x", (4, 3), "float64")
    y = asg.tan(x)
    program = NumpyExecutable(Shard(ANY_WORK)(Graph(y=y), []))
    numbers = np.ones((4, 3))
    for row in range(4):
        numbers[row, 1] = -1.0
        with pytest.raises(ValueError, match="a negative number") as caught:
            program([numbers])
        line = y.node.origin.location
        assert line is not None
        assert "while running tan" in caught.value.__notes__[0]
        assert f"test_shards.py:{line.line}" in caught.value.__notes__[0]
        numbers[row, 1] = 1.0
    np.testing.assert_array_equal(program([numbers])[0], numbers)


def test_every_shard_has_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, run = set(), share.ShardCalls._run

    def noted(self: share.ShardCalls, schedule: Any) -> None:
        seen.add(threading.current_thread().name)
        barrier.wait(timeout=10)
        run(self, schedule)

    barrier = threading.Barrier(2)
    monkeypatch.setattr(share.ShardCalls, "_run", noted)
    graph, inputs = layer(8)
    NumpyExecutable(graph)(inputs)
    assert len(seen) == 2


def test_blas_stays_on_the_thread_that_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    library, run = blas.openblas(), share.ShardCalls._run
    counts: list[int] = []
    if library is None:
        pytest.skip("NumPy has another BLAS")

    def noted(self: share.ShardCalls, schedule: Any) -> None:
        counts.append(library.get_threads())
        run(self, schedule)

    monkeypatch.setattr(share.ShardCalls, "_run", noted)
    graph, inputs = layer(8)
    program, before = NumpyExecutable(graph), library.get_threads()
    try:
        blas.set_threads(2)
        program(inputs)
        assert counts == [1, 1] and library.get_threads() == 2
    finally:
        blas.set_threads(before)


def test_operands_and_results_that_do_not_lie_in_one_piece() -> None:
    x, w = leaf("x", 4, 3), leaf("w", 2, 3)
    y = x @ w.T
    values = [y, y, x, w, asg.sum(y), asg.constant(np.arange(8.0).reshape(4, 2)), y.T]
    body = Body.of([x, w], values, [f"y{i}" for i in range(len(values))])
    op = ShardMap(body, 3, (0, WHOLE), (0, 1, SUM, WHOLE, SUM, 0, 1))
    a, b = asg.input("a", (3, 12), "float64"), asg.input("b", (3, 2), "float64")
    results = op.apply(a.T, b.T)
    graph = Graph.of([a, b], results, [f"y{i}" for i in range(len(results))])
    drawn = np.random.default_rng(0)
    rows, weights = drawn.normal(size=(3, 12)), drawn.normal(size=(3, 2))
    found = NumpyExecutable(graph)([rows, weights])
    product = rows.T @ weights
    expected = [
        product, np.concatenate(np.split(product, 3), 1), sum(np.split(rows.T, 3)), weights.T,
        product.sum(), np.tile(np.arange(8.0).reshape(4, 2), (3, 1)), product.T,
    ]  # fmt: skip
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-12)


def test_inputs_are_left_as_they_are() -> None:
    x = leaf("x", 2, 3)
    op = ShardMap(Body.of([x], [asg.exp(asg.exp(x))], ["y"]), 2, (0,), (0,))
    a = asg.input("a", (4, 3), "float64")
    y = op(a)
    program = NumpyExecutable(Graph(y=y, z=a + y))
    numbers = np.full((4, 3), 0.5)
    y_found, z_found = program([numbers])
    np.testing.assert_allclose(z_found - y_found, numbers, 1e-12)


def test_memory_is_planned_and_nothing_is_allocated_in_a_step() -> None:
    graph, inputs = layer(512, 64, 48)
    program = NumpyExecutable(graph)
    (op,) = [n.op for n in graph.nodes if isinstance(n.op, ShardMap)]
    whole = 512 * 64 * 8
    assert program.plan.arena_bytes > whole  # the input, and the values of both shards
    assert not shards._planned
    results = sum(t.type.size * 8 for t in graph.outputs)
    program(inputs)
    tracemalloc.start()
    try:
        program(inputs)
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        program(inputs)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < results + 16384
    assert op.shards == 2


def test_shards_are_bound_to_their_memory_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[Plan] = []

    def counted(plan: Plan, *others: Any) -> Program:
        bound.append(plan)
        return bind_plan(plan, *others)

    monkeypatch.setattr(shards, "bind_plan", counted)
    graph, inputs = layer(512)
    program = NumpyExecutable(graph)
    assert len(bound) == 2
    assert all(np.isfinite(each).all() for each in program(inputs))


def test_kernels_that_want_scratch_have_their_own_in_every_shard() -> None:
    x = asg.input("x", (6, 5, 4), "float64")
    y = asg.softmax(asg.swapaxes(x, 1, 2) @ x, -1)
    graph = Graph(y=asg.cumsum(y, 1))
    expected = NumpyExecutable(_lowered(graph))([numbers := np.random.default_rng(0).normal(
        size=(6, 5, 4))])  # fmt: skip
    with asg.configure(threads=3):
        part = Shard(ANY_WORK)(_lowered(graph), [])
        assert any(isinstance(node.op, ShardMap) for node in part.nodes)
        for _ in range(3):
            np.testing.assert_array_equal(NumpyExecutable(part)([numbers])[0], expected[0])


def _lowered(graph: Graph) -> Graph:
    from asg.compiler.loader import load_backend
    from asg.passes.lower import lower

    return lower(graph, load_backend("numpy"))


def test_bodies_with_loops_inside() -> None:
    def step(carry: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        after = asg.tanh(carry + x)
        return after, after * 2.0

    x = asg.input("x", (4, 6), "float64")
    last, every = asg.scan(step, asg.zeros((4,), "float64"), x.T)
    graph = Graph(last=last, every=every)
    part = Shard(ANY_WORK)(graph, [])
    assert [n.op.result_places for n in part.nodes if isinstance(n.op, ShardMap)] == [(0, 1)]
    numbers = np.random.default_rng(0).normal(size=(4, 6))
    pairs = zip(NumpyExecutable(part)([numbers]), NumpyExecutable(graph)([numbers]), strict=True)
    for one, other in pairs:
        np.testing.assert_array_equal(one, other)


def test_times_are_told_of_the_nodes_in_shards() -> None:
    graph, inputs = layer(8)
    program = NumpyExecutable(graph)
    timed = dict(program.time_nodes(inputs, steps=2))
    (outer,) = [node for node in graph.nodes if isinstance(node.op, ShardMap)]
    op: Any = outer.op
    inner = {node for node in op.body.nodes if node.op.name in ("matmul", "tanh", "sum")}
    assert inner < timed.keys() and outer in timed
    assert all(seconds > 0 for seconds in timed.values())
    assert "shards" in program.explain()
    for one, other in zip(program(inputs), NumpyExecutable(graph)(inputs), strict=True):
        np.testing.assert_array_equal(one, other)


# -- meetings -------------------------------------------------------------------------------------


def centred(rows: int = 12) -> tuple[Graph, list[Any]]:
    """Rows less their mean, then divided by the root of the sum of squares: two meetings."""
    x = asg.input("x", (rows, 30), "float64")
    y = x - asg.sum(x, 0) * (1.0 / rows)
    return Graph(y=y / asg.sqrt(asg.sum(y * y))), [np.random.default_rng(0).normal(size=(rows, 30))]


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_shards_meet_on_any_number_of_threads(threads: int) -> None:
    """Also when there are fewer threads than shards: a round ends before the next begins."""
    graph, inputs = centred()
    y = inputs[0] - inputs[0].mean(0)
    for shards_made in (2, 3, 4):
        with asg.configure(threads=shards_made):
            part = Shard(ANY_WORK)(graph, [])
        (op,) = [node.op for node in part.nodes if isinstance(node.op, ShardMap)]
        assert [n.op.name for n in op.body.nodes].count("all_reduce_sum") == 2
        with asg.configure(threads=threads):
            program = NumpyExecutable(part)
            found = [program(inputs)[0] for _ in range(3)]
        np.testing.assert_allclose(found[0], y / np.sqrt((y * y).sum()), 1e-13)
        assert all(np.array_equal(each, found[0]) for each in found)


def test_an_error_after_a_meeting_ends_the_step_and_not_the_program(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def bind(op: Any, inputs: Any, outputs: Any, scratch: Any) -> Any:
        return [(_refuse_negative, (inputs[0], outputs[0]))]

    monkeypatch.setitem(table.KERNELS, OPS["tan"], table.Kernel(bind))
    x = asg.input("x", (4, 3), "float64")
    y = asg.tan(x - asg.sum(x, 0) * 0.25) * asg.sum(x)
    program = NumpyExecutable(Shard(ANY_WORK)(Graph(y=y), []))
    with pytest.raises(ValueError, match="a negative number") as caught:
        program([np.arange(12.0).reshape(4, 3)])
    assert "while running tan" in caught.value.__notes__[0]
    np.testing.assert_array_equal(program([np.ones((4, 3))])[0], np.zeros((4, 3)))


def test_times_of_meetings_are_told() -> None:
    graph, inputs = centred()
    part = Shard(ANY_WORK)(graph, [])
    timed = NumpyExecutable(part).time_nodes(inputs, steps=2)
    assert [node.op.name for node, seconds in timed if seconds > 0].count("all_reduce_sum") == 2


def test_a_meeting_is_one_of_all_shards() -> None:
    x, rows = leaf("x", 3), asg.zeros((6,), "float64")
    with pytest.raises(asg.AsgError, match=r"all_reduce_sum of 3 shards.* over 2 shards"):
        ShardMap(Body.of([x], [AllReduceSum(3)(x)], ["y"]), 2, (0,), (0,))(rows)
    (last, _) = asg.scan(lambda c, e: (c + AllReduceSum(2)(e), c), asg.zeros((), "float64"), x)
    with pytest.raises(asg.AsgError, match="all_reduce_sum in a loop"):
        ShardMap(Body.of([x], [last], ["y"]), 2, (0,), (SUM,))(rows)
