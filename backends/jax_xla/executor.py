"""A graph traced once and compiled ahead of time, and the call that runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

import jax
import numpy as np

from asg.compiler.backend import BackendPlan
from asg.core.collector import paused_collector
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import Node

from .feed import Gate
from .persistent import kept_programs
from .plan import Plan, arrangement
from .scoped import tracing
from .timing import node_seconds

Call = Callable[..., list[Any]]


class JaxExecutable:
    """A compiled graph: call it with the arrays of ``graph.inputs``, get those of the outputs.

    Inputs may be JAX arrays, NumPy arrays or anything that offers DLPack; outputs are JAX arrays
    on the device, and not waited for. The arrays given for state slots that have an output are
    consumed. NumPy inputs are copied first (see `feed.private_copy`); JAX arrays are not.

    Attributes:
        compiled: JAX's own object, a ``jax.stages.Compiled``.
        graph: what it computes.
    """

    __slots__ = (
        "_arrange", "_call", "_constants", "_gate", "_place", "_ready", "_written", "compiled",
        "graph",
    )  # fmt: skip

    compiled: Any
    graph: Graph

    def __init__(self, plan: Plan, compiled: Any, constants: Sequence[Any]) -> None:
        """Use `compile_graph`."""
        self.compiled = compiled
        self.graph = plan.graph
        self._call: Call = partial(_call_wide, compiled) if plan.wide else compiled
        self._constants = constants
        self._gate = Gate(plan.graph, plan.donated)
        self._place = _picked(plan.argument_places)
        self._written = len(plan.slots)
        self._arrange = _picked(arrangement(plan.result_order))
        self._ready = {self._gate.array_class}

    def __call__(self, inputs: Sequence[Any]) -> list[Any]:
        """Run one step.

        Raises:
            FeedError: an array does not fit; names the input.
            StateError: an array was consumed by an earlier step, or is given twice.
            ConfigError: the user disabled compilation in JAX.
        """
        results = self._run(inputs)
        return results if self._arrange is None else list(self._arrange(results))

    def step(self, feeds: Sequence[Any], state: Sequence[Any]) -> tuple[list[Any], Sequence[Any]]:
        """`asg.compiler.backend.SteppingProgram.step`; errors as of a call."""
        results = self._run(self.in_order(feeds, state))
        count = self._written
        return results[count:], [*results[:count], *state[count:]]

    def in_order(self, feeds: Sequence[Any], state: Sequence[Any]) -> Sequence[Any]:
        """The arrays of ``graph.inputs``, from those that `step` takes."""
        inputs = [*feeds, *state]
        return inputs if self._place is None else self._place(inputs)

    def _run(self, inputs: Sequence[Any]) -> list[Any]:
        """The results as the program returns them: next values of variables first."""
        if {*map(type, inputs)} != self._ready:
            inputs = self._gate.admitted(inputs)
        try:
            return self._call(*inputs, *self._constants)
        except (TypeError, ValueError, RuntimeError) as error:
            problem = self._gate.problem(inputs)
            if problem is None:
                raise
            raise problem from error

    def cost_analysis(self) -> dict[str, float]:
        """XLA's estimate for one step: ``flops``, ``bytes accessed`` and more."""
        return dict(self.compiled.cost_analysis() or {})

    def memory_analysis(self) -> Any:
        """XLA's sizes in bytes of arguments, outputs, temporaries and aliases, or None."""
        return self.compiled.memory_analysis()

    def plan(self) -> BackendPlan:
        """Both analyses in one: arguments, results and temporaries at once, less what is shared.

        Raises:
            OperandError: XLA tells nothing of memory on this device.
        """
        sizes = self.memory_analysis()
        if sizes is None:
            raise OperandError("XLA tells nothing of the memory of programs on this device")
        arguments, results, temporaries, shared, code = (
            int(getattr(sizes, f"{part}_size_in_bytes"))
            for part in ("argument", "output", "temp", "alias", "generated_code")
        )
        told = {
            "argument bytes": arguments, "output bytes": results, "temporary bytes": temporaries,
            "shared bytes": shared, "code bytes": code,
        }  # fmt: skip
        cost = self.cost_analysis()
        told |= {name: int(cost[name]) for name in ("flops", "bytes accessed") if name in cost}
        return BackendPlan(arguments + results + temporaries + code - shared, None, told)

    def time_nodes(self, inputs: Sequence[Any], steps: int = 1) -> list[tuple[Node, float]]:
        """Seconds per node, the median over some steps as XLA recorded them; see `timing`.

        Raises:
            OperandError: nothing was recorded that can be read.
        """
        kept = [np.array(array) for array in inputs]

        def run() -> None:
            for array in self(kept):
                array.block_until_ready()

        return node_seconds(self.graph, self.hlo_text(), run, steps)

    def hlo_text(self) -> str:
        """The optimised program as XLA prints it; see `walk.node_label` for its ``op_name``."""
        return str(self.compiled.as_text())


def _picked(places: tuple[int, ...] | None) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """What picks these places, in order; None for what stands in order already."""
    return None if places is None else itemgetter(*places)


def _call_wide(compiled: Call, *arrays: Any) -> list[Any]:
    """Call a program with 64-bit arguments: elsewhere JAX would narrow NumPy arrays."""
    with jax.enable_x64(True):
        return compiled(*arrays)


def compile_graph(graph: Graph, matmul_precision: str) -> JaxExecutable:
    """Trace, lower and compile; see `JaxBackend.compile`."""
    plan = Plan(graph)
    with tracing(plan.wide, matmul_precision):
        jitted = jax.jit(plan.function(), donate_argnums=plan.donated, keep_unused=True)
        with paused_collector():
            lowered = jitted.lower(*plan.arguments())
        with kept_programs():
            compiled = lowered.compile()
        plan.require_donation(compiled)
        return JaxExecutable(plan, compiled, jax.device_put(list(plan.constants.values())))
