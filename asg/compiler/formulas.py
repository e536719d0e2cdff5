"""The totals of a plan as formulas in one of its symbolic sizes.

A program is planned for numbers, since passes weigh sizes and values are placed by size. As long
as these decide alike, however, nothing but the sizes changes: plans for numbers in equal steps have
one structure, and blocks of memory are polynomials of low degree in the size. An arena holds what
exists at its most crowded moment, each block rounded up; where moments take turns it is the largest
of them. The other sizes keep their numbers.

For which numbers the decisions are the same is found by planning: the formulas were compared with
the plans of numbers all over their range, and answer for none outside. Mostly no byte of an arena
is wasted, and what a formula tells is what is allocated; `waste` tells where it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from asg.analysis.crowded import Arena, Crowds, Fitted, arena_of, crowds, fitted
from asg.analysis.memory import MemoryPlan
from asg.analysis.polynomial import Polynomial, interpolated
from asg.core.dim import Dim, Symbol, SymbolicDim, evaluate
from asg.core.dim import symbol as dim_of
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.table import aligned as aligned_rows
from asg.core.units import bytes_text

if TYPE_CHECKING:
    from asg.compiler.plan import Plan

FORMAT, VERSION = "asg-formulas", 1
TOTALS = (
    "peak", "arena", "bodies", "state", "constants", "feeds", "results", "flops", "read", "written",
)  # fmt: skip
POINTS = 5  # a polynomial of the third degree, and a number to compare it with
STEPS = (1, 2, 4, 8, 16)  # between numbers of the same structure, tried in turn, up and down
DOUBLINGS = 4  # of the range, each way
SPREAD = 12  # numbers all over the range that are planned as well
HALVINGS = 3  # between the last number that agrees and the first that does not


@dataclass(frozen=True, eq=False)
class Formulas:
    """What a step needs for any number of one size, within a range. Print it for a table.

    Attributes:
        size: its name.
        sizes: the numbers of the other sizes.
        totals: by name, in bytes: "peak", the sum of "arena", "bodies", "state", "constants",
            "feeds" and "results"; what all ops together "read" and have "written"; and "flops".
        low: the least number they hold for.
        high: the largest one.
        step: they hold for ``low``, ``low + step`` and so on.
        waste: by the numbers whose plans they were compared with, the bytes that are allocated
            beyond "peak" since no place without gaps was found for all values; mostly none.
    """

    size: str
    sizes: Mapping[str, int]
    totals: Mapping[str, Dim]
    low: int
    high: int
    step: int
    waste: Mapping[int, int]

    def at(self, number: int) -> dict[str, int]:
        """The totals for a number: those of its plan, where no byte is wasted.

        Raises:
            OperandError: the formulas do not hold for it.
        """
        if not self.low <= number <= self.high or (number - self.low) % self.step:
            raise OperandError(
                f"the formulas hold for {self._range()}, not for {self.size}={number}: there the "
                f"program is planned in another way; ask plan({self.size}={number})"
            )
        binding = {self.size: number}
        return {name: evaluate(total, binding) for name, total in self.totals.items()}

    def _range(self) -> str:
        steps = f" in steps of {self.step}" if self.step > 1 else ""
        return f"{self.size} from {self.low} to {self.high}{steps}"

    def __str__(self) -> str:
        """A line for every total."""
        others = "".join(f", {name}={number}" for name, number in self.sizes.items())
        rows = [[name, str(total)] for name, total in self.totals.items()]
        return "\n".join([f"for {self._range()}{others}", *aligned_rows(rows), self._compared()])

    def _compared(self) -> str:
        wasteful = {n: waste for n, waste in self.waste.items() if waste}
        told = f"compared with the plans of {len(self.waste)} numbers: "
        if not wasteful:
            return told + "every byte as told"
        number, most = max(wasteful.items(), key=lambda item: item[1])
        return told + (
            f"{len(wasteful)} of them need more, at most {bytes_text(most)} at "
            f"{self.size}={number}, since gaps are left between values"
        )

    def to_json(self) -> str:
        """All of it as JSON text; formulas are texts in Python's notation."""
        data = {
            "format": FORMAT, "version": VERSION, "size": self.size, "sizes": dict(self.sizes),
            "low": self.low, "high": self.high, "step": self.step,
            "totals": {name: str(total) for name, total in self.totals.items()},
            "waste": {str(number): waste for number, waste in self.waste.items()},
        }  # fmt: skip
        return json.dumps(data)

    def __repr__(self) -> str:
        """``<formulas in batch from 16 to 128>``."""
        return f"<formulas in {self._range()}>"


