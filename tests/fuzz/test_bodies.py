"""Random loops with branches and loops inside: passes and text change neither values nor gradients.

What they give is compared with the same loops written out, step by step.

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
from asg.passes.unroll import unroll
from asg.testing.parity import evaluate

Feeds = dict[str, np.ndarray[Any, Any]]

VECTOR, MATRIX = (2,), (2, 2)
_CONSTANT: dict[tuple[int, ...], Any] = {VECTOR: [0.5, 2.0], MATRIX: [[0.5, 2.0], [-1.5, 0.25]]}


def _combined(random: Random, a: Any, b: Any) -> Any:
    made: list[Callable[[], Any]] = [
        lambda: a * b,
        lambda: a + b,
        lambda: asg.sin(a),
        lambda: a[::-1],
        lambda: asg.cond(a.sum() > 0.0, lambda: a * b, lambda: asg.cos(b)),
        lambda: asg.scan(lambda d, e: (d * 0.5 + e * b.sum(), d), a.sum(0), b)[1],
        lambda: asg.tanh(a) * b.mean(),
    ]
    if a.ndim == 2:
        made += [lambda: a @ b, lambda: a.T, lambda: (a @ b).T, lambda: 0.5 * (a.T @ b).T + b]
    return random.choice(made)()


def _loop(random: Random, init: Any, elements: Any, shared: Any, length: int) -> list[Any]:
    outside, shape = asg.tanh(shared[0]), shared[0].shape

    def step(carry: Any, x: Any) -> Any:
        pool = [*carry, *(x or ()), *shared, outside, asg.constant(_CONSTANT[shape], asg.float64)]
        for _ in range(random.randint(0, 5)):
            pool.append(_combined(random, random.choice(pool), random.choice(pool)))
        return [random.choice(pool) for _ in carry], [random.choice(pool) for _ in range(2)]

    reverse = random.random() < 0.5
    last, stacked = asg.scan(step, init, elements or None, length=length, reverse=reverse)
    return [*last, *stacked]


def program(seed: int, shape: tuple[int, ...] = VECTOR) -> tuple[dict[str, Any], Feeds]:
    """Outputs with first and second derivatives by name, and what to feed.

    All values of a step are of one ``shape``; matrices are multiplied and transposed as well.
    """
    random = Random(seed)
    length = random.choice([1, 2, 4])
    init = [asg.input(f"c{i}", shape, asg.float64) for i in range(random.randint(1, 3))]
    several = [f"x{i}" for i in range(random.randint(0, 2))]
    elements = [asg.input(name, (length, *shape), asg.float64) for name in several]
    shared = [asg.input(f"k{i}", shape, asg.float64) for i in range(2)]
    found = _loop(random, init, elements, shared, length)
    wrt = [*init, *elements, *shared]
    loss = sum((each * float(i + 1)).sum() for i, each in enumerate(found))
    first = asg.grad(loss, wrt, allow_unused=True)
    squares = sum((each * each).sum() for each in first) + loss * 0.0
    second = asg.grad(squares, wrt, allow_unused=True)
    drawn = np.random.default_rng(seed)
    feeds = {placeholder_name(t): 0.7 * drawn.normal(size=t.shape) for t in wrt}
    return {f"y{i}": each for i, each in enumerate([*found, *first, *second])}, feeds


def written_out(graph: asg.Graph, feeds: Feeds) -> Feeds:
    """What the graph computes, by a copy of the body for each step of its outermost loops."""
    unrolled = unroll(graph)
    return evaluate(dict(zip(graph.output_names, unrolled.outputs, strict=True)), feeds)


@pytest.mark.parametrize("shape", [VECTOR, MATRIX])
@pytest.mark.parametrize("seed", range(12))
def test_passes_and_text_keep_values_and_derivatives(seed: int, shape: tuple[int, ...]) -> None:
    outputs, feeds = program(seed, shape)
    graph = asg.Graph(outputs)
    text = str(graph)
    again = asg.parse(text)
    assert str(again) == text
    given = {name: feeds[name] for name in graph.input_names}
    optimized, plain = asg.compile(again)(**given), evaluate(outputs, feeds)
    for name, value in written_out(graph, given).items():
        np.testing.assert_allclose(optimized[name], value, rtol=1e-9, atol=1e-10, err_msg=name)
        np.testing.assert_allclose(plain[name], value, rtol=1e-9, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("seed", [100, 101])
def test_backends_agree(seed: int) -> None:
    pytest.importorskip("jax")
    outputs, feeds = program(seed)
    jax = evaluate(outputs, feeds, "jax", optimized=True)
    for name, value in evaluate(outputs, feeds).items():
        np.testing.assert_allclose(jax[name], value, rtol=1e-9, atol=1e-10, err_msg=name)
