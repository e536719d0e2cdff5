"""Arrays for a graph whose inputs nobody has given: sizes that fit, and tame random numbers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle, islice
from typing import Any

import numpy as np

from asg.analysis.constraint import broken_check, require_bound
from asg.core.dim import evaluate, symbols_of
from asg.core.errors import AsgError
from asg.core.graph import Graph
from asg.core.region import with_bodies
from asg.core.tensor import Tensor

Array = np.ndarray[Any, np.dtype[Any]]

_SIZES = ((3, 2, 5, 4, 7, 6), (4,), (2,), (8,), (1,), (16,), (32,))
"""Tried in turn: first sizes that differ, so that axes in the wrong order are seen."""


def fitting_sizes(graph: Graph) -> dict[str, int] | None:
    """Small numbers for the symbols of the inputs that keep every claim; None if none is found."""
    symbols = {s.name: s for tensor in graph.inputs for size in tensor.shape
               for s in symbols_of(size)}  # fmt: skip
    for sizes in _SIZES:
        chosen = zip(symbols.values(), islice(cycle(sizes), len(symbols)), strict=True)
        binding = {s.name: _rounded_up(n, s.minimum, s.multiple_of) for s, n in chosen}
        if _fits(graph, binding):
            return binding
    return None


def _rounded_up(size: int, minimum: int, multiple: int) -> int:
    return -(-max(size, minimum) // multiple) * multiple


def _fits(graph: Graph, binding: dict[str, int]) -> bool:
    try:
        require_bound(graph, binding)
        sizes = [size for node in graph.nodes for output in node.outputs for size in output.shape]
        return not any(broken_check(check, binding) for check in graph.checks) and all(
            evaluate(size, binding) >= 0 for size in sizes
        )
    except AsgError:
        return False


def generated_feeds(graph: Graph, binding: Mapping[str, int], seed: int) -> dict[str, Array]:
    """An array for every input by name: with an even seed all numbers are positive.

    Whole numbers are 0 and 1, which fit as places and labels nearly everywhere.
    """
    generator = np.random.default_rng(seed)
    return {
        name: likely_array(tensor, binding, generator, positive=seed % 2 == 0)
        for name, tensor in zip(graph.input_names, graph.inputs, strict=True)
    }


def likely_array(
    tensor: Tensor, binding: Mapping[str, int], generator: np.random.Generator, positive: bool
) -> Array:
    """Random numbers of the type of a tensor."""
    shape = tuple(evaluate(size, binding) for size in tensor.shape)
    drawn: Array
    if tensor.dtype.is_float:
        drawn = (
            generator.uniform(0.5, 2.0, shape) if positive else generator.normal(0.0, 1.0, shape)
        )
    elif tensor.dtype.is_integer and not tensor.dtype.is_signed:
        drawn = np.asarray(generator.integers(0, 200, shape))  # words of random keys
    else:
        drawn = np.asarray(generator.integers(0, 2, shape))
    return drawn.astype(tensor.dtype.numpy)


def may_not_end(graph: Graph) -> bool:
    """True when a loop in the graph goes on for as long as its numbers ask for."""
    return any(node.op.name == "while_loop" for each in with_bodies(graph) for node in each.nodes)
