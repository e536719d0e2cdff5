"""Plans that are told and read again: the same program, without a decision made twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from asg.backends.numpy_cpu import bind
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.interpreter import NumpyExecutable
from asg.backends.numpy_cpu.kernels import shards
from asg.backends.numpy_cpu.plan import make_plan
from asg.backends.numpy_cpu.plan_code import plan_from_json, plan_to_json

import asg
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.passes.lower import lower
from asg.passes.shard import ANY_WORK, Shard
from tests.backends.numpy_cpu.programs import random_program, sizes
from tests.backends.numpy_cpu.test_loop import everything

Array = np.ndarray[Any, Any]


def _refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a plan was made although one was told")


def by_plan(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> tuple[NumpyExecutable, Any]:
    """Bound twice, the second time by what the first told; both must tell the same."""
    first = NumpyExecutable(graph)
    told = json.loads(json.dumps(first.told_plan()))
    with monkeypatch.context() as patch:
        patch.setattr(bind, "complete_plan", _refuse)
        second = NumpyExecutable(graph, told)
    assert second.explain() == first.explain()
    assert second.plan == first.plan
    assert json.loads(json.dumps(second.told_plan())) == told
    return second, first


def drawn(tensor: Tensor) -> Array:
    random = np.random.default_rng(tensor.node.serial)
    return random.uniform(-1.0, 1.0, sizes(tensor)).astype(tensor.dtype.numpy)


def same_steps(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> Any:
    read, made = by_plan(graph, monkeypatch)
    feeds = [drawn(tensor) for tensor in graph.inputs]
    for _ in range(2):
        results = [[each.tobytes() for each in run(feeds)] for run in (made, read)]
        assert results[0] == results[1]
    return made.told_plan()


@pytest.mark.parametrize("seed", range(40))
def test_random_programs_with_views_and_variables(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    same_steps(lower(random_program(seed).graph, BACKEND), monkeypatch)


def test_bodies_within_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    xs, k = asg.input("xs", (4, 3), "float64"), asg.input("k", (3, 3), "float64")
    told = same_steps(lower(Graph(everything(xs, k, False)), BACKEND), monkeypatch)
    ((_, (scan,)),) = told["inside"]
    assert len(scan["inside"]) == 2  # the loop and the branch in its body


def sharded() -> Graph:
    x, w = asg.input("x", (6, 5), "float64"), asg.input("w", (5, 4), "float64")
    y = asg.tanh(x @ w)
    graph = Graph(y=y, slope=asg.grad(asg.sum(y * y), w), last=asg.cumsum(y, axis=0))
    return Shard(ANY_WORK)(graph, [])


def test_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[int, Any] = {}
    with asg.configure(threads=2):
        graph = lower(sharded(), BACKEND)
        monkeypatch.setattr(shards, "_planned", kept)
        told = same_steps(graph, monkeypatch)
    ((_, plans),) = told["inside"]
    assert len(plans) == 1  # all shards have one
    assert not kept


def concatenated() -> Graph:
    x = asg.input("x", (3,), "float64")
    y = asg.concat([asg.exp(x), asg.sin(x), asg.cos(x)]) * 2.0
    return Graph(y=y, z=asg.full((4,), 3.0)[1:])


def test_parts_of_one_value_and_constants(monkeypatch: pytest.MonkeyPatch) -> None:
    told = same_steps(lower(concatenated(), BACKEND), monkeypatch)
    assert told["parts"]
    assert -1 in told["owners"]


# -- not the same ----------------------------------------------------------------------------------


def chain(count: int, size: int = 3) -> Graph:
    x = asg.input("x", (size,), "float64")
    y = x
    for _ in range(count):
        y = asg.sin(y) @ asg.ones((size, size), "float64")
    return lower(Graph(y=y), BACKEND)


def test_a_plan_of_another_graph_is_refused() -> None:
    told = plan_to_json(make_plan(chain(3)))
    plan_from_json(told, chain(3))
    for other in (chain(2), chain(4), chain(3, size=4)):
        with pytest.raises((ValueError, LookupError)):
            plan_from_json(told, other)


def _lower_arena(told: Any) -> None:
    told["bytes"][0] -= 64


def _other_memory(told: Any) -> None:
    told["storages"][0][0] = "elsewhere"


def _constant_value(told: Any) -> None:
    told["owners"][-1] = told["lying"][-1] = -1


def _fewer_axes(told: Any) -> None:
    for way in told["ways"]:
        way[2] = []


def _negative_offset(told: Any) -> None:
    for storage in told["storages"]:
        storage[5] = -8


@pytest.mark.parametrize(
    "damage", [_lower_arena, _other_memory, _constant_value, _fewer_axes, _negative_offset]
)
def test_what_cannot_be_is_refused(damage: Callable[[Any], None]) -> None:
    told = json.loads(json.dumps(plan_to_json(make_plan(chain(3)))))
    plan_from_json(told, chain(3))
    damage(told)
    with pytest.raises(ValueError, match=r"told|memory"):
        plan_from_json(told, chain(3))
