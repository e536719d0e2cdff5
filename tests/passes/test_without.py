"""Leaving out passes and rules by name."""

from __future__ import annotations

import numpy as np
import pytest

import asg
from asg.core.errors import ConfigError, UnknownName
from asg.passes.pipeline import MERGE_EQUAL, SIMPLIFY, RulePass, names_in, without


def test_passes_and_rules_are_left_out_and_the_rest_is_shared() -> None:
    left = without((SIMPLIFY, MERGE_EQUAL), "multiply_by_one", "merge_equal")
    (simplify,) = left
    assert isinstance(simplify, RulePass) and simplify.name == "simplify"
    assert [r for r in SIMPLIFY.rules if r.name != "multiply_by_one"] == list(simplify.rules)
    assert without((SIMPLIFY, MERGE_EQUAL), "merge_equal") == [SIMPLIFY]
    assert {"simplify", "merge_equal", "add_zero"} <= set(names_in((SIMPLIFY, MERGE_EQUAL)))


def test_a_name_that_there_is_not() -> None:
    with pytest.raises(UnknownName, match="did you mean merge_equal"):
        without((SIMPLIFY, MERGE_EQUAL), "merge_equals")
    with pytest.raises(UnknownName, match="there are the passes simplify, merge_equal, and"):
        without((SIMPLIFY, MERGE_EQUAL), "zzz")


def test_the_setting_reaches_the_passes_for_symbols_and_those_for_numbers() -> None:
    x = asg.input("x", ("n",))
    graph = asg.Graph(y=asg.exp(x) * 1.0 + asg.exp(x))
    with asg.configure(without=("multiply_by_one", "merge_equal")):
        plain = asg.compile(graph)
        assert plain(x=np.zeros(2, np.float32))["y"].tolist() == [2.0, 2.0]
    names = [node.op.name for node in plain.optimized.nodes]
    assert names.count("exp") == 2 and "multiply" in names
    assert all(record.name != "merge_equal" for record in (*plain.records, *plain.late_records))
    assert [n.op.name for n in asg.compile(graph).optimized.nodes].count("exp") == 1


def test_mistakes_of_the_setting() -> None:
    with (
        pytest.raises(ConfigError, match="without='fold'; give a tuple"),
        asg.configure(without="fold"),
    ):
        pass
    with asg.configure(without=("folds",)), pytest.raises(UnknownName, match="fold"):
        asg.compile(asg.Graph(y=asg.input("x", (2,)) * 2.0))


def test_passes_of_one_backend_are_left_out_while_another_computes_first_values() -> None:
    pytest.importorskip("jax")
    loss = asg.sum(asg.parameter("w", (3,), init=2.0) ** 2)
    step = asg.train_step(loss, optimizer=asg.optim.sgd(0.1))
    with asg.configure(without=("roll", "fuse", "schedule")):
        losses = [asg.compile(step, name).start()()["loss"].item() for name in ("jax", "numpy")]
    assert losses[0] == pytest.approx(losses[1])
