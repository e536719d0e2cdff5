"""Terms as text that `asg.core.dim_parse` reads back: "2*batch + 1", "(n + 1)//2", "max(n, m)"."""

from __future__ import annotations

from asg.core.dim_terms import (
    Atom,
    Compound,
    FloorDiv,
    Max,
    Min,
    Monomial,
    Symbol,
    Terms,
    constant_value,
    sole_atom,
)


def terms_text(terms: Terms) -> str:
    """The terms in Python's notation, a positive term first and the constant last."""
    if not terms:
        return "0"
    ordered = sorted(terms, key=lambda term: not term[0])  # stable: only the constant moves
    first = next((index for index, (_, c) in enumerate(ordered) if c > 0), 0)
    (monomial, coefficient) = ordered.pop(first)
    factors = _factors(monomial, abs(coefficient))
    text = _joined(factors)
    if coefficient < 0:  # a leading minus binds tighter than // and %
        text = f"-({text})" if len(factors) == 1 and not factors[0][1] else f"-{text}"
    for monomial, coefficient in ordered:
        sign = "-" if coefficient < 0 else "+"
        text += f" {sign} {_joined(_factors(monomial, abs(coefficient)))}"
    return text


def _factors(monomial: Monomial, coefficient: int) -> list[tuple[str, bool]]:
    """(text, whether it needs no parentheses inside a product) per factor."""
    factors = []
    for atom in monomial:
        if isinstance(atom, Symbol) and atom.multiple_of > 1:
            if coefficient % atom.multiple_of == 0:
                coefficient //= atom.multiple_of
                factors.append((atom.name, True))
            else:
                factors.append((f"{atom.name}//{atom.multiple_of}", False))
        else:
            factors.append((_atom_text(atom), _is_closed(atom)))
    if coefficient != 1 or not factors:
        factors.insert(0, (str(coefficient), True))
    return factors


def _joined(factors: list[tuple[str, bool]]) -> str:
    if len(factors) == 1:
        return factors[0][0]
    return "*".join(text if closed else f"({text})" for text, closed in factors)


def _is_closed(atom: Atom | None) -> bool:
    return isinstance(atom, Symbol | Max | Min)


def _atom_text(atom: Atom) -> str:
    if isinstance(atom, Symbol):
        return atom.name
    assert isinstance(atom, Compound)
    if isinstance(atom, Max | Min):
        return f"{atom.operator}({', '.join(terms_text(terms) for terms in atom.operands)})"
    left, right = (_operand_text(terms) for terms in atom.operands)
    return f"{left}{'//' if isinstance(atom, FloorDiv) else '%'}{right}"


def _operand_text(terms: Terms) -> str:
    text = terms_text(terms)
    number = constant_value(terms)
    if text.isidentifier() or (number is not None and number >= 0):
        return text
    atom = sole_atom(terms)
    return text if isinstance(atom, Max | Min) else f"({text})"
