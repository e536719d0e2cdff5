"""Bind symbolic sizes from the shapes of real arrays, and check every claim about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from asg.core.dim import Dim, evaluate, solve_for_symbol, symbols_of
from asg.core.errors import DimError, FeedError
from asg.core.explain import made_by
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.region import bodies_of
from asg.core.types import SizeCheck, TensorType

Claim = tuple[str, int, Dim, int]
"""(input name, axis, declared size, given size)"""


def bind_dims(
    names: Sequence[str],
    types: Sequence[TensorType],
    shapes: Sequence[tuple[int, ...]],
    checks: Sequence[SizeCheck] = (),
) -> dict[str, int]:
    """Numbers for all symbols, so that every declared size equals the given one.

    >>> from asg.core.dtype import float32
    >>> bind_dims(["x"], [TensorType.of(float32, ("batch", 784))], [(64, 784)])
    {'batch': 64}

    Raises:
        FeedError: ranks or sizes disagree; names the inputs, the axes and both claims; all
            disagreements are listed.
    """
    claims = _claims(names, types, shapes)
    binding: dict[str, int] = {}
    sources: dict[str, str] = {}
    pending = claims
    while pending:
        undecided = [claim for claim in pending if not _bind_one(claim, binding, sources)]
        if len(undecided) == len(pending):
            break
        pending = undecided
    problems = [text for claim in claims if (text := _disagreement(claim, binding, sources))]
    problems += [text for check in checks if (text := broken_check(check, binding))]
    _refuse(problems)
    return binding


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise FeedError(f"the arrays do not fit the graph:\n{listed}")


def require_bound(graph: Graph, binding: Mapping[str, int]) -> None:
    """Every symbol of the graph, bodies included, has a number.

    Raises:
        FeedError: a size is used inside the graph that no input has; names the op and its line.
    """
    bound: set[tuple[Dim, frozenset[str]]] = set()
    for node, known in _with_known_sizes(graph, frozenset(binding)):
        for output in node.outputs:
            for size in output.shape:
                if isinstance(size, int) or (size, known) in bound:
                    continue
                bound.add((size, known))
                free = sorted({symbol.name for symbol in symbols_of(size)} - known)
                if free:
                    raise FeedError(
                        f"nothing binds the size {free[0]!r} of {output.type}, "
                        f"{made_by(output)}; declare an input that has it on an axis, "
                        "or keep one that the outputs do not need: asg.Graph(..., inputs=[x])"
                    )


def _with_known_sizes(
    graph: Graph, known: frozenset[str]
) -> Iterator[tuple[Node, frozenset[str]]]:
    """Every node, those of bodies included, and the sizes that have a number there."""
    pending = [(graph, known)]
    while pending:
        current, known = pending.pop()
        for node in current.nodes:
            yield node, known
            if node.op.field_names and (bodies := bodies_of(node.op)):
                inside = known.union(node.op.own_sizes())
                pending.extend((body, inside) for body in bodies)


def _claims(
    names: Sequence[str], types: Sequence[TensorType], shapes: Sequence[tuple[int, ...]]
) -> list[Claim]:
    claims: list[Claim] = []
    wrong: list[str] = []
    for name, declared, shape in zip(names, types, shapes, strict=True):
        if len(shape) != declared.ndim:
            wrong.append(
                f"{name!r} has {len(shape)} axes {shape}, declared {declared} has {declared.ndim}"
            )
            continue
        pairs = zip(declared.shape, shape, strict=True)
        claims += [(name, axis, size, given) for axis, (size, given) in enumerate(pairs)]
    _refuse(wrong)
    return claims


def _bind_one(claim: Claim, binding: dict[str, int], sources: dict[str, str]) -> bool:
    """Try to bind one more symbol from a claim; True when the claim needs no further visit."""
    name, axis, declared, given = claim
    if isinstance(declared, int):
        return True
    free = {symbol.name for symbol in symbols_of(declared)} - set(binding)
    if not free:
        return True
    try:
        solved = solve_for_symbol(declared, given, binding)
    except DimError as error:
        raise FeedError(
            f"the arrays do not fit the graph:\n  {name!r} axis {axis} has size {given}, "
            f"declared {declared}: {error}"
        ) from None
    if solved is None:
        return False
    symbol, value = solved
    binding[symbol] = value
    sources[symbol] = f"{name!r} axis {axis}"
    return True


def _disagreement(claim: Claim, binding: Mapping[str, int], sources: Mapping[str, str]) -> str:
    name, axis, declared, given = claim
    free = sorted({symbol.name for symbol in symbols_of(declared)} - set(binding))
    if free:
        return (
            f"{name!r} axis {axis} is declared {declared}; nothing binds {', '.join(free)}: "
            "feed an input that has this size alone on an axis"
        )
    try:
        wanted = evaluate(declared, binding)
    except DimError as error:
        return f"{name!r} axis {axis} has size {given}, declared {declared}: {error}"
    if wanted == given:
        return ""
    known = ", ".join(
        f"{symbol.name} = {binding[symbol.name]} from {sources[symbol.name]}"
        for symbol in sorted(symbols_of(declared), key=lambda s: s.name)
    )
    because = f" ({known})" if known else ""
    spelled = f"{declared} = {wanted}" if not isinstance(declared, int) else str(wanted)
    return f"{name!r} axis {axis} has size {given}, expected {spelled}{because}"


def broken_check(check: SizeCheck, binding: Mapping[str, int]) -> str:
    """Why a recorded size check does not hold under ``binding``; empty when it does."""
    left, right = evaluate(check.left, binding), evaluate(check.right, binding)
    holds = left == right if check.relation == "==" else left <= right
    if holds:
        return ""
    where = f"{check.place}: " if check.place else ""
    return (
        f"{where}{check.reason}: {check.left} {check.relation} {check.right} was assumed, "
        f"but they are {left} and {right}"
    )
