"""Compare tensors over the same inputs by value, as closely as the way they were made allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.compiler.plain import Array, Plain, worst_place
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.rewrite.rule import Numerics

_ROUGH = "approximate"


@dataclass(frozen=True, eq=False)
class Pair:
    """Two tensors that should have one value.

    Attributes:
        name: what the value is.
        old: as it should be.
        new: as it is.
        numerics: ``exact``: equal to the bit, but for the sign of zero and the kind of NaN.
            ``reassociating``: as close as rounding in another order can explain, and a finite
            number may stand where there was none. ``approximate``: closer than ``tolerance``.
        tolerance: relative.
        number: of the replacement that made it in its pass, from 1; 0 for a result of the graph.
        stage: which of several passes.
    """

    name: str
    old: Tensor
    new: Tensor
    numerics: Numerics = "reassociating"
    tolerance: float = 0.0
    number: int = 0
    stage: int = 0


@dataclass(frozen=True, eq=False)
class Difference:
    """Where the two sides of a pair are too far apart."""

    pair: Pair
    index: tuple[int, ...]
    before: Any
    after: Any
    allowed: float


class Comparison:
    """Pairs of tensors as one program, for one binding of sizes."""

    def __init__(
        self, inputs: Sequence[Tensor], pairs: Sequence[Pair], binding: Mapping[str, int]
    ) -> None:
        """``inputs`` are all placeholders that the tensors reach, in the order of the arrays."""
        self._pairs = [pair for pair in pairs if pair.old is not pair.new]
        tensors = dict.fromkeys(t for pair in self._pairs for t in (pair.old, pair.new))
        self._places = {tensor: place for place, tensor in enumerate(tensors)}
        self._plain = Plain(inputs, list(tensors), binding) if tensors else None

    def first_difference(self, arrays: Sequence[Array]) -> Difference | None:
        """The first pair, in the order given, whose sides are too far apart."""
        if self._plain is None:
            return None
        values = self._plain(arrays)
        bounds: list[Array] = []  # costs several runs, and is seldom needed
        for pair in self._pairs:
            old, new = self._places[pair.old], self._places[pair.new]
            if worst_place(values[old], values[new], 0.0) is None:
                continue
            if pair.numerics != "exact" and not bounds:
                bounds = self._plain.bounds(arrays, self._slack())
            allowed = _allowed(pair, values[old], bounds[old] if bounds else None)
            place = worst_place(values[old], values[new], allowed, pair.numerics != "exact")
            if place is not None:
                before, after = values[old][place], values[new][place]
                return Difference(pair, place, before, after, float(allowed[place]))
        return None

    def _slack(self) -> dict[int, float]:
        """What approximate replacements may do to values that come after them."""
        return {self._places[p.old]: p.tolerance for p in self._pairs if p.numerics == _ROUGH}


def _allowed(pair: Pair, value: Array, bound: Array | None) -> Array:
    if pair.numerics == "exact" or bound is None:
        return np.zeros(value.shape)
    if pair.numerics == _ROUGH:
        return pair.tolerance * np.abs(np.where(np.isfinite(value), value, 0.0))
    return bound


def result_pairs(before: Graph, after: Graph, stage: int = 0) -> list[Pair]:
    """The results of two graphs of one signature."""
    both = zip(before.output_names, before.outputs, after.outputs, strict=True)
    return [Pair(name, old, new, stage=stage) for name, old, new in both]
