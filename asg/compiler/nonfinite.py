"""Find where NaN and infinity come from: the first computation that makes one of finite numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.compiler.driver import compile
from asg.compiler.loader import load_backend
from asg.core.explain import made_by
from asg.core.graph import Graph
from asg.core.node import Node
from asg.passes.pipeline import lower_for

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class NonFinite:
    """The first node of a graph with a result that is not finite.

    Attributes:
        node: what computed it; an input when the data itself has it.
        what: ``"nan"`` or ``"inf"``.
        index: where in the result.
        operands: for each operand its text and range, such as ``x: f32[3], 0 to 2.5``.
    """

    node: Node
    what: str
    index: tuple[int, ...]
    operands: tuple[str, ...]

    def __str__(self) -> str:
        """What, where, and of which operands."""
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        lines = [f"the first {self.what} is element {place or 'itself'} of what was "
                 f"{made_by(self.node.outputs[0])}"]  # fmt: skip
        if not self.node.inputs:
            lines[0] = f"{made_by(self.node.outputs[0])} has {self.what} at {place or 'itself'}"
        step = next(iter(self.node.origin.derived), None)
        if step is not None:
            lines.append(f"  ({step.kind} of {step.name})")
        return "\n".join([*lines, *(f"  {operand}" for operand in self.operands)])


def first_nonfinite(graph: Graph, feeds: Mapping[str, Any]) -> NonFinite | None:
    """Run a graph on NumPy, every value kept, and return the first that is not finite.

    Nothing is optimised, so that every node of the graph is looked at; loops and branches are
    looked at from outside. A mask's -inf, too, is found: call this when something went wrong.

    Args:
        graph: a step, with or without state.
        feeds: arrays of all inputs and variables by name.

    Raises:
        FeedError: an array is missing.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> print(first_nonfinite(asg.Graph(y=asg.sum(asg.log(x) * 2.0)), {"x": [1.0, -1.0]}))
    ... # doctest: +ELLIPSIS
    the first nan is element [1] of what was made by log at ...
      x: f32[2], -1 to 1
    """
    nodes = [node for node in graph.nodes if _is_looked_at(node)]
    outputs = {f"value{i}": tensor for i, tensor in enumerate(_floats(nodes))}
    whole = Graph.of(graph.inputs, list(outputs.values()), list(outputs), (), graph.name)
    backend = load_backend("numpy")
    program = compile(whole, backend, (lower_for(backend),))
    with np.errstate(all="ignore"):
        found = program(**{name: feeds[name] for name in whole.input_names})
    values = {tensor: np.asarray(found[name]) for name, tensor in outputs.items()}
    for node in nodes:
        for tensor in node.outputs:
            if tensor in values and not np.isfinite(values[tensor]).all():
                return _told(node, values[tensor], values)
    return None


def _is_looked_at(node: Node) -> bool:
    return not (node.op.category == "leaf" and not node.op.is_placeholder)


def _floats(nodes: list[Node]) -> list[Any]:
    return [tensor for node in nodes for tensor in node.outputs if tensor.dtype.is_float]


def _told(node: Node, value: Array, values: Mapping[Any, Array]) -> NonFinite:
    bad = np.argwhere(~np.isfinite(value))[0]
    index = tuple(int(place) for place in bad)
    what = "nan" if np.isnan(value[index]) else "inf"
    names = [node.op.operand_name(i) for i in range(len(node.inputs))]
    operands = [_range(name, tensor, values) for name, tensor in
                zip(names, node.inputs, strict=True)]  # fmt: skip
    return NonFinite(node, what, index, tuple(operands))


def _range(name: str, tensor: Any, values: Mapping[Any, Array]) -> str:
    array = values.get(tensor)
    if array is None or not array.size:
        return f"{name}: {tensor.type}"
    return f"{name}: {tensor.type}, {array.min():.4g} to {array.max():.4g}"
