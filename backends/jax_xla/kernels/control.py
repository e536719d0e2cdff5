"""Loops and branches: bodies are traced by the same walk as the graph around them."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from asg.ops import branches, while_loops
from asg.ops import loops as ops

from ..kernel import kernel
from ..walk import run_graph


@kernel(ops.Scan)
def scan(op: ops.Scan, *operands: jax.Array) -> tuple[jax.Array, ...]:
    first, behind = op.carries, op.carries + op.stacked
    captured = operands[behind:]
    known = isinstance(op.length, int)
    length: Any = op.length if known or not op.stacked else None  # JAX sees it in the elements
    together = op.steps_together() if known else op.unroll

    def step(carry: Any, elements: Any) -> tuple[Any, Any]:
        results = run_graph(op.body, [*carry, *elements, *captured])
        return tuple(results[:first]), tuple(results[first:])

    last, stacked = jax.lax.scan(
        step, operands[:first], operands[first:behind], length, op.reverse, together
    )
    return (*last, *stacked)


@kernel(branches.Switch)
def switch(op: branches.Switch, index: jax.Array, *operands: jax.Array) -> tuple[jax.Array, ...]:
    last = len(op.branches) - 1
    place = jnp.clip(index, 0, last) if index.dtype != jnp.bool_ else index
    functions = [partial(run_graph, branch) for branch in op.branches]
    return tuple(jax.lax.switch(place.astype(jnp.int32), functions, list(operands)))


@kernel(while_loops.WhileLoop)
def while_loop(op: while_loops.WhileLoop, *operands: jax.Array) -> tuple[jax.Array, ...]:
    captured = operands[op.carries :]

    def goes_on(state: Any) -> Any:
        carry, _ = state
        return run_graph(op.condition, [*carry, *captured])[0]

    def step(state: Any) -> Any:
        carry, steps = state
        return tuple(run_graph(op.body, [*carry, *captured])), steps + 1

    last, steps = jax.lax.while_loop(goes_on, step, (operands[: op.carries], jnp.int32(0)))
    return (*last, steps)
