"""bisect: the pass and the one replacement that change a result, among many that do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg.compiler.bisect import DifferentKernel, bisect
from asg.compiler.changed_value import ChangedValue
from asg.compiler.loader import load_backend
from asg.core.errors import FeedError
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.elementwise import Subtract
from asg.passes.pipeline import MERGE_EQUAL, SIMPLIFY, FunctionPass, RulePass, lower_for
from asg.rewrite.pattern import uniform_value
from asg.rewrite.rule import node_rule
from tests.compiler.planted import PLANTED, feeds_of

LOWER = lower_for(load_backend("numpy"))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_named(name: str) -> None:
    planted = PLANTED[name]
    passes = (planted.step, SIMPLIFY, MERGE_EQUAL, LOWER)
    found = bisect(planted.graph, feeds_of(planted.graph), pipeline=passes)
    assert isinstance(found, ChangedValue)
    assert (found.pass_name, found.rule) == (planted.step.name, planted.guilty)
    assert found.replacement is not None
    assert found.replacement.old[0].node.op.name == planted.op
    assert found.before != found.after
    assert bisect(planted.graph, feeds_of(planted.graph)) is None


def test_the_one_wrong_hit_among_many_is_found() -> None:
    @node_rule(Subtract)
    def mostly_right(node: Node) -> Tensor | None:
        """x - y -> x + (-y), or y - x from 7"""
        x, y = node.inputs
        seven = uniform_value(x) == 7
        return y - x if seven else x + -y

    x = asg.input("x", ("n",))
    total = x
    for number in range(20):
        total = number - total
    graph = asg.Graph(y=total)
    found = bisect(graph, pipeline=(RulePass("planted", (mostly_right,)), LOWER))
    assert isinstance(found, ChangedValue) and found.number == 8
    text = str(found)
    assert "rule mostly_right (exact), replacement 8 of the pass" in text
    assert "test_bisect.py:" in text and "y[" in text and "before: " in text


def test_a_pass_that_counts_no_replacements_is_named() -> None:
    def forget_sine(graph: asg.Graph) -> asg.Graph:
        return graph.with_outputs([tensor.node.inputs[0] for tensor in graph.outputs])

    graph = asg.Graph(y=asg.sin(asg.input("x", ("n",)) + 0.0))
    found = bisect(graph, pipeline=(SIMPLIFY, FunctionPass("forget_sine", forget_sine), LOWER))
    assert isinstance(found, ChangedValue)
    assert (found.pass_name, found.number, found.replacement) == ("forget_sine", 0, None)


def test_a_wrong_kernel_of_another_backend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("jax")
    from asg.backends.jax_xla.kernel import KERNELS

    from asg.core.registry import OPS

    load_backend("jax")
    monkeypatch.setitem(KERNELS, OPS["tanh"], lambda op, x: 0.999 * x)
    x = asg.input("x", ("n", 3))
    graph = asg.Graph(y=asg.exp(asg.tanh(asg.sin(x))).sum())
    found = bisect(graph, backend="jax")
    assert isinstance(found, DifferentKernel) and found.node.op.name == "tanh"
    assert "jax and numpy differ first in what was made by tanh at" in str(found)


@pytest.mark.slow
def test_a_whole_training_step_is_right_on_both_backends() -> None:
    pytest.importorskip("jax")
    from asg import nn, optim

    net = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.Linear(8, 3))
    step = asg.train_step(net, loss=nn.functional.cross_entropy, optimizer=optim.adam(1e-2))
    graph = step(x=("batch", 4), labels=(("batch",), "int32"))
    assert bisect(graph, backend="jax") is None


def test_arrays_that_are_missing_or_cannot_be_made_up() -> None:
    x = asg.input("x", ("n",))
    y = asg.input("y", ("n",))
    with pytest.raises(FeedError, match="missing: \\['y'\\]"):
        bisect(asg.Graph(z=x + y), {"x": np.zeros(2, np.float32)})
    last: Any = asg.while_loop(lambda c: c.sum() < 100.0, lambda c: c * 2.0, x)
    with pytest.raises(FeedError, match="give feeds"):
        bisect(asg.Graph(y=last))
    assert bisect(asg.Graph(y=last), {"x": np.ones(2, np.float32)}) is None
