"""Products by the weights of a loop that become one: where, and with the same values and slopes."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.graph import Graph
from asg.core.region import with_bodies
from asg.core.tensor import Tensor
from asg.ops.linalg import Matmul
from asg.passes.hoist_invariants import hoist_invariants
from asg.passes.join_products import LARGEST, join_products
from asg.rewrite.watch import watched

Feeds = dict[str, np.ndarray[Any, Any]]


def products_in_loops(graph: Graph) -> int:
    bodies = [body for body in with_bodies(graph) if body is not graph]
    return sum(isinstance(node.op, Matmul) for body in bodies for node in body.nodes)


def gated(gates: int, width: int, twice: bool = False) -> tuple[Graph, Feeds]:
    """A loop whose step multiplies its state by a weight for each gate, and slopes by all."""
    first = asg.input("first", (2, width), "float64")
    weights = [asg.input(f"w{gate}", (width, width), "float64") for gate in range(gates)]

    def step(h: Tensor, _: Any) -> tuple[Tensor, Tensor]:
        made = asg.tanh(h @ weights[0])
        for weight in weights[1:]:
            made = made * asg.sigmoid(h @ weight) + 0.1
        return made, made

    _, states = asg.scan(step, first, length=3)
    loss = asg.sum(states * states)
    slopes = asg.grad(loss, [first, *weights])
    if twice:
        of_slopes = asg.sum(asg.square(slopes[0])) + asg.sum(asg.square(slopes[1]))
        slopes = asg.grad(of_slopes, [first, *weights])
    graph = Graph(loss=loss, **{f"slope{place}": slope for place, slope in enumerate(slopes)})
    random = np.random.default_rng(0)
    return graph, {name: random.standard_normal(each.shape) for name, each in graph.feeds.items()}


def optimized(graph: Graph) -> Graph:
    with asg.configure(compile_cache="off"):
        return hoist_invariants(asg.compile(graph).optimized)


@pytest.mark.parametrize("twice", [False, True])
def test_values_and_slopes_stay(twice: bool) -> None:
    graph, feeds = gated(3, 4, twice)
    before = optimized(graph)
    after = asg.verify(join_products(before))
    assert products_in_loops(after) <= products_in_loops(before) - 4  # 3 forward, 3 back
    found, wanted = (asg.compile(each, pipeline=())(**feeds) for each in (after, before))
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("twice", [False, True])
def test_jax_gives_what_numpy_gives(twice: bool) -> None:
    pytest.importorskip("jax")
    graph, feeds = gated(4, 4, twice)
    with asg.configure(compile_cache="off"):
        wanted = asg.compile(graph)(**feeds)
        executable = asg.compile(graph, backend="jax")
        found = executable(**feeds)
    (record,) = [each for each in executable.late_records if each.name == "join_products"]
    assert products_in_loops(record.after) < products_in_loops(record.before)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9, atol=1e-11, err_msg=name)


def test_what_does_not_gain_stays() -> None:
    largest = int((LARGEST / 3) ** 0.5)
    for gates, width, joins in ((2, 4, False), (3, largest, True), (3, largest + 1, False)):
        graph, _ = gated(gates, width)
        before = optimized(graph)
        assert (join_products(before) is not before) == joins


def test_rows_of_an_open_number_are_multiplied_as_well() -> None:
    first = asg.input("first", ("batch", 4))
    weights = [asg.input(f"w{place}", (4, 4)) for place in range(3)]

    def step(h: Tensor, _: Any) -> tuple[Tensor, Tensor]:
        a, b, c = (h @ weight for weight in weights)
        return a * b - c, a

    graph = Graph(y=asg.scan(step, first, length=2)[0])
    joined = asg.verify(join_products(graph))
    assert products_in_loops(joined) == 1
    feeds = {name: np.eye(4, dtype="f4") * 2 for name in graph.feeds}
    found, wanted = (asg.compile(each, pipeline=())(**feeds)["y"] for each in (joined, graph))
    assert found.tolist() == wanted.tolist()


def test_what_is_made_tells_from_what_and_where() -> None:
    with asg.scope("cell"):
        graph, _ = gated(3, 4)
    after = join_products(optimized(graph))
    made = [
        node.origin
        for body in with_bodies(after)
        for node in body.nodes
        if any(step.name == "join_products" for step in node.origin.derived)
    ]
    assert made and all("cell" in origin.scope for origin in made)


@pytest.mark.parametrize("seed", range(20))
def test_random_steps_keep_their_values(seed: int) -> None:
    """Whatever is multiplied, added and read elsewhere; half of the replacements keep them too."""
    graph, feeds = random_steps(Random(seed))
    with watched() as watch:
        joined = asg.verify(join_products(graph))
    assert all(made.numerics in ("exact", "reassociating") for made in watch.made)
    with watched(limit=len(watch.made) // 2):
        half = asg.verify(join_products(graph))
    wanted = asg.compile(graph, pipeline=())(**feeds)
    for each in (joined, half):
        found = asg.compile(each, pipeline=())(**feeds)
        for name, value in wanted.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-12, err_msg=name)


def random_steps(random: Random) -> tuple[Graph, Feeds]:
    """A scan whose step multiplies by weights and adds, at random."""
    first = asg.input("first", (2, 3), "float64")
    weights = [asg.input(f"w{place}", (3, 3), "float64") for place in range(4)]

    def step(h: Tensor, _: Any) -> tuple[Tensor, Tensor]:
        values = [h, asg.tanh(h)]
        for _ in range(random.randint(4, 14)):
            left, right = random.choice(values[-4:]), random.choice(values)
            weight = random.choice(weights)
            values.append(random.choice([left @ weight, values[0] @ weight, left + right]))
        total = values[2]
        for value in values[3:]:
            total = total + value if random.random() < 0.7 else asg.sin(total) + value
        return asg.sin(total), random.choice(values)

    last, stacked = asg.scan(step, first, length=3)
    graph = Graph(last=last, stacked=stacked)
    drawn = np.random.default_rng(random.randint(0, 99))
    return graph, {name: drawn.standard_normal(each.shape) for name, each in graph.feeds.items()}
