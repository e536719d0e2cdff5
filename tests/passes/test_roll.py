"""roll and its inverse: random deep networks become loops, and the same graph again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import asg
from asg import nn, optim
from asg.compiler.driver import default_passes
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.region import Body, with_bodies
from asg.passes.pipeline import run_pipeline, without
from asg.passes.repeats import Order, Run
from asg.passes.roll import roll
from asg.passes.stacks import Stacks
from asg.passes.unroll import unroll
from tests.passes.deep_networks import deep_step


def prepared(step: Graph) -> Graph:
    """As the JAX backend is given it, but for rolling."""
    target = load_backend("jax")
    first, late = default_passes(target)
    return run_pipeline((*first, *without(late, "roll")), step)


def meaning(graph: Graph) -> bytes:
    """Equal for graphs that compute the same in the same way."""
    return Body.of(
        graph.inputs, graph.outputs, graph.output_names, (), "g", graph.input_names
    ).digest


def loops(graph: Graph) -> list[Any]:
    return [node.op for node in graph.nodes if node.op.name == "scan"]


def layers(count: int, width: int = 3) -> Graph:
    h = asg.input("x", (2, width), dtype=asg.float64)
    for number in range(count):
        w = asg.parameter(f"w{number}", (width, width), dtype=asg.float64, init=0.1)
        h = h + asg.tanh(h @ w)
    return asg.train_step((h * h).sum(), optimizer=optim.sgd(0.1))


SEEDS = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 100))]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_unrolled_is_what_was_rolled(seed: int) -> None:
    graph = prepared(deep_step(seed, loops=False))
    rolled = asg.verify(roll(graph, repeats=2, nodes=1))
    assert meaning(unroll(rolled)) == meaning(graph)


@pytest.mark.parametrize("seed", [3, 7, 9, 11, 14])
def test_random_networks_give_the_same_rolled(seed: int) -> None:
    step = deep_step(seed)
    graph = prepared(step)
    rolled = roll(graph, repeats=2, nodes=1)
    assert len(rolled.nodes) < len(graph.nodes)
    drawn = np.random.default_rng(seed)
    feeds = {name: drawn.normal(size=t.shape) for name, t in step.feeds.items()}
    sessions = [asg.compile(graph).start(seed=1) for graph in (step, rolled)]
    for _ in range(2):
        one, other = (session(**feeds) for session in sessions)
        np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-10)
    states = [session.state_dict() for session in sessions]
    for name, array in states[0].items():
        np.testing.assert_allclose(states[1][name], array, rtol=1e-8, atol=1e-11, err_msg=name)


def test_a_step_of_many_layers_has_as_many_nodes_as_one_of_few() -> None:
    sizes = {len(roll(prepared(layers(count)), 4, 1).nodes) for count in (20, 200)}
    few, many = sorted(sizes)
    assert many - few == 180  # the variables themselves


def test_few_repeats_and_few_nodes_are_left_alone() -> None:
    graph = prepared(layers(8))
    assert roll(graph, repeats=9, nodes=1) is graph
    assert roll(graph, repeats=2, nodes=10_000) is graph
    assert loops(roll(graph, repeats=8, nodes=1))


def test_runs_are_cut_where_the_least_is_carried() -> None:
    graph = prepared(layers(12))
    runs = list(Order(graph).runs(3))
    assert [run.count for run in runs] == [12, 11, 11]
    forward = [each for each in loops(roll(graph, 3, 1)) if not each.reverse and each.carries]
    assert [op.carries for op in forward] == [1]
    assert Run(2, 3, 4).stop == 14


def test_what_repeats_within_a_layer_does_not_hide_the_layers() -> None:
    """Every block of a transformer normalises twice, and its optimizer updates twelve variables."""
    config = nn.models.GPTConfig(
        vocab_size=5, n_positions=4, n_embd=4, n_layer=5, n_head=2, resid_pdrop=0.1,
        embd_pdrop=0.1, attn_pdrop=0.1,
    )  # fmt: skip
    clipped = optim.chain(optim.clip_by_global_norm(1.0), optim.adamw(1e-3))
    types: Any = ((2, 4), "int32")
    step = asg.train_step(nn.models.GPT(config), loss=_of_tokens, optimizer=clipped)
    graph = prepared(step(inputs=types, labels=types))
    runs = Order(graph).runs(3)
    assert [run.count for run in runs] == [5, 5, 5, 5]
    assert sum(run.count * run.period for run in runs) > 0.9 * len(Order(graph).nodes)


def _of_tokens(logits: asg.Tensor, labels: asg.Tensor) -> asg.Tensor:
    return asg.cross_entropy(logits, labels, axis=-1)


def test_steps_over_an_input_written_out_become_a_loop_over_it() -> None:
    x = asg.input("x", (14, 2, 3), dtype=asg.float64)
    weight = asg.parameter("weight", (3, 3), dtype=asg.float64, init=0.1)
    h = x[0]
    for step in range(1, 14):
        h = asg.tanh(h @ weight + x[step])
    graph = prepared(asg.train_step((h * h).sum(), optimizer=optim.sgd(0.1)))
    rolled = roll(graph, repeats=3, nodes=1)
    assert [op.length for op in loops(rolled)] == [13, 11]  # the last gradients differ
    assert not [node for node in rolled.nodes if node.op.name == "stack_rows"]
    assert meaning(unroll(rolled)) == meaning(graph)


def test_large_values_are_left_alone() -> None:
    graph = prepared(layers(8))
    assert loops(roll(graph, repeats=2, nodes=1, mean_bytes=2 * 3 * 8 + 24))
    assert roll(graph, repeats=2, nodes=1, mean_bytes=24) is graph


def test_weights_that_several_loops_read_are_stacked_once() -> None:
    rolled = roll(prepared(layers(10)), repeats=3, nodes=1)
    stacks = [node for node in rolled.nodes if node.op.name == "stack_rows"]
    assert [len(node.inputs) for node in stacks] == [10]


def test_chains_of_inputs_grow_at_both_ends_and_differ_in_none() -> None:
    a, b, c, d, e = (asg.input(name, (2,)) for name in "abcde")
    stacks = Stacks()
    for rows in ((b, c, d), (d, c, b, a), (c, d, e), (a, c, e), (b, b)):
        stacks.expect(rows)
    part = stacks.stacked((b, c))
    (whole,) = part.node.inputs
    assert whole.node.inputs == (a, b, c, d, e)
    assert stacks.stacked((e, d)).node.op.name == "flip"
    assert stacks.stacked((b, c)) is part
    apart = Stacks()
    for rows in ((a, b), (c, d), (a, b, c, d)):  # would join two chains, which may be in use
        apart.expect(rows)
    assert apart.stacked((a, b)).node.op.name == "stack_rows"


def test_loops_written_out_keep_what_has_no_rows() -> None:
    x = asg.input("x", (5, 3), dtype=asg.float64)
    last, y = asg.scan(lambda c, e: (c + e, c * e), asg.zeros((3,), dtype=asg.float64), x)
    graph = asg.Graph(last=last, y=y, part=y[1:3], column=y[:, 0], one=y[4])
    written = unroll(graph)
    assert not loops(written)
    assert unroll(graph, steps=4) is graph
    n = asg.input("n", ("n", 3), dtype=asg.float64)
    symbolic = asg.Graph(y=asg.scan(lambda c, e: (c + e, e), asg.zeros((3,), asg.float64), n)[0])
    assert unroll(symbolic) is symbolic
    given = {"x": np.random.default_rng(0).normal(size=(5, 3))}
    wanted, found = (asg.compile(each)(**given) for each in (graph, written))
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-12, err_msg=name)


def test_loops_of_layers_tell_where_they_come_from() -> None:
    rolled = roll(prepared(layers(6)), repeats=3, nodes=1)
    (node, *_) = [node for node in rolled.nodes if node.op.name == "scan"]
    step = node.origin.derived[-1]
    assert (step.kind, step.name) == ("pass", "roll") and len(step.sources) == 3
    assert all(len(list(with_bodies(part))) >= 1 for part in with_bodies(rolled))
