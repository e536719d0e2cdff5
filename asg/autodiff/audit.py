"""audit(loss, wrt): everything worth knowing about a gradient, before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from asg.autodiff.vjp import path_from, pullback
from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.errors import NotDifferentiable
from asg.core.explain import made_by
from asg.core.graph import reachable_nodes
from asg.core.node import Node, next_serial
from asg.core.region import bodies_of, with_bodies
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.tree import flatten

SINGULAR = {
    "divide": "a denominator of 0",
    "reciprocal": "0",
    "log": "0 or less",
    "log2": "0 or less",
    "log1p": "-1 or less",
    "sqrt": "0 or less",
    "rsqrt": "0 or less",
    "pow": "a base of 0 or less",
}
"""Ops with an infinite value or slope, and where."""


@dataclass(frozen=True)
class Finding:
    """One line of an audit: what, at which node, and what to do."""

    kind: str
    node: Node
    text: str

    def __str__(self) -> str:
        """``hazard: ... made by where at model.py:3``."""
        return f"{self.kind}: {self.text}; {made_by(self.node.outputs[0])}"


@dataclass(frozen=True)
class Audit:
    """What `audit` found.

    Attributes:
        unreached: names of ``wrt`` that get no gradient, with the reason.
        findings: ops without a rule, breaks, hazards, downcasts and open loops, in order of the
            graph.
        saved: forward values the gradient reads (parameters and inputs are kept anyway).
        saved_bytes: their size together, a formula in the symbolic sizes.
    """

    unreached: dict[str, str]
    findings: tuple[Finding, ...]
    saved: tuple[Tensor, ...]
    saved_bytes: Dim

    @property
    def ok(self) -> bool:
        """True when every gradient exists and nothing on the way is suspicious."""
        return not (self.unreached or self.findings)

    def of_kind(self, kind: str) -> list[Finding]:
        """The findings of a kind: "no rule", "break", "hazard", "downcast", "open loop"."""
        return [finding for finding in self.findings if finding.kind == kind]

    def __str__(self) -> str:
        """The report as text."""
        lines = [f"unreached: {name}: {reason}" for name, reason in self.unreached.items()]
        lines += [str(finding) for finding in self.findings]
        lines = lines or ["every gradient exists; nothing suspicious on the way"]
        lines.append(f"saved for backward: {len(self.saved)} values, {self.saved_bytes} bytes")
        lines += [f"  {tensor.type}  {made_by(tensor)}" for tensor in self.saved]
        return "\n".join(lines)


@public
def audit(loss: Any, wrt: Any) -> Audit:
    """Look at the gradient of ``loss`` by ``wrt`` without running anything.

    Reports values of ``wrt`` the loss does not reach; ops on the way without a gradient rule, and
    ops where a path ends (rounding, casts to integers, `stop_gradient`); divisions,
    logarithms and roots in a branch of `where` (whose gradient is NaN where the branch is *not*
    taken but singular); casts that lose precision; loops whose length only the run knows; and what
    forward values backward will read.

    Args:
        loss: a floating scalar.
        wrt: a tensor or variable, or nested dicts, lists and tuples of them.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> report = asg.audit(asg.sum(asg.where(x > 0.0, asg.log(x), 0.0)), x)
    >>> [finding.kind for finding in report.findings]
    ['hazard']
    """
    loss = as_tensor(loss)
    variables = {name or "wrt": as_tensor(leaf) for name, leaf in flatten(wrt).items()}
    nodes = reachable_nodes([loss])
    tainted = _tainted(nodes, variables.values())
    path = [node for node in nodes if _leads(node, tainted)]
    findings = [
        *_missing_rules(path, loss), *_breaks(path), *_hazards(path, tainted), *_downcasts(path),
        *_open_loops(path),
    ]  # fmt: skip
    findings.sort(key=lambda finding: finding.node.serial)
    reached, saved = _saved(loss, [t for t in variables.values() if t.dtype.is_float])
    unreached = {
        name: _reason(tensor, tainted, nodes)
        for name, tensor in variables.items()
        if tensor not in reached
    }
    total: Dim = 0
    for tensor in saved:
        total = total + tensor.type.size * tensor.dtype.itemsize
    return Audit(unreached, tuple(findings), tuple(saved), total)


def _tainted(nodes: Iterable[Node], variables: Iterable[Tensor]) -> set[Tensor]:
    """Everything that depends on ``variables``, differentiably or not."""
    found = set(variables)
    for node in nodes:
        if any(tensor in found for tensor in node.inputs):
            found.update(node.outputs)
    return found


def _leads(node: Node, tainted: set[Tensor]) -> bool:
    return any(tensor in tainted for tensor in node.inputs)


def _has_rule(node: Node) -> bool:
    return node.op.has_vjp() or node.op.has_decomposition()


def _missing_rules(path: Iterable[Node], loss: Tensor) -> list[Finding]:
    return [
        Finding("no rule", node, f"{node.op.name} has no gradient: {path_from([loss], node)}")
        for node in path
        if node.op.differentiable
        and not _has_rule(node)
        and any(tensor.dtype.is_float for tensor in node.inputs)
    ]


def _breaks(path: Iterable[Node]) -> list[Finding]:
    """Where a floating value goes in and no gradient comes back (comparisons never give one)."""
    found = []
    for node in path:
        takes = any(tensor.dtype.is_float for tensor in node.inputs)
        gives = node.op.differentiable and any(o.dtype.is_float for o in node.outputs)
        if takes and not gives and not node.outputs[0].dtype.is_bool:
            found.append(Finding("break", node, f"no gradient passes {node.op.name}"))
    return found


def _hazards(path: Iterable[Node], tainted: set[Tensor]) -> list[Finding]:
    """Singular ops whose value `where` may drop: 0 * inf in the gradient is NaN."""
    found = []
    for node in path:
        if node.op.name != "where":
            continue
        for branch in node.inputs[1:]:
            for inner in reachable_nodes([branch]):
                if inner.op.name in SINGULAR and _leads(inner, tainted):
                    found.append(Finding("hazard", inner, _advice(inner)))
    return list(dict.fromkeys(found))


def _advice(node: Node) -> str:
    where = SINGULAR[node.op.name]
    return (
        f"{node.op.name} is singular at {where} and its result is dropped by where: the gradient "
        "is NaN there; guard the operand too: op(where(safe, x, 1))"
    )


def _downcasts(path: Iterable[Node]) -> list[Finding]:
    found = []
    for node in path:
        if node.op.name != "cast":
            continue
        before, after = node.inputs[0].dtype, node.outputs[0].dtype
        if before.is_float and after.is_float and after.itemsize < before.itemsize:
            found.append(Finding("downcast", node, f"{before.name} is rounded to {after.name}"))
    return found


def _open_loops(path: Iterable[Node]) -> list[Finding]:
    """Loops of as many steps as the run takes, those inside of bodies included."""
    inner = [n for node in path for body in bodies_of(node.op) for each in with_bodies(body)
             for n in each.nodes]  # fmt: skip
    return [
        Finding("open loop", node, _OPEN_LOOP)
        for node in dict.fromkeys([*path, *inner])
        if node.op.name == "while_loop" and any(output.dtype.is_float for output in node.outputs)
    ]


_OPEN_LOOP = (
    "the gradient of while_loop keeps the carries of as many steps as the run takes, which "
    "backends whose programs have fixed sizes refuse; max_length= bounds it"
)


def _saved(loss: Tensor, variables: Sequence[Tensor]) -> tuple[set[Tensor], list[Tensor]]:
    """The variables that get a gradient, and the computed forward values that backward reads."""
    floor = next_serial()
    try:
        gradients = pullback([loss], [call("ones_like", loss)], variables)
    except NotDifferentiable:
        return set(variables), []  # the findings name the culprits
    found = {v: g for v, g in zip(variables, gradients, strict=True) if g is not None}
    read: dict[Tensor, None] = {}
    for node in reachable_nodes(found.values(), floor):
        read.update({t: None for t in node.inputs if t.node.serial < floor and t.node.inputs})
    return set(found), sorted(read, key=lambda tensor: tensor.node.serial)


def _reason(tensor: Tensor, tainted: set[Tensor], nodes: Sequence[Node]) -> str:
    if not tensor.dtype.is_float:
        return f"{tensor.type} is not floating"
    if tensor.node not in set(nodes):
        return "not part of the loss"
    return "every path ends at an op without gradient"
