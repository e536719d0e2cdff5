"""A table of a module: what each layer gives out, its parameters, its cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asg.core.dim import Dim
from asg.core.graph import Graph
from asg.core.node import Node, next_serial
from asg.core.tensor import Tensor
from asg.core.tree import flatten
from asg.state.step import as_input
from asg.state.trace import StateTrace

if TYPE_CHECKING:
    from asg.nn.module import Module


@dataclass
class Call:
    """One call of a module while a graph was built.

    Attributes:
        module: what was called.
        first: serial numbers of its nodes begin here,
        last: and end before this one.
        result: what it returned.
    """

    module: Module
    first: int
    last: int
    result: Any


_calls: ContextVar[list[Call] | None] = ContextVar("asg_module_calls", default=None)


@contextmanager
def recorded_calls() -> Iterator[list[Call]]:
    """Collect every call of a module made inside, in order of their beginning."""
    calls: list[Call] = []
    token = _calls.set(calls)
    try:
        yield calls
    finally:
        _calls.reset(token)


def observed(module: Module, args: Any, kwargs: Any) -> Any:
    """``module.forward``, recorded when somebody asked for it."""
    calls = _calls.get()
    if calls is None:
        return module.forward(*args, **kwargs)
    call = Call(module, next_serial(), 0, None)
    calls.append(call)
    call.result = module.forward(*args, **kwargs)
    call.last = next_serial()
    return call.result


def module_summary(module: Module, specs: tuple[Any, ...], training: bool) -> str:
    """The table of `Module.summary`."""
    with StateTrace(training=training), recorded_calls() as calls:
        feeds = [as_input(f"x{position}", spec) for position, spec in enumerate(specs)]
        result = module(*feeds)
    nodes = Graph({name or "y": leaf for name, leaf in flatten(result).items()}).nodes
    rows = [("layer", "output", "parameters", "flops")]
    seen: set[Any] = set()
    names = {id(below): name for name, below in module.named_modules()}
    for call in calls:
        label = f"{names.get(id(call.module)) or '(whole)'}: {type(call.module).__name__}"
        own = [v for v in call.module.parameters().values() if v not in seen]
        if not call.module.children():  # a layer called again counts once; its holders count all
            seen.update(own)
        flops = _flops(nodes, call.first, call.last)
        rows.append((label, _types(call.result), f"{_count(own):,}", _number(flops)))
    variables = module.parameters().values()
    frozen = _count([v for v in variables if not v.trainable])
    told = f"{_count(variables):,} parameters, {frozen:,} of them frozen"
    return "\n".join([*_aligned(rows), told])


def _count(variables: Any) -> int:
    return sum(int(variable.type.size) for variable in variables)


def _flops(nodes: tuple[Node, ...], first: int, last: int) -> Dim:
    total: Dim = 0
    for node in nodes:
        if first <= node.serial < last:
            types = tuple(t.type for t in node.inputs), tuple(t.type for t in node.outputs)
            total = total + node.op.flops(*types)
    return total


def _number(value: Dim) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _types(result: Any) -> str:
    leaves = [leaf for leaf in flatten(result).values() if isinstance(leaf, Tensor)]
    return ", ".join(str(leaf.type) for leaf in leaves)


def _aligned(rows: list[tuple[str, str, str, str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}  {d:>{widths[3]}}"
        for a, b, c, d in rows
    ]
