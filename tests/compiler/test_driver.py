"""compile, run and backends by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import asg
from asg.compiler import backend_names, load_backend
from asg.compiler.backend import Executable
from asg.core.errors import (
    FeedError,
    GraphError,
    OperandError,
    StateError,
    UnknownName,
    UnsupportedOp,
)
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.types import TensorType
from asg.passes.pipeline import MERGE_EQUAL, SIMPLIFY, FunctionPass, run_pipeline


class Recorder:
    """A backend that counts what it compiles and lets NumPy do the work."""

    name = "recorder"
    passes = ()

    def __init__(self, *lacking: str) -> None:
        self.compiled: list[Graph] = []
        self.lacking = lacking

    def supports(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        return op.name not in self.lacking and load_backend("numpy").supports(op, types)

    def add_kernel(self, op_class: type[Op], function: Any) -> None:
        raise NotImplementedError

    def compile(self, graph: Graph) -> Executable:
        self.compiled.append(graph)
        return load_backend("numpy").compile(graph)


def test_one_program_per_binding_is_kept() -> None:
    x = asg.input("x", ("n", 3))
    backend = Recorder()
    executable = asg.compile(asg.Graph(y=asg.exp(x)), backend=backend)
    for batch in (2, 5, 2, 5, 2):
        executable(x=np.ones((batch, 3), np.float32))
    assert [graph.inputs[0].shape for graph in backend.compiled] == [(2, 3), (5, 3)]


def test_a_backend_sees_neither_symbols_nor_what_it_lacks() -> None:
    x = asg.input("x", ("n", 3))
    backend = Recorder("softmax")
    executable = asg.compile(asg.Graph(y=asg.softmax(x)), backend=backend)
    found = executable(x=np.zeros((2, 3), np.float32))["y"]
    np.testing.assert_allclose(found, np.full((2, 3), 1 / 3), rtol=1e-6)
    (graph,) = backend.compiled
    assert all(node.op.name != "softmax" for node in graph.nodes)
    assert all(output.type.is_static for node in graph.nodes for output in node.outputs)
    steps = {step[:2] for node in graph.nodes for step in node.origin.derived}
    assert ("decompose", "softmax") in steps


def test_a_primitive_without_kernel_is_named_with_its_line_and_path() -> None:
    x = asg.input("x", ("n", 3))
    with pytest.raises(UnsupportedOp, match=r"(?s)'recorder'.*exp.*test_driver\.py.*softmax"):
        asg.compile(asg.Graph(y=asg.softmax(x)), backend=Recorder("softmax", "exp"))


def test_feeds_by_position_and_by_name() -> None:
    a, b = asg.input("a", ()), asg.input("b", ())
    divide = asg.compile(asg.Graph(y=a / b))
    assert float(divide(1.0, 2.0)["y"]) == 0.5
    assert float(divide(b=2.0, a=1.0)["y"]) == 0.5
    assert float(divide(1.0, b=2.0)["y"]) == 0.5


def test_an_unbound_size_names_the_op_and_its_line() -> None:
    y = asg.zeros(("n", 3)) + 1.0
    with pytest.raises(FeedError, match=r"(?s)'n'.*test_driver\.py"):
        asg.run(y)


def test_recorded_claims_are_checked_before_running() -> None:
    x, y = asg.input("x", ("n",)), asg.input("y", ("m",))
    add = asg.compile(asg.Graph(z=x + y))
    assert add(np.ones(3, np.float32), np.ones(3, np.float32))["z"].tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(FeedError, match="n == m"):
        add(np.ones(3, np.float32), np.ones(1, np.float32))


def test_a_claim_survives_the_removal_of_its_node() -> None:
    x, y = asg.input("x", ("n",)), asg.input("y", ("m",))
    chosen = asg.where(asg.constant(True), x, x + y)
    first = asg.compile(asg.Graph(z=chosen))
    assert all(node.op.name != "add" for node in first.optimized.nodes)
    with pytest.raises(FeedError, match="n == m"):
        first(np.ones(3, np.float32), np.ones(2, np.float32))


def test_a_gradient_by_a_size_taken_as_equal_has_the_declared_type() -> None:
    x, y = asg.input("x", ("n",)), asg.input("y", ("m",))
    dy = asg.grad(asg.sum((x + y) ** 2.0), y)
    assert dy.type == y.type
    found = asg.run(dy, {x: [1.0, 2.0], y: [3.0, 4.0]})
    np.testing.assert_allclose(found, [8.0, 12.0])


def test_sizes_are_solved_from_expressions() -> None:
    x = asg.input("x", ("2*n + 1",))
    double = asg.compile(asg.Graph(y=x * asg.dim_size("n").astype("float32")))
    assert double(np.ones(7, np.float32))["y"][0] == 3.0
    with pytest.raises(FeedError, match="axis 0"):
        double(np.ones(6, np.float32))


def test_bounds_of_sizes_are_checked() -> None:
    x = asg.input("x", (asg.dim("n", minimum=4, multiple_of=2),))
    total = asg.compile(asg.Graph(y=asg.sum(x)))
    assert float(total(np.ones(6, np.float32))["y"]) == 6.0
    for wrong in (2, 5):
        with pytest.raises(FeedError, match="'x' axis 0"):
            total(np.ones(wrong, np.float32))


def test_a_graph_with_variables_must_be_started() -> None:
    graph = asg.Graph(y=asg.parameter("w", (2,), init=1.0) * 2.0)
    executable = asg.compile(graph)
    with pytest.raises(StateError, match="start"):
        executable()
    assert executable.start()()["y"].tolist() == [2.0, 2.0]


def test_run_keeps_structure_and_takes_tensors_variables_and_names() -> None:
    x, w = asg.input("x", (2,)), asg.parameter("w", (2,), init=0.0)
    outputs = {"a": x * w, "b": [x, w + 1.0]}
    found = asg.run(outputs, {x: [1.0, 2.0], w: [3.0, 4.0]})
    assert found["a"].tolist() == [3.0, 8.0]
    assert found["b"][1].tolist() == [4.0, 5.0]
    assert asg.run(x, {"x": [1.0, 2.0]}).tolist() == [1.0, 2.0]
    assert (x * 2.0).eval({x: [1.0, 2.0]}).tolist() == [2.0, 4.0]
    with pytest.raises(FeedError, match="'w'"):
        asg.run(outputs, {x: [1.0, 2.0]})
    with pytest.raises(FeedError, match="computed"):
        asg.run(outputs, {x * 2.0: [1.0, 2.0]})


def test_unknown_backends_list_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="numpy, jax"):
        asg.compile(asg.Graph(y=asg.zeros((2,))), backend="tpu9")
    assert backend_names()[:2] == ["numpy", "jax"]


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    class Wrong:
        name = "wrong"

        def __call__(self, graph: Graph, log: Any) -> Graph:
            other = asg.input("other", ())
            return graph.with_outputs([other])

    graph = asg.Graph(y=asg.input("x", ()) * 2.0)
    with pytest.raises(GraphError, match=r"pass 'wrong'.*'other'"):
        run_pipeline([Wrong()], graph)


def test_records_tell_what_each_pass_did() -> None:
    x = asg.input("x", ("n",))
    records: Sequence[Any] = asg.compile(asg.Graph(y=asg.exp(x * 1.0) + asg.exp(x))).records
    simplify = records[0]
    assert simplify.name == "simplify"
    assert simplify.rule_counts() == {"multiply_by_one": 1}
    assert [node.op.name for node in simplify.removed][:1] == ["constant"]
    merged = next(record for record in records if record.name == "merge_equal")
    assert [node.op.name for node in merged.removed] == ["exp"]
    assert [node.op.name for node in merged.rewired] == ["add"]
    assert str(simplify).startswith("simplify: 6 -> 4 nodes")


def test_another_pipeline_can_be_given() -> None:
    x = asg.input("x", ("n",))
    graph = asg.Graph(y=asg.exp(x * 1.0))
    same = FunctionPass("nothing", lambda graph: graph)
    assert asg.compile(graph, pipeline=(same,)).optimized is graph
    names = [r.name for r in asg.compile(graph, pipeline=(SIMPLIFY, MERGE_EQUAL)).records]
    assert names == ["simplify", "merge_equal"]


def test_optimize_without_backend_keeps_composites() -> None:
    x = asg.input("x", ("n", 3))
    graph = asg.Graph(y=asg.log(asg.softmax(x)))
    assert [n.op.name for n in graph.optimize().nodes] == ["input", "log_softmax"]
    assert isinstance(graph.optimize("jax"), Graph)


def test_no_other_passes_run_when_a_pipeline_is_given() -> None:
    """Tests of kernels and passes depend on it: what runs is what was asked for."""
    x = asg.input("x", ("n",))
    backend = Recorder()
    graph = asg.Graph(y=asg.exp(x + 0.0) * asg.exp(x + 0.0))
    for pipeline in ((), None):
        asg.compile(graph, backend, pipeline)(x=[1.0, 2.0])
    plain, default = ([node.op.name for node in each.nodes] for each in backend.compiled)
    assert plain.count("add") == plain.count("exp") == 2
    assert "add" not in default and default.count("exp") == 1


def test_a_pipeline_may_hold_plain_functions() -> None:
    x = asg.input("x", ("n",))

    def same(graph: Graph) -> Graph:
        return graph

    executable = asg.compile(asg.Graph(y=asg.exp(x)), pipeline=(same, SIMPLIFY))  # type: ignore[arg-type]
    assert [record.name for record in executable.records] == ["same", "simplify"]
    with pytest.raises(OperandError, match="not 3"):
        asg.compile(asg.Graph(y=asg.exp(x)), pipeline=(3,))  # type: ignore[arg-type]
