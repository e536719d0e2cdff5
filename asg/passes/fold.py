"""fold: compute at compile time what depends on constants only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.ops.leaf import Constant, Full, Iota, full
from asg.rewrite.rule import Numerics, RuleHit
from asg.rewrite.watch import may_replace, note_replacement, watched

Evaluator = Callable[[Graph], Sequence[np.ndarray[Any, Any]]]

LARGEST = 4096
"""Elements a folded value may have: folding must not turn a formula into a large array."""


@dataclass(frozen=True)
class Fold:
    """Constant folding; the evaluator (an executor) is passed in, so this file knows none."""

    evaluate: Evaluator
    name: str = "fold"
    numerics: Numerics = "exact"

    def __call__(self, graph: Graph, log: list[RuleHit]) -> Graph:
        """Replace every constant-only value that something else uses by its number.

        An array whose elements are all alike becomes a `Full`, which is read as a scalar is.
        """
        graph = map_bodies(graph, lambda body: self(body, log))
        constant = _constant_nodes(graph)
        wanted = _frontier(graph, constant)
        if not wanted:
            return graph
        names = [f"value_{i}" for i in range(len(wanted))]
        with watched():  # what happens in there is no replacement here
            arrays = self.evaluate(Graph.of([], wanted, names, (), "folded"))
        values = dict(zip(wanted, arrays, strict=True))

        def replace(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            if node not in constant or not any(output in values for output in node.outputs):
                return None
            if not may_replace():
                return None
            outputs = tuple(_constant(node, output, values) for output in node.outputs)
            note_replacement(self.name, node, inputs, outputs)
            log.append(RuleHit("fold", node.serial, tuple(o.node.serial for o in outputs)))
            return outputs

        return rebuild(graph, replace)


def _constant(node: Node, output: Tensor, values: dict[Tensor, Any]) -> Tensor:
    if output not in values:
        return output
    with derive("rule", "fold", (node.lineage,), node.origin):
        array = np.array(values[output], output.dtype.numpy, order="C").reshape(output.shape)
        if array.ndim and _alike(array):
            return full(output.shape, array.flat[0].item(), output.dtype)
        return Constant(ArrayData(array))()


def _alike(array: np.ndarray[Any, Any]) -> bool:
    """Whether every element has the same bits; NaN, which equals nothing, does not count."""
    if not array.size or array.flat[0] != array.flat[0]:
        return False
    return bool(array.tobytes() == array.flat[0].tobytes() * array.size)


def _constant_nodes(graph: Graph) -> set[Node]:
    """Computations (not leaves) all of whose inputs are small and known."""
    known: set[Node] = set()
    computed: set[Node] = set()
    for node in graph.nodes:
        if not node.inputs:
            if isinstance(node.op, Constant | Full | Iota) and _small(node.outputs[0]):
                known.add(node)
        elif node.inputs[0].node not in known or not known.issuperset(
            [tensor.node for tensor in node.inputs]
        ):
            continue
        elif node.op.category == "control":
            continue  # how long a loop takes is known when it runs, not here
        elif all(_small(output) for output in node.outputs):
            known.add(node)
            computed.add(node)
    return computed


def _small(tensor: Tensor) -> bool:
    size = tensor.type.size
    return isinstance(size, int) and size <= LARGEST


def _frontier(graph: Graph, constant: set[Node]) -> list[Tensor]:
    """Constant values used by something that is not constant, or returned."""
    wanted = {t: None for t in graph.outputs if t.node in constant}
    for node in graph.nodes if constant else ():
        for tensor in node.inputs:
            if tensor.node in constant and node not in constant:
                wanted[tensor] = None
    return list(wanted)
