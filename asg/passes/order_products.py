"""order_products: a chain of matrix products is multiplied in the order that takes least work.

``A @ B @ v`` is ``A @ (B @ v)``, and ``x @ (U @ V)`` with small inner sizes ``(x @ U) @ V``. Sizes
have to be numbers, and what lies between two products of a chain must be of no use to others.
Numerics: reassociating.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.core.types import Shape
from asg.ops.linalg import Matmul
from asg.rewrite.watch import may_replace, note_replacement

LONGEST = 24
"""Factors of a chain: the search takes the cube of that."""

WORTH = 0.9
"""Of the multiplications of the given order, what a better one may take."""

Pair = tuple[Tensor, Tensor]


def order_products(graph: Graph) -> Graph:
    """The graph with cheaper orders of products; bodies are entered."""
    graph = map_bodies(graph, order_products)
    inner = _inner_products(graph)
    if not inner:
        return graph

    def order(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not _is_plain(node) or node in inner or not may_replace():
            return None
        chain, given = _chain(node, inputs, inner)
        if not 2 < len(chain) <= LONGEST or any(factor.ndim < 2 for factor in chain[1:-1]):
            return None
        cuts, least = _best_cuts(_sizes(chain))
        if least > WORTH * given:
            return None
        with derive("pass", "order_products", (node.lineage,), node.origin):
            made = _product(chain, cuts)
        note_replacement("order_products", node, inputs, (made,), "reassociating")
        return (made,)

    return rebuild(graph, order)


def _is_plain(node: Node) -> bool:
    """A product of matrices or vectors, of sizes that are numbers."""
    return isinstance(node.op, Matmul) and all(
        tensor.ndim <= 2 and isinstance(tensor.type.size, int) for tensor in node.inputs
    )


def _inner_products(graph: Graph) -> set[Node]:
    """Products that nothing uses but one other product, once."""
    returned = set(graph.outputs)
    found = set()
    for node in graph.nodes:
        if _is_plain(node) and node.output not in returned:
            users = graph.users.get(node.output, ())
            if len(users) == 1 and _is_plain(users[0][0]):
                found.add(node)
    return found


def _chain(root: Node, inputs: tuple[Tensor, ...], inner: set[Node]) -> tuple[list[Tensor], int]:
    """The factors from left to right, and the multiplications of the products as they are."""
    factors: list[Tensor] = []
    work = _multiplications(*(tensor.shape for tensor in root.inputs))
    pending: list[Pair] = list(zip(root.inputs, inputs, strict=True))[::-1]
    while pending:
        old, new = pending.pop()
        if old.node in inner:
            work += _multiplications(*(tensor.shape for tensor in old.node.inputs))
            pending += list(zip(old.node.inputs, new.node.inputs, strict=True))[::-1]
        else:
            factors.append(new)
    return factors, work


def _multiplications(a: Shape, b: Shape) -> int:
    return prod(size for size in (*a[:-1], *b) if isinstance(size, int))


def _sizes(chain: Sequence[Tensor]) -> list[int]:
    """The rows of the first factor and the columns of each; 1 at the free end of a vector."""
    first, last = chain[0], chain[-1]
    shapes = [tensor.shape for tensor in chain]
    rows = [shapes[0][0] if first.ndim == 2 else 1]
    ends = [shape[-1] for shape in shapes[:-1]]
    columns = shapes[-1][-1] if last.ndim == 2 else 1
    return [size for size in (*rows, *ends, columns) if isinstance(size, int)]


def _best_cuts(sizes: Sequence[int]) -> tuple[dict[tuple[int, int], int], int]:
    """Where to cut each part of a chain in two, and the multiplications that this order takes.

    >>> cuts, least = _best_cuts([100, 100, 100, 1])
    >>> cuts[0, 2], least
    (0, 20000)
    """
    count = len(sizes) - 1
    least = {(i, i): 0 for i in range(count)}
    cuts: dict[tuple[int, int], int] = {}
    for width in range(1, count):
        for first in range(count - width):
            last = first + width
            costs = {
                cut: least[first, cut] + least[cut + 1, last]
                + sizes[first] * sizes[cut + 1] * sizes[last + 1]
                for cut in range(first, last)
            }  # fmt: skip
            cuts[first, last] = best = min(costs, key=costs.__getitem__)
            least[first, last] = costs[best]
    return cuts, least[0, count - 1]


def _product(chain: Sequence[Tensor], cuts: dict[tuple[int, int], int]) -> Tensor:
    """The product of a chain that is cut like that; parts before what is made of them."""
    made = {(i, i): factor for i, factor in enumerate(chain)}
    pending = [(0, len(chain) - 1)]
    while pending:
        first, last = part = pending[-1]
        cut = cuts[part]
        missing = [each for each in ((first, cut), (cut + 1, last)) if each not in made]
        if missing:
            pending += missing
        else:
            made[part] = Matmul()(made[first, cut], made[cut + 1, last])
            pending.pop()
    return made[0, len(chain) - 1]
