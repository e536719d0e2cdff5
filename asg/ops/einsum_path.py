"""In which order the operands of an einsum are multiplied: pair by pair, the cheapest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import prod

from asg.core.dim import Dim, evaluate, symbols_of

# What a symbolic size counts as while orders are compared; results do not depend on it.
_TYPICAL_SIZE = 64

Pair = tuple[int, int]


def contraction_order(terms: Sequence[str], result: str, sizes: Mapping[str, Dim]) -> list[Pair]:
    """Pairs of positions; each pair is replaced by its product at the end of the list.

    Greedy: the pair with the fewest multiplications, then the one with the smallest product. For
    three operands this is the best order up to ties; finding the best one for many is as hard as
    the travelling salesman.

    >>> contraction_order(["ab", "bc", "cd"], "ad", {"a": 100, "b": 10, "c": 100, "d": 2})
    [(1, 2), (0, 1)]
    """
    numbers = {label: typical_size(size) for label, size in sizes.items()}
    terms = list(terms)
    order: list[Pair] = []
    while len(terms) > 1:
        pairs = combinations(range(len(terms)), 2)
        _, _, (i, j) = min((*_cost(terms, pair, result, numbers), pair) for pair in pairs)
        order.append((i, j))
        joined = product_term(terms, (i, j), result)
        terms = [term for k, term in enumerate(terms) if k not in (i, j)] + [joined]
    return order


def product_term(terms: Sequence[str], pair: Pair, result: str) -> str:
    """The labels left when a pair is multiplied and what nobody else needs is summed."""
    needed = set(result).union(*(term for k, term in enumerate(terms) if k not in pair))
    both = dict.fromkeys(terms[pair[0]] + terms[pair[1]])
    return "".join(label for label in both if label in needed)


def _cost(
    terms: Sequence[str], pair: Pair, result: str, numbers: Mapping[str, int]
) -> tuple[int, int]:
    """(multiplications, elements of the product)"""
    both = set(terms[pair[0]] + terms[pair[1]])
    left = product_term(terms, pair, result)
    return prod(numbers[label] for label in both), prod(numbers[label] for label in left)


def typical_size(size: Dim) -> int:
    """A number to compare costs with: the size itself, or what it is for symbols of 64."""
    if isinstance(size, int):
        return size
    binding = {
        symbol.name: -(-max(_TYPICAL_SIZE, symbol.minimum) // symbol.multiple_of)
        * symbol.multiple_of
        for symbol in symbols_of(size)
    }
    return evaluate(size, binding)
