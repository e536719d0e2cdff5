"""An executable as a program that runs without asg's graph: sizes become numbers, or stay open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

from asg.analysis.constraint import broken_check
from asg.compiler.backend import ExportingBackend
from asg.compiler.plan import named_size, shapes_for, sizes_of
from asg.core.dim import SymbolicDim, substitute
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.types import SizeCheck
from asg.passes.specialise import specialise

if TYPE_CHECKING:
    from asg.compiler.driver import Executable


def export(
    executable: Executable, path: str | PathLike[str] | None, sizes: Mapping[str, int]
) -> Any:
    """The program of `Executable.export`."""
    backend = executable.backend
    if not isinstance(backend, ExportingBackend):
        raise OperandError(
            f"backend {backend.name!r} exports no programs; compile the graph for 'jax': "
            "asg.compile(graph, 'jax').export(path)"
        )
    program = backend.export(_with_sizes(executable, sizes))
    if path is not None:
        program.save(path)
    return program


def _with_sizes(executable: Executable, sizes: Mapping[str, int]) -> Graph:
    for name in sizes:
        named_size(executable, name)
    if sizes.keys() == sizes_of(executable).keys():
        return executable.with_sizes(shapes_for(executable, sizes))
    graph = specialise(executable.optimized, sizes) if sizes else executable.optimized
    return Graph.of(
        graph.inputs, graph.outputs, graph.output_names, graph.state, graph.name,
        graph.input_names, _claims_left(executable.graph.checks, sizes),
    )  # fmt: skip


def _claims_left(checks: Sequence[SizeCheck], sizes: Mapping[str, int]) -> list[SizeCheck]:
    """The claims that still depend on a size; the others are checked."""
    left: list[SizeCheck] = []
    for check in checks:
        spelled = replace(
            check, left=substitute(check.left, sizes), right=substitute(check.right, sizes)
        )
        if isinstance(spelled.left, SymbolicDim) or isinstance(spelled.right, SymbolicDim):
            left.append(spelled)
        elif broken := broken_check(spelled, {}):
            raise OperandError(f"these sizes do not fit the graph: {broken}")
    return left
