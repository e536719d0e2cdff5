"""Debugging: every planted mistake is found at compile time, named, and told with its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.compiler.debug import PassCheck, binding_of, run_watched
from asg.compiler.driver import compile as compile_graph
from asg.compiler.loader import load_backend
from asg.core.errors import PassError
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.elementwise_unary import Exp, Tanh
from asg.passes.algebra import UNSAFE
from asg.passes.fuse import Fuse
from asg.passes.pipeline import SIMPLIFY, FunctionPass, RulePass, lower_for
from asg.rewrite.rule import node_rule, rule
from tests.compiler.planted import PLANTED, exchanged, feeds_of

LOWER = lower_for(load_backend("numpy"))
NAMES = list(PLANTED)


@pytest.mark.parametrize("name", NAMES)
def test_a_planted_mistake_is_found_when_compiling(name: str) -> None:
    planted = PLANTED[name]
    with pytest.raises(PassError) as caught:
        asg.compile(planted.graph, pipeline=(planted.step, SIMPLIFY, LOWER), debug=True)
    told = str(caught.value)
    assert f"pass {planted.step.name!r} changes a value: rule {planted.guilty} (" in told
    assert f"made by {planted.op} at " in told and "planted.py" in told


@pytest.mark.parametrize("name", NAMES)
def test_the_right_passes_are_not_accused(name: str) -> None:
    graph = PLANTED[name].graph
    program = asg.compile(graph, debug=True)
    plain = asg.compile(graph, pipeline=(LOWER,))
    feeds = feeds_of(graph)
    for key, value in plain(**feeds).items():
        np.testing.assert_allclose(program(**feeds)[key], value, rtol=1e-5)


def test_the_message_tells_both_sides_both_numbers_and_the_inputs() -> None:
    planted = PLANTED["operands exchanged"]
    steps = run_watched((planted.step,), planted.graph)
    feeds = feeds_of(planted.graph)
    changed = PassCheck(steps, binding_of(planted.graph, feeds)).changed(feeds)
    assert changed is not None and changed.number == 1 and changed.value == "subtract"
    x, y = np.exp(feeds["x"]), np.sin(feeds["y"])
    np.testing.assert_allclose(changed.before, (x - y)[changed.index], rtol=1e-6)
    assert changed.after == -changed.before and changed.allowed == 0.0
    first, before, after, numbers, *inputs = str(changed).splitlines()
    assert "rule exchange (exact), replacement 1 of the pass" in first
    assert "before: " in before and "subtract(" in before and "after: " in after
    assert f"{changed.before!s} before, {changed.after!s} after" in numbers
    assert len(inputs) == 2 and "x: f32[n, 3], " in inputs[0] and "planted.py:" in inputs[0]


def test_a_mistake_that_made_up_numbers_do_not_show_is_found_in_a_call() -> None:
    @node_rule(Exp)
    def wrong_where_large(node: Node) -> Tensor | None:
        (x,) = node.inputs
        return asg.where(x > 50.0, x, asg.exp(x + 0.0)) if x.node.op.name == "input" else None

    x = asg.input("x", ("n",))
    step = RulePass("planted", (wrong_where_large,))
    program = compile_graph(asg.Graph(y=asg.exp(x)), pipeline=(step, LOWER), debug=True)
    program(x=np.zeros(3, np.float32))
    with pytest.raises(PassError, match=r"exp\[1\]: .* before, 60.0 after"):
        program(x=np.array([1.0, 60.0], np.float32))


def test_rounding_is_no_mistake_and_more_than_rounding_is() -> None:
    @node_rule(Tanh, numerics="reassociating")
    def by_exponentials(node: Node) -> Tensor:
        (x,) = node.inputs
        return 1.0 - 2.0 / (asg.exp(2.0 * x) + 1.0)

    @node_rule(Tanh, numerics="reassociating")
    def nearly(node: Node) -> Tensor:
        (x,) = node.inputs
        return (1.0 - 2.0 / (asg.exp(2.0 * x) + 1.0)) * 1.0001

    x = asg.input("x", ("n",))
    graph = asg.Graph(y=asg.tanh(x))
    right = RulePass("right", (by_exponentials,))
    feeds = {"x": np.linspace(-3, 3, 9, dtype=np.float32)}
    asg.compile(graph, pipeline=(right, LOWER), debug=True)(**feeds)
    with pytest.raises(PassError, match="rule nearly"):
        asg.compile(graph, pipeline=(RulePass("wrong", (nearly,)), LOWER), debug=True)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-5])
def test_an_approximate_rule_may_differ_by_what_it_says(tolerance: float) -> None:
    @node_rule(Tanh, numerics="approximate", tolerance=tolerance)
    def nearly(node: Node) -> Tensor:
        (x,) = node.inputs
        return (1.0 - 2.0 / (asg.exp(2.0 * x) + 1.0)) * 1.001

    graph = asg.Graph(y=asg.tanh(asg.input("x", ("n",))))
    step = RulePass("approximate", (nearly,))
    if tolerance < 1e-3:
        with pytest.raises(PassError, match="rule nearly"):
            asg.compile(graph, pipeline=(step, LOWER), debug=True)
    else:
        asg.compile(graph, pipeline=(step, LOWER), debug=True)


def test_a_stable_form_may_be_finite_where_there_was_infinity_but_not_the_other_way() -> None:
    x = asg.input("x", ("n",))
    feeds = {"x": np.array([1.0, 1000.0], np.float32)}
    graph = asg.Graph(y=asg.log(1.0 + asg.exp(x)))
    assert asg.compile(graph, debug=True)(**feeds)["y"][1] == 1000.0

    @rule("reassociating")
    def unstable(x):  # type: ignore[no-untyped-def]
        return Tanh()(x), lambda: (Exp()(x) - Exp()(-x)) / (Exp()(x) + Exp()(-x))

    program = asg.compile(
        asg.Graph(y=asg.tanh(x)), pipeline=(RulePass("wrong", (unstable,)), LOWER), debug=True
    )
    with pytest.raises(PassError, match=r"1\.0 before, nan after"):
        program(**feeds)


def test_an_unsafe_rule_is_found_out_by_infinity() -> None:
    x = asg.input("x", ("n",))
    program = asg.compile(
        asg.Graph(y=x * 0.0), pipeline=(RulePass("unsafe", UNSAFE), LOWER), debug=True
    )
    program(x=np.ones(2, np.float32))
    with pytest.raises(PassError, match=r"nan before, 0\.0 after"):
        program(x=np.array([1.0, np.inf], np.float32))


def test_a_pass_without_rules_is_named() -> None:
    def forget_sine(graph: asg.Graph) -> asg.Graph:
        return graph.with_outputs([tensor.node.inputs[0] for tensor in graph.outputs])

    graph = asg.Graph(y=asg.sin(asg.input("x", ("n",))))
    with pytest.raises(PassError, match=r"pass 'forget_sine' changes a value\n  y\["):
        asg.compile(graph, pipeline=(FunctionPass("forget_sine", forget_sine), LOWER), debug=True)


def test_the_setting_reaches_sessions_with_state() -> None:
    from asg import nn, optim

    step = asg.train_step(nn.Linear(2, 1), loss=lambda y, t: ((y - t) ** 2).mean(),
                          optimizer=optim.adam(1e-2))  # fmt: skip
    graph = step(x=("batch", 2), y=("batch", 1))
    x = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)
    with asg.configure(debug=True):
        checked = asg.compile(graph).start(seed=0)
    plain = asg.compile(graph).start(seed=0)
    for _ in range(2):
        found = [float(each(x, x[:, :1])["loss"]) for each in (checked, plain)]
        assert found[0] == found[1]
    assert type(checked.program((4, 2), (4, 1))).__name__ == "DebuggedProgram"
    assert type(plain.program((4, 2), (4, 1))).__name__ != "DebuggedProgram"


def test_loops_that_may_not_end_are_run_by_their_callers_only() -> None:
    x = asg.input("x", ())
    last = asg.while_loop(lambda c: c < 100.0, lambda c: c * 2.0, x)
    program = asg.compile(asg.Graph(y=last), debug=True)  # made-up numbers may be negative
    assert program(x=np.float32(3.0))["y"] == 192.0


def test_what_is_watched_is_left_alone_after_the_limit() -> None:
    from asg.rewrite.watch import watched

    graph = exchanged()
    step: Any = PLANTED["operands exchanged"].step
    with watched(limit=0) as watch:
        assert step(graph, []).outputs == graph.outputs
    assert watch.made == []


def test_passes_that_look_at_many_nodes_count_what_they_replace() -> None:
    """Each fused group is one replacement: the first of two can be had alone."""
    x, y = asg.input("x", (4, 4)), asg.input("y", (3, 3))
    graph = asg.Graph(a=asg.tanh(x) * 2.0, b=asg.exp(y) + 1.0)
    (step,) = run_watched([Fuse(2)], graph)
    assert [each.name for each in step.replacements] == ["fuse", "fuse"]
    replaced = [old.node.op.name for each in step.replacements for old in each.old]
    assert replaced == ["multiply", "add"]
    names = [node.op.name for node in step.again(1).nodes]
    assert names.count("fused") == 1 and "exp" in names and "tanh" not in names
    assert [node.op.name for node in step.again(0).nodes] == [n.op.name for n in graph.nodes]