def make_formulas(plan: Plan, symbol: Symbol) -> Formulas:
    """The formulas of `Plan.formulas`."""
    if plan.memory is None:
        raise OperandError(
            f"backend {plan.executable.backend.name!r} does not tell where values lie, so there "
            "are no formulas of its plans"
        )
    name = symbol.name
    samples = _Samples(plan, symbol)
    curves = _curves(samples, plan.sizes[name])
    for number in _spread(curves, *_planned_range(samples, curves)):
        samples.at(number)
    right = {s.number: curves.is_of(s) for s in samples.made() if curves.reaches(s.number)}
    alike = [s for s in samples.made() if right.get(s.number)]
    found = _crowds(curves, alike)
    for sample in alike:
        bounds = tuple(each.nbytes(sample.number) for each in found)
        right[sample.number] = bounds == tuple(arena.bound() for arena in sample.arenas)
    low, high = _run_around(curves.start, right)
    planned = sorted(n for n in right if low <= n <= high)
    size = dim_of(name, symbol.minimum, symbol.multiple_of)
    totals = curves.totals([each.dim(size) for each in found], size)
    waste = {n: samples.peak(n) - evaluate(totals["peak"], {name: n}) for n in planned}
    others = {other: number for other, number in plan.sizes.items() if other != name}
    return Formulas(name, others, totals, low, high, curves.step, waste)


# -- plans for numbers ----------------------------------------------------------------------------


class _Structure(NamedTuple):
    """All of a plan but the sizes: which nodes read which values, and when blocks are needed."""

    nodes: tuple[tuple[object, ...], ...]
    arenas: tuple[tuple[object, ...], ...]


class _Sample(NamedTuple):
    """The plan of one number.

    Attributes:
        counts: FLOPs, bytes read and written, feeds, results, constants, state, state of bodies,
            and what kernels hold.
        arenas: that of the step first.
        peak: bytes.
    """

    number: int
    structure: _Structure
    counts: tuple[int, ...]
    arenas: tuple[Arena, ...]
    peak: int


class _Samples:
    """Plans by number, each made once."""

    def __init__(self, plan: Plan, symbol: Symbol) -> None:
        self.executable, self.sizes, self.symbol = plan.executable, plan.sizes, symbol
        self.name, self.unit = symbol.name, symbol.multiple_of
        number = plan.sizes[symbol.name]
        self.known: dict[int, _Sample | None] = {number: _sample(plan, number)}

    def at(self, number: int) -> _Sample | None:
        """The sample of a number; None where the size may not be it, or no address reaches."""
        if number not in self.known:
            self.known[number] = self._made(number)
        return self.known[number]

    def _made(self, number: int) -> _Sample | None:
        if number < max(self.symbol.minimum, 1) or number % self.unit:
            return None
        try:
            plan = self.executable.plan(**{**self.sizes, self.name: number})
        except MemoryError:
            return None
        return _sample(plan, number)

    def made(self) -> list[_Sample]:
        """All there are."""
        return [sample for sample in self.known.values() if sample is not None]

    def peak(self, number: int) -> int:
        """What a number needs that was planned."""
        sample = self.known[number]
        assert sample is not None
        return sample.peak

    def alike(self, numbers: Sequence[int]) -> Iterator[_Sample]:
        """The samples of the first numbers, as long as they have the structure of the first."""
        structure: _Structure | None = None
        for number in numbers:
            sample = self.at(number)
            if sample is None or structure not in (None, sample.structure):
                return
            structure = sample.structure
            yield sample


def _sample(plan: Plan, number: int) -> _Sample:
    memory = plan.memory
    assert memory is not None
    memories = list(_memories(memory))
    counts = (
        plan.flops, plan.bytes_read, plan.bytes_written,
        memory.feed_bytes, memory.result_bytes, memory.constant_bytes, memory.state_bytes,
        sum(each.state_bytes for each in memories[1:]),
        sum(part.held_bytes for each in memories for part in _parts(each)),
    )  # fmt: skip
    arenas = tuple(map(arena_of, memories))
    structure = _Structure(_wiring(plan.graph), tuple(each.structure for each in arenas))
    return _Sample(number, structure, counts, arenas, plan.peak_bytes)


def _memories(memory: MemoryPlan) -> Iterator[MemoryPlan]:
    """The plan and those of all bodies, at any depth, in every shard as well."""
    waiting = [memory]
    while waiting:
        each = waiting.pop()
        yield each
        bodies = [body for part in _parts(each) for body in part.inside.values()]
        waiting += [plan for plans in bodies for plan in plans]


def _parts(memory: MemoryPlan) -> Iterator[MemoryPlan]:
    """The plan and those of its shards, whose arenas lie in its own."""
    waiting = [memory]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += [plan for plans in each.nested.values() for plan in plans]


def _wiring(graph: Graph) -> tuple[tuple[object, ...], ...]:
    places = {node: place for place, node in enumerate(graph.nodes)}
    return tuple(
        (node.op.name, *((places[t.node], t.index) for t in node.inputs)) for node in graph.nodes
    )


# -- polynomials ----------------------------------------------------------------------------------


