"""The public gradient functions. All of them build graph; nothing is computed here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asg.autodiff import associative_scans as associative_scans  # the gradients of ops with bodies
from asg.autodiff import branches as branches
from asg.autodiff import loops as loops
from asg.autodiff import own_sizes as own_sizes
from asg.autodiff import wrapped as wrapped
from asg.autodiff.vjp import path_from, pullback
from asg.core.collector import paused_collector
from asg.core.convert import as_tensor
from asg.core.errors import DtypeError, GraphError, OperandError, ShapeError, UnreachedParameter
from asg.core.explain import describe_maker, made_by
from asg.core.graph import reachable_nodes
from asg.core.node import Node
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.core.tree import leaves, map_tree
from asg.ops.leaf import Input


@public
def grad(loss: Any, wrt: Any, *, allow_unused: bool = False) -> Any:
    """``d loss / d wrt`` for a scalar loss, as graph, in the structure of ``wrt``.

    When one of ``wrt`` depends on another, the derivative by the latter is the total one.

    Args:
        loss: a floating scalar.
        wrt: a tensor or variable, or nested dicts, lists and tuples of them.
        allow_unused: zeros instead of an error for what the loss does not reach.

    Raises:
        ShapeError: the loss is not a scalar.
        DtypeError: the loss or one of ``wrt`` is not floating.
        UnreachedParameter: lists every one of ``wrt`` the loss does not depend on.
        NotDifferentiable: lists every op on the way that has no gradient.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> asg.run(asg.grad((x * x).sum(), x), {x: [1.0, 2.0, 3.0]}).tolist()
    [2.0, 4.0, 6.0]
    """
    return value_and_grad(loss, wrt, allow_unused=allow_unused)[1]


@public
def value_and_grad(loss: Any, wrt: Any, *, allow_unused: bool = False) -> tuple[Tensor, Any]:
    """``(loss, grad(loss, wrt))``; the loss is the very tensor given."""
    loss = as_tensor(loss)
    if loss.ndim != 0:
        raise ShapeError(
            f"the loss has type {loss.type} ({made_by(loss)}); a gradient needs a scalar\n"
            "  repair: reduce it, for instance loss.mean(), or use asg.vjp with a cotangent"
        )
    return loss, vjp(loss, call("ones_like", loss), wrt, allow_unused=allow_unused)


@public
def vjp(outputs: Any, cotangents: Any, wrt: Any, *, allow_unused: bool = False) -> Any:
    """``sum cotangent . d output / d wrt``, in the structure of ``wrt``.

    Args:
        outputs: floating tensors, nested as you like.
        cotangents: the same structure, each of the type of its output.
        wrt: what to differentiate by.
        allow_unused: zeros instead of an error for what the outputs do not reach.

    Raises:
        UnreachedParameter, NotDifferentiable, DtypeError, ShapeError: as `grad`.
    """
    targets = [as_tensor(leaf) for leaf in leaves(outputs)]
    seeds = [as_tensor(leaf) for leaf in leaves(cotangents)]
    variables = [as_tensor(leaf) for leaf in leaves(wrt)]
    _require_floats("an output", targets)
    _require_floats("wrt", variables)
    _require_same_types(targets, seeds, "cotangent")
    with paused_collector():
        found = pullback(targets, seeds, variables)
    if not allow_unused:
        _refuse_unreached(variables, found, targets)
    filled = iter(
        call("zeros_like", variable) if each is None else each
        for variable, each in zip(variables, found, strict=True)
    )
    return map_tree(lambda _: next(filled), wrt)


@public
def jvp(outputs: Any, wrt: Any, tangents: Any, *, allow_unused: bool = False) -> Any:
    """``d output / d wrt . tangent``, in the structure of ``outputs``.

    No op needs a forward rule: the vjp is linear in its cotangent ``u``, so differentiating
    ``<vjp(u), tangent>`` by ``u`` gives the jvp, and the nodes of the vjp drop out.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> asg.run(asg.jvp(x * x, x, asg.constant([1.0, 0.0])), {x: [3.0, 4.0]}).tolist()
    [6.0, 0.0]
    """
    targets = [as_tensor(leaf) for leaf in leaves(outputs)]
    variables = [as_tensor(leaf) for leaf in leaves(wrt)]
    directions = [as_tensor(leaf) for leaf in leaves(tangents)]
    _require_floats("an output", targets)
    _require_floats("wrt", variables)
    _require_same_types(variables, directions, "tangent")
    seeds = [Input(f"cotangent_{i}", t.dtype, t.shape)() for i, t in enumerate(targets)]
    with paused_collector():
        pulled = pullback(targets, seeds, variables)
        reached = [(p, d) for p, d in zip(pulled, directions, strict=True) if p is not None]
        found = pullback([p for p, _ in reached], [d for _, d in reached], seeds)
    if not allow_unused:
        _refuse_unreached(variables, pulled, targets)
    pushed = [
        call("zeros_like", target) if each is None else each
        for target, each in zip(targets, found, strict=True)
    ]
    _require_linear(pushed, seeds)
    filled = iter(pushed)
    return map_tree(lambda _: next(filled), outputs)


@public
def hvp(loss: Any, wrt: Any, tangents: Any, *, allow_unused: bool = False) -> Any:
    """``H . tangent`` with H the Hessian of a scalar loss by ``wrt``, in the structure of ``wrt``.

    The vjp of the gradient with the tangents as cotangents (H is symmetric): the cost of a few
    gradients, whatever the size of H. Where the gradient does not depend on a value, its part of
    the product is zero.

    Args:
        loss: a floating scalar.
        wrt: what to differentiate by, nested as you like.
        tangents: the same structure, each of the type of its value.
        allow_unused: zeros instead of an error for what the loss does not reach.

    >>> import asg
    >>> x = asg.input("x", (2,))
    >>> asg.run(asg.hvp(asg.sum(x**3.0), x, asg.ones((2,))), {x: [1.0, 2.0]}).tolist()
    [6.0, 12.0]
    """
    directions = [as_tensor(leaf) for leaf in leaves(tangents)]
    _require_same_types([as_tensor(leaf) for leaf in leaves(wrt)], directions, "tangent")
    gradient = grad(loss, wrt, allow_unused=allow_unused)
    return vjp(gradient, tangents, wrt, allow_unused=True)


def _require_floats(what: str, tensors: Sequence[Tensor]) -> None:
    if not tensors:
        raise OperandError(f"nothing given for {what}")
    wrong = [tensor for tensor in tensors if not tensor.dtype.is_float]
    if wrong:
        listed = "\n".join(f"  {tensor.type}  {made_by(tensor)}" for tensor in wrong)
        raise DtypeError(
            f"{what} must be floating to have a derivative:\n{listed}\n"
            "  repair: differentiate by the floating value before the cast"
        )


def _require_same_types(wanted: Sequence[Tensor], given: Sequence[Tensor], word: str) -> None:
    if len(wanted) != len(given):
        raise OperandError(f"{len(given)} {word}s for {len(wanted)} tensors; give one for each")
    for tensor, each in zip(wanted, given, strict=True):
        if each.type != tensor.type:
            raise ShapeError(
                f"{word} of type {each.type} for a tensor of type {tensor.type} "
                f"({made_by(tensor)}); make it exactly that type"
            )


def _refuse_unreached(
    variables: Sequence[Tensor], found: Sequence[Tensor | None], targets: Sequence[Tensor]
) -> None:
    missing = [v for v, each in zip(variables, found, strict=True) if each is None]
    if not missing:
        return
    nodes = reachable_nodes(targets)
    lines = [f"  {v.type}  {made_by(v)}{_why_unreached(v, nodes, targets)}" for v in missing]
    raise UnreachedParameter(
        "the loss does not depend (differentiably) on:\n"
        + "\n".join(lines)
        + "\n  repair: use them in the loss, drop them from wrt, or pass allow_unused=True"
    )


def _why_unreached(variable: Tensor, nodes: Sequence[Node], targets: Sequence[Tensor]) -> str:
    """The ops that block every path, when paths exist."""
    if variable.node not in set(nodes):
        return "; not part of the loss at all"
    tainted = {variable}
    blockers: list[Node] = []
    for node in nodes:
        if any(tensor in tainted for tensor in node.inputs):
            blocked = not node.op.differentiable or not any(o.dtype.is_float for o in node.outputs)
            blockers.extend([node] if blocked else [])
            tainted.update(() if blocked else node.outputs)
    listed = "; ".join(path_from(targets, node) for node in blockers)
    return f"; every path is blocked by an operation without gradient: {listed}"


def _require_linear(pushed: Sequence[Tensor], seeds: Sequence[Tensor]) -> None:
    reached = {node for node in reachable_nodes(pushed) if node.op.is_placeholder}
    for seed in seeds:
        if seed.node in reached:
            raise GraphError(
                f"a gradient rule is not linear in its cotangent ({describe_maker(seed.node)}); "
                "the jvp cannot be formed from it"
            )
