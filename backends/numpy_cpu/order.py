"""Memory orders: in which sequence the axes of a value follow each other in memory.

Values lie in C order, their last axis innermost, unless a kernel gives its output another order
(`asg.backends.numpy_cpu.kernel.Kernel.order`). One other order is spread: *batch innermost*, in
which the first axis of ``[batch, channels, *spatial]`` moves behind all others. It makes runs of
``width * batch`` elements of what convolutions and poolings copy, and rows of
``height * width * batch`` of what a normalisation adds up.

It starts at convolutions and at the inputs they read (`inputs_batch_innermost`: an input is copied
at each step anyway), and goes on through elementwise ops, padding, joining and pooling as long as
values have three axes or more. Views go along by themselves: flattening such a value for a dense
layer is a view of a transposed matrix, which BLAS reads as it lies.

A product of matrices that everyone reads transposed (the gradient by the weight of a dense layer)
is written that way at once, for BLAS writes one as fast as the other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.shape import PermuteDims

from .kernel import KERNELS, Array, Axes

FEWEST_AXES = 3
"""Two axes with the first one innermost are a transposed matrix, which needs no spreading."""


def batch_innermost(ndim: int) -> Axes:
    """The axes from the outermost to the innermost.

    >>> batch_innermost(4)
    (1, 2, 3, 0)
    """
    return (*range(1, ndim), 0)


def is_innermost(x: Array, axis: int) -> bool:
    """Whether x is contiguous with this axis behind all others, which keep their sequence.

    >>> is_innermost(np.ones((2, 3, 4)).transpose(2, 0, 1), 0)
    True
    >>> is_innermost(np.ones((2, 3, 4)), 0)
    False
    """
    return x.ndim >= FEWEST_AXES and bool(np.moveaxis(x, axis, -1).flags.c_contiguous)


def memory_order(x: Array) -> Axes | None:
    """The order of an output as it was planned; None for C order."""
    if x.flags.c_contiguous:
        return None
    return tuple(sorted(range(x.ndim), key=lambda axis: (-x.strides[axis], axis)))


def in_memory_order(x: Array, order: Axes) -> Array:
    """An operand as it broadcasts against outputs that are transposed by ``order``.

    >>> in_memory_order(np.ones((3, 1, 1)), (1, 2, 3, 0)).shape
    (3, 1, 1, 1)
    """
    if x.ndim == 0:
        return x
    missing = len(order) - x.ndim
    return x.reshape((1,) * missing + x.shape).transpose(order) if missing else x.transpose(order)


def has_choice(node: Node) -> bool:
    """Whether the outputs of a node may lie in another order than the usual one."""
    entry = KERNELS.get(type(node.op))
    if entry is None or entry.order is None:
        return False
    return any(tensor.ndim >= FEWEST_AXES or entry.order == "turned" for tensor in node.outputs)


def output_orders(
    node: Node, operands: Sequence[Array], turned: Collection[Tensor] = ()
) -> Sequence[Axes | None]:
    """The order of each output of a node with a choice, whose operands lie like these arrays.

    ``turned``: the `matrices_read_turned`.
    """
    order = KERNELS[type(node.op)].order
    if order == "turned":
        return [(1, 0) if tensor in turned else None for tensor in node.outputs]
    if callable(order):
        return order(node.op, list(operands))
    ndim = max(array.ndim for array in operands)
    moved = any(array.ndim == ndim and _has_batch_innermost(array) for array in operands)
    return [
        batch_innermost(ndim) if moved and tensor.ndim == ndim else None for tensor in node.outputs
    ]


def _has_batch_innermost(x: Array) -> bool:
    return not x.flags.c_contiguous and is_innermost(x, 0)


def inputs_batch_innermost(graph: Graph) -> set[Tensor]:
    """Inputs that are no variables and that a convolution reads, through elementwise ops at most.

    A walk from the end, since what an op prefers to read becomes what others prefer to write.
    """
    preferred: set[Tensor] = set()
    for node in reversed(graph.nodes):
        entry = KERNELS.get(type(node.op))
        if entry is None or entry.order is None:
            continue
        if entry.prefers_batch_innermost:
            preferred.add(node.inputs[0])
        elif entry.order in ("elementwise", "follows") and preferred.intersection(node.outputs):
            ndim = max(tensor.ndim for tensor in node.outputs)
            preferred.update(tensor for tensor in node.inputs if tensor.ndim == ndim)
    variables = {graph.inputs[slot.input] for slot in graph.state}
    given = preferred.intersection(graph.inputs) - variables
    return {tensor for tensor in given if tensor.ndim >= FEWEST_AXES}


def matrices_read_turned(graph: Graph) -> set[Tensor]:
    """Values of two axes that nobody reads but ops that exchange these axes."""
    candidates = {
        node.inputs[0]
        for node in graph.nodes
        if isinstance(node.op, PermuteDims) and node.op.axes == (1, 0)
    }
    candidates.difference_update(graph.outputs)
    users = graph.users
    return {
        tensor for tensor in candidates if all(_turns(user) for user, _ in users.get(tensor, ()))
    }


def _turns(node: Node) -> bool:
    return isinstance(node.op, PermuteDims)
