"""Transposes moved through elementwise work: random graphs, loops, and how many are left."""

from __future__ import annotations

from random import Random
from time import process_time

import numpy as np
import pytest

import asg
from asg.compiler.loader import load_backend
from asg.core.tensor import Tensor
from asg.passes.pipeline import MOVE_TRANSPOSES, lower_for

LOWER = (lower_for(load_backend("numpy")),)
SHAPE = (2, 3, 4)


def _another(random: Random, values: list[Tensor]) -> Tensor:
    """A value from those there are: a transpose, elementwise work, or a product."""
    x = random.choice(values)
    choice = random.random()
    if choice < 0.35:
        return asg.transpose(x, random.sample(range(3), 3))
    if choice < 0.55:
        return random.choice([asg.tanh, asg.abs, asg.square])(x)
    partners = [y for y in values if y.shape == x.shape]
    if choice < 0.85 and partners:
        y = random.choice(partners)
        return random.choice([asg.add, asg.multiply, asg.maximum])(x, y)
    wide = asg.constant(np.linspace(0.1, 1.0, x.shape[-1], dtype=np.float32))
    return x * wide if choice < 0.95 else x + asg.full(x.shape, 0.5)


def _graph(random: Random) -> asg.Graph:
    values: list[Tensor] = [asg.input("x", SHAPE), asg.input("z", (2, 4, 3))]
    for _ in range(random.randint(4, 18)):
        values.append(_another(random, values))
    last = values[-1]
    axes = tuple(sorted(random.sample(range(3), random.randint(1, 2))))
    ends = {
        "y": last, "sum": asg.sum(last, axes), "max": asg.max(last, axes, keepdims=True),
        "product": last @ asg.ones((last.shape[-1], 2)), "middle": random.choice(values),
    }  # fmt: skip
    return asg.Graph({name: ends[name] for name in random.sample(list(ends), 2)})


def _check(seed: int) -> int:
    """How many transposes fall away from a random graph, whose values stay."""
    graph = _graph(Random(seed))
    moved = MOVE_TRANSPOSES(graph, [])
    asg.verify(moved)
    drawn = np.random.default_rng(seed)
    feeds = {
        name: drawn.uniform(-1.0, 1.0, [int(str(size)) for size in each.shape]).astype(np.float32)
        for name, each in graph.feeds.items()
    }
    wanted = asg.compile(graph, pipeline=LOWER)(**feeds)
    found = asg.compile(moved, pipeline=LOWER)(**feeds)
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-6, atol=1e-6, err_msg=f"{seed}")
    return _transposes(graph) - _transposes(moved)


def _transposes(graph: asg.Graph) -> int:
    """Those that somebody else than a product reads."""
    return sum(
        node.op.name == "permute_dims"
        and (
            node.output in graph.outputs
            or any(user.op.name != "matmul" for user, _ in graph.users.get(node.output, ()))
        )
        for node in graph.nodes
    )


def test_values_stay_and_transposes_are_never_more() -> None:
    fewer = [_check(seed) for seed in range(60)]
    assert min(fewer) >= 0 and sum(count > 0 for count in fewer) >= 10


@pytest.mark.slow
def test_many_random_graphs() -> None:
    assert min(_check(seed) for seed in range(100, 1100)) >= 0


def test_bodies_of_loops_are_entered() -> None:
    w = asg.input("w", (3, 3))
    last, _ = asg.scan(
        lambda h, x: (asg.tanh(h.T + x.T).T, h), asg.zeros((3, 3)), asg.input("xs", (5, 3, 3))
    )
    moved = MOVE_TRANSPOSES(asg.Graph(y=last @ w), [])
    (loop,) = [node for node in moved.nodes if node.op.name == "scan"]
    assert "permute_dims" not in {node.op.name for node in loop.op.body.nodes}  # type: ignore[attr-defined]


def test_a_chain_takes_time_in_proportion_to_its_length() -> None:
    def seconds(length: int) -> float:
        h = asg.input("x", (3, 4))
        for number in range(length):
            h = asg.tanh(h) if number % 3 else asg.transpose(h, (1, 0)) * 2.0
        graph = asg.Graph(y=h)
        assert graph.users
        start = process_time()
        MOVE_TRANSPOSES(graph, [])
        return process_time() - start

    short, long = (min(seconds(length) for _ in range(2)) for length in (300, 4800))
    assert long < 100 * short  # quadratic would be 256
