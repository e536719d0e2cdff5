"""Channels last: values around convolutions are kept as XLA's convolutions want them.

In the graph the channels of an image are axis 1. XLA's fast convolutions have them last, and
around any other it writes both operands and the result anew. So the walk may hold a value as a
`Moved`: its axes in another order, which convolutions give, elementwise ops, reductions and
windows pass on, permutations only rename, and everything else gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax

from asg.core.node import Node
from asg.core.op import Op
from asg.core.types import TensorType
from asg.ops.convolution import Conv
from asg.ops.reduce import Max, Min, Prod, Sum
from asg.ops.shape import PermuteDims
from asg.ops.window_reductions import WindowOp

from .kernel import ORDERED

Order = tuple[int, ...]
Run = Callable[[Node, Op, Sequence[Any], Sequence[TensorType]], tuple[Any, ...]]


class Moved(NamedTuple):
    """A value held as ``array``, whose axis ``i`` is axis ``order[i]`` of the value."""

    array: jax.Array
    order: Order


Held = jax.Array | Moved


def logical(held: Held) -> jax.Array:
    """The value with its axes in order."""
    if not isinstance(held, Moved):
        return held
    return held.array.transpose(_inverse(held.order))


def computed_once(held: Held) -> Held:
    """The value, which XLA may not compute again for each of its readers."""
    barrier: Any = jax.lax.optimization_barrier  # JAX leaves it without types
    if isinstance(held, Moved):
        return Moved(barrier(held.array), held.order)
    array: jax.Array = barrier(held)
    return array


def run_moved(node: Node, operands: Sequence[Held], run: Run) -> tuple[Held, ...] | None:
    """The results of a node in the order its operands suggest; None when it wants axes in order.

    ``run(node, op, arrays, types)`` calls the kernel of ``op`` and checks what it returns.
    """
    op = node.op
    if isinstance(op, Conv):
        return (_conv(node, operands),)
    if not any(isinstance(operand, Moved) for operand in operands):
        return None
    if isinstance(op, PermuteDims):
        return (_renamed(op, operands[0]),)
    if isinstance(op, Sum | Max | Min | Prod):
        return (_reduced(node, operands[0], run),)
    if isinstance(op, WindowOp):
        return (_windowed(node, operands),)
    if op.broadcasts:
        return _elementwise(node, operands, run)
    return None


def _inverse(order: Order) -> Order:
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def _in_order(held: Held, order: Order) -> jax.Array:
    """The array of a value whose axes are wanted in this order; fewer axes are the last ones."""
    if isinstance(held, Moved) and held.order == order:
        return held.array
    array = logical(held)
    if array.ndim == 0:
        return array
    missing = len(order) - array.ndim
    return array.reshape((1,) * missing + array.shape).transpose(order)


def _moved_type(of: TensorType, order: Order) -> TensorType:
    return of.with_shape(tuple(of.shape[axis] for axis in order))


# -- convolutions -----------------------------------------------------------------------------


def _conv(node: Node, operands: Sequence[Held]) -> Held:
    """Channels last, except for what exchanges batch and channels: gradients of weights.

    Those meet parameters and moments, which are held with their axes in order.
    """
    plain = tuple(range(node.output.ndim))
    last = (0, *plain[2:], 1)
    x, weight = (held if isinstance(held, Moved) else Moved(held, plain) for held in operands)
    array = ORDERED[Conv](node.op, node.inputs[1], x, weight, last)
    exchanges = x.order not in (plain, last)
    result = Moved(array, last)
    return logical(result) if exchanges else result


# -- what passes an order on ------------------------------------------------------------------


def _renamed(op: PermuteDims, held: Held) -> Held:
    assert isinstance(held, Moved)
    names = {axis: number for number, axis in enumerate(op.axes)}
    return Moved(held.array, tuple(names[axis] for axis in held.order))


def _reduced(node: Node, held: Held, run: Run) -> Held:
    assert isinstance(held, Moved)
    op: Any = node.op
    places = tuple(sorted(held.order.index(axis) for axis in op.axis))
    kept = [axis for axis in held.order if op.keepdims or axis not in op.axis]
    order = tuple(sorted(kept).index(axis) for axis in kept)
    types = [_moved_type(node.output.type, order)]
    (result,) = run(node, replace(op, axis=places), [held.array], types)
    return Moved(result, order) if op.keepdims else logical(Moved(result, order))


def _windowed(node: Node, operands: Sequence[Held]) -> Held:
    order = next(held.order for held in operands if isinstance(held, Moved))
    spatial = [order.index(axis) for axis in range(2, len(order))]
    arrays = [_in_order(held, order) for held in operands]
    return Moved(ORDERED[type(node.op)](node.op, spatial, *arrays), order)


def _elementwise(node: Node, operands: Sequence[Held], run: Run) -> tuple[Held, ...] | None:
    """In the order of the largest moved operand; a value that is broadcast along is moved."""
    ndim = node.outputs[0].ndim
    orders = [
        held.order
        for held, tensor in zip(operands, node.inputs, strict=True)
        if isinstance(held, Moved) and tensor.shape == node.outputs[0].shape
    ]
    if not orders or any(output.ndim != ndim for output in node.outputs):
        return None
    arrays = [_in_order(held, orders[0]) for held in operands]
    types = [_moved_type(output.type, orders[0]) for output in node.outputs]
    return tuple(Moved(array, orders[0]) for array in run(node, node.op, arrays, types))
