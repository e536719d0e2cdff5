"""A graph whose symbolic sizes are JAX's: what is traced for programs that run for any size.

Types are carried over, not inferred again: `infer` knows asg's sizes alone. JAX's own rules check
every shape while the kernels are traced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
from jax import export

from asg.core.dim import Dim, SymbolicDim, as_symbol
from asg.core.dim_terms import Atom, Compound, FloorDiv, Max, Min, Mod, Symbol, Terms
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.core.types import SizeCheck, TensorType

JaxSize = Any
"""An int, or a symbolic size of JAX, which computes like one."""

_OPERATIONS: dict[type[Atom], Callable[[JaxSize, JaxSize], JaxSize]] = {
    FloorDiv: lambda a, b: a // b,
    Mod: lambda a, b: a % b,
    Max: jax.core.max_dim,
    Min: jax.core.min_dim,
}


def jax_symbols(symbols: Mapping[str, Symbol], checks: Iterable[SizeCheck]) -> dict[str, JaxSize]:
    """JAX's symbols of the same names and least values, in one scope.

    Two that a claim says to be equal are one: JAX takes nothing as equal that may differ. (The
    claim itself is checked when the program runs.)

    Raises:
        OperandError: a size may be 0, or promises to be a multiple of a number: JAX's may not.
    """
    for symbol in symbols.values():
        if symbol.minimum < 1 or symbol.multiple_of != 1:
            raise OperandError(
                f"size {symbol.name!r} has minimum={symbol.minimum} and multiple_of="
                f"{symbol.multiple_of}, which symbolic sizes of JAX cannot have; give it a number: "
                f"export(path, {symbol.name}=64)"
            )
    if not symbols:
        return {}
    same = _representatives(symbols, checks)
    least = [f"{same[name]} >= {symbol.minimum}" for name, symbol in symbols.items()]
    names = list(dict.fromkeys(same.values()))
    sizes = export.symbolic_shape(", ".join(names), constraints=least)
    known = dict(zip(names, sizes, strict=True))
    return {name: known[same[name]] for name in symbols}


def _representatives(names: Iterable[str], checks: Iterable[SizeCheck]) -> dict[str, str]:
    """For each name the one name of all that must be equal to it."""
    same = {name: name for name in names}
    for check in checks:
        left, right = as_symbol(check.left), as_symbol(check.right)
        if check.relation == "==" and left is not None and right is not None:
            kept, gone = same[left.name], same[right.name]
            same = {name: kept if one == gone else one for name, one in same.items()}
    return same


def with_jax_sizes(graph: Graph, sizes: Mapping[str, JaxSize]) -> Graph:
    """A copy whose types and attributes hold sizes of JAX in the place of symbols.

    Raises:
        OperandError: an op waits for numbers, or has sizes of its own.
    """
    spelled = _Speller(sizes)
    mapped: dict[Tensor, Tensor] = {}
    for node in graph.nodes:
        if node.op.settles() or node.op.own_sizes():
            raise OperandError(f"{node.op.name} needs a number for every size: export(path, n=64)")
        inputs = tuple([mapped[tensor] for tensor in node.inputs])
        for old, new in zip(node.outputs, spelled.node(node, inputs).outputs, strict=True):
            mapped[old] = new
    return type(graph).of(
        [mapped[tensor] for tensor in graph.inputs], [mapped[tensor] for tensor in graph.outputs],
        graph.output_names, graph.state, graph.name, graph.input_names, (),
    )  # fmt: skip


class _Speller:
    def __init__(self, sizes: Mapping[str, JaxSize]) -> None:
        self._sizes = sizes

    def node(self, node: Node, inputs: Sequence[Tensor]) -> Node:
        values = {name: self.value(value) for name, value in node.op.attributes().items()}
        changed = {k: v for k, v in values.items() if v is not getattr(node.op, k)}
        op: Any = node.op
        types = tuple([self.value(tensor.type) for tensor in node.outputs])
        new = replace(op, **changed) if changed else op
        return Node(new, tuple(inputs), types, (), node.origin, node.lineage)

    def value(self, value: Any) -> Any:
        if isinstance(value, SymbolicDim):
            return self.size(value)
        if isinstance(value, TensorType):
            return value if value.is_static else value.with_shape(map(self.size, value.shape))
        if isinstance(value, Graph):
            return with_jax_sizes(value, self._sizes)
        if type(value) is tuple:
            changed = tuple(map(self.value, value))
            return value if all(a is b for a, b in zip(changed, value, strict=True)) else changed
        return value

    def size(self, size: Dim) -> JaxSize:
        return self._terms(size.terms) if isinstance(size, SymbolicDim) else size

    def _terms(self, terms: Terms) -> JaxSize:
        total: JaxSize = 0
        for monomial, coefficient in terms:
            product: JaxSize = coefficient
            for atom in monomial:
                product = product * self._atom(atom)
            total = total + product
        return total

    def _atom(self, atom: Atom) -> JaxSize:
        if isinstance(atom, Symbol):
            return self._sizes[atom.name]
        assert isinstance(atom, Compound)
        left, right = map(self._terms, atom.operands)
        return _OPERATIONS[type(atom)](left, right)
