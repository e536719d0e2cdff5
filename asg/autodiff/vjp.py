"""The reverse driver: vector-Jacobian products over a graph, built as more graph.

Rules hold the mathematics of one op; everything dull is here, once: the cone between ``wrt`` and
the outputs, adding contributions, undoing broadcasts, checking types, provenance, and the errors
that list every op without a gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import NamedTuple

from asg.autodiff.sum_to import sum_to
from asg.core.errors import GraphError, NotDifferentiable
from asg.core.explain import made_by
from asg.core.graph import reachable_nodes
from asg.core.node import Node, next_serial
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.registry import call
from asg.core.tensor import Tensor

Cotangents = dict[Tensor, Tensor]

STABLE_FORMS: dict[type[Op], list[Callable[[Node], Tensor | None]]] = {}
"""By op, functions that give the stable expression a node stands for, or None; the stabilising
rules (asg/passes/stabilise.py) fill it, so that value and gradient are stable together."""

_expanding: ContextVar[frozenset[type[Op]]] = ContextVar("asg_expanding", default=frozenset())
"""The composites that are being differentiated through their decomposition, which is not to be
taken for the composite again."""


class StableForm(NamedTuple):
    """A stable expression that stands for a node.

    Attributes:
        output: its value.
        operands: tensors there were, from which it is computed.
        floor: its own nodes have this serial number or a later one.
    """

    output: Tensor
    operands: tuple[Tensor, ...]
    floor: int


def pullback(
    outputs: Sequence[Tensor],
    cotangents: Sequence[Tensor],
    wrt: Sequence[Tensor],
    floor: int = -1,
    cut: bool = False,
) -> list[Tensor | None]:
    """``sum_i cotangent_i . d output_i / d wrt`` for every tensor of ``wrt``, None if unreached.

    Args:
        outputs: differentiated tensors.
        cotangents: one per output, of the same type.
        wrt: tensors to differentiate by; a total derivative when one of them depends on another.
        floor: nodes with a smaller serial are not entered.
        cut: take ``wrt`` as independent: never walk past one of them.

    Raises:
        NotDifferentiable: lists every op of the cone that has no rule, with a path from the output.
    """
    cone = _cone(outputs, set(wrt), floor, cut)
    active = active_tensors(cone, wrt)
    path = [node for node in cone if any(output in active for output in node.outputs)]
    _refuse_missing_rules(path, outputs, active)
    total: Cotangents = {}
    for output, cotangent in zip(outputs, cotangents, strict=True):
        _accumulate(total, output, cotangent)
    kept = set(wrt)
    forms = _stable_forms(path, kept)
    for node in reversed(path):
        given = [None if cut and output in kept else total.get(output) for output in node.outputs]
        for output in node.outputs:
            if output not in kept:
                total.pop(output, None)
        if node.inputs and any(cotangent is not None for cotangent in given):
            _pull_through(node, given, total, active, forms.get(node))
    return [total.get(tensor) for tensor in wrt]


def _cone(outputs: Iterable[Tensor], wrt: set[Tensor], floor: int, cut: bool) -> list[Node]:
    """Nodes the outputs depend on, operands first, not walking past ``wrt`` when ``cut``."""
    seen: set[Node] = set()
    stack = list(outputs)
    while stack:
        tensor = stack.pop()
        node = tensor.node
        if node in seen or node.serial < floor or (cut and tensor in wrt):
            continue
        seen.add(node)
        stack.extend(node.inputs)
    return sorted(seen, key=lambda node: node.serial)


def active_tensors(cone: Iterable[Node], wrt: Iterable[Tensor]) -> set[Tensor]:
    """Tensors through which a derivative flows: they depend on ``wrt`` differentiably."""
    active = set(wrt)
    for node in cone:
        if node.op.differentiable and any(tensor in active for tensor in node.inputs):
            active.update(output for output in node.outputs if output.dtype.is_float)
    return active


def _pull_through(
    node: Node,
    given: Sequence[Tensor | None],
    total: Cotangents,
    active: set[Tensor],
    stable: StableForm | None,
) -> None:
    """Add the contributions of one node to the cotangents of its operands."""
    with derive("gradient", node.op.name, (node.lineage,), node.origin):
        filled = tuple(
            call("zeros_like", output) if cotangent is None else cotangent
            for output, cotangent in zip(node.outputs, given, strict=True)
        )
        if stable is None:
            contributions = _apply_rule(node, filled, active)
        else:
            contributions = _through_stable_form(stable, filled, active)
        for operand, contribution in contributions:
            _accumulate(total, operand, _fitted(node, operand, contribution))


def _apply_rule(
    node: Node, cotangents: tuple[Tensor, ...], active: set[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    if not node.op.has_vjp():
        return _through_decomposition(node, cotangents, active)
    wanted = tuple(operand in active for operand in node.inputs)
    entries = node.op.wanted_vjp(wanted, node.inputs, node.outputs, cotangents)
    if len(entries) != len(node.inputs):
        raise GraphError(
            f"gradient rule of {node.op.name} returned {len(entries)} entries for "
            f"{len(node.inputs)} operands; None stands for no gradient"
        )
    contributions = []
    for operand, entry in zip(node.inputs, entries, strict=True):
        if entry is not None and operand in active:
            contributions.append((operand, entry if isinstance(entry, Tensor) else entry()))
    return contributions


def _through_stable_form(
    stable: StableForm, cotangents: tuple[Tensor, ...], active: set[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Differentiate ``log(softmax(x))`` and the like as the stable expression they stand for.

    Step by step the gradient would be ``0 * inf`` just where the stable value is finite.
    """
    wanted = [tensor for tensor in stable.operands if tensor in active]
    found = pullback([stable.output], cotangents, wanted, stable.floor, cut=True)
    return [(o, c) for o, c in zip(wanted, found, strict=True) if c is not None]


