"""The normal form behind symbolic sizes: sums of integer multiples of products of atoms.

Terms are a tuple of (monomial, coefficient), largest monomial first; a monomial is a sorted tuple
of atoms, repeated for powers. So equal sums are equal tuples, zero is `()`, and a constant c is
`(((), c),)`. `asg.core.dim` wraps this in the public `SymbolicDim`; nothing here knows about it.

A symbol that is a multiple of k enters as `k * symbol`: the atom stands for the k-th part of it.
That makes `n // k` a polynomial and every divisibility question a question about coefficients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import gcd
from typing import TypeAlias

from asg.core.errors import DimError

Monomial: TypeAlias = "tuple[Atom, ...]"
Terms: TypeAlias = "tuple[tuple[Monomial, int], ...]"
Interval: TypeAlias = "tuple[int | None, int | None]"

ZERO: Terms = ()

# Walks over compounds call themselves once per level; expressions that double at every step would
# fill the memory. No size of a real program comes near.
_MAXIMUM_NESTING = 40
_MAXIMUM_KEY = 4_000


class Atom:
    """What the normal form does not look into. Equality, hash and order follow `key`."""

    __slots__ = ("cached_bounds", "key")

    key: str
    cached_bounds: Interval | None  # filled by dim_bounds

    def __init__(self, key: str) -> None:
        self.key = key
        self.cached_bounds = None

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Atom) and self.key == other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


class Symbol(Atom):
    """A named size that a run binds: at least `minimum`, and a multiple of `multiple_of`."""

    __slots__ = ("minimum", "multiple_of", "name")

    def __init__(self, name: str, minimum: int = 1, multiple_of: int = 1) -> None:
        plain = minimum == 1 and multiple_of == 1
        super().__init__(name if plain else f"{name}[{minimum},{multiple_of}]")
        self.name = name
        self.minimum = minimum
        self.multiple_of = multiple_of

    def __repr__(self) -> str:
        return f"Symbol({self.name!r}, minimum={self.minimum}, multiple_of={self.multiple_of})"


class Compound(Atom):
    """An operation on sizes that no polynomial expresses. `~` sorts it behind the symbols."""

    __slots__ = ("nesting", "operands")

    operator = ""

    def __init__(self, *operands: Terms) -> None:
        super().__init__(f"~{self.operator}({','.join(terms_key(terms) for terms in operands)})")
        self.operands = operands
        self.nesting = 1 + max(map(nesting, operands))
        if self.nesting > _MAXIMUM_NESTING or len(self.key) > _MAXIMUM_KEY:
            raise DimError(
                f"a size became too complicated: {self.nesting} levels of //, %, max and min, "
                f"{len(self.key)} characters. Give the intermediate size a name of its own with "
                "a new symbol, or bind some symbols to numbers first"
            )


class FloorDiv(Compound):
    """`operands[0] // operands[1]`, rounded down."""

    __slots__ = ()
    operator = "//"


class Mod(Compound):
    """`operands[0] % operands[1]`, with the sign of the divisor."""

    __slots__ = ()
    operator = "%"


class Max(Compound):
    """The largest of two or more operands."""

    __slots__ = ()
    operator = "max"


class Min(Compound):
    """The smallest of two or more operands."""

    __slots__ = ()
    operator = "min"


def nesting(terms: Terms) -> int:
    """How many compounds lie inside one another."""
    compounds = (atom.nesting for atom in top_atoms(terms) if isinstance(atom, Compound))
    return max(compounds, default=0)


def terms_key(terms: Terms) -> str:
    """An injective text of the terms: the same for equal terms only."""
    return "+".join("*".join([str(c), *(atom.key for atom in m)]) for m, c in terms)


def constant(number: int) -> Terms:
    """The terms of an integer."""
    return (((), number),) if number else ZERO


def single(atom: Atom) -> Terms:
    """The terms of one atom, taken once."""
    return (((atom,), 1),)


def constant_value(terms: Terms) -> int | None:
    """The integer that the terms are, or None if an atom is left."""
    if not terms:
        return 0
    return terms[0][1] if not terms[0][0] else None


def sole_atom(terms: Terms) -> Atom | None:
    """The atom, if the terms are exactly that atom taken once."""
    if len(terms) == 1 and terms[0][1] == 1 and len(terms[0][0]) == 1:
        return terms[0][0][0]
    return None


def _rank(term: tuple[Monomial, int]) -> tuple[int, tuple[str, ...]]:
    """Graded lexicographic order, a true monomial order: long division relies on it."""
    monomial = term[0]
    return -len(monomial), tuple(atom.key for atom in monomial)


def _sorted_terms(coefficients: dict[Monomial, int]) -> Terms:
    items = [item for item in coefficients.items() if item[1]]
    if len(items) > 1:
        items.sort(key=_rank)
    return tuple(items)


def add(a: Terms, b: Terms, factor: int = 1) -> Terms:
    """`a + factor * b`."""
    number = constant_value(b)
    if number is not None:
        return _add_constant(a, factor * number)
    coefficients = dict(a)
    for monomial, coefficient in b:
        coefficients[monomial] = coefficients.get(monomial, 0) + factor * coefficient
    return _sorted_terms(coefficients)


def _add_constant(terms: Terms, number: int) -> Terms:
    if terms and not terms[-1][0]:  # the constant sorts last
        return terms[:-1] + constant(terms[-1][1] + number)
    return terms + constant(number)


def scale(terms: Terms, factor: int) -> Terms:
    """`factor * terms`."""
    return tuple((m, c * factor) for m, c in terms) if factor else ZERO


def multiply(a: Terms, b: Terms) -> Terms:
    """`a * b`, expanded."""
    for left, right in ((a, b), (b, a)):
        factor = constant_value(left)
        if factor is not None:
            return scale(right, factor)
    coefficients: dict[Monomial, int] = {}
    for left_monomial, left_coefficient in a:
        for right_monomial, right_coefficient in b:
            monomial = _sorted_monomial(left_monomial + right_monomial)
            product = left_coefficient * right_coefficient
            coefficients[monomial] = coefficients.get(monomial, 0) + product
    return _sorted_terms(coefficients)


def _sorted_monomial(atoms: Iterable[Atom]) -> Monomial:
    return tuple(sorted(atoms, key=lambda atom: atom.key))


def divide(a: Terms, b: Terms) -> tuple[Terms, Terms]:
    """(quotient, remainder) with `a = quotient * b + remainder`, for b with a positive lead.

    Long division by the leading term of b. The remainder depends only on a modulo b, so sizes
    that differ by a multiple of b leave the same one; it is zero exactly if b divides a.
    """
    number = constant_value(b)
    if number is not None:
        quotient = [(m, c // number) for m, c in a if c // number]
        return tuple(quotient), tuple((m, c % number) for m, c in a if c % number)
    lead, lead_coefficient = b[0]
    quotient_terms, remainder = ZERO, a
    while True:
        step = _division_step(remainder, lead, lead_coefficient)
        if step is None:
            return quotient_terms, remainder
        quotient_terms = add(quotient_terms, step)
        remainder = add(remainder, multiply(step, b), -1)


def _division_step(remainder: Terms, lead: Monomial, lead_coefficient: int) -> Terms | None:
    """The largest term of `remainder` that the leading term goes into, divided by it."""
    for monomial, coefficient in remainder:
        factor = coefficient // lead_coefficient
        if factor:
            rest = monomial_quotient(monomial, lead)
            if rest is not None:
                return ((rest, factor),)
    return None


def monomial_quotient(monomial: Monomial, divisor: Monomial) -> Monomial | None:
    """The monomial without the atoms of `divisor`, or None if they are not all there."""
    if len(divisor) > len(monomial):
        return None
    atoms = list(monomial)
    for atom in divisor:
        if atom not in atoms:
            return None
        atoms.remove(atom)
    return tuple(atoms)


def content(terms: Iterable[tuple[Monomial, int]]) -> int:
    """The greatest common divisor of the coefficients; 0 if there are none."""
    return gcd(*(coefficient for _, coefficient in terms))


def common_monomial(terms: Terms) -> Monomial:
    """The atoms that every term contains, with their least power."""
    shared = list(terms[0][0])
    for monomial, _ in terms[1:]:
        atoms = list(monomial)
        kept = []
        for atom in shared:
            if atom in atoms:
                atoms.remove(atom)
                kept.append(atom)
        shared = kept
    return tuple(shared)


def divide_exactly(terms: Terms, monomial: Monomial, number: int) -> Terms:
    """`terms / (number * monomial)`, for terms known to be divisible."""
    if not monomial:
        return tuple((m, c // number) for m, c in terms)
    return _sorted_terms({_exact_monomial_quotient(m, monomial): c // number for m, c in terms})


def _exact_monomial_quotient(monomial: Monomial, divisor: Monomial) -> Monomial:
    quotient = monomial_quotient(monomial, divisor)
    if quotient is None:
        raise DimError("internal: a monomial was divided by one that it does not contain")
    return quotient


def replace_atom(terms: Terms, atom: Atom, value: Terms) -> Terms:
    """The terms with `atom` replaced by `value`, at the top level only (not inside compounds)."""
    result = ZERO
    for monomial, coefficient in terms:
        power = monomial.count(atom)
        kept = tuple(other for other in monomial if other != atom)
        product: Terms = ((kept, coefficient),)
        for _ in range(power):
            product = multiply(product, value)
        result = add(result, product)
    return result


def top_atoms(terms: Terms) -> Iterator[Atom]:
    """The distinct atoms of the terms, without those inside compounds."""
    seen: set[Atom] = set()
    for monomial, _ in terms:
        for atom in monomial:
            if atom not in seen:
                seen.add(atom)
                yield atom


def all_symbols(terms: Terms) -> set[Symbol]:
    """Every symbol of the terms, also inside compounds."""
    found: set[Symbol] = set()
    for part in (terms, *(operand for atom in all_compounds(terms) for operand in atom.operands)):
        found.update(atom for atom in top_atoms(part) if isinstance(atom, Symbol))
    return found


def all_compounds(terms: Terms) -> list[Compound]:
    """Every compound of the terms, also inside others, each once. Iterative."""
    found: dict[Compound, None] = {}
    waiting = [terms]
    while waiting:
        for atom in top_atoms(waiting.pop()):
            if isinstance(atom, Compound) and atom not in found:
                found[atom] = None
                waiting.extend(atom.operands)
    return list(found)
