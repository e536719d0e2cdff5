"""Draw: a random recipe in the making, and what its operations ask of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from random import Random
from typing import Any

import numpy as np

from asg.core.dim import evaluate, known_equal
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.testing.recipe import Array, Name, NewSize, SizeOf, Step

LIMIT = 4.0
"""Operands of larger magnitude are brought down first."""
_MOST_ELEMENTS = 200


@dataclass(frozen=True)
class Size:
    """A size of an input: a number, and the symbol it is declared as, if any."""

    number: int
    symbol: str | None = None

    @property
    def declared(self) -> int | NewSize:
        """How ``asg.input`` is told."""
        return self.number if self.symbol is None else NewSize(self.symbol, 2)


class Draw:
    """A recipe in the making: steps, the tensors they gave, and bounds of their magnitudes."""

    def __init__(self, random: Random, dtype: str, sizes: Sequence[Size]) -> None:
        """``sizes`` are those that inputs have."""
        self.random, self.dtype, self.sizes = random, dtype, sizes
        self.binding = {size.symbol: size.number for size in sizes if size.symbol is not None}
        self.steps: list[Step] = []
        self.tensors: dict[str, Tensor] = {}
        self.bounds: dict[str, float] = {}
        self.feeds: dict[str, Array] = {}
        self.at_kinks: set[str] = set()

    # -- adding ------------------------------------------------------------------------------

    def call(self, function: str, *arguments: Any, bound: float = LIMIT, **options: Any) -> Name:
        """One more value; ``bound`` says how large its elements may be."""
        (name,) = self.several(1, function, *arguments, bound=bound, **options)
        return name

    def several(
        self, count: int, function: str, *arguments: Any, bound: float = LIMIT, **options: Any
    ) -> list[Name]:
        """The values of a function that returns ``count`` of them."""
        first = len(self.tensors)
        names = tuple(f"v{first + i}" for i in range(count))
        step = Step(names, function, arguments, options)
        self.tensors |= step.run(self.tensors)  # before the step counts: it may be refused
        self.steps.append(step)
        self.bounds |= dict.fromkeys(names, bound)
        return [Name(name) for name in names]

    def input(self, shape: Sequence[Any], array: Array, bound: float = 2.0) -> Name:
        """One more input, fed with ``array``; with a 0 in it, only its maker may use it."""
        name = f"{'x' if array.dtype.kind == 'f' else 'i'}{len(self.feeds)}"
        step = Step((name,), "input", (name, tuple(shape), array.dtype.name))
        self.tensors |= step.run(self.tensors)
        self.steps.append(step)
        self.feeds[name], self.bounds[name] = array, bound
        if array.dtype.kind == "f" and not array.all():
            self.at_kinks.add(name)
        return Name(name)

    def float_input(self, shape: Sequence[Size | SizeOf | int]) -> Name:
        """An input of the floating dtype of this graph, between -2 and 2, nothing exactly 0.

        JAX's own derivative of a kernel, which ours is compared with, need not hold where its
        formula has a kink, and that is at 0.
        """
        declared = [size.declared if isinstance(size, Size) else size for size in shape]
        numbers = [self._number(size) for size in shape]
        drawn = [round(self.random.uniform(-2.0, 2.0), 3) or 0.0005 for _ in range(prod(numbers))]
        return self.input(declared, np.array(drawn, self.dtype).reshape(numbers))

    def int_input(self, shape: Sequence[SizeOf | int], low: int, high: int) -> Name:
        """An input of int32, from ``low`` up to but not including ``high``."""
        numbers = [self._number(size) for size in shape]
        drawn = [self.random.randrange(low, high) for _ in range(prod(numbers))]
        return self.input(shape, np.array(drawn, np.int32).reshape(numbers), max(-low, high))

    def _number(self, size: Size | SizeOf | int) -> int:
        if isinstance(size, SizeOf):
            return self.shape(Name(size.text))[size.axis]
        return size.number if isinstance(size, Size) else size

    # -- asking ------------------------------------------------------------------------------

    def tensor(self, name: Name) -> Tensor:
        """The tensor of a value."""
        return self.tensors[name.text]

    def shape(self, name: Name) -> tuple[int, ...]:
        """The sizes of a value under the binding that the arrays give."""
        return tuple(evaluate(size, self.binding) for size in self.tensor(name).shape)

    def sizes_of(self, name: Name) -> list[SizeOf]:
        """The sizes of a value, to be used as arguments."""
        return [SizeOf(name.text, axis) for axis in range(self.tensor(name).ndim)]

    def bound(self, name: Name) -> float:
        """No element is larger than this."""
        return self.bounds[name.text]

    def names(self, accepts: Callable[[Tensor], bool]) -> list[Name]:
        """Every value whose tensor is accepted."""
        return [Name(name) for name, tensor in self.tensors.items() if accepts(tensor)]

    def pick(self, accepts: Callable[[Tensor], bool] = lambda tensor: True) -> Name | None:
        """A floating value that is accepted, the newer the likelier."""
        found = [
            name
            for name in self.names(lambda t: t.dtype.name == self.dtype and accepts(t))
            if name.text not in self.at_kinks
        ]
        if not found:
            return None
        return found[int(self.random.triangular(0, len(found), len(found)) - 1e-9)]

    def operand(
        self, accepts: Callable[[Tensor], bool] = lambda tensor: True, limit: float = LIMIT
    ) -> Name | None:
        """As `pick`, brought down to ``limit`` where it may be larger."""
        found = self.pick(accepts)
        return None if found is None else self.tame(found, limit)

    def tame(self, name: Name, limit: float = LIMIT) -> Name:
        """The value, squashed or scaled if it may be larger than ``limit``."""
        bound = self.bound(name)
        if bound <= limit:
            return name
        if self.random.random() < 0.5 and limit >= 1.0:
            return self.call("tanh", name, bound=1.0)
        return self.call("multiply", name, float(f"{limit / bound:.2g}"), bound=1.1 * limit)

    def partner(self, x: Name) -> Name | None:
        """A value that broadcasts with x (sizes that happen to be equal become run-time checks)."""
        shape, numbers = self.tensor(x).shape, self.shape(x)

        def fits(other: Tensor) -> bool:
            sizes = [evaluate(size, self.binding) for size in other.shape]
            mine, its = zip(shape, numbers, strict=True), zip(other.shape, sizes, strict=True)
            return all(
                1 in (a, b) or (m == n and known_equal(a, b) is not False)
                for (a, m), (b, n) in zip(reversed([*mine]), reversed([*its]), strict=False)
            )

        found = self.operand(fits)
        if found is None or self.elements(x, found) > _MOST_ELEMENTS:
            return None
        return found

    @staticmethod
    def may_equal(shape: Shape, other: Shape) -> bool:
        """Whether no size is known to differ."""
        return all(known_equal(a, b) is not False for a, b in zip(shape, other, strict=True))

    def elements(self, *names: Name) -> int:
        """How many elements the broadcast of some values has."""
        return prod(np.broadcast_shapes(*(self.shape(name) for name in names)))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.random.random() < probability

    def axis(self, name: Name) -> int:
        """One of the axes of a value that has some."""
        return self.random.randrange(self.tensor(name).ndim)

    def axes(self, name: Name) -> tuple[int, ...] | None:
        """Some of the axes: None, none, one or several, in order."""
        ndim = self.tensor(name).ndim
        if self.chance(0.2):
            return None
        return tuple(axis for axis in range(ndim) if self.chance(0.6))

    def number(self) -> float:
        """A number of one digit behind the point, not 0."""
        return float(self.random.choice([-1, 1]) * self.random.randint(2, 19) / 10)


Maker = Callable[[Draw], object]

MAKERS: list[Maker] = []
WEIGHTS: list[int] = []


def maker(weight: int) -> Callable[[Maker], Maker]:
    """Register a function under a weight."""

    def register(function: Maker) -> Maker:
        MAKERS.append(function)
        WEIGHTS.append(weight)
        return function

    return register
