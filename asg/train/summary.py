"""How large the compiled training step is: ops at every stage, parameters, memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

from asg.analysis.memory import MemoryPlan
from asg.core.graph import Graph, reachable_nodes
from asg.core.node import Node
from asg.train.trainer import Training


@dataclass(frozen=True)
class OpCounts:
    """Ops at each stage; inputs, variables and constants do not count.

    Attributes:
        forward: that the loss needs.
        gradient: the same with the gradients.
        step: the whole training step, with the optimizer's update and the metrics.
        optimised: the step as the backend gets it.
    """

    forward: int
    gradient: int
    step: int
    optimised: int


def op_counts(graph: Graph, optimised: Graph) -> OpCounts:
    """Counts of a training step as it was built, and after the passes."""
    built = _ops(graph.nodes)
    learned = [node for node in built if _outer_scope(node) not in ("optimizer", "metrics")]
    forward = _ops(reachable_nodes([graph.results["loss"]]))
    return OpCounts(len(forward), len(learned), len(built), len(_ops(optimised.nodes)))


def _ops(nodes: Iterable[Node]) -> list[Node]:
    return [node for node in nodes if node.inputs]


def _outer_scope(node: Node) -> str:
    return (node.origin.scope or "").partition("/")[0]


def parameter_count(training: Training) -> int:
    """Numbers that training changes."""
    return sum(prod(v.type.shape) for v in training.model.net.parameters().values())


@dataclass(frozen=True)
class StepMemory:
    """Bytes of the values inside one step, parameters and constants aside.

    Attributes:
        planned: what the program allocates.
        separate: what it would be if no two values shared memory; None if it is not known.
    """

    planned: int
    separate: int | None


def step_memory(program: Any) -> StepMemory | None:
    """What the backend's program tells about its memory, or None if it tells nothing."""
    plan = getattr(program, "plan", None)
    if isinstance(plan, MemoryPlan):
        return StepMemory(plan.arena_bytes, plan.separate_bytes)
    analysis = getattr(program, "memory_analysis", None)
    sizes = analysis() if callable(analysis) else None
    planned = getattr(sizes, "temp_size_in_bytes", None)
    return None if planned is None else StepMemory(int(planned), None)
