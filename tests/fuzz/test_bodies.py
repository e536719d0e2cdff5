"""Random loops with branches and loops inside: passes and text change neither values nor gradients.

Carries change places, pass through and are dropped; outputs are carries, elements, captured values
and constants: what an executor that updates memory in place could get wrong.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.graph import placeholder_name
from asg.testing.parity import evaluate

Feeds = dict[str, np.ndarray[Any, Any]]


def _combined(random: Random, a: Any, b: Any) -> Any:
    made: list[Callable[[], Any]] = [
        lambda: a * b,
        lambda: a + b,
        lambda: asg.sin(a),
        lambda: a[::-1],
        lambda: asg.cond(a.sum() > 0.0, lambda: a * b, lambda: asg.cos(b)),
        lambda: asg.scan(lambda d, e: (d * 0.5 + e * b.sum(), d), a.sum(), b)[1],
        lambda: asg.tanh(a) * b.mean(),
    ]
    return random.choice(made)()


def _loop(random: Random, init: Any, elements: Any, shared: Any, length: int) -> list[Any]:
    outside = asg.tanh(shared[0])

    def step(carry: Any, x: Any) -> Any:
        pool = [*carry, *(x or ()), *shared, outside, asg.constant([0.5, 2.0], asg.float64)]
        for _ in range(random.randint(0, 5)):
            pool.append(_combined(random, random.choice(pool), random.choice(pool)))
        return [random.choice(pool) for _ in carry], [random.choice(pool) for _ in range(2)]

    reverse = random.random() < 0.5
    last, stacked = asg.scan(step, init, elements or None, length=length, reverse=reverse)
    return [*last, *stacked]


def program(seed: int) -> tuple[dict[str, Any], Feeds]:
    """Outputs with first and second derivatives by name, and what to feed."""
    random = Random(seed)
    length = random.choice([1, 2, 4])
    shapes = [(f"c{i}", (2,)) for i in range(random.randint(1, 3))]
    init = [asg.input(name, shape, asg.float64) for name, shape in shapes]
    elements = [asg.input(f"x{i}", (length, 2), asg.float64) for i in range(random.randint(0, 2))]
    shared = [asg.input(f"k{i}", (2,), asg.float64) for i in range(2)]
    found = _loop(random, init, elements, shared, length)
    wrt = [*init, *elements, *shared]
    loss = sum((each * float(i + 1)).sum() for i, each in enumerate(found))
    first = asg.grad(loss, wrt, allow_unused=True)
    squares = sum((each * each).sum() for each in first) + loss * 0.0
    second = asg.grad(squares, wrt, allow_unused=True)
    drawn = np.random.default_rng(seed)
    feeds = {placeholder_name(t): 0.7 * drawn.normal(size=t.shape) for t in wrt}
    return {f"y{i}": each for i, each in enumerate([*found, *first, *second])}, feeds


@pytest.mark.parametrize("seed", range(12))
def test_passes_and_text_keep_values_and_derivatives(seed: int) -> None:
    outputs, feeds = program(seed)
    graph = asg.Graph(outputs)
    text = str(graph)
    again = asg.parse(text)
    assert str(again) == text
    given = {name: feeds[name] for name in graph.input_names}
    optimized = asg.compile(again)(**given)
    for name, value in evaluate(outputs, feeds).items():
        np.testing.assert_allclose(optimized[name], value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("seed", [100, 101])
def test_backends_agree(seed: int) -> None:
    pytest.importorskip("jax")
    outputs, feeds = program(seed)
    jax = evaluate(outputs, feeds, "jax", optimized=True)
    for name, value in evaluate(outputs, feeds).items():
        np.testing.assert_allclose(jax[name], value, rtol=1e-9, atol=1e-10, err_msg=name)
