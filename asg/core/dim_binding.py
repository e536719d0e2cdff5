"""Put numbers or other sizes in the place of symbols, and find the number that a symbol must be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import index

from asg.core.dim_bounds import proven_lower
from asg.core.dim_rules import floor_divide, modulo, replace_symbols
from asg.core.dim_terms import (
    Atom,
    Compound,
    FloorDiv,
    Max,
    Min,
    Mod,
    Symbol,
    Terms,
    all_symbols,
    constant,
    constant_value,
    single,
)
from asg.core.dim_text import terms_text
from asg.core.errors import DimError


def evaluate_terms(terms: Terms, binding: Mapping[str, int]) -> int:
    """The number that the terms are under a binding of every symbol in them."""
    return _evaluate(terms, binding, {})


def _evaluate(terms: Terms, binding: Mapping[str, int], known: dict[Atom, int]) -> int:
    total = 0
    for monomial, coefficient in terms:
        product = coefficient
        for atom in monomial:
            if atom not in known:
                known[atom] = _evaluate_atom(atom, binding, known)
            product *= known[atom]
        total += product
    return total


def _evaluate_atom(atom: Atom, binding: Mapping[str, int], known: dict[Atom, int]) -> int:
    if isinstance(atom, Symbol):
        return symbol_value(atom, binding) // atom.multiple_of
    assert isinstance(atom, Compound)
    numbers = [_evaluate(terms, binding, known) for terms in atom.operands]
    if isinstance(atom, FloorDiv | Mod) and numbers[1] == 0:
        numerator, divisor = (terms_text(terms) for terms in atom.operands)
        raise DimError(
            f"division by zero: ({numerator}){atom.operator}({divisor}), where {divisor} is 0 "
            f"with {_binding_text(atom.operands[1], binding)}"
        )
    return _NUMBER_OPERATIONS[type(atom)](numbers)


_NUMBER_OPERATIONS: dict[type[Atom], Callable[[list[int]], int]] = {
    FloorDiv: lambda numbers: numbers[0] // numbers[1],
    Mod: lambda numbers: numbers[0] % numbers[1],
    Max: max,
    Min: min,
}


def _binding_text(terms: Terms, binding: Mapping[str, int]) -> str:
    names = sorted({symbol.name for symbol in all_symbols(terms)})
    return ", ".join(f"{name} = {binding[name]}" for name in names)


def symbol_value(symbol: Symbol, binding: Mapping[str, int]) -> int:
    """The number bound to a symbol, checked against what the symbol promises."""
    if symbol.name not in binding:
        given = ", ".join(f"{name} = {value}" for name, value in binding.items()) or "nothing"
        raise DimError(f"no number is given for the size {symbol.name!r} (given: {given})")
    return checked_value(symbol, binding[symbol.name])


def checked_value(symbol: Symbol, value: object) -> int:
    """`value` as an int that `symbol` allows."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise DimError(f"size {symbol.name!r} must be an int, got {value!r}")
    number = index(value)
    if number < symbol.minimum:
        raise DimError(
            f"size {symbol.name!r} is {number}, below its minimum {symbol.minimum}; "
            f"declare it with minimum={max(number, 0)} if that is meant"
        )
    if number % symbol.multiple_of:
        raise DimError(
            f"size {symbol.name!r} is {number}, not a multiple of {symbol.multiple_of} as declared"
        )
    return number


def substitute_terms(terms: Terms, values: Mapping[str, Terms]) -> Terms:
    """The terms with symbols replaced, by name, and brought to normal form again."""

    def replacement(symbol: Symbol) -> Terms:
        value = values.get(symbol.name)
        return single(symbol) if value is None else _unit_terms(symbol, value)

    return replace_symbols(terms, replacement)


def _unit_terms(symbol: Symbol, value: Terms) -> Terms:
    """The multiple_of-th part of `value`, which must provably keep the promises of `symbol`.

    Only proven ones will do: what was simplified under the symbol's promises would be wrong.
    """
    number = constant_value(value)
    if number is not None:
        return constant(checked_value(symbol, number) // symbol.multiple_of)
    text = terms_text(value)
    if modulo(value, constant(symbol.multiple_of)):
        raise DimError(
            f"cannot put {text} for {symbol.name!r}: it is not known to be a multiple of "
            f"{symbol.multiple_of}; declare its symbols with multiple_of"
        )
    low = proven_lower(value)
    if low is None or low < symbol.minimum:
        raise DimError(
            f"cannot put {text} for {symbol.name!r}: it is not known to be at least "
            f"{symbol.minimum}; declare its symbols with a larger minimum, or {symbol.name!r} "
            "with a smaller one"
        )
    return floor_divide(value, constant(symbol.multiple_of))


def solve_terms(terms: Terms, value: int) -> tuple[str, int] | None:
    """(name, number) so that the terms are `value`, if they are linear in one symbol; else None."""
    constant_part = next((c for m, c in terms if not m), 0)
    variable = [(m, c) for m, c in terms if m]
    if len(variable) != 1 or len(variable[0][0]) != 1 or not isinstance(variable[0][0][0], Symbol):
        return None
    (symbol,), coefficient = variable[0]
    assert isinstance(symbol, Symbol)
    units, rest = divmod(value - constant_part, coefficient)
    if rest:
        raise DimError(
            f"no size {symbol.name!r} makes {terms_text(terms)} equal to {value}: "
            f"{value - constant_part} is not a multiple of {abs(coefficient)}"
        )
    try:
        return symbol.name, checked_value(symbol, units * symbol.multiple_of)
    except DimError as problem:
        raise DimError(f"{terms_text(terms)} cannot be {value}: {problem}") from None
