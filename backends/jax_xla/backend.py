"""The backend named "jax": every graph one XLA program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from asg.analysis.memory import known_bytes
from asg.compiler.backend import BackendPlan, ExportedProgram, names_of
from asg.core.errors import MissingLibrary
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.types import TensorType
from asg.passes.pipeline import Pipeline

try:
    import jax as jax
except ImportError as error:
    raise MissingLibrary("backend 'jax' needs jax: pip install 'asg-compiler[jax]'") from error

from . import kernels as kernels  # fills the table
from .executor import JaxExecutable, compile_graph
from .heap import LARGE, keep_freed_memory, share_memory_among_threads
from .kernel import KERNELS, kernel
from .lift import lifted
from .passes import passes_for
from .scoped import check_matmul_precision
from .stacked import StackedExecutable


@dataclass(frozen=True)
class JaxBackend:
    """Compiles graphs with XLA for JAX's default device.

    Programs use 64-bit dtypes where the graph does, whatever ``jax_enable_x64`` says; no setting
    of JAX is read or changed for the rest of the process.

    Attributes:
        matmul_precision: of matrix products and convolutions of 32-bit floats, by JAX's names.
            The default computes them in full, so that all backends agree; on a GPU
            "tensorfloat32" is faster and keeps 10 bits of every factor.
        keep_freed_memory: with glibc, memory freed between steps stays in the process for the
            next step, which on a CPU makes steps on large arrays up to 5 times faster. It holds
            for the whole process, which then keeps its peak, from the first graph that is
            lowered or compiled; where JAX computed before that, it does less. False leaves the
            allocator alone.
        roll: whether layers that repeat become one loop, whose body XLA compiles once. The
            variables of such layers are then held as rows of stacks. By default where steps become
            faster as well: from 16 layers on whose values have at most 16 KiB on average, when
            1,000 nodes are saved in all. True: wherever three layers follow each other, for the
            sake of compile time; steps on large values then take longer. False: nowhere.

    Raises:
        ConfigError: JAX does not know the precision.

    >>> import asg
    >>> fast = JaxBackend(matmul_precision="tensorfloat32")
    >>> fast.name
    'jax'
    """

    name: ClassVar[str] = "jax"

    matmul_precision: str = "highest"
    keep_freed_memory: bool = True
    roll: bool | None = None

    def __post_init__(self) -> None:
        """Refuse unknown precisions."""
        check_matmul_precision(self.matmul_precision)

    @property
    def passes(self) -> Pipeline:
        """Passes of its own; see `asg.compiler.backend.Backend`."""
        return passes_for(self.roll)

    def devices(self) -> list[str]:
        """The devices that JAX finds, the default one first."""
        return [str(device) for device in jax.devices()]

    def supports(self, op: Op, types: tuple[TensorType, ...]) -> bool:
        """True when there is a JAX kernel for the class of ``op``, or it is an argument."""
        # Lowering asks this before anything is compiled or fed.
        if self.keep_freed_memory:
            keep_freed_memory()
        return op.is_placeholder or type(op) in KERNELS

    def add_kernel(self, op_class: type[Op], function: Callable[..., Any]) -> None:
        """Run ops of a class by ``function(op, *arrays)`` on traced arrays."""
        kernel(op_class)(function)

    def compile(self, graph: Graph) -> JaxExecutable | StackedExecutable:
        """The program of a graph that is lowered for this backend and has no symbolic size.

        Raises:
            GraphError: a size is symbolic.
            UnsupportedOp: a node has no kernel.
            KernelError: a kernel returned another type than `infer` says.
        """
        if self.keep_freed_memory:
            keep_freed_memory()
            if _argument_bytes(graph) >= LARGE:
                share_memory_among_threads()
        plan = lifted(graph)
        if plan is None:
            return compile_graph(graph, self.matmul_precision)
        return StackedExecutable(plan, compile_graph(plan.inner, self.matmul_precision))

    def hold(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, jax.Array]:
        """Variables on the device; see `asg.compiler.backend.HoldingBackend`."""
        if self.keep_freed_memory:
            keep_freed_memory()
        with jax.enable_x64(True):  # elsewhere JAX would narrow 64-bit arrays
            return dict(zip(arrays, jax.device_put(list(arrays.values())), strict=True))

    def fingerprint(self) -> str:
        """The ops that have kernels, those of plug-ins too, and which layers are rolled."""
        return f"{names_of(KERNELS)}, roll={self.roll}"

    def export(self, graph: Graph) -> ExportedProgram:
        """The program of a lowered graph as StableHLO; its sizes may be symbolic.

        Raises:
            OperandError: JAX cannot trace it for all numbers that its sizes may have.
        """
        from .export import export_graph  # loads `jax.export`, which few need

        return export_graph(graph, self.matmul_precision)

    def plan(self, graph: Graph) -> BackendPlan:
        """What XLA tells of the program, which is compiled for it.

        Raises:
            OperandError: XLA tells nothing of memory on this device.
        """
        return self.compile(graph).plan()


def _argument_bytes(graph: Graph) -> int:
    """Of arguments and results together."""
    return sum(known_bytes(tensor.type) for tensor in (*graph.inputs, *graph.outputs))


BACKEND = JaxBackend()
