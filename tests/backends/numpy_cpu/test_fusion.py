"""Programs after fusion: the values of the programs before, bit by bit, step by step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.kernels import fused
from asg.backends.numpy_cpu.passes import SMALLEST_FUSED

import asg
from asg.config import configure
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.verify import verify
from asg.passes.fuse import Fuse, find_groups
from asg.passes.lower import lower
from tests.backends.numpy_cpu.programs import Array, random_program, sizes

Pairs = list[tuple[Graph, Graph]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Nothing is cut into shards, whatever the machine has."""
    with configure(threads=1):
        yield


def fused_nodes(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.op.name == "fused"]


def has_reduction(graph: Graph) -> bool:
    bodies: list[Any] = [node.op for node in fused_nodes(graph)]
    return any(t.node.op.category == "reduce" for op in bodies for t in op.body.outputs)


def with_and_without(seed: int) -> tuple[Graph, Graph]:
    plain = lower(random_program(seed, 40).graph, BACKEND)
    return plain, verify(Fuse(2)(plain, []))


@pytest.mark.parametrize("seed", range(80))
def test_steps_give_the_same_values(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fused, "BLOCK_BYTES", (16, 40, 64, 1 << 17)[seed % 4])
    plain, graph = with_and_without(seed)
    runs = BACKEND.compile(plain), BACKEND.compile(graph)
    random = np.random.default_rng(seed)
    first = [random.uniform(-1, 1, sizes(tensor)) for tensor in plain.inputs]
    given: list[list[Array]] = [[each.copy() for each in first] for _ in runs]
    for _ in range(3):
        results = [run(arrays) for run, arrays in zip(runs, given, strict=True)]
        for wanted, got in zip(*results, strict=True):
            if has_reduction(graph):
                np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)
            else:
                np.testing.assert_array_equal(got, wanted)
        for slot in plain.state:
            if slot.output is not None:
                for arrays, outputs in zip(given, results, strict=True):
                    arrays[slot.input] = outputs[slot.output]


def test_the_programs_have_every_kind_of_group() -> None:
    seen: Counter[str] = Counter()
    for seed in range(80):
        _, graph = with_and_without(seed)
        seen["groups"] += len(fused_nodes(graph))
        seen["reductions"] += has_reduction(graph)
        seen["several"] += any(len(node.outputs) > 1 for node in fused_nodes(graph))
        seen["in place"] += any(
            place.sharing == "in place" and tensor.node.op.name == "fused"
            for tensor, place in BACKEND.compile(graph).plan.places.items()
        )
    assert seen["groups"] > 40 and min(seen.values()) >= 5, seen


def test_the_arena_holds_blocks_instead_of_values() -> None:
    x = asg.input("x", (1_000_000,))
    y = asg.exp(asg.tanh(x * 2.0) - asg.sigmoid(x))
    graph = asg.Graph(y=asg.sum(y * y))
    program: Any = BACKEND.compile(asg.compile(graph).specialised([(1_000_000,)]))
    given = 4_000_000
    assert program.plan.arena_bytes < given + 600_000
    plain: Any = BACKEND.compile(lower(graph, BACKEND))
    assert plain.plan.arena_bytes == 2 * given


def test_columns_are_handed_to_those_who_read_them_beside_whole_rows() -> None:
    """Whoever computes rows has no block for a column, however few operations make it."""
    x, y = asg.input("x", ("n", 1), asg.float64), asg.input("y", ("n", 3), asg.float64)
    turned = -x
    graph = asg.Graph(z=asg.exp(y) * turned + asg.sin(y) * x, w=asg.tanh(turned) * asg.sin(x))
    random = np.random.default_rng(0)
    feeds = {"x": random.normal(size=(70_000, 1)), "y": random.normal(size=(70_000, 3))}
    executable = asg.compile(graph)
    found, (a, b) = executable(**feeds), feeds.values()
    np.testing.assert_allclose(found["z"], np.sin(b) * a - np.exp(b) * a, rtol=1e-12)
    np.testing.assert_allclose(found["w"], np.tanh(-a) * np.sin(a), rtol=1e-12)
    assert len(fused_nodes(executable.specialised([(70_000, 1), (70_000, 3)]))) == 2


def test_what_has_one_element_but_is_no_constant_is_read() -> None:
    """The only class of a one-hot code, say."""
    place, y = asg.input("place", ("n",), asg.int32), asg.input("y", ("n", 1), asg.float64)
    graph = asg.Graph(z=asg.one_hot(place, 1, dtype=asg.float64) * y + 1.0)
    random = np.random.default_rng(0)
    feeds = {
        "place": random.integers(-1, 2, 70_000, np.int32),
        "y": random.normal(size=(70_000, 1)),
    }
    found = asg.compile(graph)(**feeds)["z"]
    np.testing.assert_array_equal(found, (feeds["place"] == 0)[:, None] * feeds["y"] + 1.0)


def test_small_values_stay_as_they_are() -> None:
    x = asg.input("x", ("n",))
    executable = asg.compile(asg.Graph(y=asg.exp(-x)))
    assert not fused_nodes(executable.specialised([(SMALLEST_FUSED - 1,)]))
    assert len(fused_nodes(executable.specialised([(SMALLEST_FUSED,)]))) == 1


def test_groups_are_found_in_linear_time() -> None:
    x = asg.input("x", (8, 8))
    y = x
    for _ in range(4000):
        y = asg.tanh(y @ x) + y
    groups = find_groups(asg.Graph(y=y), 2)
    assert len(groups) == 4000 and {len(group) for group in groups} == {2}


def test_updates_follow_their_gradient() -> None:
    """A layer's update runs as soon as its gradient is there, whose memory is then free again."""
    x = asg.input("x", (300, 300))
    y = x
    for number in range(6):
        y = asg.tanh(y @ asg.parameter(f"w{number}", (300, 300), init=0.01))
    step = asg.train_step(asg.sum(y), optimizer=asg.optim.adam(1e-3))
    program: Any = asg.compile(step).start(seed=0).program((300, 300))
    nodes = program.graph.nodes
    updates = [i for i, node in enumerate(nodes) if len(node.outputs) == 3]
    last_product = max(i for i, node in enumerate(nodes) if node.op.name == "matmul")
    assert len(updates) == 6 and sum(i < last_product for i in updates) == 5