def _stable_forms(path: Sequence[Node], kept: set[Tensor]) -> dict[Node, StableForm]:
    """The stable expressions that nodes stand for; operands come first.

    So an expression is also known by parts that were written out: a softmax in an attention, say.
    """
    floor = next_serial()
    found: dict[Node, StableForm] = {}
    for node in path:
        if type(node.op) in STABLE_FORMS:
            with derive("rule", "stable_form", (node.lineage,), node.origin):
                form = _stable_form(node, node, floor, kept) or _on_forms(node, found, floor, kept)
            if form is not None:
                found[node] = form
    return found


def _on_forms(
    node: Node, found: dict[Node, StableForm], floor: int, kept: set[Tensor]
) -> StableForm | None:
    """The form of a node whose operands are taken in theirs."""
    inputs = tuple(
        found[tensor.node].output if tensor.node in found and tensor not in kept else tensor
        for tensor in node.inputs
    )
    if inputs == node.inputs:
        return None
    return _stable_form(node, node.with_inputs(inputs), floor, kept)


def _stable_form(node: Node, spelled: Node, floor: int, kept: set[Tensor]) -> StableForm | None:
    """The form of a node, as it is spelled; that of its form, as long as there is another.

    Tensors of ``kept`` are not skipped: with one inside the pattern, None.
    """
    best: StableForm | None = None
    current: Node | None = spelled
    while current is not None:
        output = _first_form(current)
        current = None if output is None else output.node
        if output is not None:
            new = reachable_nodes([output], floor)
            operands = dict.fromkeys(t for n in new for t in n.inputs if t.node.serial < floor)
            if _skipped(node, operands) & kept:
                return best
            best = StableForm(output, tuple(operands), floor)
    return best


def _first_form(node: Node) -> Tensor | None:
    for form in STABLE_FORMS.get(type(node.op), ()):
        stable = form(node)
        if stable is not None and type(stable.node.op) not in _expanding.get():
            return stable
    return None


def _skipped(node: Node, operands: Iterable[Tensor]) -> set[Tensor]:
    """What lies between a node and the operands of its stable form."""
    ends = set(operands)
    found: set[Tensor] = set()
    stack = [tensor for tensor in node.inputs if tensor not in ends]
    while stack:
        tensor = stack.pop()
        found.add(tensor)
        stack.extend(t for t in tensor.node.inputs if t not in ends and t not in found)
    return found


def _through_decomposition(
    node: Node, cotangents: tuple[Tensor, ...], active: set[Tensor]
) -> list[tuple[Tensor, Tensor]]:
    """Differentiate a composite through its meaning; depth is the nesting of composites."""
    floor = next_serial()
    decomposed = node.op.decompose(*node.inputs)
    outputs = decomposed if isinstance(decomposed, tuple) else (decomposed,)
    operands = [tensor for tensor in dict.fromkeys(node.inputs) if tensor in active]
    token = _expanding.set(_expanding.get() | {type(node.op)})
    try:
        found = pullback(outputs, cotangents, operands, floor, cut=True)
    finally:
        _expanding.reset(token)
    return [(o, c) for o, c in zip(operands, found, strict=True) if c is not None]


def _fitted(node: Node, operand: Tensor, contribution: Tensor) -> Tensor:
    try:
        return sum_to(contribution, operand.type)
    except GraphError as error:
        raise GraphError(f"gradient rule of {node.op.name}: {error}") from None


def _accumulate(total: Cotangents, tensor: Tensor, contribution: Tensor) -> None:
    known = total.get(tensor)
    total[tensor] = contribution if known is None else call("add", known, contribution)


def _refuse_missing_rules(
    path: Sequence[Node], outputs: Sequence[Tensor], active: set[Tensor]
) -> None:
    missing = [
        node
        for node in path
        if node.inputs
        and any(tensor in active for tensor in node.inputs)
        and not (node.op.has_vjp() or node.op.has_decomposition())
    ]
    if missing:
        listed = "\n".join(f"  {path_from(outputs, node)}" for node in missing)
        raise NotDifferentiable(
            "no gradient rule for the following operations (path from the output):\n"
            f"{listed}\n  repair: give the op a vjp, or wrap the value in asg.stop_gradient"
        )


def path_from(outputs: Sequence[Tensor], target: Node) -> str:
    """``loss <- sum (a.py:3) <- sort (a.py:2)``: a shortest path down to ``target``."""
    came_from: dict[Node, Node | None] = {tensor.node: None for tensor in outputs}
    queue = list(came_from)
    for node in queue:
        if node is target:
            break
        for tensor in node.inputs:
            if tensor.node not in came_from and tensor.node.serial >= target.serial:
                came_from[tensor.node] = node
                queue.append(tensor.node)
    steps: list[str] = []
    current: Node | None = target
    while current is not None:
        steps.append(f"{current.op.name} ({made_by(current.outputs[0])})")
        current = came_from.get(current)
    return " <- ".join(reversed(steps))
