"""pick_last: rows of a table are picked after a product, where few rows are picked many times.

``take(table, i) @ W`` is ``take(table @ W, i)``: the product has a row for each row of the table,
not one for each pick. With a vocabulary of characters it is a small part of the work. The
gradient follows, where ``i`` says to which row each pick belongs and D is the gradient:

- of the weight, ``take(table, i)^T @ D`` is ``table^T @ S``, and
- of the table, ``scatter_add(0, i, D @ W)`` is ``S @ W``,

both with ``S = scatter_add(0, i, D)``. Rows that nobody picks count as zero in them, whatever they
or the weight hold: infinity times zero would spoil what it does not belong to.

Numerics: reassociating. Only graphs whose sizes are numbers are changed: the choice weighs sizes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from asg.core.dtype import float32, float64
from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.op import Op
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.compare import Equal
from asg.ops.elementwise import Where
from asg.ops.index import ScatterAdd, Take
from asg.ops.leaf import Full, full
from asg.ops.linalg import Matmul
from asg.ops.shape import PermuteDims, Reshape, inverse_permutation
from asg.passes.merge_equal import merge_equal
from asg.rewrite.watch import may_replace, note_replacement

PICKING, ADDING = 32, 128
"""How many multiplications of a product of matrices take the time of an element that is picked, or
added to its row."""

LEAST_SAVED = 0.5
"""Of the rows of a product."""

Tensors = tuple[Tensor, ...]
TRANSPOSE = PermuteDims((1, 0))


def pick_last(graph: Graph) -> Graph:
    """The graph with products of tables instead of picked rows; bodies are entered."""
    graph = map_bodies(graph, pick_last)
    if not any(isinstance(node.op, Take | ScatterAdd) for node in graph.nodes):
        return graph

    def exchange(node: Node, inputs: Tensors) -> Tensors | None:
        if not isinstance(node.op, Matmul | ScatterAdd) or not may_replace():
            return None
        with derive("pass", "pick_last", (node.lineage,), node.origin):
            made = _exchanged(graph, node, inputs)
        if made is None:
            return None
        note_replacement("pick_last", node, inputs, (made,), "reassociating")
        return (made,)

    result = rebuild(graph, exchange)
    return graph if result is graph else merge_equal(result)


def _exchanged(graph: Graph, node: Node, inputs: Tensors) -> Tensor | None:
    tensors = (*inputs, node.output)
    if not all(isinstance(size, int) and size for tensor in tensors for size in tensor.shape):
        return None
    if node.output.dtype not in (float32, float64):
        return None
    if isinstance(node.op, ScatterAdd):
        return _sum_of_products(graph, node, inputs)
    left, right = inputs
    if left.ndim < 2 or right.ndim != 2:
        return None
    made = _product_of_picks(left, right)
    return _product_over_picks(left, right) if made is None else made


# -- what is picked ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Picks:
    """``take(table, places)`` of a matrix; places of any shape."""

    table: Tensor
    places: Tensor

    def saves(self, gained: int, lost: int) -> bool:
        """Whether a row of a product for each row of the table, instead of each pick, is worth it.

        ``gained`` is what a row costs, ``lost`` what each pick costs in addition, both in
        multiplications.
        """
        saved = 1 - _number(self.table.shape[:1]) / _number(self.places.shape)
        return saved >= LEAST_SAVED and gained * saved > lost


def _picks(x: Tensor) -> _Picks | None:
    """How x is picked from the rows of a table; rows in another order are picked in that order."""
    x, moves = _unmoved(x)
    if not isinstance(x.node.op, Take) or x.node.op.axis or x.node.inputs[0].ndim != 2:
        return None
    table, places = x.node.inputs
    for move in reversed(moves):
        places = _reordered(places, move.op, move.output.shape)
    return _Picks(table, places)


def _unmoved(x: Tensor) -> tuple[Tensor, list[Node]]:
    """What gives the rows of x, in whatever order, and the nodes that move them, last first."""
    moves: list[Node] = []
    while _moves_rows(x.node):
        moves.append(x.node)
        (x,) = x.node.inputs
    return x, moves


def _moves_rows(node: Node) -> bool:
    """Whether rows, along the last axis, stay whole."""
    if isinstance(node.op, PermuteDims):
        return bool(node.op.axes) and node.op.axes[-1] == len(node.op.axes) - 1
    return isinstance(node.op, Reshape) and node.output.shape[-1:] == node.inputs[0].shape[-1:]


def _reordered(places: Tensor, move: Op, shape: Shape) -> Tensor:
    """Places of rows that are moved to ``shape``."""
    if isinstance(move, PermuteDims):
        return _permuted(places, move.axes[:-1])
    return _reshaped(places, shape[:-1])


def _permuted(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    moved: Tensor = x if axes == tuple(range(x.ndim)) else PermuteDims(axes)(x)
    return moved


def _reshaped(x: Tensor, shape: Shape) -> Tensor:
    moved: Tensor = x if x.shape == shape else Reshape(shape)(x)
    return moved


def _number(shape: Shape) -> int:
    return prod(size for size in shape if isinstance(size, int))


# -- what stands in their place ---------------------------------------------------------------


def _product_of_picks(left: Tensor, right: Tensor) -> Tensor | None:
    """``take(table, i) @ W`` as ``take(table @ W, i)``."""
    picks = _picks(left)
    if picks is None or not picks.saves(_number(right.shape[:1]), PICKING):
        return None
    product: Tensor = Take(0)(Matmul()(picks.table, right), picks.places)
    return product


def _product_over_picks(left: Tensor, right: Tensor) -> Tensor | None:
    """``take(table, i)^T @ D`` as ``table^T @ S``; ``D^T @ take(table, i)`` as ``S^T @ table``."""
    if left.node.op != TRANSPOSE:
        return None
    turned = left.node.inputs[0]
    for picked, values, order in ((turned, right, 1), (right, turned, -1)):
        picks = _picks(picked)
        if picks is None or not picks.saves(_number(picked.shape[1:]), ADDING):
            continue
        table: Tensor = Where()(_unused(picks.table, picks.places), 0, picks.table)
        pair = (table, _sums(picks.table, picks.places, values))[::order]
        product: Tensor = Matmul()(TRANSPOSE(pair[0]), pair[1])
        return product
    return None


def _sum_of_products(graph: Graph, node: Node, inputs: Tensors) -> Tensor | None:
    """``scatter_add(0, i, D @ W)`` as ``scatter_add(0, i, D) @ W``."""
    into, places, updates = inputs
    op, (product, moves) = node.op, _unmoved(updates)
    if op != ScatterAdd(0) or into.ndim != 2 or not _is_zero(into):
        return None
    if not isinstance(product.node.op, Matmul) or not _is_used_once(graph, node):
        return None
    values, weight = product.node.inputs
    if weight.ndim != 2:
        return None
    inner, size = _number(weight.shape[:1]), _number(weight.shape[1:])
    if not _Picks(into, places).saves(inner * size, ADDING * (inner - size)):
        return None
    for move in moves:
        places = _put_back(places, move.op, move.inputs[0].shape)
    total: Tensor = Matmul()(_sums(into, places, values), weight)
    result: Tensor = Where()(_unused(into, places), 0, total)
    return result


def _is_zero(x: Tensor) -> bool:
    return isinstance(x.node.op, Full) and x.node.op.value == 0


def _is_used_once(graph: Graph, node: Node) -> bool:
    """Whether the product that is added up, and its rows in other orders, are of no other use."""
    x, returned = node.inputs[2], set(graph.outputs)
    product, moves = _unmoved(x)
    values = [product, *(move.output for move in moves)]
    return all(len(graph.users[each]) == 1 and each not in returned for each in values)


def _put_back(places: Tensor, move: Op, shape: Shape) -> Tensor:
    """Places of rows before they were moved from ``shape``."""
    if isinstance(move, PermuteDims):
        return _permuted(places, inverse_permutation(move.axes[:-1]))
    return _reshaped(places, shape[:-1])


def _sums(table: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """``[rows, size]``: of the values that belong to each row of a table."""
    count, size = _number(places.shape), values.shape[-1]
    start = full((table.shape[0], size), 0, values.dtype)
    rows = _reshaped(values, (count, size))
    total: Tensor = ScatterAdd(0)(start, _reshaped(places, (count,)), rows)
    return total


def _unused(table: Tensor, places: Tensor) -> Tensor:
    """bool ``[rows, 1]``: of which rows of a table no place tells; of none where one is outside."""
    ones = full((_number(places.shape), 1), 1, table.dtype)
    unused: Tensor = Equal()(_sums(table, places, ones), 0)
    return unused
