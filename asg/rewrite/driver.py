"""Apply rules until none fires: types kept, provenance written, every hit logged."""

from __future__ import annotations

from collections.abc import Sequence

from asg.core.dim import known_equal
from asg.core.errors import RewriteError
from asg.core.graph import Graph, Rebuilder, reachable_nodes, rebuild
from asg.core.node import Node, next_serial
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.rewrite.pattern import HOLD_NUMBERS, Kind, kind_of
from asg.rewrite.rule import Rule, RuleHit
from asg.rewrite.watch import may_replace, note_replacement

MAX_ROUNDS = 50
"""Sweeps over the graph, and rewrites of one node within a sweep, before we call it a loop."""


class Index:
    """Rules by what a match starts from, and by the kinds of its operands.

    Of hundreds of rules a few are left to try for a node, and the choice is made once for all
    nodes of a kind.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Of rules in the order in which they are tried."""
        self._by_root: dict[type[Op], list[Rule]] = {}
        for each in rules:
            for root in each.roots:
                self._by_root.setdefault(root, []).append(each)
        self._numbers = frozenset(number for each in rules for number in each.numbers)
        self._by_kind: dict[tuple[Kind, ...], list[Rule]] = {}

    def is_done(self, graph: Graph, bit: int) -> bool:
        """Whether these rules, which have this bit, left every node of a graph as it is."""
        roots = self._by_root
        return not any([not n.settled & bit and type(n.op) in roots for n in graph.nodes])

    def taker(self, bit: int, log: list[RuleHit]) -> Rebuilder:
        """For `rebuild`: what tries the rules, which have this bit, on nodes they may take."""
        roots = self._by_root

        def take(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
            if inputs is node.inputs and (node.settled & bit or type(node.op) not in roots):
                return None
            return _rewrite_node(node, inputs, self, bit, log)

        return take

    def of(self, node: Node) -> list[Rule]:
        """The rules that may match a node, as far as its op and the kinds of its operands tell."""
        root, inputs = type(node.op), node.inputs
        operands: list[Kind] = [type(tensor.node.op) for tensor in inputs]
        if not HOLD_NUMBERS.isdisjoint(operands):
            operands = [kind_of(tensor, self._numbers) for tensor in inputs]
        alike = len(inputs) > 1 and inputs[0] is inputs[1]
        kind = (root, alike, *operands)
        found = self._by_kind.get(kind)
        if found is None:
            found = [r for r in self._by_root.get(root, ()) if r.may_fit(operands, alike)]
            self._by_kind[kind] = found
        return found


def rewrite(graph: Graph, rules: Sequence[Rule], log: list[RuleHit]) -> Graph:
    """The graph after applying ``rules`` to a fixed point.

    Raises:
        RewriteError: a rule changed a type, or the rules never settle; names the rules.
    """
    graph = map_bodies(graph, lambda body: rewrite(body, rules, log))
    bit, index = _known(tuple(rules))
    if index.is_done(graph, bit):
        return graph
    take = index.taker(bit, log)
    for _ in range(MAX_ROUNDS):
        hits = len(log)
        graph = rebuild(graph, take)
        if not may_replace() or index.is_done(graph, bit):
            return graph
    recent = sorted({hit.rule for hit in log[hits:]})
    raise RewriteError(f"rules never settle after {MAX_ROUNDS} rounds: {', '.join(recent)}")


def _known(rules: tuple[Rule, ...]) -> tuple[int, Index]:
    """The bit of `Node.settled` that stands for these rules, and their index."""
    if rules not in _rule_sets:
        _rule_sets[rules] = (1 << len(_rule_sets), Index(rules))
    return _rule_sets[rules]


_rule_sets: dict[tuple[Rule, ...], tuple[int, Index]] = {}


def _rewrite_node(
    node: Node, inputs: tuple[Tensor, ...], index: Index, bit: int, log: list[RuleHit]
) -> tuple[Tensor, ...] | None:
    """Replacement outputs of one node; its own replacement is tried again at once.

    A rule looks at a node and what it depends on, and neither ever changes: a node that no rule
    took is settled, and is not tried again, in later passes either.
    """
    current = node if inputs is node.inputs else node.with_inputs(inputs)
    outputs = current.outputs
    for _ in range(MAX_ROUNDS):
        if not may_replace():
            return outputs
        replaced = None if current.settled & bit else _first_hit(outputs, current, index, log)
        if replaced is None:
            if outputs == current.outputs:
                current.settled |= bit
            return outputs
        outputs = replaced
        if len(outputs) != 1:
            return outputs
        current = outputs[0].node
    raise RewriteError(f"rules never settle on {node!r}: {log[-1].rule}, {log[-2].rule}")


def _first_hit(
    outputs: tuple[Tensor, ...], node: Node, index: Index, log: list[RuleHit]
) -> tuple[Tensor, ...] | None:
    if node.outputs != outputs:
        return None
    for each in index.of(node):
        if not each.may_match(node):
            continue
        floor = next_serial()
        with derive("rule", each.name, (node.lineage,), node.origin):
            result = each.replace(node)
            if result is None:
                continue
            found = result if isinstance(result, tuple) else (result,)
            fitted = tuple(
                fit(new, old, each) for new, old in zip(found, node.outputs, strict=True)
            )
        made = tuple(n.serial for n in reachable_nodes(fitted, floor))
        log.append(RuleHit(each.name, node.serial, made))
        note_replacement(each.name, node, node.inputs, fitted, each.numerics, each.tolerance)
        return fitted
    return None


def fit(new: Tensor, old: Tensor, by: Rule) -> Tensor:
    """``new`` with the type of ``old``: a rule may leave out a broadcast, never change a dtype.

    Raises:
        RewriteError: the rule changed the dtype or shape.
    """
    if new.type == old.type:
        return new
    if new.dtype is old.dtype and new.ndim <= old.ndim:
        offset = old.ndim - new.ndim
        pairs = list(zip(new.shape, old.shape[offset:], strict=True))
        if all(known_equal(a, b) is not False for a, b in pairs) and new.ndim == old.ndim:
            return call("assume_shape", new, old.shape)
        if all(a == 1 or known_equal(a, b) is not False for a, b in pairs):
            return call("broadcast_to", new, old.shape)
    raise RewriteError(
        f"rule {by.name} replaced {old!r} by {new!r}; a rule must keep the type {old.type}"
    )
