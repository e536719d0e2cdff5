"""Random expressions on sizes: built as Dims, and computed by Python's own ints as the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from asg.core.dim import Dim, Symbol, dim_max, dim_min, free_symbols, symbol

SYMBOLS: dict[str, Symbol] = free_symbols([
    symbol("a"),
    symbol("b", minimum=0),
    symbol("c", minimum=3),
    symbol("d", multiple_of=4),
    symbol("e", minimum=0, multiple_of=6),
])  # fmt: skip


@dataclass(frozen=True)
class Expression:
    """A leaf (an int or a name) or an operator with two operands."""

    operator: str
    left: Expression | int | str
    right: Expression | int | str

    def __str__(self) -> str:
        if self.operator in ("max", "min"):
            return f"{self.operator}({self.left}, {self.right})"
        return f"({self.left} {self.operator} {self.right})"


Tree = Expression | int | str


def build(tree: Tree) -> Dim:
    """The tree as a Dim, through the public operators. DimError for a division by a literal 0."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        declared = SYMBOLS[tree]
        return symbol(declared.name, declared.minimum, declared.multiple_of)
    left, right = build(tree.left), build(tree.right)
    match tree.operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "//":
            return left // right
        case "%":
            return left % right
        case "max":
            return dim_max(left, right)
        case _:
            return dim_min(left, right)


def compute(tree: Tree, binding: Mapping[str, int]) -> int:
    """The tree's value by Python's own arithmetic. ZeroDivisionError where it has none."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return binding[tree]
    left, right = compute(tree.left, binding), compute(tree.right, binding)
    match tree.operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "//":
            return left // right
        case "%":
            return left % right
        case "max":
            return max(left, right)
        case _:
            return min(left, right)


LEAVES: st.SearchStrategy[Tree] = st.one_of(
    st.sampled_from(sorted(SYMBOLS)), st.integers(-7, 9), st.sampled_from([2, 3, 4, 8, 12])
)


def trees(operators: str, leaves: int = 7) -> st.SearchStrategy[Tree]:
    """Trees over the given operators (separated by blanks) with at most so many leaves."""

    def extend(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        return st.builds(Expression, st.sampled_from(operators.split()), inner, inner)

    return st.recursive(LEAVES, extend, max_leaves=leaves)


def _values(declared: Symbol) -> st.SearchStrategy[int]:
    unit = declared.multiple_of
    least = -(-declared.minimum // unit)
    return st.integers(least, least + 12).map(lambda units: units * unit)


BINDINGS: st.SearchStrategy[dict[str, int]] = st.fixed_dictionaries(
    {name: _values(declared) for name, declared in SYMBOLS.items()}
)
