"""Run one graph on several backends, and compare: the parity test in one function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from asg.compiler.driver import Executable
from asg.compiler.driver import compile as compile_graph
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.passes.pipeline import lower_for
from asg.testing.comparison import difference

Array = np.ndarray[Any, np.dtype[Any]]


def compile_plainly(graph: Graph, backend: str) -> Executable:
    """Compile with nothing but lowering, so that the kernels under test are the ones that run."""
    return compile_graph(graph, backend, (lower_for(load_backend(backend)),))


def evaluate(
    outputs: Mapping[str, Any],
    feeds: Mapping[str, Array],
    backend: str = "numpy",
    optimized: bool = False,
    witnesses: Sequence[Tensor] = (),
) -> dict[str, Array]:
    """Values by name, on one backend, by the default pipeline or with nothing but lowering.

    ``witnesses`` are inputs that the outputs do not use: their arrays bind sizes.
    """
    graph = _stateless(Graph(dict(outputs)))
    if witnesses:
        graph = _stateless(Graph(dict(outputs), inputs=[*graph.inputs, *witnesses]))
    given = {name: feeds[name] for name in graph.input_names}
    compiled = compile_graph(graph, backend) if optimized else compile_plainly(graph, backend)
    results = compiled(**given)
    return {name: np.array(value) for name, value in results.items()}


def _stateless(graph: Graph) -> Graph:
    return Graph.of(graph.inputs, graph.outputs, graph.output_names, (), graph.name)


def parity_problems(
    outputs: Mapping[str, Any],
    feeds: Mapping[str, Array],
    backends: Sequence[str] = ("numpy", "jax"),
    relative: float = 1e-12,
    of_largest: float = 1e-12,
) -> list[str]:
    """What differs between the first backend and each other one; empty when nothing does."""
    first, *others = backends
    expected = evaluate(outputs, feeds, first)
    problems = []
    for backend in others:
        actual = evaluate(outputs, feeds, backend)
        for name, value in expected.items():
            found = difference(actual[name], value, relative, of_largest=of_largest)
            problems.extend([f"{name}: {backend} differs from {first}: {found}"] if found else [])
    return problems


def assert_parity(
    outputs: Mapping[str, Any],
    feeds: Mapping[str, Array],
    backends: Sequence[str] = ("numpy", "jax"),
    relative: float = 1e-12,
    of_largest: float = 1e-12,
) -> None:
    """Raise AssertionError that lists every output on which the backends differ.

    Args:
        outputs: tensors by name.
        feeds: arrays by input name.
        backends: the first is the reference.
        relative: allowed error relative to each element.
        of_largest: allowed error relative to the largest element.
    """
    problems = parity_problems(outputs, feeds, backends, relative, of_largest)
    if problems:
        raise AssertionError("\n".join(problems))
