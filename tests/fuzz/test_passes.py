"""Passes alone, some of them, and in any order: every replacement keeps its value.

Values are compared as debugging does it: replacements by exact rules to the bit, all else as
closely as rounding in another order can explain.
"""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import asg
from asg.compiler.debug import PassCheck, binding_of, run_watched
from asg.compiler.driver import default_passes
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.registry import OPS
from asg.passes.algebra import UNSAFE
from asg.passes.pipeline import STABILISE, Pass, RulePass
from asg.passes.shape_rules import REASSOCIATING_SHAPE_RULES
from asg.testing.applied import apply_sample
from asg.testing.random_graph import random_recipe
from asg.testing.sample import SAMPLES
from tests.fuzz.properties import Case

FIRST, LATE = default_passes(load_backend("numpy"))
EVERY: dict[str, Pass] = {
    **{step.name: step for step in (*FIRST, *LATE)},
    "reassociate": RulePass("reassociate", REASSOCIATING_SHAPE_RULES),
}
FOR_NUMBERS = {step.name for step in load_backend("numpy").passes}
"""Passes of the backend: they want lowered graphs without symbols."""


def check(passes: list[Pass], graph: Graph, feeds: dict[str, Any]) -> None:
    given = {name: feeds[name] for name in graph.input_names}
    steps = run_watched(passes, graph)
    for step in steps:
        asg.verify(step.after)
    changed = PassCheck(steps, binding_of(graph, given)).changed(given)
    assert changed is None, f"{[step.name for step in passes]}\n{changed}"


def mixed(seed: int) -> list[Pass]:
    """Some passes in a random order, now and then one of them twice."""
    random = Random(seed)
    names = [name for name in EVERY if name not in FOR_NUMBERS]
    chosen = random.choices(names, k=random.randint(1, 6))
    return [EVERY[name] for name in chosen]


def check_mixed(seed: int, nodes: int) -> None:
    case = Case(random_recipe(seed, nodes))
    check(mixed(seed), case.graph, case.feeds)


@pytest.mark.parametrize("seed", range(7000, 7005))
def test_some_passes_in_any_order(seed: int) -> None:
    check_mixed(seed, nodes=10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8000, 8200))
def test_many_mixtures_of_passes(seed: int) -> None:
    check_mixed(seed, nodes=30)


def check_alone(name: str) -> None:
    """Each pass alone on each sample of an op, its gradient with it."""
    for sample in SAMPLES.get(OPS[name], ()):
        applied = apply_sample(sample, narrow=asg.float32)
        if applied.op.is_placeholder:
            continue
        outputs = dict(zip(map("y{}".format, range(9)), applied.outputs, strict=False))
        graph = Graph(outputs, inputs=list(applied.inputs))
        feeds = dict(zip(graph.input_names, map(np.asarray, applied.arrays), strict=True))
        for step in EVERY.values():
            if step.name not in FOR_NUMBERS:
                check([step], graph, feeds)


@pytest.mark.parametrize("name", ["permute_dims", "softmax", "subtract", "uniform"])
def test_each_pass_alone_keeps_an_op(name: str) -> None:
    check_alone(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(OPS)))
def test_each_pass_alone_keeps_every_op(name: str) -> None:
    check_alone(name)


def test_a_rule_that_is_not_safe_is_found_out() -> None:
    x = asg.input("x", (2,))
    graph = asg.Graph(y=x * 0.0)
    with pytest.raises(AssertionError, match="nan before"):
        check([STABILISE, RulePass("unsafe", UNSAFE)], graph, {"x": np.array([np.inf, 1.0], "f4")})
