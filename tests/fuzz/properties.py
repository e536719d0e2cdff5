"""What must hold of every graph, checked on a recipe: each property gives a list of problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any
from unittest.mock import patch

import jax
import numpy as np
from asg.backends.jax_xla.kernel import KERNELS
from asg.backends.jax_xla.scoped import tracing
from asg.backends.jax_xla.walk import run_graph
from asg.backends.numpy_cpu import bind

import asg
from asg.autodiff.finite_difference import directional_difference, random_directions
from asg.autodiff.vjp import pullback
from asg.compiler.driver import Executable
from asg.compiler.driver import evaluate as evaluate_constants
from asg.compiler.loader import load_backend
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.core.verify import verify
from asg.ops.cast import StopGradient
from asg.passes.lower import lower
from asg.passes.merge_equal import merge_equal
from asg.passes.pipeline import default_pipeline, run_pipeline
from asg.testing.comparison import difference
from asg.testing.parity import compile_plainly, evaluate
from asg.testing.recipe import Array, Recipe, Step

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
_UNSURE = 1e-6
"""Finite differences that deviate from themselves by more than this say nothing (a kink)."""
_DIRECTIONS = 2


class Case:
    """The graphs and numbers that belong to a recipe, each made when first asked for.

    With outputs ``y(x)``, cotangents ``u`` and directions ``v``: ``g = u . dy/dx``, and
    ``h = d<g, v>/dx``, the product of the Hessian of ``<u, y>`` with ``v``.
    """

    def __init__(self, recipe: Recipe, floats: Sequence[str] | None = None) -> None:
        """Derivatives are taken by ``floats``: every floating input unless given."""
        self.recipe = recipe
        self._floats = floats
        self._random = np.random.default_rng(len(recipe.steps))

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every result of the recipe."""
        return self.recipe.build()

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        """By name."""
        return {name: self.tensors[name] for name in self.recipe.feeds}

    @cached_property
    def floats(self) -> list[str]:
        """The inputs that derivatives are taken by."""
        if self._floats is not None:
            return list(self._floats)
        return [name for name, tensor in self.inputs.items() if tensor.dtype.is_float]

    @cached_property
    def values(self) -> dict[str, Tensor]:
        """The outputs."""
        return {f"y.{name}": self.tensors[name] for name in self.recipe.outputs}

    @cached_property
    def cotangents(self) -> dict[str, Tensor]:
        """``u``, one for each floating output."""
        return {
            f"u_{name}": asg.input(f"u_{name}", self.tensors[name].shape, self.tensors[name].dtype)
            for name in self.recipe.outputs
            if self.tensors[name].dtype.is_float
        }

    @cached_property
    def directions(self) -> dict[str, Tensor]:
        """``v``, one for each floating input."""
        return {
            f"v_{name}": asg.input(f"v_{name}", self.inputs[name].shape, self.inputs[name].dtype)
            for name in self.floats
        }

    @cached_property
    def gradients(self) -> dict[str, Tensor]:
        """``g``, for the inputs on which the outputs depend differentiably."""
        targets = [self.tensors[name.removeprefix("u_")] for name in self.cotangents]
        found = pullback(
            targets, list(self.cotangents.values()), [self.inputs[name] for name in self.floats]
        )
        named = zip(self.floats, found, strict=True)
        return {f"g.{name}": tensor for name, tensor in named if tensor is not None}

    @cached_property
    def products(self) -> dict[str, Tensor]:
        """``h``, in the same way."""
        seeds = [self.directions[f"v_{name.removeprefix('g.')}"] for name in self.gradients]
        wrt = [self.inputs[name] for name in self.floats]
        found = pullback(list(self.gradients.values()), seeds, wrt)
        named = zip(self.floats, found, strict=True)
        return {f"h.{name}": tensor for name, tensor in named if tensor is not None}

    @cached_property
    def graph(self) -> Graph:
        """All of it in one graph; every input listed, used or not, so that all graphs agree."""
        outputs = {**self.values, **self.gradients, **self.products}
        given = {**self.inputs, **self.cotangents, **self.directions}
        return Graph(outputs, inputs=list(given.values()), name="case")

    @cached_property
    def feeds(self) -> dict[str, Array]:
        """One array for every input, cotangent and direction."""
        drawn = {name: self._drawn(f"y.{name[2:]}") for name in self.cotangents}
        drawn |= {name: self._like(self.recipe.feeds[name[2:]]) for name in self.directions}
        return {**self.recipe.feeds, **drawn}

    @cached_property
    def _plain_values(self) -> dict[str, Array]:
        graph = Graph(self.values, inputs=list(self.inputs.values()))
        return _run(compile_plainly(graph, "numpy"), self.recipe.feeds)

    def _drawn(self, name: str) -> Array:
        return self._like(self._plain_values[name])

    def _like(self, array: Array) -> Array:
        drawn = self._random.uniform(-1.0, 1.0, array.shape)
        return np.asarray(np.round(drawn, 3), array.dtype)

    @cached_property
    def executable(self) -> Executable:
        """Compiled for NumPy by the default pipeline."""
        return asg.compile(self.graph)

    @cached_property
    def found(self) -> dict[str, Array]:
        """What it computes."""
        return _run(self.executable, self.feeds)

    def compared(self, other: dict[str, Array], what: str, tolerance: float = 0.0) -> list[str]:
        """How other numbers of the same names differ from those found."""
        problems = []
        for name, expected in self.found.items():
            allowed = tolerance or TOLERANCE.get(expected.dtype.name, 0.0)
            told = difference(
                other[name], expected, relative=allowed, absolute=allowed, of_largest=allowed
            )
            problems += [f"{name}: {what}: {told}"] if told else []
        return problems


