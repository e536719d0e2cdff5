"""Passes alone, some of them, and in any order: every replacement keeps its value.

Values are compared as debugging does it: replacements by exact rules to the bit, all else as
closely as rounding in another order can explain. Passes of a backend see lowered graphs whose
sizes are numbers; they are let loose on work of any size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.join_updates import JoinUpdates

import asg
from asg.compiler.debug import PassCheck, WatchedPass, binding_of, run_watched
from asg.compiler.driver import default_passes
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.passes.algebra import UNSAFE
from asg.passes.fuse import Fuse
from asg.passes.join_products import join_products
from asg.passes.pipeline import (
    STABILISE,
    FunctionPass,
    Pass,
    RulePass,
    lower_for,
    numerics_of,
    run_pipeline,
)
from asg.passes.roll import roll
from asg.passes.shape_rules import REASSOCIATING_SHAPE_RULES
from asg.passes.shard import ANY_WORK, Shard
from asg.passes.specialise import specialise
from asg.passes.unroll import unroll
from asg.rewrite.rule import NUMERICS
from asg.testing.applied import apply_sample
from asg.testing.random_graph import random_recipe
from asg.testing.sample import SAMPLES
from tests.fuzz.properties import Case

BACKEND = load_backend("numpy")
FIRST, LATE = default_passes(BACKEND)
OF_BACKEND = {step.name for step in BACKEND.passes}
FOR_SYMBOLS: dict[str, Pass] = {
    **{step.name: step for step in (*FIRST, *LATE) if step.name not in OF_BACKEND},
    "reassociate": RulePass("reassociate", REASSOCIATING_SHAPE_RULES),
}
FOR_NUMBERS: dict[str, Pass] = {
    **FOR_SYMBOLS,
    **{step.name: step for step in BACKEND.passes},
    "shard": Shard(ANY_WORK),
    "join_updates": JoinUpdates(1 << 20),
    "fuse": Fuse(2),
    "join_products": FunctionPass("join_products", join_products),
    "roll": FunctionPass("roll", partial(roll, repeats=2, nodes=1), "exact"),
    "unroll": FunctionPass("unroll", partial(unroll, steps=8), "exact"),
}


def check(passes: Sequence[Pass], graph: Graph, feeds: Mapping[str, Any]) -> Graph:
    """What passes make of a graph, when each of them kept all values."""
    given = {name: feeds[name] for name in graph.input_names}
    with asg.configure(threads=2):
        steps = run_watched(passes, graph)
        for step in steps:
            asg.verify(step.after)
            for made in step.replacements:
                assert NUMERICS.index(made.numerics) <= NUMERICS.index(numerics_of(step.step))
        changed = PassCheck(steps, binding_of(graph, given)).changed(given)
    assert changed is None, f"{[step.name for step in passes]}\n{changed}"
    for step in steps:
        check_half(step, given)
    return steps[-1].after


def check_half(step: WatchedPass, feeds: Mapping[str, Any]) -> None:
    """The first half of what a pass replaces keeps all values too: so the wrong one is found."""
    if not step.replacements:
        return
    with asg.configure(threads=2):
        half = asg.verify(step.again(len(step.replacements) // 2))
        given = {name: feeds[name] for name in step.before.input_names}
        whole = WatchedPass(step.step, step.before, half, ())
        assert PassCheck([whole], binding_of(step.before, given)).changed(given) is None


def with_numbers(graph: Graph, feeds: Mapping[str, Any]) -> Graph:
    """As the passes of a backend get it."""
    known = specialise(graph, binding_of(graph, feeds))
    return run_pipeline([lower_for(BACKEND)], known)


def mixed(seed: int, among: Mapping[str, Pass]) -> list[Pass]:
    """Some passes in a random order, now and then one of them twice."""
    random = Random(seed)
    return random.choices([*among.values()], k=random.randint(1, 6))


def check_mixed(seed: int, nodes: int) -> None:
    case = Case(random_recipe(seed, nodes))
    check(mixed(seed, FOR_SYMBOLS), case.graph, case.feeds)


def check_mixed_with_numbers(seed: int, nodes: int) -> None:
    case = Case(random_recipe(seed, nodes))
    check(mixed(seed, FOR_NUMBERS), with_numbers(case.graph, case.feeds), case.feeds)


@pytest.mark.parametrize("seed", range(7000, 7005))
def test_some_passes_in_any_order(seed: int) -> None:
    check_mixed(seed, nodes=10)


@pytest.mark.parametrize("seed", range(7100, 7105))
def test_some_passes_in_any_order_when_sizes_are_numbers(seed: int) -> None:
    check_mixed_with_numbers(seed, nodes=10)


@pytest.mark.parametrize("seed", [1160, 1276, 1667])
def test_bodies_of_fused_ops_are_entered_by_other_passes(seed: int) -> None:
    """These gave one value twice, and took reductions in another order."""
    case = Case(random_recipe(seed, 25))
    names = ("collect_factors", "fuse", "recognise", "simplify", "merge_equal")
    check([FOR_NUMBERS[name] for name in names], with_numbers(case.graph, case.feeds), case.feeds)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8000, 8200))
def test_many_mixtures_of_passes(seed: int) -> None:
    check_mixed(seed, nodes=30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8200, 8500))
def test_many_mixtures_of_passes_when_sizes_are_numbers(seed: int) -> None:
    check_mixed_with_numbers(seed, nodes=30)


def check_alone(name: str) -> None:
    """Each pass alone on each sample of an op, its gradient with it."""
    for sample in SAMPLES.get(OPS[name], ()):
        applied = apply_sample(sample, narrow=asg.float32)
        if applied.op.is_placeholder:
            continue
        found: list[Tensor | None] = [*applied.outputs, *applied.gradients]
        outputs = {f"y{i}": tensor for i, tensor in enumerate(found) if tensor is not None}
        graph = Graph(outputs, inputs=[*applied.inputs, *applied.cotangents])
        feeds = dict(zip(graph.input_names, applied.arrays, strict=False))
        feeds |= {n: np.ones(t.shape, t.dtype.numpy) for n, t in graph.feeds.items()
                  if n not in feeds}  # fmt: skip
        lowered = with_numbers(graph, feeds)
        for step_name, step in FOR_NUMBERS.items():
            check([step], graph if step_name in FOR_SYMBOLS else lowered, feeds)


@pytest.mark.parametrize("name", ["permute_dims", "softmax", "subtract", "uniform"])
def test_each_pass_alone_keeps_an_op(name: str) -> None:
    check_alone(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(OPS)))
def test_each_pass_alone_keeps_every_op(name: str) -> None:
    check_alone(name)


def test_no_pass_of_a_pipeline_is_rough_or_unsafe() -> None:
    for step in (*FIRST, *LATE):
        assert numerics_of(step) != "approximate"
        assert all(rule.safe for rule in getattr(step, "rules", ()))


def test_a_rule_that_is_not_safe_is_found_out() -> None:
    x = asg.input("x", (2,))
    graph = asg.Graph(y=x * 0.0)
    with pytest.raises(AssertionError, match="nan before"):
        check([STABILISE, RulePass("unsafe", UNSAFE)], graph, {"x": np.array([np.inf, 1.0], "f4")})
