"""What is decided about a graph before it is traced: dtypes, constants, donation, result order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import jax
import numpy as np

from asg.analysis.memory import known_bytes
from asg.compiler.backend import ordered_slots
from asg.core.errors import GraphError
from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.ops.leaf import Constant

from .persistent import name_of_program
from .walk import needs_64_bits, run_graph

LARGE_CONSTANT = 1 << 20
"""Bytes from which a constant is an argument kept on the device, not a part of the program.

With a smaller one XLA may compute while compiling; with a larger one that costs more than it
gains. Constants inside bodies of control flow are always part of the program.
"""

# On others JAX does not implement donation and warns at every compilation.
_DONATING_PLATFORMS = frozenset({"cpu", "gpu", "tpu"})


class Plan:
    """Decisions about one graph.

    The traced function takes the inputs, then the large constants. It returns the next values of
    state first, in the order of their inputs: JAX gives each donated buffer to the first result
    of its type, so every variable is updated in its own memory.
    """

    def __init__(self, graph: Graph) -> None:
        """For a specialised graph; GraphError if a size is still symbolic."""
        for tensor in (*graph.inputs, *graph.outputs):
            if not tensor.type.is_static:
                raise GraphError(
                    f"graph {graph.name!r}: {tensor!r} has symbolic sizes; "
                    "specialise the graph before compiling it, as asg.compile does"
                )
        self.graph = graph
        self.wide = needs_64_bits(graph)
        self.slots = [slot for slot in ordered_slots(graph.state) if slot.output is not None]

    @cached_property
    def donated(self) -> tuple[int, ...]:
        """Positions of the inputs whose memory the results take over."""
        if jax.default_backend() not in _DONATING_PLATFORMS:
            return ()
        return tuple(slot.input for slot in self.slots)

    @cached_property
    def argument_places(self) -> tuple[int, ...] | None:
        """For each input its place among feeds and state, None when they stand in order already."""
        held = [slot.input for slot in ordered_slots(self.graph.state)]
        fed = sorted(set(range(len(self.graph.inputs))) - set(held))
        return arrangement((*fed, *held))

    @cached_property
    def result_order(self) -> tuple[int, ...]:
        """The positions in ``graph.outputs`` of the results, in the order they are returned."""
        first = [slot.output for slot in self.slots if slot.output is not None]
        rest = sorted(set(range(len(self.graph.outputs))) - set(first))
        return (*first, *rest)

    @cached_property
    def constants(self) -> dict[Tensor, np.ndarray[Any, Any]]:
        """The constants that are passed as arguments."""
        return {
            node.output: node.op.data.array
            for node in self.graph.nodes
            if isinstance(node.op, Constant) and node.op.data.array.nbytes >= LARGE_CONSTANT
        }

    def function(self) -> Callable[..., list[Any]]:
        """The function to trace; it carries the graph's name, which profiles show."""
        graph, constants, order = self.graph, self.constants, self.result_order
        count = len(graph.inputs)

        def step(*arrays: Any) -> list[Any]:
            given = dict(zip(constants, arrays[count:], strict=True))
            outputs = run_graph(graph, arrays[:count], given)
            return [outputs[position] for position in order]

        step.__name__ = step.__qualname__ = name_of_program(graph)
        return step

    def arguments(self) -> list[jax.ShapeDtypeStruct]:
        """Shape and dtype of every argument of `function`."""
        tensors = (*self.graph.inputs, *self.constants)
        struct: Any = jax.ShapeDtypeStruct  # JAX leaves its constructor without types
        return [struct(each.type.shape, each.type.dtype.numpy) for each in tensors]

    def require_donation(self, compiled: Any) -> None:
        """GraphError unless the compiled program takes over all the memory it was offered.

        A dropped donation is a state held twice; it must not pass unseen.
        """
        expected = sum(known_bytes(self.graph.inputs[position].type) for position in self.donated)
        analysis = compiled.memory_analysis()
        if analysis is None or analysis.alias_size_in_bytes == expected:
            return
        raise GraphError(
            f"graph {self.graph.name!r}: XLA reuses {analysis.alias_size_in_bytes} of the "
            f"{expected} bytes of state that are donated; this is a defect of the JAX backend"
        )


def arrangement(order: Sequence[int]) -> tuple[int, ...] | None:
    """For each position its place in ``order``, or None when they stand in order already."""
    places = tuple(order.index(position) for position in range(len(order)))
    return None if places == tuple(range(len(order))) else places
