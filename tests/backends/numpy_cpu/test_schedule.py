"""An order of nodes with a lower peak: the same numbers to the bit, and less memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import schedule as module
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.schedule import _freeing_first, _Needs, schedule

import asg
from asg import nn, optim
from asg.core.graph import Graph
from asg.passes.lower import lower
from asg.testing.random_graph import random_recipe
from tests.backends.numpy_cpu.programs import random_program, sizes
from tests.fuzz.properties import Case

Array = np.ndarray[Any, Any]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the other order whatever it is worth, of values of any size."""
    monkeypatch.setattr(module, "LEAST_BYTES", 0)
    monkeypatch.setattr(module, "COUNTED", 0)
    monkeypatch.setattr(module, "PROMISED", float("inf"))
    monkeypatch.setattr(module, "CLEARLY", float("inf"))


def same_to_the_bit(graph: Graph) -> int:
    """Two steps of the graph in both orders; how many nodes have another place."""
    other = schedule(graph)
    random = np.random.default_rng(0)
    feeds = [random.uniform(0.5, 1.5, sizes(t)).astype(t.dtype.numpy) for t in graph.inputs]
    programs = BACKEND.compile(graph), BACKEND.compile(other)
    for _ in range(2):
        one, two = ([each.tobytes() for each in run(feeds)] for run in programs)
        assert one == two
    ops = [[node.lineage for node in each.nodes] for each in (graph, other)]
    assert sorted(ops[0]) == sorted(ops[1])
    return sum(a != b for a, b in zip(*ops, strict=True))


@pytest.mark.usefixtures("always")
def test_random_programs_with_views_and_variables() -> None:
    moved = [same_to_the_bit(lower(random_program(seed).graph, BACKEND)) for seed in range(40)]
    assert sum(count > 0 for count in moved) > 10


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_with_their_derivatives(seed: int) -> None:
    case = Case(random_recipe(seed))
    with asg.configure(compile_cache="off"):
        new = asg.compile(case.graph)(**case.feeds)
        with asg.configure(without=("schedule",)):
            old = asg.compile(Case(random_recipe(seed)).graph)(**case.feeds)
    for name, array in old.items():
        np.testing.assert_array_equal(new[name], array, err_msg=name)


def plain_peak(needs: _Needs, order: list[int]) -> int:
    """Position by position, from the definition; nothing is overwritten."""
    most = 0
    for step, place in enumerate(order):
        later = {number for p in order[step + 1 :] for number in needs.reads[p]}
        kept = {n for n, count in enumerate(needs.readers) if _is_returned(needs, n, count)}
        made = {number for p in order[:step] for number in needs.makes[p]}
        read = set(needs.reads[place])
        alive = (made & (later | kept | read)) | set(needs.makes[place])
        most = max(most, sum(needs.sizes[number] for number in alive))
    return most


def _is_returned(needs: _Needs, number: int, count: int) -> bool:
    return count > sum(number in read for read in needs.reads)


@pytest.mark.parametrize("seed", range(30))
def test_the_peak_is_that_of_the_definition(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Needs, "_overwritten", lambda *_: 0)
    monkeypatch.setattr(module, "COUNTED", 0)
    needs = _Needs(lower(random_program(seed).graph, BACKEND))
    given = list(range(len(needs.nodes)))
    other = list(_freeing_first(needs))
    assert sorted(other) == given
    for order in (given, other):
        assert needs.peak(order) == plain_peak(needs, order)


def test_an_operand_that_is_over_may_be_overwritten() -> None:
    x = asg.input("x", (10_000,))
    needs = _Needs(lower(asg.Graph(y=asg.sum(asg.exp(x * 2.0), 0)), BACKEND))
    assert needs.peak(range(len(needs.nodes))) == 40_000


def network() -> Graph:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(8 * 8 * 8, 10),
    )  # fmt: skip
    step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(1e-3))
    return step(x=((128, 3, 32, 32), "float32"), y=((128,), "int32"))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_training_step_takes_less_memory(threads: int) -> None:
    with asg.configure(threads=threads, compile_cache="off"):
        plan = asg.compile(network()).plan()
        with asg.configure(without=("schedule",)):
            before = asg.compile(network()).plan()
    assert plan.memory is not None and before.memory is not None
    assert plan.memory.arena_bytes <= 0.95 * before.memory.arena_bytes
    assert plan.flops == before.flops


@pytest.mark.parametrize("batch", [700, 512])
def test_batches_as_large_as_a_layer_take_less_too(batch: int) -> None:
    net = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                        nn.Linear(512, 10))  # fmt: skip
    step = asg.train_step(net, loss=asg.cross_entropy, optimizer=optim.adam(1e-3))
    graph = step(x=((batch, 784), "float32"), y=((batch,), "int32"))
    with asg.configure(threads=1, compile_cache="off"):
        memory = asg.compile(graph).plan().memory
        with asg.configure(without=("schedule",)):
            before = asg.compile(graph).plan().memory
    assert memory is not None and before is not None
    assert memory.arena_bytes <= 0.9 * before.arena_bytes


def test_what_gains_nothing_is_left_as_it_is() -> None:
    x = asg.input("x", (512, 512))
    graph = lower(asg.Graph(y=asg.sum(asg.exp(x) @ asg.sin(x))), BACKEND)
    assert schedule(graph) is graph
