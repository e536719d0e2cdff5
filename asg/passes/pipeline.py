"""The visible pipeline: tuples of passes, and the one function that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from time import perf_counter
from typing import Any, Protocol

from asg.config import settings
from asg.core.collector import paused_collector
from asg.core.errors import OperandError, UnknownName
from asg.core.graph import Graph
from asg.core.verify import verify
from asg.passes.algebra import ALGEBRA
from asg.passes.dead import remove_unused
from asg.passes.fold import Evaluator, Fold
from asg.passes.hoist_invariants import hoist_invariants
from asg.passes.lower import Target, lower
from asg.passes.merge_equal import merge_equal
from asg.passes.merge_loops import merge_loops
from asg.passes.move_rules import MOVE_RULES
from asg.passes.move_transposes import move_transposes
from asg.passes.order_products import order_products
from asg.passes.pick_last import pick_last
from asg.passes.power_rules import POWER_RULES
from asg.passes.recognise import OF_RECOGNISED, RECOGNISING
from asg.passes.record import PassRecord
from asg.passes.shape_rules import SHAPE_RULES
from asg.passes.stabilise import STABILISING
from asg.passes.sum_after_loops import sum_after_loops
from asg.rewrite.driver import rewrite
from asg.rewrite.rule import Numerics, Rule, RuleHit, roughest

Log = list[RuleHit]


class Pass(Protocol):
    """Graph to graph, under a name; rules that fire are written to the log.

    It may tell its ``numerics``, those of the roughest replacement it makes (see `numerics_of`).
    """

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
    numerics: Numerics = "reassociating"

    def __call__(self, graph: Graph, log: Log) -> Graph:
        """Apply the function; it logs no rules."""
        return self.function(graph)


@dataclass(frozen=True)
class RulePass:
    """A pass that applies rules to a fixed point."""

    name: str
    rules: tuple[Rule, ...]

    @property
    def numerics(self) -> Numerics:
        """Those of its roughest rule."""
        return roughest(rule.numerics for rule in self.rules)

    def __call__(self, graph: Graph, log: Log) -> Graph:
        """Rewrite; every hit is logged."""
        return rewrite(graph, self.rules, log)


SIMPLIFY = RulePass("simplify", (*ALGEBRA, *POWER_RULES, *SHAPE_RULES, *MOVE_RULES))
STABILISE = RulePass("stabilise", STABILISING)
RECOGNISE = RulePass("recognise", (*RECOGNISING, *OF_RECOGNISED))
MERGE_EQUAL = FunctionPass("merge_equal", merge_equal, "exact")
MERGE_LOOPS = FunctionPass("merge_loops", merge_loops, "exact")
HOIST_INVARIANTS = FunctionPass("hoist_invariants", hoist_invariants, "exact")
MOVE_TRANSPOSES = FunctionPass("move_transposes", move_transposes)
ORDER_PRODUCTS = FunctionPass("order_products", order_products)
PICK_LAST = FunctionPass("pick_last", pick_last)
SUM_AFTER_LOOPS = FunctionPass("sum_after_loops", sum_after_loops)
REMOVE_UNUSED = FunctionPass("remove_unused", remove_unused, "exact")


def lower_for(target: Target) -> Pass:
    """Decompose what ``target`` lacks."""
    return FunctionPass("lower", lambda graph: lower(graph, target))


def numerics_of(step: Pass) -> Numerics:
    """How close the values after a pass are, see `asg.rewrite.rule.Rule`.

    What a pass does not tell is taken to be reassociating.

    >>> [(step.name, numerics_of(step)) for step in (MERGE_EQUAL, SIMPLIFY, ORDER_PRODUCTS)]
    [('merge_equal', 'exact'), ('simplify', 'reassociating'), ('order_products', 'reassociating')]
    """
    numerics: Numerics = getattr(step, "numerics", "reassociating")
    return numerics


def names_in(pipeline: Pipeline) -> list[str]:
    """The names of all passes and rules."""
    names = [step.name for step in pipeline]
    for step in pipeline:
        names += [rule.name for rule in step.rules] if isinstance(step, RulePass) else []
    return list(dict.fromkeys(names))


def without(pipeline: Pipeline, *names: str) -> Pipeline:
    """The pipeline less the passes and rules of these names.

    Raises:
        UnknownName: neither a pass nor a rule of it has a name.

    >>> [rule.name for rule in without([STABILISE], "log1p_of_exp")[0].rules][:3]
    ['log_of_softmax', 'log_of_one_plus_exp', 'log_of_one_plus']
    """
    known = names_in(pipeline)
    for name in names:
        if name not in known:
            close = get_close_matches(name, known, 3)
            passes = ", ".join(dict.fromkeys(step.name for step in pipeline))
            told = f"there are the passes {passes}, and the rules of some"
            hint = f"did you mean {' or '.join(close)}?" if close else told
            raise UnknownName(f"no pass and no rule is named {name!r}; {hint}")
    return [_lessened(step, names) for step in pipeline if step.name not in names]


def _lessened(step: Pass, names: Sequence[str]) -> Pass:
    if not isinstance(step, RulePass) or all(rule.name not in names for rule in step.rules):
        return step
    return RulePass(step.name, tuple(rule for rule in step.rules if rule.name not in names))


def as_pass(step: Any) -> Pass:
    """A pass, or a plain function of a graph as one.

    Raises:
        OperandError: neither.
    """
    if hasattr(step, "name") and callable(step):
        return step  # type: ignore[no-any-return]
    if callable(step):
        return FunctionPass(getattr(step, "__name__", "function"), step)
    raise OperandError(f"a pipeline holds passes and functions of a graph, not {step!r}")


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
    with paused_collector():
        for step in map(as_pass, pipeline):
            log: Log = []
            start = perf_counter()
            result = step(graph, log)
            seconds = perf_counter() - start
            if settings.verify == "each" and result is not graph:
                verify(result, stage=f"pass {step.name!r}")
            if after_each is not None:
                after_each(PassRecord(step.name, graph, result, seconds, tuple(log)))
            if result is not graph:
                graph.forget_users()
            graph = result
    return graph


def simplify_pipeline(evaluate: Evaluator) -> Pipeline:
    """The passes that need no backend: what ``graph.optimize()`` runs."""
    return (
        SIMPLIFY, STABILISE, RECOGNISE, Fold(evaluate), MERGE_EQUAL, MERGE_LOOPS, REMOVE_UNUSED,
    )  # fmt: skip


def default_pipeline(target: Target, evaluate: Evaluator) -> Pipeline:
    """The passes `asg.compile` runs on the symbolic graph, in order.

    Composites are lowered after the rules that know them by name, and what lowering writes out is
    simplified and merged again (a softmax needed by both forward and backward is computed once).
    """
    return (
        SIMPLIFY,
        STABILISE,
        RECOGNISE,
        Fold(evaluate),
        MERGE_EQUAL,
        MERGE_LOOPS,
        lower_for(target),
        SIMPLIFY,
        Fold(evaluate),
        MERGE_EQUAL,
        REMOVE_UNUSED,
    )


def late_pipeline(evaluate: Evaluator) -> Pipeline:
    """The passes run once more after sizes have become numbers."""
    return (
        SIMPLIFY,
        Fold(evaluate),
        MERGE_EQUAL,
        MERGE_LOOPS,
        PICK_LAST,
        MOVE_TRANSPOSES,
        ORDER_PRODUCTS,
        HOIST_INVARIANTS,
        SUM_AFTER_LOOPS,
    )