def _run(executable: Executable, feeds: Any) -> dict[str, Array]:
    given = {name: feeds[name] for name in executable.graph.feeds}
    return {name: np.array(value) for name, value in executable(**given).items()}


# -- properties ------------------------------------------------------------------------------------


def passes_keep_graphs_well_formed(case: Case) -> list[str]:
    """Every pass leaves a verified graph, and what was merged once is merged for good."""
    backend = load_backend("numpy")
    graph = case.graph
    for step in default_pipeline(backend, evaluate_constants):
        graph = verify(run_pipeline([step], graph), stage=step.name)
    merged = merge_equal(case.graph)
    again = merge_equal(merged)
    if set(again.nodes) != set(merged.nodes):
        return [f"merging again changes {len(set(again.nodes) - set(merged.nodes))} nodes"]
    return []


def text_is_read_back(case: Case) -> list[str]:
    """Graphs before and after optimisation print, parse and run as they are."""
    for graph in (case.graph, case.executable.optimized):
        text = asg.graph_text(graph, full=True)
        if asg.graph_text(verify(asg.parse(text)), full=True) != text:
            return [f"the text changes when read and written again:\n{text}"]
    read = asg.compile(asg.parse(asg.graph_text(case.graph, full=True)))
    found = _run(read, case.feeds)
    return [
        f"{name}: after reading its text: {told}"
        for name, value in case.found.items()
        if (told := difference(found[name], value))
    ]


def optimised_is_plain(case: Case) -> list[str]:
    """The default pipeline changes no value."""
    return case.compared(_run(compile_plainly(case.graph, "numpy"), case.feeds), "not optimised")


def what_memory_holds_at_first_is_not_read(case: Case) -> list[str]:
    """Memory full of zeros gives to the bit what memory full of NaN does (see conftest.py)."""
    with patch.object(bind, "aligned_memory", lambda nbytes: np.zeros(nbytes + 1, np.uint8)):
        found = _run(asg.compile(case.graph), case.feeds)
    return [
        f"{name}: in memory of zeros: {told}"
        for name, value in case.found.items()
        if (told := difference(found[name], value))
    ]


def static_is_symbolic(case: Case) -> list[str]:
    """A graph built with numbers for sizes computes what the symbolic one does."""
    other = Case(case.recipe.static())
    return case.compared(_run(other.executable, case.feeds), "built with literal sizes")


def jax_is_numpy(case: Case) -> list[str]:
    """XLA agrees on values and derivatives, and JAX's own gradient with ours."""
    graph = _lowered(case.graph, case)
    forward = _lowered(Graph(case.values, inputs=list(case.inputs.values())), case)
    graph_feeds = [case.feeds[name] for name in case.graph.input_names]
    places = [list(case.recipe.feeds).index(name) for name in case.floats]
    targets = [forward.output_names.index(f"y.{name[2:]}") for name in case.cotangents]

    def ours(arrays: list[Any]) -> list[Any]:
        outputs: list[Any] = run_graph(graph, arrays)
        return outputs

    def both(arrays: list[Any]) -> tuple[list[Any], list[Any]]:
        given = list(arrays[: len(case.inputs)])

        def function(floats: list[Any]) -> list[Any]:
            for place, array in zip(places, floats, strict=True):
                given[place] = array
            outputs = run_graph(forward, given)
            return [outputs[position] for position in targets]

        _, pull = jax.vjp(function, [arrays[place] for place in places])
        seeds = arrays[len(case.inputs) : len(case.inputs) + len(targets)]
        return ours(arrays), pull(list(seeds))[0]

    stop = {StopGradient: lambda op, x: jax.lax.stop_gradient(x)}
    with tracing(True, "highest"), patch.dict(KERNELS, stop):
        try:
            found, pulled = jax.jit(both)(graph_feeds)
        except (NotImplementedError, ValueError) as error:
            # What JAX does not differentiate: nextafter, some windows of maxima.
            if isinstance(error, ValueError) and "reverse-mode" not in str(error):
                raise
            found, pulled = jax.jit(ours)(graph_feeds), []
    named = dict(zip(graph.output_names, map(np.asarray, found), strict=True))
    problems = case.compared(named, "on jax")
    for name, gradient in zip(case.floats, map(np.asarray, pulled), strict=False):
        own = case.found.get(f"g.{name}", np.zeros_like(gradient))
        if not np.isfinite(gradient).all():
            continue  # a kernel that is no formula to differentiate: -inf in the logarithms of ctc
        allowed = 10.0 * TOLERANCE[gradient.dtype.name]
        told = difference(own, gradient, relative=allowed, absolute=allowed, of_largest=allowed)
        problems += [f"g.{name}: jax.vjp disagrees: {told}"] if told else []
    return problems


