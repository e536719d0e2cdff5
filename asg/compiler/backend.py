"""What the compiler asks of a backend. Backends live outside `asg` and are found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Protocol, runtime_checkable

import numpy as np

from asg.analysis.memory import MemoryPlan
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.op import Op
from asg.core.state_slot import StateSlot
from asg.core.types import TensorType
from asg.passes.pipeline import Pipeline

Array = Any
"""An array of the backend's own kind; it has ``shape`` and ``dtype``."""


@runtime_checkable
class Executable(Protocol):
    """A program for one binding of sizes."""

    def __call__(self, inputs: Sequence[Array]) -> list[Array]:
        """Run one step: arrays in the order of ``graph.inputs`` to those of ``graph.outputs``.

        For a state slot with an output the program may overwrite or donate the array it is given;
        the caller goes on with the one it gets back, and only with that one. All other outputs
        are the caller's to keep.
        """


@runtime_checkable
class SteppingProgram(Protocol):
    """A program that takes feeds and variables apart: a step then costs its caller little."""

    def step(
        self, feeds: Sequence[Array], state: Sequence[Array]
    ) -> tuple[Sequence[Array], Sequence[Array]]:
        """Run one step; the results, and the state to go on with.

        Whoever gives the state back as the very object it got tells that nobody else has changed
        a variable meanwhile.

        Args:
            feeds: arrays in the order of ``graph.feeds``.
            state: of the variables, in the order of `ordered_slots`.
        """


def ordered_slots(state: Iterable[StateSlot]) -> list[StateSlot]:
    """The variables that are written, then those only read, each in the order of inputs."""
    return sorted(state, key=lambda slot: (slot.output is None, slot.input))


@runtime_checkable
class TakingProgram(Protocol):
    """A program that keeps variables in memory of its own, and takes them over one by one."""

    def take(self, number: int, array: Array) -> Array:
        """The program's own array of a variable, now of the values given.

        So whoever holds ``array`` can let it go before the next variable is taken, and no two
        copies of all variables exist at once. It must not lie in memory of the program, unless it
        is the very array that this returns.

        Args:
            number: of the variable, in the order of `ordered_slots`.
            array: of its shape and dtype.
        """


@runtime_checkable
class Backend(Protocol):
    """A way to run graphs."""

    @property
    def name(self) -> str:
        """What users select it by."""

    @property
    def passes(self) -> Pipeline:
        """Passes of its own, run last, on lowered graphs whose sizes are numbers.

        Here goes what helps one backend and would hurt another: layouts, fusion, threads.
        """

    def supports(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """True when the backend runs ``op`` on operands of these types as one unit."""

    def add_kernel(self, op_class: type[Op], function: Callable[..., Any]) -> None:
        """Run ops of a class by ``function(op, *arrays)``; see `asg.register_kernel`."""

    def compile(self, graph: Graph) -> Executable:
        """The program of a graph that is lowered for this backend and has no symbolic size.

        Raises:
            UnsupportedOp: a node is an op that this backend has no kernel for.
        """


@runtime_checkable
class CacheableBackend(Backend, Protocol):
    """A backend for which the graphs that passes make may be kept from run to run."""

    def fingerprint(self) -> str:
        """All that lowering and its own passes depend on, besides graph, sources and processor."""


@runtime_checkable
class PlannedProgram(Executable, Protocol):
    """A program that tells the decisions it was made by."""

    def told_plan(self) -> Any:
        """In terms of JSON."""


@runtime_checkable
class KeepingBackend(CacheableBackend, Protocol):
    """A backend whose plans may be kept as well."""

    def plan_facts(self) -> str | None:
        """All that plans depend on besides graph, sources, processor and `fingerprint`; None
        while they depend on more than can be told."""

    def compile(self, graph: Graph, plan: Any = None) -> PlannedProgram:
        """`Backend.compile`, by the plan of an equal graph where there is one.

        Raises:
            ValueError, LookupError, TypeError: it is no plan of such a graph.
        """


def names_of(ops: Iterable[type[Op]]) -> str:
    """Classes of ops as a `CacheableBackend.fingerprint` tells them: sorted, with their modules."""
    return ", ".join(sorted(f"{op.__module__}.{op.__qualname__}" for op in ops))


@runtime_checkable
class HoldingBackend(Protocol):
    """A backend whose programs take arrays of its own kind without copying them."""

    def hold(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Array]:
        """Variables as its programs take them; nobody else may write to the given arrays."""


@runtime_checkable
class TunableBackend(Protocol):
    """A backend whose kernels know several ways, of which it can measure the fastest."""

    def tuning(self) -> AbstractContextManager[object]:
        """What is compiled or planned inside uses the ways that are fastest on this machine."""


@runtime_checkable
class ExportedProgram(Protocol):
    """A program that runs without its graph."""

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as one file."""


@runtime_checkable
class ExportingBackend(Protocol):
    """A backend whose programs can be written to files."""

    def export(self, graph: Graph) -> ExportedProgram:
        """Of a graph as `Backend.compile` takes it, but sizes may be symbolic."""


@dataclass(frozen=True)
class BackendPlan:
    """What a backend tells of a program before it runs.

    Attributes:
        peak_bytes: all memory that a step needs, with the caller's feeds and results.
        memory: where every value lies, where the backend decides that itself.
        reported: further numbers in the backend's own words.
        notes: further lines: which ways were chosen by measurement.
    """

    peak_bytes: int
    memory: MemoryPlan | None = None
    reported: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@runtime_checkable
class PlanningBackend(Protocol):
    """A backend that tells how it would run a graph."""

    def plan(self, graph: Graph) -> BackendPlan:
        """Of a graph as `Backend.compile` takes it; nothing is run."""


@runtime_checkable
class TimingProgram(Protocol):
    """A program that tells how long its nodes take."""

    @property
    def graph(self) -> Graph:
        """What it runs."""

    def time_nodes(self, inputs: Sequence[Array], steps: int) -> list[tuple[Node, float]]:
        """Seconds of every node that computes, in order; the arrays stay as they are."""