class _Curves(NamedTuple):
    """Polynomials of all that is counted and of the blocks of all arenas.

    Attributes:
        structure: of the plans.
        start: a number they are of.
        step: they are of numbers that whole steps lead to.
        counts: as those of a sample.
        arenas: that of the step first.
    """

    structure: _Structure
    start: int
    step: int
    counts: tuple[Polynomial, ...]
    arenas: tuple[Fitted, ...]

    def is_of(self, sample: _Sample) -> bool:
        """Whether they tell what the plan of a number tells, but for the arenas."""
        number, known = sample.number, zip(self.counts, sample.counts, strict=True)
        return sample.structure == self.structure and all(p.at(number) == n for p, n in known)

    def reaches(self, number: int) -> bool:
        """Whether whole steps lead to a number."""
        return (number - self.start) % self.step == 0

    def totals(self, arenas: Sequence[Dim], size: SymbolicDim) -> dict[str, Dim]:
        """The formulas, by name in the order of `TOTALS`."""
        flops, read, written, *bytes_ = (each.dim(size) for each in self.counts)
        feeds, results, constants, state, inner_state, held = bytes_
        arena, *inner = arenas
        bodies = _sum([inner_state, held, *inner])
        parts = (arena, bodies, state, constants, feeds, results)
        peak = _sum(parts)
        return dict(zip(TOTALS, (peak, *parts, flops, read, written), strict=True))


def _sum(sizes: Iterable[Dim]) -> Dim:
    total: Dim = 0
    for size in sizes:
        total = total + size
    return total


def _curves(samples: _Samples, start: int) -> _Curves:
    """From plans for numbers in equal steps, of which ``start`` is one.

    Raises:
        OperandError: no such plans have one structure.
    """
    for step in STEPS:
        for direction in (1, -1):
            numbers = [start + direction * step * samples.unit * i for i in range(POINTS)]
            found = _through(list(samples.alike(numbers)))
            if found is not None:
                return found
    name = samples.name
    raise OperandError(
        f"around {name}={start} programs are planned in another way from number to number, so "
        "that no formula holds; ask the plan of another number, a larger one say"
    )


def _through(samples: Sequence[_Sample]) -> _Curves | None:
    if len(samples) < POINTS:
        return None
    first = samples[0]
    numbers = [sample.number for sample in samples]
    counts = [interpolated(numbers, row) for row in zip(*(s.counts for s in samples), strict=True)]
    found = tuple(each for each in counts if each is not None)
    if len(found) < len(counts):
        return None
    step = abs(numbers[1] - numbers[0])
    arenas = tuple(fitted(numbers, each) for each in zip(*(s.arenas for s in samples), strict=True))
    return _Curves(first.structure, numbers[0], step, found, arenas)


# -- ranges ---------------------------------------------------------------------------------------


def _planned_range(samples: _Samples, curves: _Curves) -> tuple[int, int]:
    """The farthest numbers below and above whose plans the polynomials tell."""

    def agrees(steps: int) -> bool:
        sample = samples.at(curves.start + steps * curves.step)
        return sample is not None and curves.is_of(sample)

    ends = []
    for direction in (-1, 1):
        good, bad = 0, 0
        for doubling in range(DOUBLINGS):
            steps = direction * _steps(curves, direction, doubling)
            if not agrees(steps):
                bad = steps
                break
            good = steps
        for _ in range(HALVINGS if bad else 0):
            middle = (good + bad) // 2
            good, bad = (middle, bad) if agrees(middle) else (good, middle)
        ends.append(curves.start + good * curves.step)
    return ends[0], ends[1]


def _steps(curves: _Curves, direction: int, doubling: int) -> int:
    """How many steps lead to twice ``start``, four times and so on, or to a half, a fourth."""
    far = curves.start << doubling + 1 if direction > 0 else curves.start >> doubling + 1
    return abs(far - curves.start) // curves.step


def _crowds(curves: _Curves, samples: Sequence[_Sample]) -> list[Crowds]:
    """Of every arena, by the plans of some numbers."""
    return [
        crowds(each, [sample.arenas[place] for sample in samples])
        for place, each in enumerate(curves.arenas)
    ]


def _run_around(start: int, right: Mapping[int, bool]) -> tuple[int, int]:
    """The ends of the longest run of right numbers around ``start``.

    Raises:
        OperandError: ``start`` itself is not right.
    """
    if not right[start]:
        raise OperandError(
            f"at {start}, memory that kernels cut to the size of caches decides how much exists "
            "at once, so that no formula holds; ask the plan of another number"
        )
    below = takewhile(lambda n: right[n], sorted((n for n in right if n <= start), reverse=True))
    above = takewhile(lambda n: right[n], sorted(n for n in right if n >= start))
    return list(below)[-1], list(above)[-1]


def _spread(curves: _Curves, low: int, high: int) -> Iterator[int]:
    """Numbers all over a range."""
    first, last = ((end - curves.start) // curves.step for end in (low, high))
    stride = max((last - first) // SPREAD, 1)
    yield from (curves.start + i * curves.step for i in range(first, last, stride))
