"""Which values are computed once and kept, although XLA would compute them again.

XLA fuses a value into everything elementwise that reads it, and computes it anew in each. What a
product of matrices reads lies in memory anyway: there the other readers shall find it.
"""

from __future__ import annotations

from asg.core.graph import Graph
from asg.core.tensor import Tensor
from asg.ops.convolution import Conv
from asg.ops.linalg import Matmul
from asg.ops.shape import Reshape

SMALLEST = 1 << 14
"""Elements from which reading is cheaper than computing again."""


def kept_values(graph: Graph) -> set[Tensor]:
    """Values of some size that a product reads, and something else that computes as well."""
    multiplied: set[Tensor] = set()
    elsewhere: set[Tensor] = set()
    for node in graph.nodes:
        readers = multiplied if isinstance(node.op, Matmul | Conv) else elsewhere
        if not isinstance(node.op, Reshape):
            readers.update(map(_source, node.inputs))
    return {tensor for tensor in multiplied & elsewhere if _is_computed_again(tensor)}


def _source(tensor: Tensor) -> Tensor:
    while isinstance(tensor.node.op, Reshape):
        (tensor,) = tensor.node.inputs
    return tensor


def _is_computed_again(tensor: Tensor) -> bool:
    size = tensor.type.size
    return tensor.node.op.broadcasts and isinstance(size, int) and size >= SMALLEST
