"""Sizes of axes: ints, and symbolic expressions that a run binds to ints.

A `Dim` is an `int` or a `SymbolicDim`. Symbolic sizes are kept in one normal form (`dim_terms`),
so `==` compares structure, always answers, and says True only for sizes that are equal under every
binding. A result without symbols is a plain int. Questions that have no answer for every binding
return None (`known_equal`, `known_less`) or raise DimError (`<`, `bool`); nothing is ever guessed.

>>> batch, n = symbol("batch"), symbol("n", multiple_of=4)
>>> batch * 2 + 1, (batch * 6) // batch, n % 4, (n + 3) // 4, batch // 2
(Dim('2*batch + 1'), 6, 0, Dim('n//4'), Dim('batch//2'))
>>> known_less(batch, batch + 1), known_less(batch, n)
(True, None)
>>> evaluate(batch * 2 + 1, {"batch": 16})
33
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import SupportsIndex

from asg.core.dim_binding import evaluate_terms, solve_terms, substitute_terms
from asg.core.dim_bounds import proven_lower, proven_upper
from asg.core.dim_compare import is_nonnegative, is_positive, is_zero
from asg.core.dim_parse import checked_symbol, parse_terms, symbol_terms
from asg.core.dim_rules import maximum, minimum
from asg.core.dim_symbolic import Dim, SymbolicDim, from_terms, operand_terms, terms_of
from asg.core.dim_terms import Symbol, Terms, add, all_symbols, multiply, scale
from asg.core.errors import DimError

__all__ = [
    "Dim", "Symbol", "SymbolicDim", "as_dim", "as_symbol", "bounds", "ceil_div", "dim_max",
    "dim_min", "evaluate", "free_symbols", "known_equal", "known_less", "known_less_equal",
    "known_nonnegative", "parse_dim", "product", "solve_for_symbol", "substitute", "symbol",
    "symbols_of",
]  # fmt: skip


def symbol(name: str, minimum: int = 1, multiple_of: int = 1) -> SymbolicDim:
    """The size called `name`: at least `minimum` (0 allows empty), and a multiple of `multiple_of`.

    Raises DimError if `name` is not an identifier or a bound is out of range.

    >>> symbol("batch"), symbol("n", minimum=2) > 1, symbol("width", multiple_of=8) % 4
    (Dim('batch'), True, 0)
    """
    dim = from_terms(symbol_terms(checked_symbol(name, minimum, multiple_of)))
    assert isinstance(dim, SymbolicDim)
    return dim


def as_dim(value: SupportsIndex | str | SymbolicDim) -> Dim:
    """A size from an int (also NumPy's), a text such as "2*n + 1", or a size.

    Raises DimError for everything else, bool included.

    >>> as_dim(3), as_dim("n"), as_dim("n//2 + 1")
    (3, Dim('n'), Dim('n//2 + 1'))
    """
    if type(value) is int or isinstance(value, SymbolicDim):
        return value
    if isinstance(value, str):
        return parse_dim(value)
    terms = operand_terms(value)
    if terms is None:
        raise DimError(
            f"a size is an int, a name or a symbolic size, got {value!r} ({type(value).__name__})"
        )
    return from_terms(terms)


def parse_dim(text: str, symbols: Mapping[str, Symbol] | None = None) -> Dim:
    """The size that `text` denotes; `parse_dim(str(dim), free_symbols([dim])) == dim`.

    `symbols` gives names their bounds, which the text does not carry; other names get the default
    ones. Raises DimError, with the column, for text that is not a size.

    >>> parse_dim("max(n, 2*m) - 4//3"), parse_dim("(n + 1)%4 * 2")
    (Dim('max(n, 2*m) - 1'), Dim('2*((n + 1)%4)'))
    """
    return from_terms(parse_terms(text, symbols or {}))


def dim_max(a: Dim, b: Dim) -> Dim:
    """The larger size.

    >>> n, m = symbol("n"), symbol("m")
    >>> dim_max(n, n + 1), dim_max(n, m), dim_max(n, 1), dim_max(2, 3)
    (Dim('n + 1'), Dim('max(m, n)'), Dim('n'), 3)
    """
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return from_terms(maximum((terms_of(a), terms_of(b))))


def dim_min(a: Dim, b: Dim) -> Dim:
    """The smaller size.

    >>> dim_min(symbol("n"), symbol("m")), dim_min(symbol("n"), 1)
    (Dim('min(m, n)'), 1)
    """
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return from_terms(minimum((terms_of(a), terms_of(b))))


def ceil_div(a: Dim, b: Dim) -> Dim:
    """`a / b` rounded up, for a positive b: `(a + b - 1) // b`.

    >>> ceil_div(7, 2), ceil_div(symbol("n"), 4), ceil_div(symbol("n") * 4, 4)
    (4, Dim('(n + 3)//4'), Dim('n'))
    """
    if known_less_equal(b, 0):
        raise DimError(f"ceil_div needs a positive divisor, got {b}")
    return (a + b - 1) // b


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes; 1 for none.

    >>> product([2, symbol("n"), 3]), product([])
    (Dim('6*n'), 1)
    """
    number: int = 1
    terms: Terms | None = None
    for dim in dims:
        if isinstance(dim, SymbolicDim):
            terms = dim.terms if terms is None else multiply(terms, dim.terms)
        else:
            number *= dim
    return number if terms is None else from_terms(scale(terms, number))


def known_equal(a: Dim, b: Dim) -> bool | None:
    """True if the sizes are equal under every binding, False if under none, else None.

    >>> n, m = symbol("n"), symbol("m")
    >>> known_equal(n + n, 2 * n), known_equal(2 * n, 2 * m + 1), known_equal(n, m)
    (True, False, None)
    >>> known_equal(n // 3 * 3 + n % 3, n), known_equal(n, 0)
    (True, False)
    """
    if a is b or a == b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return False
    return is_zero(add(terms_of(a), terms_of(b), -1))


def known_less_equal(a: Dim, b: Dim) -> bool | None:
    """True if `a <= b` under every binding, False if under none, else None.

    >>> n, m = symbol("n"), symbol("m")
    >>> known_less_equal(n, n * m), known_less_equal(n, n // 2 - 1), known_less_equal(n, m)
    (True, False, None)
    """
    if isinstance(a, int) and isinstance(b, int):
        return a <= b
    return is_nonnegative(add(terms_of(b), terms_of(a), -1))


def known_less(a: Dim, b: Dim) -> bool | None:
    """True if `a < b` under every binding, False if under none, else None.

    >>> n = symbol("n")
    >>> known_less(n % 4, 4), known_less(n, n), known_less(n, 2 * n), known_less(n, 7)
    (True, False, True, None)
    """
    if isinstance(a, int) and isinstance(b, int):
        return a < b
    return is_positive(add(terms_of(b), terms_of(a), -1))


def known_nonnegative(dim: Dim) -> bool | None:
    """True if the size is never negative, False if it always is, else None.

    >>> known_nonnegative(symbol("n") - 1), known_nonnegative(symbol("n") - 2)
    (True, None)
    """
    return known_less_equal(0, dim)


def bounds(dim: Dim) -> tuple[int | None, int | None]:
    """(least, largest) value over all bindings, as far as known; None where none is.

    >>> n = symbol("n", minimum=3)
    >>> bounds(2 * n + 1), bounds(n % 5), bounds(4), bounds(10 - n)
    ((7, None), (0, 4), (4, 4), (None, 7))
    """
    terms = terms_of(dim)
    return proven_lower(terms), proven_upper(terms)


def evaluate(dim: Dim, binding: Mapping[str, int]) -> int:
    """The number that a size is when its symbols have the numbers in `binding`.

    Raises DimError for a missing symbol, for a number that the symbol's minimum or multiple_of
    excludes, and for a division by zero.

    >>> evaluate(symbol("n") // 2 + 1, {"n": 7})
    4
    """
    return evaluate_terms(dim.terms, binding) if isinstance(dim, SymbolicDim) else dim


def substitute(dim: Dim, mapping: Mapping[str, Dim]) -> Dim:
    """The size with symbols replaced by other sizes, all at once. Names not in it stay.

    Raises DimError if a replacement is not known to keep the symbol's minimum and multiple_of.

    >>> n, m = symbol("n"), symbol("m")
    >>> substitute(n * m + 1, {"n": 2 * m, "m": 3}), substitute(n // 2, {"n": 4 * m})
    (Dim('6*m + 1'), Dim('2*m'))
    """
    if not isinstance(dim, SymbolicDim):
        return dim
    return from_terms(
        substitute_terms(dim.terms, {name: terms_of(value) for name, value in mapping.items()})
    )


def symbols_of(dim: Dim) -> frozenset[Symbol]:
    """Every symbol in a size.

    >>> sorted(symbol.name for symbol in symbols_of(as_dim("n*m + k//2")))
    ['k', 'm', 'n']
    """
    return frozenset(all_symbols(dim.terms)) if isinstance(dim, SymbolicDim) else frozenset()


def as_symbol(dim: Dim) -> Symbol | None:
    """The symbol that a size simply is, or None if it is anything more.

    >>> as_symbol(symbol("n")), as_symbol(symbol("n") + 1), as_symbol(3)
    (Symbol('n', minimum=1, multiple_of=1), None, None)
    """
    if isinstance(dim, SymbolicDim):
        first = dim.terms[0][0][0]
        if isinstance(first, Symbol) and dim.terms == symbol_terms(first):
            return first
    return None


def free_symbols(dims: Iterable[Dim]) -> dict[str, Symbol]:
    """The symbols of several sizes by name, in order of appearance.

    Raises DimError if one name stands for symbols with different bounds.

    >>> free_symbols([symbol("n"), 3, symbol("m", minimum=0)])["m"].minimum
    0
    """
    found: dict[str, Symbol] = {}
    for dim in dims:
        if isinstance(dim, SymbolicDim):
            for one in sorted(all_symbols(dim.terms), key=lambda atom: atom.key):
                known = found.setdefault(one.name, one)
                if known != one:
                    raise DimError(
                        f"the size {one.name!r} has two declarations, {known!r} and {one!r}; "
                        "make the symbol once and use it everywhere, or choose another name"
                    )
    return found


def solve_for_symbol(dim: Dim, value: int, binding: Mapping[str, int]) -> tuple[str, int] | None:
    """The (name, number) that makes `dim` equal to `value`, given numbers for the other symbols.

    Solves a size that is linear in its one unbound symbol; None for every other size, also for one
    that has no unbound symbol. Raises DimError if no allowed number does it.

    >>> n, m = symbol("n"), symbol("m")
    >>> solve_for_symbol(2 * n * m + 1, 13, {"m": 3}), solve_for_symbol(n // 2, 3, {})
    (('n', 2), None)
    """
    if not isinstance(dim, SymbolicDim):
        return None
    numbers = {name: terms_of(as_dim(number)) for name, number in binding.items()}
    return solve_terms(substitute_terms(dim.terms, numbers), value)
