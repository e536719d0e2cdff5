"""Ops with bodies pull back to what is asked for, and to nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import asg
from asg.core.region import with_bodies

STEPS = 4


def scanned(x: Any, w: Any, v: Any) -> Any:
    return asg.scan(lambda c, e: (asg.tanh(w @ c + v @ e), c), x[0], x)[0]


def counted(x: Any, w: Any, v: Any) -> Any:
    return asg.fori_loop(0, STEPS, lambda i, c: asg.tanh(w @ c + v @ x[0]), x[1])


def chosen(x: Any, w: Any, v: Any) -> Any:
    predicate = asg.sum(x) > 0.0
    return asg.cond(predicate, lambda: asg.tanh(w @ x[0]) + v @ x[0], lambda: asg.sin(v @ x[0]))


def switched(x: Any, w: Any, v: Any) -> Any:
    place = asg.sum(x).astype("int32")
    return asg.switch(place, [lambda: asg.tanh(w @ x[0]), lambda: v @ x[0], lambda: x[0] * 2.0])


def mapped(x: Any, w: Any, v: Any) -> Any:
    return asg.map(lambda row: asg.tanh(w @ row) + v @ row, x)


def repeated(x: Any, w: Any, v: Any) -> Any:
    return asg.while_loop(lambda c: asg.sum(c) < 9.0, lambda c: asg.tanh(w @ c) + v @ x[0], x[1])


def cut(x: Any, w: Any, v: Any) -> Any:
    step = lambda c, e: (asg.tanh(w @ c + v @ e), None)  # noqa: E731
    return asg.scan(step, x[0], x, checkpoint="sqrt")[0]


def products(build: Callable[..., Any], wanted: str) -> tuple[int, int]:
    """Outer products, which only weights need, in the gradient by ``wanted``; and all its nodes."""
    leaves = {"x": asg.input("x", (STEPS, 3))}
    leaves |= {name: asg.input(name, (3, 3)) for name in "wv"}
    loss = asg.sum(build(*leaves.values()))
    gradient = asg.grad(loss, [leaves[name] for name in wanted])
    graph = asg.Graph({name: g for name, g in zip(wanted, gradient, strict=True)}).optimize()
    nodes = [node for each in with_bodies(graph) for node in each.nodes]
    shapes = [n.output.shape for n in nodes if n.op.name in ("outer", "multiply", "matmul")]
    return shapes.count((3, 3)), len(nodes)


@pytest.mark.parametrize(
    "build", [scanned, counted, chosen, switched, mapped, repeated, cut], ids=lambda f: f.__name__
)
def test_no_cotangent_is_built_that_nobody_asked_for(build: Any) -> None:
    (none, few), (one, more), (two, most) = (products(build, w) for w in ("x", "xw", "xwv"))
    assert none == 0 and 0 < one < two
    assert few < more < most
