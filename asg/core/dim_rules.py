"""Division, remainder, max and min of terms, brought to normal form.

Each function returns a polynomial where one exists and a compound atom otherwise. Every step is an
identity of the integers under Python's rounding, for a divisor that is not zero; a divisor that
may be zero is left alone, so that running the graph with a zero there still reports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import gcd

from asg.core.dim_bounds import known_nonzero, proven_lower, proven_upper
from asg.core.dim_terms import (
    ZERO,
    Atom,
    Compound,
    FloorDiv,
    Max,
    Min,
    Mod,
    Monomial,
    Symbol,
    Terms,
    add,
    common_monomial,
    constant,
    constant_value,
    content,
    divide,
    divide_exactly,
    multiply,
    replace_atom,
    scale,
    single,
    sole_atom,
    terms_key,
    top_atoms,
)
from asg.core.dim_text import terms_text
from asg.core.errors import DimError

# A graph divides the same few sizes again and again.
_MAXIMUM_REMEMBERED = 4096


@lru_cache(_MAXIMUM_REMEMBERED)
def floor_divide(a: Terms, b: Terms) -> Terms:
    """`a // b`, rounded down."""
    if not _can_simplify(a, b, "//"):
        return single(FloorDiv(a, b))
    if b[0][1] < 0:
        a, b = scale(a, -1), scale(b, -1)
    quotient, remainder = divide(a, b)
    if remainder and any(isinstance(atom, Mod) for atom in top_atoms(remainder)):
        exact, rest = divide(without_mod(a), b)
        if not rest:
            return exact
    return add(quotient, _floor_of_remainder(remainder, b)) if remainder else quotient


@lru_cache(_MAXIMUM_REMEMBERED)
def modulo(a: Terms, b: Terms) -> Terms:
    """`a % b`, with the sign of b."""
    if not _can_simplify(a, b, "%"):
        return single(Mod(a, b))
    if b[0][1] < 0:
        return scale(modulo(scale(a, -1), scale(b, -1)), -1)
    _, remainder = divide(a, b)
    return _modulo_of_remainder(remainder, b) if remainder else ZERO


def _can_simplify(a: Terms, b: Terms, sign: str) -> bool:
    if not b:
        raise DimError(f"division by zero: ({terms_text(a)}) {sign} 0")
    return constant_value(b) is not None or known_nonzero(b)


def _floor_of_remainder(a: Terms, b: Terms) -> Terms:
    """`a // b` for a remainder of the long division by b."""
    whole = _quotient_by_bounds(a, b)
    if whole is not None:
        return constant(whole)
    smaller = _cancel_common(a, b)
    if smaller is not None:
        return floor_divide(smaller[0], smaller[1])
    flat = _flatten_floors(a, b)
    return single(FloorDiv(a, b)) if flat is None else floor_divide(*flat)


def _modulo_of_remainder(a: Terms, b: Terms) -> Terms:
    """`a % b` for a remainder of the long division by b."""
    whole = _quotient_by_bounds(a, b)
    if whole is not None:
        return add(a, b, -whole)
    smaller = _cancel_common(a, b)
    if smaller is not None:
        numerator, divisor, monomial, number, left_over = smaller
        factor: Terms = ((monomial, number),)
        return add(multiply(factor, modulo(numerator, divisor)), constant(left_over))
    flat = _drop_inner_mod(a, b)
    return single(Mod(a, b)) if flat is None else modulo(flat, b)


def _quotient_by_bounds(a: Terms, b: Terms) -> int | None:
    """The quotient, where the bounds leave only one."""
    number = constant_value(b)
    low, high = proven_lower(a), proven_upper(a)
    if number is not None:
        if low is not None and high is not None and low // number == high // number:
            return low // number
        return None
    if not _is_positive(b):
        return None
    if low is not None and low >= 0:
        return 0 if _is_positive(add(b, a, -1)) else None
    if high is not None and high < 0:
        margin = proven_lower(add(a, b))
        return -1 if margin is not None and margin >= 0 else None
    return None


def _is_positive(terms: Terms) -> bool:
    low = proven_lower(terms)
    return low is not None and low >= 1


def _cancel_common(a: Terms, b: Terms) -> tuple[Terms, Terms, Monomial, int, int] | None:
    """(a', b', monomial, number, left over): what a and b share, taken out of both.

    `a = number * monomial * a' + left over` and `b = number * monomial * b'`. The left over is a
    constant below `number`; it changes no quotient, because b is positive where it is not zero.
    """
    number = gcd(content(b), content(term for term in a if term[0]))
    constant_part = next((c for m, c in a if not m), 0)
    if constant_part % number and not _is_positive(b):
        number = gcd(number, constant_part)
    left_over = constant_part % number
    kept = add(a, constant(-left_over))
    monomial = common_monomial(kept + b) if kept and not left_over else ()
    if number == 1 and not monomial:
        return None
    return (
        divide_exactly(kept, monomial, number), divide_exactly(b, monomial, number),
        monomial, number, left_over,
    )  # fmt: skip


def _flatten_floors(a: Terms, b: Terms) -> tuple[Terms, Terms] | None:
    """`(p + x // k) // b` is `(p*k + x) // (k*b)`, for a positive b and one inner quotient."""
    inner = [
        m[0] for m, c in a
        if c == 1 and len(m) == 1 and isinstance(m[0], FloorDiv)
    ]  # fmt: skip
    if len(inner) != 1 or not _is_positive(b):
        return None
    atom = inner[0]
    assert isinstance(atom, Compound)
    numerator, divisor = atom.operands
    rest = tuple(term for term in a if term[0] != (atom,))
    if any(atom in top_atoms((term,)) for term in rest):
        return None
    return add(multiply(rest, divisor), numerator), multiply(divisor, b)


def _drop_inner_mod(a: Terms, b: Terms) -> Terms | None:
    """`(p + c * (x % d)) % b` is `(p + c * x) % b`, where b divides c * d."""
    for monomial, coefficient in a:
        for atom in monomial:
            if isinstance(atom, Mod) and monomial.count(atom) == 1:
                value, divisor = atom.operands
                others = tuple(other for other in monomial if other != atom)
                factor: Terms = ((others, coefficient),)
                if not divide(multiply(factor, divisor), b)[1]:
                    rest = add(a, ((monomial, coefficient),), -1)
                    return add(rest, multiply(factor, value))
    return None


def without_mod(terms: Terms) -> Terms:
    """The terms with every `x % d` at the top written as `x - d * (x // d)`.

    Two sizes that are equal by the law of division have equal terms after this.
    """
    for atom in list(top_atoms(terms)):
        if isinstance(atom, Mod):
            value, divisor = atom.operands
            quotient = floor_divide(value, divisor)
            terms = replace_atom(terms, atom, add(value, multiply(divisor, quotient), -1))
    return terms


def maximum(operands: Sequence[Terms]) -> Terms:
    """The largest of the operands; those that another one is never below are left out."""
    return _extreme(operands, Max, 1)


def minimum(operands: Sequence[Terms]) -> Terms:
    """The smallest of the operands; those that another one is never above are left out."""
    return _extreme(operands, Min, -1)


def _extreme(operands: Sequence[Terms], kind: type[Compound], sign: int) -> Terms:
    flat: list[Terms] = []
    for terms in operands:
        atom = sole_atom(terms)
        inner = atom.operands if isinstance(atom, kind) else (terms,)
        flat.extend(inner)
    kept: list[Terms] = []
    for terms in sorted(flat, key=terms_key):
        if not any(_is_covered(terms, other, sign) for other in kept):
            kept = [other for other in kept if not _is_covered(other, terms, sign)]
            kept.append(terms)
    return kept[0] if len(kept) == 1 else single(kind(*kept))


def _is_covered(terms: Terms, other: Terms, sign: int) -> bool:
    low = proven_lower(add(scale(other, sign), terms, -sign))
    return low is not None and low >= 0


def replace_symbols(terms: Terms, replacement: Callable[[Symbol], Terms]) -> Terms:
    """The terms with `replacement(symbol)` for every symbol's atom, in normal form again."""
    return _replaced(terms, replacement, {})


def _replaced(
    terms: Terms, replacement: Callable[[Symbol], Terms], known: dict[Atom, Terms]
) -> Terms:
    result = ZERO
    for monomial, coefficient in terms:
        product = constant(coefficient)
        for atom in monomial:
            if atom not in known:
                known[atom] = _replaced_atom(atom, replacement, known)
            product = multiply(product, known[atom])
        result = add(result, product)
    return result


def _replaced_atom(
    atom: Atom, replacement: Callable[[Symbol], Terms], known: dict[Atom, Terms]
) -> Terms:
    if isinstance(atom, Symbol):
        return replacement(atom)
    assert isinstance(atom, Compound)
    operands = [_replaced(terms, replacement, known) for terms in atom.operands]
    if isinstance(atom, Max):
        return maximum(operands)
    if isinstance(atom, Min):
        return minimum(operands)
    return (floor_divide if isinstance(atom, FloorDiv) else modulo)(*operands)
