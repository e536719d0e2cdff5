"""Rules and passes by example: pairs of graphs as text, before and after.

Each file in `pairs/` is named for a pass. A pair is a title line starting with `#`, the body of
the graph before, a line `->`, and the body after; `same` instead of a body means nothing changes.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.join_losses import join_losses
from asg.backends.numpy_cpu.join_updates import JoinUpdates
from asg.backends.numpy_cpu.rules import RULES
from asg.backends.numpy_cpu.schedule import schedule

import asg
from asg.compiler.driver import default_passes, evaluate
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.passes.algebra import UNSAFE
from asg.passes.collect_factors import collect_factors
from asg.passes.fold import Fold
from asg.passes.fuse import Fuse
from asg.passes.join_products import join_products
from asg.passes.lean_loops import lean_loops
from asg.passes.pipeline import (
    HOIST_INVARIANTS,
    MERGE_EQUAL,
    MERGE_LOOPS,
    MOVE_TRANSPOSES,
    ORDER_PRODUCTS,
    PICK_LAST,
    RECOGNISE,
    REMOVE_UNUSED,
    SIMPLIFY,
    STABILISE,
    SUM_AFTER_LOOPS,
    FunctionPass,
    Pass,
    RulePass,
    lower_for,
    names_in,
)
from asg.passes.roll import roll
from asg.passes.shape_rules import REASSOCIATING_SHAPE_RULES
from asg.passes.shard import ANY_WORK, Shard
from asg.passes.unroll import unroll
from asg.rewrite.rule import RuleHit
from asg.rewrite.watch import watched


def shard_for_two(graph: Graph) -> Graph:
    with asg.configure(threads=2):
        return Shard(ANY_WORK)(graph, [])


PASSES: dict[str, Pass] = {
    "simplify": SIMPLIFY,
    "stabilise": STABILISE,
    "recognise": RECOGNISE,
    "fold": Fold(evaluate),
    "merge_equal": MERGE_EQUAL,
    "merge_loops": MERGE_LOOPS,
    "pick_last": PICK_LAST,
    "lower": lower_for(load_backend("numpy")),
    "remove_unused": REMOVE_UNUSED,
    "lean_loops": FunctionPass("lean_loops", lean_loops),
    "move_transposes": MOVE_TRANSPOSES,
    "order_products": ORDER_PRODUCTS,
    "hoist_invariants": HOIST_INVARIANTS,
    "sum_after_loops": SUM_AFTER_LOOPS,
    "join_products": FunctionPass("join_products", join_products),
    "shard": FunctionPass("shard", shard_for_two),
    "roll": FunctionPass("roll", lambda graph: roll(graph, repeats=3, nodes=1)),
    "unroll": FunctionPass("unroll", lambda graph: unroll(graph, steps=8)),
    "reassociate": RulePass("reassociate", REASSOCIATING_SHAPE_RULES),
    "unsafe": RulePass("unsafe", UNSAFE),
    "collect_factors": FunctionPass("collect_factors", collect_factors),
    "fuse": Fuse(4),
    "join_losses": FunctionPass("join_losses", join_losses),
    "join_updates": JoinUpdates(8),
    "numpy_rules": RulePass("numpy_rules", RULES),
    "schedule": FunctionPass("schedule", schedule),
}
LOWER = (lower_for(load_backend("numpy")),)
FOLDER = Path(__file__).parent / "pairs"


def read_pairs() -> list[tuple[str, str, str, str]]:
    pairs = []
    for path in sorted(FOLDER.glob("*.txt")):
        for block in re.split(r"^# ", path.read_text(), flags=re.MULTILINE)[1:]:
            title, _, body = block.partition("\n")
            before, after = body.split("->\n")
            pairs.append((path.stem, title, before, after))
    return pairs


PAIRS = read_pairs()
IDS = [f"{name}: {title}" for name, title, _, _ in PAIRS]


def graph_of(body: str) -> Graph:
    lines = "\n".join(f"  {line.strip()}" for line in body.strip().splitlines())
    return asg.parse(f"graph g {{\n{lines}\n}}")


def feeds_of(graph: Graph) -> dict[str, np.ndarray[Any, Any]]:
    """Positive random numbers for every input, all symbolic sizes 3."""
    random = np.random.default_rng(0)
    feeds = {}
    for name, tensor in graph.feeds.items():
        shape = tuple(size if isinstance(size, int) else 3 for size in tensor.shape)
        values = random.uniform(0.5, 2.0, shape) if tensor.dtype.is_float else random.integers(
            0, 2, shape
        )  # fmt: skip
        feeds[name] = values.astype(tensor.dtype.numpy)
    return feeds


@pytest.mark.parametrize(("name", "title", "before", "after"), PAIRS, ids=IDS)
def test_pass_turns_before_into_after(name: str, title: str, before: str, after: str) -> None:
    graph = graph_of(before)
    result = PASSES[name](graph, [])
    wanted = graph if after.strip() == "same" else graph_of(after)
    assert str(result) == str(wanted), title
    asg.verify(result)


@pytest.mark.parametrize(("name", "title", "before", "after"), PAIRS, ids=IDS)
def test_pass_keeps_values(name: str, title: str, before: str, after: str) -> None:
    graph = graph_of(before)
    result = PASSES[name](graph, [])
    graph, result = _without_state(graph), _without_state(result)
    feeds = feeds_of(graph)
    old = asg.compile(graph, pipeline=LOWER)(**feeds)
    kept = {name: feeds[name] for name in result.feeds}
    new = asg.compile(result, pipeline=LOWER)(**kept)
    for key, value in old.items():
        np.testing.assert_allclose(new[key], value, rtol=1e-6, atol=1e-7, err_msg=title)


def _without_state(graph: Graph) -> Graph:
    return Graph.of(graph.inputs, graph.outputs, graph.output_names)


def test_every_pass_has_pairs() -> None:
    assert {pair[0] for pair in PAIRS} == set(PASSES)


@pytest.mark.parametrize("backend", ["numpy", "jax"])
def test_every_pass_and_rule_of_a_pipeline_is_among_them(backend: str) -> None:
    if backend == "jax":
        pytest.importorskip("jax")
    for pipeline in default_passes(load_backend(backend)):
        assert {*names_in(pipeline)} <= {*names_in([*PASSES.values()])}
        assert {step.name for step in pipeline} <= PASSES.keys()


def test_every_rule_has_a_pair_that_fires_it() -> None:
    fired: set[str] = set()
    for name, _, before, _ in PAIRS:
        log: list[RuleHit] = []
        PASSES[name](graph_of(before), log)
        fired |= {hit.rule for hit in log}
    rules = {
        rule.name for each in PASSES.values() if isinstance(each, RulePass) for rule in each.rules
    }
    assert rules - fired == set()


UNWATCHED = {"lean_loops", "remove_unused"}
"""They drop what nothing uses, which has no value to compare."""


@pytest.mark.parametrize(("name", "title", "before", "after"), PAIRS, ids=IDS)
def test_every_replacement_is_counted(name: str, title: str, before: str, after: str) -> None:
    """So that debugging and bisection name it: without a single one a pass does nothing."""
    if name in UNWATCHED or title.startswith("outputs and carries"):
        return
    graph = graph_of(before)
    with watched(limit=0) as watch:
        result = PASSES[name](graph, [])
    assert str(result) == str(graph) and not watch.made
    with watched() as watch:
        PASSES[name](graph, [])
    assert watch.made or after.strip() == "same"
