"""The NumPy backend as the compiler sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from asg.cache.facts import is_in_sources
from asg.compiler.backend import BackendPlan, names_of
from asg.config import settings, thread_count
from asg.core.collector import paused_collector
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.types import TensorType

from . import kernels as kernels  # importing them fills the tables
from .bind import plan_only
from .blas import kernels as blas_kernels
from .blas import use_best_kernels
from .interpreter import NumpyExecutable
from .kernel import KERNELS, VIEWS
from .passes import PASSES
from .plain import register_function
from .tuning import is_tuned, notes_of_tuning, tuning


class NumpyBackend:
    """Runs graphs on the CPU with NumPy alone."""

    name = "numpy"
    passes = PASSES

    def supports(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """True when ``op`` has a view or a kernel that accepts operands of these types."""
        if type(op) in VIEWS:
            return True
        entry = KERNELS.get(type(op))
        return entry is not None and (entry.accepts is None or entry.accepts(op, types))

    def add_kernel(self, op_class: type[Op], function: Callable[..., Any]) -> None:
        """Run ops of a class by ``function(op, *arrays)``, which allocates its results."""
        register_function(op_class, function)

    def compile(self, graph: Graph, plan: Any = None) -> NumpyExecutable:
        """The program of a lowered graph without symbolic sizes; its memory is allocated here.

        A ``plan`` is what `NumpyExecutable.told_plan` told of an equal graph in an earlier run.

        Raises:
            UnsupportedOp: a node has neither kernel nor view.
            ValueError, LookupError, TypeError: the plan was told of another graph.
        """
        if settings.blas_kernels == "auto":
            use_best_kernels()
        with paused_collector():
            return NumpyExecutable(graph, plan)

    def plan_facts(self) -> str | None:
        """What plans depend on besides: the kernels of BLAS, which some products are fit to.

        None while ways are measured, and where an op of asg has a kernel of somebody else: its
        promises are no part of the sources that a key covers.
        """
        functions = [*VIEWS.items(), *((op, entry.bind) for op, entry in KERNELS.items())]
        of_ours = [function for op, function in functions if is_in_sources(op)]
        if is_tuned() or not all(map(is_in_sources, of_ours)):
            return None
        if settings.blas_kernels == "auto":
            use_best_kernels()
        return f"kernels of BLAS: {blas_kernels()}"

    def fingerprint(self) -> str:
        """The ops that have kernels, those of plug-ins too, and the number of threads."""
        return f"{thread_count()} threads; {names_of({*KERNELS, *VIEWS})}"

    def plan(self, graph: Graph) -> BackendPlan:
        """The plan that `compile` follows, exactly, without any of the memory.

        Raises:
            UnsupportedOp: a node has neither kernel nor view.
        """
        memory = plan_only(graph).summary()
        caller = memory.feed_bytes + memory.result_bytes
        return BackendPlan(memory.peak_bytes + caller, memory, notes=notes_of_tuning())

    def tuning(self) -> AbstractContextManager[object]:
        """What is compiled or planned inside convolves by the ways that are fastest here.

        They are measured where they are not known yet, which takes up to a second for each shape.
        """
        if settings.blas_kernels == "auto":
            use_best_kernels()
        return tuning()

    def __repr__(self) -> str:
        """``<backend numpy>``."""
        return f"<backend {self.name}>"


BACKEND = NumpyBackend()
