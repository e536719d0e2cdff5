"""transpose_products: the transpose of a product is made as a product.

The gradient of ``x @ w.T`` by ``w`` is written as ``(x.T @ d).T``. Read in the order of ``w``, as
the update of ``w`` reads it, that is a value in the wrong memory order: 71 microseconds against 3
for 65 thousand elements. ``d.T @ x`` costs what ``x.T @ d`` does and lies as it is read.
"""

from __future__ import annotations

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.ops.linalg import Matmul
from asg.ops.shape import PermuteDims


def transpose_products(graph: Graph) -> Graph:
    """The graph with ``(a @ b).T`` as ``b.T @ a.T``, where nothing else reads the product.

    Loops are entered. The order of the sums is left to BLAS, as it is for every product.
    """
    graph = map_bodies(graph, transpose_products)
    returned = set(graph.outputs)

    def turn(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not _swaps(node.op, node.output.ndim if len(node.outputs) == 1 else 0):
            return None
        product = inputs[0].node
        before = node.inputs[0]
        alone = len(graph.users[before]) == 1 and before not in returned
        if not alone or not isinstance(product.op, Matmul):
            return None
        a, b = product.inputs
        if not a.ndim == b.ndim == node.output.ndim:
            return None
        with derive("pass", "transpose_products", (node.lineage, product.lineage), node.origin):
            return (Matmul()(_transposed(b), _transposed(a)),)

    return rebuild(graph, turn)


def _swaps(op: object, ndim: int) -> bool:
    """True for the permutation that exchanges the last two axes."""
    if not isinstance(op, PermuteDims) or ndim < 2:
        return False
    return op.axes == (*range(ndim - 2), ndim - 1, ndim - 2)


def _transposed(x: Tensor) -> Tensor:
    if _swaps(x.node.op, x.ndim):
        return x.node.inputs[0]
    return PermuteDims((*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))(x)