def _lowered(graph: Graph, case: Case) -> Graph:
    """As the JAX backend gets it, with the sizes of the case."""
    backend = load_backend("jax")
    executable = asg.compile(graph, backend)
    lowered = executable.specialised([case.feeds[n].shape for n in graph.input_names])
    return lower(lowered, backend)


def derivatives_are_differences(case: Case) -> list[str]:
    """First and second derivatives against central differences, in float64."""
    points = [case.feeds[name] for name in case.floats]
    if not case.gradients or any(point.dtype != np.float64 for point in points):
        return []

    frozen = _with_stopped_values_fixed(case)

    def at(*arrays: Array) -> list[Array]:
        feeds = {**frozen.recipe.feeds, **case.feeds}
        found = _run(frozen.executable, feeds | dict(zip(case.floats, arrays, strict=True)))
        return [_scalar(case, found, "u_", "y."), _scalar(case, found, "v_", "g.")]

    problems: list[str] = []
    for along in random_directions(points, _DIRECTIONS, np.random.default_rng(7)):
        differences = directional_difference(at, points, along)
        for letter, value, error in zip("gh", differences.values, differences.errors, strict=True):
            problems += _slope_problem(case, letter, along, float(value), float(error))
    return problems


def _with_stopped_values_fixed(case: Case) -> Case:
    """What ``stop_gradient`` gives becomes an input: differences would see through it."""
    stopped = [step for step in case.recipe.steps if step.function == "stop_gradient"]
    if not stopped:
        return case
    recipe = case.recipe.static()
    tensors = recipe.build()
    values = evaluate({step.results[0]: tensors[step.results[0]] for step in stopped}, case.feeds)
    made = {n: Step((n,), "input", (n, v.shape, v.dtype.name)) for n, v in values.items()}
    steps = tuple(made.get(step.results[0], step) for step in recipe.steps)
    return Case(replace(recipe, steps=steps, feeds={**recipe.feeds, **values}), case.floats)


def _scalar(case: Case, found: dict[str, Array], weights: str, values: str) -> Array:
    """``<u, y>`` or ``<v, g>``."""
    names = [name for name in case.feeds if name.startswith(weights)]
    pairs = [(case.feeds[name], found.get(values + name[2:])) for name in names]
    return np.array(sum(float(np.sum(a * b)) for a, b in pairs if b is not None))


def _slope_problem(
    case: Case, letter: str, along: Sequence[Array], value: float, error: float
) -> list[str]:
    named = dict(zip(case.floats, along, strict=True))
    given = {name: case.found.get(f"{letter}.{name}", np.zeros(())) for name in named}
    slope = sum(float(np.sum(given[name] * named[name])) for name in named)
    scale = 1.0 + sum(float(np.abs(each).sum()) for each in given.values())
    if error > _UNSURE * scale or abs(slope - value) <= 10.0 * error + 1e-7 * scale:
        return []
    return [f"{letter}: {slope:.12g} in a direction, finite differences give {value:.12g}"]


def second_derivatives_are_symmetric(case: Case) -> list[str]:
    """``<w, H v> = <v, H w>``."""
    if not case.products:
        return []
    other = {name: case._like(case.feeds[name]) for name in case.directions}
    swapped = _run(case.executable, {**case.feeds, **other})
    here = there = scale = 0.0
    for name in case.floats:
        if f"h.{name}" in case.found:
            terms = case.found[f"h.{name}"] * other[f"v_{name}"]
            here += float(np.sum(terms, dtype=np.float64))
            there += float(np.sum(swapped[f"h.{name}"] * case.feeds[f"v_{name}"], dtype=np.float64))
            scale += float(np.abs(terms).sum())
    wide = all(case.feeds[name].dtype == np.float64 for name in case.floats)
    allowed = (1e-9 if wide else 1e-3) * (1.0 + scale)
    if abs(here - there) <= allowed:
        return []
    return [f"<w, H v> is {here:.12g}, <v, H w> is {there:.12g}"]


Property = Callable[[Case], list[str]]

WITHOUT_JAX: tuple[Property, ...] = (
    passes_keep_graphs_well_formed,
    text_is_read_back,
    optimised_is_plain,
    what_memory_holds_at_first_is_not_read,
    static_is_symbolic,
    derivatives_are_differences,
    second_derivatives_are_symmetric,
)
ALL: tuple[Property, ...] = (*WITHOUT_JAX, jax_is_numpy)


def problems_of(recipe: Recipe, properties: Sequence[Property]) -> dict[str, list[str]]:
    """By the name of each property that does not hold; an exception is a problem of its own."""
    case = Case(recipe)
    found: dict[str, list[str]] = {}
    for holds in properties:
        try:
            told = holds(case)
        except Exception as error:
            told = [f"{type(error).__name__}: {error}"]
        if told:
            found[holds.__name__] = told
    return found
