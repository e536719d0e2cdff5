"""join_products: products by weights that are the same at every step of a loop become one.

A recurrent network with a weight for each gate multiplies its state by all of them, and the
gradient of the state is a sum of products. The weights are joined once, before the loop:

    h @ U1, h @ U2, h @ U3        ->  parts of h @ concat(U1, U2, U3)
    d1 @ V1 + d2 @ V2 + d3 @ V3   ->  concat(d1, d2, d3) @ concat(V1, V2, V3)

So a step of the loop takes fewer calls of XLA. Outside of loops, where every product pays for the
copies, and with large weights steps do not become faster, and nothing is done.

Numerics: reassociating. Floats of 32 and 64 bits alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import reduce

from asg.core.dim import Dim
from asg.core.dtype import float32, float64
from asg.core.graph import Graph, rebuild
from asg.core.node import Node
from asg.core.origin import derive
from asg.core.region import map_bodies
from asg.core.tensor import Tensor
from asg.ops.elementwise import Add
from asg.ops.join import Concat
from asg.ops.linalg import Matmul
from asg.ops.loops import Scan
from asg.ops.slicing import Slice
from asg.passes.hoist_invariants import hoist_invariants
from asg.rewrite.watch import may_replace, note_replacement

FEWEST = 3
"""Products that are joined: two gain little, and with larger weights a GRU that joins two loses."""

LARGEST = 1 << 15
"""Elements of the weights that are joined: calls are what takes time where they are small, copies
and the products themselves where they are large."""

Tensors = tuple[Tensor, ...]


def join_products(graph: Graph) -> Graph:
    """The graph with fewer products in its scans, the inner ones first."""
    joined = _joined(graph)
    return graph if joined is graph else hoist_invariants(joined)


def _joined(graph: Graph) -> Graph:
    graph = map_bodies(graph, _joined)

    def join(node: Node, inputs: Tensors) -> Tensors | None:
        if not isinstance(node.op, Scan):
            return None
        body = _in_body(node.op.body, node.op.body.inputs[node.op.carries + node.op.stacked :])
        if body is node.op.body:
            return None
        return node.with_op(replace(node.op, body=body), inputs).outputs

    return rebuild(graph, join) if graph.has_bodies else graph


def _in_body(body: Graph, weights: Sequence[Tensor]) -> Graph:
    products = _products(body, weights)
    if len(products) < FEWEST:
        return body
    sums = _sums(body, products)
    summed = {node for each in sums.values() for node in each.products}
    families = _families(products - summed)

    def join(node: Node, inputs: Tensors) -> Tensors | None:
        if not (node in sums or node in families) or not may_replace():
            return None
        with derive("pass", "join_products", (node.lineage,), node.origin):
            made = sums[node].joined(inputs) if node in sums else families[node].part(node, inputs)
        note_replacement("join_products", node, inputs, (made,), "reassociating")
        return (made,)

    return rebuild(body, join) if sums or families else body


def _products(body: Graph, weights: Sequence[Tensor]) -> set[Node]:
    """Products of rows by a matrix that is the same at every step."""
    given = {each for each in weights if each.ndim == 2 and each.dtype in (float32, float64)}
    return {
        node
        for node in body.nodes
        if isinstance(node.op, Matmul) and node.inputs[1] in given and node.inputs[0].ndim > 1
    }


def _worth_joining(products: Collection[Node]) -> bool:
    sizes = [node.inputs[1].type.size for node in products]
    numbers = [size for size in sizes if isinstance(size, int)]
    return FEWEST <= len(sizes) == len(numbers) and sum(numbers) <= LARGEST


# -- sums of products -------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Sum:
    """A sum of several terms; ``inner`` are its additions but for the last one, ``root``."""

    root: Node
    inner: Set[Node]
    products: Set[Node]

    def joined(self, inputs: Tensors) -> Tensor:
        """The sum with one product; ``inputs`` are those of the root."""
        lefts, rights, others = [], [], []
        for old, new in self.terms(inputs):
            if old.node in self.products:
                lefts.append(new.node.inputs[0])
                rights.append(new.node.inputs[1])
            else:
                others.append(new)
        made = Matmul()(Concat(lefts[0].ndim - 1)(*lefts), Concat(0)(*rights))
        return reduce(Add(), [*others, made])

    def terms(self, inputs: Tensors) -> Iterator[tuple[Tensor, Tensor]]:
        """Every term as it was and as it is now, from left to right."""
        pending = list(zip(self.root.inputs, inputs, strict=True))[::-1]
        while pending:
            old, new = pending.pop()
            if old.node in self.inner:
                pending += list(zip(old.node.inputs, new.node.inputs, strict=True))[::-1]
            else:
                yield old, new


def _sums(body: Graph, products: Set[Node]) -> dict[Node, _Sum]:
    """The sums of enough products that nothing else reads, by their roots."""
    added = _added(body)
    inner = {each for each in added if isinstance(each.op, Add)}
    found = {}
    for node in body.nodes:
        if isinstance(node.op, Add) and node not in added:
            terms = [old for old, _ in _Sum(node, inner, set()).terms(node.inputs)]
            chosen = {each.node for each in terms if each.node in products & added}
            if _worth_joining(chosen):
                found[node] = _Sum(node, inner, chosen)
    return found


def _added(body: Graph) -> set[Node]:
    """What a sum of the same type reads, once, and nothing else."""
    returned = set(body.outputs)
    found = set()
    for node in body.nodes:
        readers = body.users.get(node.outputs[0], ())
        if isinstance(node.op, Add | Matmul) and len(readers) == 1:
            reader = readers[0][0]
            alike = isinstance(reader.op, Add) and reader.output.type == node.output.type
            if alike and node.output not in returned:
                found.add(node)
    return found


# -- products of the same rows ----------------------------------------------------------------


@dataclass(eq=False)
class _Family:
    """Products of the same rows by several weights."""

    products: list[Node] = field(default_factory=list)
    made: Tensor | None = None

    def part(self, product: Node, inputs: Tensors) -> Tensor:
        """What takes the place of a product, whose inputs are now these."""
        if self.made is None:
            self.made = Matmul()(inputs[0], Concat(1)(*[each.inputs[1] for each in self.products]))
        start: Dim = 0
        for each in self.products[: self.products.index(product)]:
            start += each.output.shape[-1]
        stop = start + product.output.shape[-1]
        return Slice.along(product.output.ndim - 1, start, stop, self.made)


def _families(products: Iterable[Node]) -> dict[Node, _Family]:
    """The family of every product that has one."""
    found: dict[Tensor, _Family] = defaultdict(_Family)
    for node in sorted(products, key=lambda node: node.serial):
        found[node.inputs[0]].products.append(node)
    large = [each for each in found.values() if _worth_joining(each.products)]
    return {node: family for family in large for node in family.products}
