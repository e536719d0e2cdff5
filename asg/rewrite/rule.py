"""Rules: ``@rule`` gives (before, after) as ordinary code, ``@node_rule`` a function of a node."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from asg.core.errors import RewriteError
from asg.core.node import Node
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.rewrite.pattern import (
    Binding,
    Hole,
    Kind,
    Number,
    PatternNode,
    matches,
    may_stand_for,
)

Numerics = Literal["exact", "reassociating", "approximate"]
NUMERICS: tuple[Numerics, ...] = ("exact", "reassociating", "approximate")
"""From the finest to the roughest."""

Replacement = Tensor | tuple[Tensor, ...] | None
When = Callable[[Node], bool]


def roughest(found: Iterable[Numerics]) -> Numerics:
    """The roughest of some; exact when there are none."""
    return max(found, key=NUMERICS.index, default="exact")


@dataclass(frozen=True)
class RuleHit:
    """One application of a rule: serials of the node replaced and of those that replace it."""

    rule: str
    old: int
    new: tuple[int, ...]


@dataclass(frozen=True)
class Rule:
    """Something that may replace a node.

    Attributes:
        name: what it does, such as ``multiply_by_one``.
        numerics: whether results stay equal to the bit (for finite values), may round
            differently, or are only close.
        safe: False for rules that change results on NaN or infinity; off unless asked for.
        tolerance: of an approximate rule, the relative error it may add; what debugging allows it.
    """

    name: str
    numerics: Numerics
    safe: bool
    function: Callable[..., Any] = field(repr=False)
    tolerance: float = 0.0

    @property
    def roots(self) -> tuple[type[Op], ...]:
        """The op classes a match can start from."""
        raise NotImplementedError

    @property
    def numbers(self) -> tuple[Number, ...]:
        """Those that the operands of a match may have to equal."""
        return ()

    def may_fit(self, operands: Sequence[Kind], alike: bool) -> bool:
        """False when no match has operands of these kinds, ``alike`` when they are the same."""
        return True

    def may_match(self, node: Node) -> bool:
        """False when `replace` is sure to refuse; asked before provenance is set up.

        Only of nodes whose operands `may_fit`.
        """
        return True

    def replace(self, node: Node) -> Replacement:
        """What stands for the node's outputs, or None."""
        raise NotImplementedError


class PatternRule(Rule):
    """A rule given as before/after code."""

    @cached_property
    def _traced(self) -> tuple[list[Hole], PatternNode]:
        holes = [Hole(name) for name in inspect.signature(self.function).parameters]
        before, _ = self.function(*holes)
        if not isinstance(before, PatternNode):
            raise RewriteError(f"rule {self.name}: the 'before' part applies no op to a hole")
        return holes, before

    @property
    def roots(self) -> tuple[type[Op], ...]:
        return (type(self._traced[1].op),)

    def may_match(self, node: Node) -> bool:
        if len(node.outputs) != 1:
            return False
        empty: Binding = {}
        return next(matches(self._traced[1], node.outputs[0], empty), None) is not None

    @property
    def numbers(self) -> tuple[Number, ...]:
        operands = self._traced[1].operands
        return tuple(each for each in operands if not isinstance(each, Hole | PatternNode))

    def may_fit(self, operands: Sequence[Kind], alike: bool) -> bool:
        before = self._traced[1]
        orders = [before.operands]
        if before.op.commutative:
            orders.append((before.operands[1], before.operands[0], *before.operands[2:]))
        if before.flat and len(set(map(id, before.operands))) == 1 < len(operands) and not alike:
            return False
        return any(all(map(may_stand_for, order, operands)) for order in orders)

    def replace(self, node: Node) -> Replacement:
        holes, before = self._traced
        empty: Binding = {}
        for binding in matches(before, node.outputs[0], empty):
            after = self._after(holes, binding)
            if after is not None:
                return after
        return None

    def _after(self, holes: list[Hole], binding: Binding) -> Replacement:
        missing = [hole.name for hole in holes if hole not in binding]
        if missing:
            raise RewriteError(f"rule {self.name}: {', '.join(missing)} not in the 'before' part")
        _, after = self.function(*(binding[hole] for hole in holes))
        built: Replacement = after() if callable(after) else after
        return built


class NodeRule(Rule):
    """A rule given as a function of the node."""

    def __init__(
        self,
        roots: tuple[type[Op], ...],
        beside: tuple[type[Op], ...],
        when: When | None,
        **facts: Any,
    ) -> None:
        """``roots`` are the op classes the function is called for, if ``when`` says so.

        And if one of ``beside`` makes an operand, unless that is empty.
        """
        super().__init__(**facts)
        object.__setattr__(self, "_roots", roots)
        object.__setattr__(self, "_beside", frozenset(beside))
        object.__setattr__(self, "_when", when)

    @property
    def roots(self) -> tuple[type[Op], ...]:
        roots: tuple[type[Op], ...] = self._roots  # type: ignore[attr-defined]
        return roots

    def may_fit(self, operands: Sequence[Kind], alike: bool) -> bool:
        beside: frozenset[type[Op]] = self._beside  # type: ignore[attr-defined]
        return not beside or not beside.isdisjoint(operands)

    def may_match(self, node: Node) -> bool:
        when: When | None = self._when  # type: ignore[attr-defined]
        return when is None or when(node)

    def replace(self, node: Node) -> Replacement:
        result: Replacement = self.function(node)
        return result


def rule(
    numerics: Numerics = "exact", safe: bool = True, tolerance: float = 0.0
) -> Callable[[Callable[..., Any]], PatternRule]:
    """Decorate ``def name(x, p): return before, after``.

    The function is called once with holes to trace ``before``; a match calls it with the real
    tensors and attributes to build ``after``. A callable ``after`` is built only on a match and
    may return None to refuse.
    """

    def wrap(function: Callable[..., Any]) -> PatternRule:
        return PatternRule(function.__name__, numerics, safe, function, tolerance)

    return wrap


def node_rule(
    *roots: type[Op],
    numerics: Numerics = "exact",
    safe: bool = True,
    tolerance: float = 0.0,
    beside: tuple[type[Op], ...] = (),
    when: When | None = None,
) -> Callable[[Callable[[Node], Replacement]], NodeRule]:
    """Decorate ``def name(node)`` that returns a replacement or None, for nodes of these ops.

    With ``beside`` only of such that have an operand made by one of those ops: no constants.
    ``when`` is a quick test that most nodes fail: only where it holds is the function called.
    """

    def wrap(function: Callable[[Node], Replacement]) -> NodeRule:
        return NodeRule(
            roots,
            beside,
            when,
            name=function.__name__,
            numerics=numerics,
            safe=safe,
            function=function,
            tolerance=tolerance,
        )

    return wrap
