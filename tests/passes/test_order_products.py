"""Chains of products: values stay, and the work is the least that any order takes."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pytest

import asg
from asg.passes.order_products import order_products


def work_of(graph: asg.Graph) -> int:
    """Multiplications of all products."""
    total = 0
    for node in graph.nodes:
        if node.op.name == "matmul":
            a, b = (tensor.shape for tensor in node.inputs)
            total += prod(size for size in (*a[:-1], *b) if isinstance(size, int))
    return total


def least_work(sizes: list[int]) -> int:
    """Of any order, by trying all."""

    @cache
    def least(first: int, last: int) -> int:
        return min(
            (least(first, cut) + least(cut, last) + sizes[first] * sizes[cut] * sizes[last]
             for cut in range(first + 1, last)),
            default=0,
        )  # fmt: skip

    return least(0, len(sizes) - 1)


def multiplied(parts: list[Any], random: np.random.Generator) -> Any:
    """The parts in a random order of products."""
    parts = list(parts)
    while len(parts) > 1:
        at = int(random.integers(len(parts) - 1))
        parts[at : at + 2] = [parts[at] @ parts[at + 1]]
    return parts[0]


@pytest.mark.parametrize("seed", range(12))
def test_a_random_chain_in_a_random_order(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = [int(size) for size in random.integers(1, 30, int(random.integers(4, 8)))]
    arrays = [random.standard_normal(shape) for shape in pairwise(sizes)]
    if seed % 3 == 0:
        arrays[-1], sizes[-1] = arrays[-1][:, 0], 1
    if seed % 4 == 0:
        arrays[0], sizes[0] = arrays[0][0], 1
    tensors = [asg.input(f"x{i}", a.shape, "float64") for i, a in enumerate(arrays)]
    before = asg.Graph(y=multiplied(tensors, random))
    after = order_products(before)
    assert least_work(sizes) <= work_of(after) <= work_of(before)
    assert work_of(after) <= least_work(sizes) / 0.9
    found = asg.run(after.outputs[0], dict(zip(tensors, arrays, strict=True)))
    np.testing.assert_allclose(found, multiplied(arrays, random), rtol=1e-9, atol=1e-9)


def test_symbolic_sizes_are_numbers_by_then() -> None:
    a, b, v = asg.input("a", ("n", "k")), asg.input("b", ("k", "m")), asg.input("v", ("m",))
    program: Any = asg.compile(asg.Graph(y=a @ b @ v)).start().program((50, 40), (40, 30), (30,))
    shapes = [node.output.shape for node in program.graph.nodes if node.op.name == "matmul"]
    assert shapes == [(40,), (50,)]
