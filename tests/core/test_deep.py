"""Deep graphs: every walk is iterative, and the work grows with the size, not its square."""

import sys
from collections.abc import Iterator
from time import process_time
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.graph import reachable_nodes
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.verify import verify

LENGTH = 20_000
Array = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(autouse=True)
def little_stack() -> Iterator[None]:
    """A recursion over the graph would need far more frames than these."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(400)
    yield
    sys.setrecursionlimit(before)


def chain(length: int) -> tuple[Tensor, Tensor]:
    """``y = x``, then ``length`` nodes, each of a different value."""
    x = asg.input("x", (2,), "float64")
    y = x
    for _ in range(length // 2):
        y = call("sin", y + x)
    return x, y


def expected(x: Array, length: int) -> Array:
    y = x
    for _ in range(length // 2):
        y = np.sin(y + x)
    return y


def test_a_deep_chain_is_built_differentiated_printed_and_run() -> None:
    x, y = chain(LENGTH)
    loss = y.sum()
    gradient = asg.grad(loss, x)
    graph = asg.Graph(loss=loss, gradient=gradient)
    assert len(graph.nodes) > 2 * LENGTH
    verify(graph)
    assert str(graph).count("\n") >= len(graph.nodes)
    point = np.array([0.3, -0.7])
    found = asg.compile(graph)(x=point)
    np.testing.assert_allclose(found["loss"], expected(point, LENGTH).sum(), rtol=1e-12)
    step = 1e-6
    for i in range(2):
        shift = step * np.eye(2)[i]
        numeric = expected(point + shift, LENGTH) - expected(point - shift, LENGTH)
        np.testing.assert_allclose(found["gradient"][i], numeric.sum() / (2 * step), rtol=1e-6)


def test_a_deep_chain_is_read_back() -> None:
    _, y = chain(2_000)
    graph = asg.Graph(y=y)
    assert str(asg.parse(str(graph))) == str(graph)


def test_a_deep_chain_is_optimised() -> None:
    _, y = chain(LENGTH)
    zeroes = y
    for _ in range(200):
        zeroes = zeroes + 0.0
    graph = asg.Graph(y=zeroes, doubled=y * 1.0).optimize("numpy")
    assert len(graph.nodes) < LENGTH + 100
    point = np.array([0.3, -0.7])
    np.testing.assert_allclose(
        asg.compile(graph)(x=point)["y"], expected(point, LENGTH), rtol=1e-12
    )


def test_a_wide_graph_works_too() -> None:
    x = asg.input("x", (2,), "float64")
    total = x
    for i in range(3_000):
        total = total + x * float(i)
    gradient = asg.grad(total.sum(), x)
    found = asg.run(gradient, {x: np.ones(2)})
    np.testing.assert_allclose(found, 1 + 3_000 * 2_999 / 2)


def test_a_graph_that_halves_and_meets_again_is_walked_once_per_node() -> None:
    """2**200 paths, 400 nodes."""
    x = asg.input("x", (), "float64")
    y = x
    for _ in range(200):
        y = (y + y) * 0.5
    graph = asg.Graph(y=y, gradient=asg.grad(y, x))
    assert len(graph.nodes) < 2_000
    assert asg.compile(graph)(x=np.array(3.0))["gradient"] == pytest.approx(1.0)


def seconds(length: int) -> float:
    start = process_time()
    x, y = chain(length)
    reachable_nodes([asg.grad(y.sum(), x)])
    return process_time() - start


def test_build_and_gradient_grow_linearly() -> None:
    """Eight times the nodes must cost far less than the 64-fold of a quadratic walk."""
    seconds(1_000)
    small = min(seconds(2_000) for _ in range(3))
    large = min(seconds(16_000) for _ in range(2))
    assert large < 30 * small + 0.1
