"""Watch the replacements that passes make, or allow only the first few of them.

A pass that exchanges one computation for another asks `may_replace` first and tells
`note_replacement` afterwards. So whoever runs the pass can compare both sides by value, and find
the one replacement that changes a result by allowing fewer and fewer (the "fuel" of optimisation).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.rewrite.rule import Numerics

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class Replacement:
    """What stood in a graph, and what a rule or pass put in its place.

    Attributes:
        name: of the rule, or of the pass where that has no rules.
        old: the outputs of the node replaced, on the operands it had at that moment.
        new: what takes their places.
        numerics: how close the new values are, see `asg.rewrite.rule.Rule`.
        tolerance: of approximate ones, the relative error they may add.
    """

    name: str
    old: tuple[Tensor, ...]
    new: tuple[Tensor, ...]
    numerics: Numerics
    tolerance: float


@dataclass
class Watch:
    """The replacements made so far; none is allowed once there are ``limit``."""

    limit: int | None = None
    made: list[Replacement] = field(default_factory=list)


_watch: ContextVar[Watch | None] = ContextVar("asg_watch", default=None)


@contextmanager
def watched(limit: int | None = None) -> Iterator[Watch]:
    """Collect the replacements made inside the block, ``limit`` of them at most.

    >>> import asg
    >>> from asg.passes.pipeline import SIMPLIFY
    >>> x = asg.input("x", (2,))
    >>> with watched(limit=1) as watch:
    ...     left = SIMPLIFY(asg.Graph(y=(x * 1.0) + 0.0), [])
    >>> [each.name for each in watch.made], len(left.nodes)
    (['multiply_by_one'], 3)
    """
    watch = Watch(limit)
    token = _watch.set(watch)
    try:
        yield watch
    finally:
        _watch.reset(token)


def is_watched() -> bool:
    """True inside `watched`: what passes do is of interest, not only what they make."""
    return _watch.get() is not None


def may_replace() -> bool:
    """False when the limit is reached: leave everything as it is."""
    watch = _watch.get()
    return watch is None or watch.limit is None or len(watch.made) < watch.limit


def first_allowed(found: Sequence[Found]) -> Sequence[Found]:
    """As many of some replacements, which are about to be made in this order, as are allowed."""
    watch = _watch.get()
    if watch is None or watch.limit is None:
        return found
    return found[: max(0, watch.limit - len(watch.made))]


def note_replacement(
    name: str,
    node: Node,
    inputs: tuple[Tensor, ...],
    new: tuple[Tensor, ...],
    numerics: Numerics = "exact",
    tolerance: float = 0.0,
) -> None:
    """Tell whoever watches that ``new`` takes the place of ``node``, whose inputs are now these."""
    watch = _watch.get()
    if watch is not None:
        old = node if inputs == node.inputs else node.with_inputs(inputs)
        watch.made.append(Replacement(name, old.outputs, new, numerics, tolerance))


def note_values(
    name: str, old: Sequence[Tensor], new: Sequence[Tensor], numerics: Numerics = "exact"
) -> None:
    """Tell whoever watches that values of several nodes are computed in another way at once."""
    watch = _watch.get()
    if watch is not None:
        watch.made.append(Replacement(name, tuple(old), tuple(new), numerics, 0.0))
