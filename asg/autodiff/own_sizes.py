"""The gradients of graphs with a size of their own: the same op around the gradient of the body.

That of a while_loop is among them. A loop of ``steps`` steps is the scan of any length from
``steps`` on whose steps beyond that change nothing. The gradient of that scan is built once, for a
symbolic length, and put into a `RunTimeLength`, which gives the length a number when it runs. The
condition plays no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from asg.autodiff.loops import is_zero
from asg.autodiff.vjp import pullback
from asg.core.dim import symbol
from asg.core.graph import reachable_nodes
from asg.core.op import Op
from asg.core.region import Body, body_input, inline
from asg.core.registry import call, public
from asg.core.tensor import Tensor
from asg.ops.branches import cond
from asg.ops.leaf import iota
from asg.ops.loops import scan
from asg.ops.own_sizes import OwnSize, RunTimeLength, fresh_size
from asg.ops.while_loops import WhileLoop

Tensors = Sequence[Tensor]


@public
def own_size_vjp(
    op: OwnSize, wanted: Sequence[bool], inputs: Tensors, cotangents: Tensors
) -> list[Tensor | None]:
    """The cotangents of the wanted operands; None where none flows."""
    body = op.body
    around = lambda inner: replace(op, body=inner)  # noqa: E731 - one line is the point
    return _pulled(around, body.inputs, inputs, wanted, body.outputs, cotangents)


@public
def while_vjp(
    op: WhileLoop, wanted: Sequence[bool], inputs: Tensors, outputs: Tensors, cotangents: Tensors
) -> list[Tensor | None]:
    """The cotangents of the wanted operands of a loop; None where none flows."""
    given = [outputs[-1], *inputs]
    leaves = [body_input(f"x{i}", tensor.type) for i, tensor in enumerate(given)]
    length = fresh_size("steps", inputs, (op.condition, op.body))
    last = _long_enough(op, leaves[0], leaves[1:], length)
    around = lambda inner: RunTimeLength(inner, length)  # noqa: E731 - one line is the point
    return _pulled(around, leaves, given, [False, *wanted], last, cotangents[:-1])[1:]


def _long_enough(op: WhileLoop, steps: Tensor, operands: Tensors, length: str) -> Tensors:
    """The last carries after ``steps`` of ``length`` steps."""
    captured = operands[op.carries :]

    def step(carry: tuple[Tensor, ...], i: Tensor) -> tuple[Any, None]:
        advance = lambda: inline(op.body, (*carry, *captured))  # noqa: E731 - one line is the point
        return cond(call("less", i, steps), advance, lambda: carry), None

    places = iota((symbol(length),))
    last: tuple[Tensor, ...] = scan(step, tuple(operands[: op.carries]), places)[0]
    return last


def _pulled(
    around: Callable[[Body], Op],
    leaves: Tensors,
    given: Tensors,
    wanted: Sequence[bool],
    outputs: Tensors,
    cotangents: Tensors,
) -> list[Tensor | None]:
    """The op ``around`` the pullback from ``outputs``, graph over ``leaves``, to the wanted ones.

    ``given`` are the operands that the leaves stand for. The first is always handed on: it may be
    the number of steps.
    """
    places = [i for i, asked in enumerate(wanted) if asked and leaves[i].dtype.is_float]
    chosen = [
        i for i, tensor in enumerate(outputs)
        if tensor.dtype.is_float and not is_zero(cotangents[i])
    ]  # fmt: skip
    seeds = [body_input(f"cotangent_{i}", outputs[i].type) for i in chosen]
    found = pullback([outputs[i] for i in chosen], seeds, [leaves[i] for i in places])
    results = {i: tensor for i, tensor in zip(places, found, strict=True) if tensor is not None}
    if not results:
        return [None] * len(leaves)
    reached = set(reachable_nodes(results.values()))
    inputs = {leaves[0]: given[0]}
    inputs |= {leaf: given[i] for i, leaf in enumerate(leaves) if leaf.node in reached}
    inputs |= {seed: cotangents[i] for seed, i in zip(seeds, chosen, strict=True)}
    body = Body.of(
        list(inputs), list(results.values()), [f"y_{i}" for i in range(len(results))], (), "body",
        [f"x_{i}" for i in range(len(inputs))],
    )  # fmt: skip
    made = around(body).apply(*inputs.values())
    by_place = dict(zip(results, made, strict=True))
    return [by_place.get(i) for i in range(len(leaves))]
