"""Whether terms are zero positive or not negative, for every binding, for none, or for some."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import product
from math import prod

from asg.core.dim_bounds import proven_lower, proven_upper
from asg.core.dim_rules import replace_symbols, without_mod
from asg.core.dim_terms import (
    FloorDiv,
    Mod,
    Symbol,
    Terms,
    add,
    all_compounds,
    all_symbols,
    constant,
    constant_value,
    content,
    scale,
    single,
)
from asg.core.errors import DimError

# How many combinations of residues a proof of equality may try.
_MAXIMUM_CASES = 36
_MAXIMUM_REMEMBERED = 4096


@lru_cache(_MAXIMUM_REMEMBERED)
def is_zero(terms: Terms) -> bool | None:
    """True if the terms are zero under every binding, False if under none, else None."""
    if not terms:
        return True
    if _excludes_zero(terms):
        return False
    try:
        return _is_zero_expanded(without_mod(terms))
    except DimError:  # some binding divides by zero, or the proof would become too long
        return None


def _is_zero_expanded(terms: Terms) -> bool | None:
    if not terms:
        return True
    return False if _excludes_zero(terms) else _is_zero_by_cases(terms)


def _is_zero_by_cases(terms: Terms) -> bool | None:
    """Decide by the residues of the symbols: n is 2t or 2t + 1, and n//2 a polynomial in both.

    Finds that `(n + 1)//2` is `n - n//2`. Only for a few cases, as many as there are residues.
    """
    period, symbols = _period_and_symbols(terms)
    if period == 1 or period ** len(symbols) > _MAXIMUM_CASES:
        return None
    answers = set()
    for residues in product(range(period), repeat=len(symbols)):
        classes = {
            symbol: _residue_class(symbol, period, residue)
            for symbol, residue in zip(symbols, residues, strict=True)
        }
        case = without_mod(_with_classes(terms, classes))
        answers.add(not case or (False if _excludes_zero(case) else None))
        if len(answers) > 1 or None in answers:
            return None
    return answers.pop()


def _with_classes(terms: Terms, classes: Mapping[Symbol, Terms]) -> Terms:
    return replace_symbols(terms, lambda symbol: classes.get(symbol) or single(symbol))


def _period_and_symbols(terms: Terms) -> tuple[int, list[Symbol]]:
    """The product of all constant divisors, and the symbols divided by them."""
    divisors, symbols = set(), set()
    for atom in all_compounds(terms):
        number = constant_value(atom.operands[-1])
        if isinstance(atom, FloorDiv | Mod) and number is not None:
            divisors.add(number)
            symbols |= all_symbols(atom.operands[0])
    return prod(divisors), sorted(symbols, key=lambda symbol: symbol.key)


def _residue_class(symbol: Symbol, period: int, residue: int) -> Terms:
    """`period * t + residue` for the atom of a symbol, with t bounded as the symbol is."""
    least = -(-symbol.minimum // symbol.multiple_of)
    quotient = Symbol(f"{symbol.key}/{period}", -(-(least - residue) // period))
    return add(scale(single(quotient), period), constant(residue))


def _excludes_zero(terms: Terms) -> bool:
    """Whether the terms are zero under no binding: by a bound, or by a common divisor."""
    constant_part = next((c for m, c in terms if not m), 0)
    common = content(term for term in terms if term[0])
    if constant_part if not common else constant_part % common:
        return True
    low = proven_lower(terms)
    if low is not None and low > 0:
        return True
    high = proven_upper(terms)
    return high is not None and high < 0


def is_nonnegative(terms: Terms) -> bool | None:
    """True if the terms are at least 0 under every binding, False if under none, else None."""
    low, high = proven_lower(terms), proven_upper(terms)
    if low is not None and low >= 0:
        return True
    if high is not None and high < 0:
        return False
    zero = is_zero(terms)
    return False if zero is False and high == 0 else zero or None


def is_positive(terms: Terms) -> bool | None:
    """True if the terms are at least 1 under every binding, False if under none, else None."""
    opposite = is_nonnegative(scale(terms, -1))
    return None if opposite is None else not opposite
