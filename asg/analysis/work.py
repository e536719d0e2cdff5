"""How long a node takes on one core of a common CPU, roughly: to decide what is worth a change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from asg.analysis.memory import known_bytes
from asg.core.node import Node
from asg.core.region import bodies_of
from asg.ops.loops import Scan

OPERATIONS_PER_SECOND = 1e11
"""Of matrix products and convolutions in float32, on one core with AVX-512."""

BYTES_PER_SECOND = 1e10
"""Read and written by everything else, from memory that does not fit the caches."""


class Work(NamedTuple):
    """Estimated seconds, and in how many calls of a kernel: views and constants take none."""

    seconds: float
    calls: int


def work_of(nodes: Iterable[Node]) -> Work:
    """The work of nodes of literal sizes; a body counts as often as a loop runs it.

    >>> import asg
    >>> x = asg.input("x", (1000, 1000))
    >>> work_of(asg.Graph(y=(x @ x).T).nodes)
    Work(seconds=0.0212, calls=1)
    """
    total, calls = 0.0, 0
    pending = [(node, 1) for node in nodes]
    while pending:
        node, times = pending.pop()
        bodies = node.op.field_names and bodies_of(node.op)
        if bodies:
            length = node.op.length if isinstance(node.op, Scan) else 1
            again = times * (length if isinstance(length, int) else 1)
            pending += [(inner, again) for body in bodies for inner in body.nodes]
        elif node.op.category not in ("shape", "leaf"):
            total += times * _alone(node)
            calls += times
    return Work(total, calls)


def most_in_long_calls(works: Iterable[Work], seconds_of_call: float) -> float:
    """No choice of the works whose calls take so long on average holds more seconds than this.

    What has the longest calls comes first, and makes up for shorter ones; of the first that it
    cannot make up for, a part.

    >>> most_in_long_calls([Work(1.0, 5), Work(4.0, 1)], 1.0)
    4.75
    >>> most_in_long_calls([Work(0.5, 1), Work(0.25, 1)], 1.0)
    0.0
    """
    called = [work for work in works if work.calls]
    called.sort(key=lambda work: work.seconds / work.calls, reverse=True)
    total = spare = 0.0
    for work in called:
        lacking = work.calls * seconds_of_call - work.seconds
        if lacking > spare:
            return total + work.seconds * spare / lacking
        total += work.seconds
        spare -= lacking
    return total


def _alone(node: Node) -> float:
    tensors = (*node.inputs, *node.outputs)
    moved = sum([known_bytes(tensor.type) for tensor in tensors]) / BYTES_PER_SECOND
    if node.op.category not in ("linalg", "convolution"):
        return moved
    return moved + known_operations(node) / OPERATIONS_PER_SECOND


def known_operations(node: Node) -> int:
    """Arithmetic operations of a node where its sizes are numbers; else 0."""
    types = tuple(t.type for t in node.inputs), tuple(t.type for t in node.outputs)
    operations = node.op.flops(*types)
    return operations if isinstance(operations, int) else 0
