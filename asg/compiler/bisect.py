"""bisect: which pass, and which single replacement of it, changes what a graph computes.

Debugging (`asg.configure(debug=True)`) compares every replacement with what it replaces; this
function compares results of the graph alone, and so finds what counts: among all replacements the
one with which the results go wrong, by making fewer of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from asg.compiler.backend import Backend
from asg.compiler.changed_value import ChangedValue
from asg.compiler.compare_values import Comparison, Difference, result_pairs
from asg.compiler.debug import PassCheck, WatchedPass, binding_of, first_wrong, run_watched, told
from asg.compiler.driver import default_passes
from asg.compiler.feed import checked_feed
from asg.compiler.generated import fitting_sizes, generated_feeds, may_not_end
from asg.compiler.loader import load_backend
from asg.compiler.plain import Array, Plain, worst_place
from asg.core.errors import FeedError
from asg.core.explain import made_by
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.passes.pipeline import Pipeline
from asg.passes.specialise import specialise


@dataclass(frozen=True, eq=False)
class DifferentKernel:
    """The first value for which a backend and NumPy disagree on the same graph.

    Attributes:
        backend: its name.
        node: what is computed.
        index: the element that is worst.
        expected: as NumPy computes it.
        found: as the backend does.
        allowed: by how much they might differ.
    """

    backend: str
    node: Node
    index: tuple[int, ...]
    expected: Any
    found: Any
    allowed: float

    def __str__(self) -> str:
        """Which op, where, and both numbers."""
        place = f"[{', '.join(map(str, self.index))}]" if self.index else ""
        operands = ", ".join(str(tensor.type) for tensor in self.node.inputs)
        return "\n".join([
            f"{self.backend} and numpy differ first in what was {made_by(self.node.outputs[0])}",
            f"  {self.node.op} of {operands}",
            f"  element {place or 'itself'}: {self.found!s} by {self.backend}, {self.expected!s} "
            f"by numpy (off by at most {self.allowed:.3g} is allowed)",
        ])  # fmt: skip


def bisect(
    graph: Graph,
    feeds: Mapping[str, Any] | None = None,
    backend: str | Backend = "numpy",
    pipeline: Pipeline | None = None,
) -> ChangedValue | DifferentKernel | None:
    """What makes the results of a graph differ from those of the graph as it was built.

    The passes are run one by one and their graphs computed on NumPy without any pass. Of the first
    that changes a result by more than rounding can explain (`asg.compiler.plain`), the replacement
    that does it is found by halving. If no pass does, every replacement is compared with what it
    replaces, and then, if the backend is not NumPy, every value of the final graph between the two.

    Args:
        graph: with or without variables.
        feeds: arrays of all inputs and variables by name; made up unless given.
        backend: whose passes and kernels are tried.
        pipeline: passes on the symbolic graph instead of the default ones.

    Returns:
        What is wrong, and None when nothing is.

    Raises:
        FeedError: an array is missing or does not fit; or none can be made up for this graph.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> bisect(asg.Graph(y=asg.exp(x) * 1.0)) is None
    True
    """
    target = load_backend(backend)
    first, late = default_passes(target)
    arrays = _arrays(graph, feeds)
    binding = binding_of(graph, arrays)
    steps = run_watched(first if pipeline is None else pipeline, graph)
    found = _guilty(steps, arrays, binding)
    if found is not None:
        return found
    known = specialise(steps[-1].after if steps else graph, binding)
    steps = run_watched(late, known)
    found = _guilty(steps, arrays, {})
    if found is not None or target.name == "numpy":
        return found
    return _kernel(steps[-1].after, target, arrays)


def _arrays(graph: Graph, feeds: Mapping[str, Any] | None) -> dict[str, Array]:
    if feeds is None:
        binding = None if may_not_end(graph) else fitting_sizes(graph)
        if binding is None:
            raise FeedError(
                f"no arrays can be made up for graph {graph.name!r}: its sizes ask for more than "
                "small numbers, or a loop may not end; give feeds"
            )
        return generated_feeds(graph, binding, 1)
    missing = [name for name in graph.input_names if name not in feeds]
    if missing:
        raise FeedError(f"bisect needs arrays of all inputs and variables; missing: {missing}")
    named = zip(graph.input_names, graph.inputs, strict=True)
    return {name: np.asarray(checked_feed(name, feeds[name], t.type)) for name, t in named}


def _guilty(
    steps: Sequence[WatchedPass], feeds: Mapping[str, Array], binding: Mapping[str, int]
) -> ChangedValue | None:
    """The first pass after which a result differs, and its replacement."""
    if not steps:
        return None
    graph = steps[0].before
    arrays = [feeds[name] for name in graph.input_names]

    def difference(*others: Graph) -> Difference | None:
        pairs = [p for stage, each in enumerate(others) for p in result_pairs(graph, each, stage)]
        return Comparison(graph.inputs, pairs, binding).first_difference(arrays)

    found = difference(*(step.after for step in steps))
    if found is None:  # a mistake may hide behind the rounding of what comes after it
        return PassCheck(steps, binding).changed(feeds)
    step = steps[found.pair.stage]
    return told(step, first_wrong(step, lambda g: difference(g) is None), found, graph, arrays)


def _kernel(graph: Graph, target: Backend, feeds: Mapping[str, Array]) -> DifferentKernel | None:
    """The first node, operands first, whose value the backend computes differently."""
    tensors = [tensor for node in graph.nodes if node.inputs for tensor in node.outputs]
    arrays = [feeds[name] for name in graph.input_names]
    plain = Plain(graph.inputs, tensors, {})
    expected, bounds = plain(arrays), plain.bounds(arrays)
    found = _run(graph, tensors, target, arrays)
    for tensor, right, value, bound in zip(tensors, expected, found, bounds, strict=True):
        place = worst_place(right, value, bound)
        if place is not None:
            return DifferentKernel(target.name, tensor.node, place, right[place], value[place],
                                   float(bound[place]))  # fmt: skip
    return None


def _run(
    graph: Graph, tensors: Sequence[Tensor], target: Backend, arrays: Sequence[Array]
) -> list[Array]:
    names = [f"value_{i}" for i in range(len(tensors))]
    whole = Graph.of(graph.inputs, tensors, names, (), graph.name, graph.input_names, ())
    return [np.asarray(value) for value in target.compile(whole)(list(arrays))]
