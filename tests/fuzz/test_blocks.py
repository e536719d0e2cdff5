"""Random graphs as if they were large: fused, cut into small blocks, shared by threads.

What decides such things are sizes that random graphs do not have; here the limits come down to
them. Values and derivatives must be those of the graph as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from random import Random
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from asg.backends.numpy_cpu import extremes, products, schedule, sums
from asg.backends.numpy_cpu.backend import NumpyBackend
from asg.backends.numpy_cpu.kernels import elementwise, erf, fused, loss, solvers
from asg.backends.numpy_cpu.kernels import window_reductions as windows
from asg.backends.numpy_cpu.passes import PASSES

import asg
from asg.compiler.loader import load_backend
from asg.passes import fuse, pick_last
from asg.passes.fuse import Fuse
from asg.passes.pipeline import Pipeline
from asg.passes.shard import ANY_WORK, Shard
from asg.testing.random_graph import random_recipe
from tests.fuzz.properties import Case, problems_of

LIMITS: tuple[tuple[ModuleType, str, tuple[Any, ...]], ...] = (
    (fused, "BLOCK_BYTES", (16, 64, 200)),
    (fused, "THREAD_BLOCK_BYTES", (16, 64, 200)),
    (fused, "SHARED_BYTES", (1, 64)),
    (fuse, "MOST_KEPT", (1, 8)),
    (erf, "BLOCK_BYTES", (16, 64)),
    (windows, "BLOCK_BYTES", (300, 2000)),
    (windows, "THREAD_BLOCK_BYTES", (300, 2000)),
    (windows, "FEWEST_SHARED", (0,)),
    (products, "LEAST_SHARED", (0, 50)),
    (products, "STEP", (1, 2)),
    (products, "kernels", (lambda: "SkylakeX",)),
    (products, "SMALL", (20, 60, 200)),
    (products, "SMALL_STEP", (2, 4)),
    (products, "SMALL_LEAST", (1, 4)),
    (products, "LONG", (1, 2, 8)),
    (sums, "LONGEST_ROW", (1, 3)),
    (sums, "LONGEST_COLUMN", (1, 3)),
    (extremes, "FEWEST_ROWS", (1, 2)),
    (extremes, "LONGEST_TURNED", (1, 2, 8)),
    (extremes, "LONGEST_PART", (2, 8)),
    (elementwise, "FEW", (0, 2)),
    (loss, "FEW", (0, 1)),
    (solvers, "_BLOCK", (1, 2)),
    (schedule, "LEAST_BYTES", (0, 100)),
    (schedule, "COUNTED", (0, 50)),
    (schedule, "PROMISED", (float("inf"),)),
    (schedule, "CLEARLY", (1.0, float("inf"))),
    (pick_last, "PICKING", (0,)),
    (pick_last, "ADDING", (0,)),
)
"""Where they stand, and to what each may come down; ways of some processors are taken on any."""


@contextmanager
def brought_down(draw: Random) -> Iterator[None]:
    """Some of the limits, the fewest elements that are fused, and any number of threads."""
    passes = _passes(draw)
    with ExitStack() as changes:
        for module, name, numbers in LIMITS:
            if draw.random() < 0.6:
                changes.enter_context(patch.object(module, name, draw.choice(numbers)))
        changes.enter_context(patch.object(NumpyBackend, "passes", passes))
        changes.enter_context(asg.configure(threads=draw.choice([1, 1, 2, 3, 4])))
        yield


def _passes(draw: Random) -> Pipeline:
    """Those of the backend; single numbers are not fused, whatever the limit."""
    smaller: dict[type[Any], Any] = {Fuse: Fuse(draw.choice([2, 3, 8])), Shard: Shard(ANY_WORK)}
    cut = draw.random() < 0.5
    return tuple(
        smaller.get(type(step), step) if cut or isinstance(step, Fuse) else step for step in PASSES
    )


def as_if_large(case: Case) -> list[str]:
    """The graph computes what it does as it stands."""
    draw = Random(f"{case.recipe.title} of {len(case.recipe.steps)}")
    with brought_down(draw):
        given = {name: case.feeds[name] for name in case.graph.feeds}
        found = asg.compile(case.graph)(**given)
    return case.compared({n: np.array(v) for n, v in found.items()}, "as if it were large")


def check(seed: int) -> None:
    assert not problems_of(random_recipe(seed), [as_if_large])


@pytest.mark.parametrize("seed", [*range(9000, 9020), 9357, 9376])
def test_graphs_compute_the_same_as_if_they_were_large(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(9020, 9320))
def test_many_graphs_compute_the_same_as_if_they_were_large(seed: int) -> None:
    check(seed)


def test_limits_are_real_and_come_back() -> None:
    before = [getattr(module, name) for module, name, _ in LIMITS]
    with brought_down(Random(1)):
        assert [getattr(module, name) for module, name, _ in LIMITS] != before
        assert load_backend("numpy").passes is not PASSES
    assert [getattr(module, name) for module, name, _ in LIMITS] == before
