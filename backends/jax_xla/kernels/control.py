"""Loops and branches: bodies are traced by the same walk as the graph around them."""

from __future__ import annotations

from typing import Any

import jax

from asg.ops import loops as ops

from ..kernel import kernel
from ..walk import run_graph


@kernel(ops.Scan)
def scan(op: ops.Scan, *operands: jax.Array) -> tuple[jax.Array, ...]:
    first, behind = op.carries, op.carries + op.stacked
    captured = operands[behind:]
    assert isinstance(op.length, int)

    def step(carry: Any, elements: Any) -> tuple[Any, Any]:
        results = run_graph(op.body, [*carry, *elements, *captured])
        return tuple(results[:first]), tuple(results[first:])

    last, stacked = jax.lax.scan(
        step, operands[:first], operands[first:behind], op.length, op.reverse
    )
    return (*last, *stacked)
