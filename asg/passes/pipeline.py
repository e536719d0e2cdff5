"""The visible pipeline: tuples of passes, and the one function that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from asg.config import settings
from asg.core.graph import Graph
from asg.core.verify import verify
from asg.passes.lower import Target, lower
from asg.passes.record import PassRecord
from asg.rewrite.driver import rewrite
from asg.rewrite.rule import Rule, RuleHit

Log = list[RuleHit]


class Pass(Protocol):
    """Graph to graph, under a name; rules that fire are written to the log."""

    @property
    def name(self) -> str:
        """What it does."""

    def __call__(self, graph: Graph, log: Log) -> Graph:
        """The new graph; untouched nodes are shared with the old one."""


Pipeline = Sequence[Pass]


@dataclass(frozen=True)
class FunctionPass:
    """A pass that is one function of the graph."""

    name: str
    function: Callable[[Graph], Graph]

    def __call__(self, graph: Graph, log: Log) -> Graph:
        """Apply the function; it logs no rules."""
        return self.function(graph)


@dataclass(frozen=True)
class RulePass:
    """A pass that applies rules to a fixed point."""

    name: str
    rules: tuple[Rule, ...]

    def __call__(self, graph: Graph, log: Log) -> Graph:
        """Rewrite; every hit is logged."""
        return rewrite(graph, self.rules, log)


def lower_for(target: Target) -> Pass:
    """Decompose what ``target`` lacks."""
    return FunctionPass("lower", lambda graph: lower(graph, target))


def run_pipeline(
    pipeline: Pipeline,
    graph: Graph,
    after_each: Callable[[PassRecord], object] | None = None,
) -> Graph:
    """Run passes in order; ``after_each`` sees the record of every one.

    With ``asg.config.settings.verify == "each"`` (the default) the graph is verified after each
    pass that changed it, so that a defect is found at the pass that made it.

    Raises:
        GraphError: a pass broke an invariant; the message names the pass.
    """
    for step in pipeline:
        log: Log = []
        start = perf_counter()
        result = step(graph, log)
        seconds = perf_counter() - start
        if settings.verify == "each" and result is not graph:
            verify(result, stage=f"pass {step.name!r}")
        if after_each is not None:
            after_each(PassRecord(step.name, graph, result, seconds, tuple(log)))
        graph = result
    return graph


def default_pipeline(target: Target) -> Pipeline:
    """The passes `asg.compile` runs on the symbolic graph, in order."""
    return (lower_for(target),)


def late_pipeline(target: Target) -> Pipeline:
    """The passes run once more after sizes have become numbers."""
    return (lower_for(target),)
