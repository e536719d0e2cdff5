"""Values of any tensors of a graph, computed by NumPy kernel by kernel, and how sure they are.

How sure: the same computation once more, each value moved by a unit in its last place up or down
at random. How far the results move is the rounding error that any order of operations may have
(Monte Carlo arithmetic: D. S. Parker, UCLA CSD-970002, 1997).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from asg.analysis.constraint import require_bound
from asg.compiler.loader import load_backend
from asg.core.dim import Dim
from asg.core.dtype import as_dtype, finfo
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.ops.elementwise import Add
from asg.ops.leaf import Input
from asg.passes.lower import lower
from asg.passes.specialise import specialise

Array = np.ndarray[Any, np.dtype[Any]]

_RUNS = 3
_MARGIN = 16.0
"""How many times further than in the runs a value may move."""


class Plain:
    """Tensors as a program without any pass but lowering, for one binding of sizes.

    Args:
        inputs: the placeholders that the tensors reach, in the order of the arrays.
        tensors: what to compute.
        binding: a number for every symbol of the inputs.
    """

    def __init__(
        self, inputs: Sequence[Tensor], tensors: Sequence[Tensor], binding: Mapping[str, int]
    ) -> None:
        """Specialises and lowers; see the class."""
        names = [f"value_{i}" for i in range(len(tensors))]
        labels = [f"input_{i}" for i in range(len(inputs))]
        graph = Graph.of(inputs, tensors, names, (), "plain", labels, ())
        require_bound(graph, binding)
        sizes: dict[str, Dim] = dict(binding)
        self._graph = lower(specialise(graph, sizes), load_backend("numpy"))

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The values for these arrays."""
        return _run(self._program, arrays)

    @cached_property
    def _program(self) -> Any:
        return load_backend("numpy").compile(self._graph)

    def bounds(
        self, arrays: Sequence[Array], slack: Mapping[int, float] | None = None
    ) -> list[Array]:
        """For each value, by how much each element may be off; infinite where an integer flips.

        ``slack`` gives relative errors that the values of these numbers have besides rounding.
        """
        rough = {self._graph.outputs[place]: error for place, error in (slack or {}).items()}
        expected = self(arrays)
        spreads = [np.zeros(value.shape) for value in expected]
        generator = np.random.default_rng(0)
        for _ in range(_RUNS):
            moved = _run(self._shaken_program, [*arrays, *self._noise(arrays, generator, rough)])
            for spread, value, other in zip(spreads, expected, moved, strict=True):
                np.maximum(spread, _distance(value, other), out=spread)
        return [_bound(spread, value) for spread, value in zip(spreads, expected, strict=True)]

    def _noise(
        self, arrays: Sequence[Array], generator: np.random.Generator, rough: Mapping[Tensor, float]
    ) -> list[Array]:
        """A unit in the last place of every floating value, or its error, with random signs."""
        found = []
        for tensor, value in zip(self._floats, _run(self._all_floats, arrays), strict=True):
            limits = finfo(tensor.dtype)
            smallest = limits.smallest_normal * limits.eps
            size = np.abs(np.where(np.isfinite(value), value, 0.0).astype(np.float64))
            unit = np.maximum(size * max(limits.eps, rough.get(tensor, 0.0)), smallest)
            signs = generator.choice([-1.0, 1.0], np.shape(value))
            found.append((signs * unit).astype(tensor.dtype.numpy))
        return found

    @cached_property
    def _floats(self) -> list[Tensor]:
        return [
            tensor
            for node in self._graph.nodes
            for tensor in node.outputs
            if tensor.dtype.is_float and (node.inputs or node.op.is_placeholder)
        ]

    @cached_property
    def _all_floats(self) -> Any:
        names = [f"float_{i}" for i in range(len(self._floats))]
        graph = Graph.of(self._graph.inputs, self._floats, names, (), "plain",
                         self._graph.input_names, ())  # fmt: skip
        return load_backend("numpy").compile(graph)

    @cached_property
    def _shaken_program(self) -> Any:
        """The program with the noise as further inputs, added where each value is made."""
        noise = {t: Input(f"noise_{i}", t.dtype, t.shape)() for i, t in enumerate(self._floats)}
        mapped: dict[Tensor, Tensor] = {}
        for node in self._graph.nodes:
            inputs = tuple(mapped[tensor] for tensor in node.inputs)
            kept = node if inputs == node.inputs else node.with_inputs(inputs)
            for old, new in zip(node.outputs, kept.outputs, strict=True):
                mapped[old] = Add()(new, noise[old]) if old in noise else new
        outputs = [mapped[tensor] for tensor in self._graph.outputs]
        names = [*self._graph.input_names, *(f"noise_{i}" for i in range(len(noise)))]
        shaken = Graph.of([*self._graph.inputs, *noise.values()], outputs,
                          self._graph.output_names, (), "shaken", names, ())  # fmt: skip
        return load_backend("numpy").compile(shaken)


def _run(program: Any, arrays: Sequence[Array]) -> list[Array]:
    with np.errstate(all="ignore"):
        return [np.array(value) for value in program([np.array(array) for array in arrays])]


def _distance(value: Array, other: Array) -> Array:
    """How far apart the elements are; infinite where only one is finite, or integers differ."""
    same = _same(value, other)
    if value.dtype.kind in "biu":
        return np.where(same, 0.0, np.inf)
    with np.errstate(all="ignore"):
        distance = np.abs(value.astype(np.float64) - other.astype(np.float64))
    return np.where(same, 0.0, np.where(np.isnan(distance), np.inf, distance))


def _same(value: Array, other: Array) -> Array:
    same: Array = value == other
    if value.dtype.kind not in "biu":
        same = same | (np.isnan(value) & np.isnan(other))
    return same


def _bound(spread: Array, value: Array) -> Array:
    if value.dtype.kind in "biu" or not value.size:
        return spread
    known = np.where(np.isfinite(spread), spread, 0.0)
    typical = float(np.sqrt(np.mean(known * known)))
    eps = finfo(as_dtype(value.dtype)).eps
    size = np.abs(np.where(np.isfinite(value), value, 0.0).astype(np.float64))
    return _MARGIN * (spread + typical + eps * size)


def worst_place(
    old: Array, new: Array, allowed: Array | float, improves: bool = False
) -> tuple[int, ...] | None:
    """Where ``new`` is further from ``old`` than allowed, the worst element; None if nowhere.

    Args:
        old: the value before.
        new: the value after, of the same type.
        allowed: error of each element. Signs of zero and kinds of NaN never count.
        improves: a finite number may stand where there was none.
    """
    distance = _distance(old, new)
    if improves and old.dtype.kind not in "biu":
        distance = np.where(~np.isfinite(old) & np.isfinite(new), 0.0, distance)
    allowed = np.broadcast_to(allowed, distance.shape)
    excess = np.where(distance <= allowed, 0.0, np.where(np.isinf(distance), np.inf,
                                                         distance - allowed))  # fmt: skip
    if not excess.size or not excess.any():
        return None
    return tuple(int(place) for place in np.unravel_index(int(excess.argmax()), excess.shape))
