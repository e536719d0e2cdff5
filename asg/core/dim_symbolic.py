"""`SymbolicDim`: the normal form of `dim_terms` with Python's operators.

`asg.core.dim` is the module to import from; it adds the functions on sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import index
from typing import NoReturn, SupportsIndex, TypeAlias

from asg.core.dim_compare import is_nonnegative, is_positive
from asg.core.dim_rules import floor_divide, modulo
from asg.core.dim_terms import Terms, add, all_symbols, constant, constant_value, multiply, scale
from asg.core.dim_text import terms_text
from asg.core.errors import DimError


class SymbolicDim:
    """A size with at least one symbol in it, in normal form. Made by `symbol` and arithmetic.

    >>> from asg.core.dim import symbol
    >>> n = symbol("n")
    >>> n + n == 2 * n, n - n, (n + 1) * (n - 1)
    (True, 0, Dim('n*n - 1'))
    >>> n < n + 1
    True
    >>> n < 4  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    asg.core.errors.DimError: is n < 4? That depends on the binding of 'n'. ...
    """

    __slots__ = ("_hash", "terms")

    terms: Terms
    _hash: int
    __array_ufunc__ = None  # so that numpy.int64(2) * n comes to us

    def __init__(self) -> None:
        raise DimError("make a symbolic size with symbol('n') and arithmetic, or as_dim('2*n')")

    def __setattr__(self, attribute: str, value: object) -> NoReturn:
        raise AttributeError(f"sizes are immutable; cannot set {attribute!r} of {self!r}")

    def __delattr__(self, attribute: str) -> NoReturn:
        raise AttributeError(f"sizes are immutable; cannot delete {attribute!r} of {self!r}")

    def __reduce__(self) -> tuple[Callable[[Terms], Dim], tuple[Terms]]:
        return from_terms, (self.terms,)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, SymbolicDim):
            return False
        return self._hash == other._hash and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return terms_text(self.terms)

    def __repr__(self) -> str:
        return f"Dim({str(self)!r})"

    def __add__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(add(self.terms, terms))

    __radd__ = __add__

    def __sub__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(add(self.terms, terms, -1))

    def __rsub__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(add(terms, self.terms, -1))

    def __mul__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(multiply(self.terms, terms))

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(floor_divide(self.terms, terms))

    def __rfloordiv__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(floor_divide(terms, self.terms))

    def __mod__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(modulo(self.terms, terms))

    def __rmod__(self, other: Dim) -> Dim:
        terms = operand_terms(other)
        return NotImplemented if terms is None else from_terms(modulo(terms, self.terms))

    def __neg__(self) -> Dim:
        return from_terms(scale(self.terms, -1))

    def __pos__(self) -> Dim:
        return self

    def __lt__(self, other: Dim) -> bool:
        terms = operand_terms(other)
        if terms is None:
            return NotImplemented
        return _decided(is_positive, add(terms, self.terms, -1), (self, "<", other))

    def __le__(self, other: Dim) -> bool:
        terms = operand_terms(other)
        if terms is None:
            return NotImplemented
        return _decided(is_nonnegative, add(terms, self.terms, -1), (self, "<=", other))

    def __gt__(self, other: Dim) -> bool:
        terms = operand_terms(other)
        if terms is None:
            return NotImplemented
        return _decided(is_positive, add(self.terms, terms, -1), (self, ">", other))

    def __ge__(self, other: Dim) -> bool:
        terms = operand_terms(other)
        if terms is None:
            return NotImplemented
        return _decided(is_nonnegative, add(self.terms, terms, -1), (self, ">=", other))

    def __bool__(self) -> NoReturn:
        raise DimError(f"whether the size {self} is zero: {_ADVICE_QUESTION}")

    def __index__(self) -> NoReturn:
        raise DimError(f"the size {self} {_ADVICE_NUMBER}")

    __int__ = __float__ = __complex__ = __index__

    def __truediv__(self, other: Dim) -> Dim:
        if operand_terms(other) is None:
            return NotImplemented
        raise DimError(f"sizes are whole numbers: write ({self}) // ({other}), not /")

    def __rtruediv__(self, other: Dim) -> Dim:
        if operand_terms(other) is None:
            return NotImplemented
        raise DimError(f"sizes are whole numbers: write ({other}) // ({self}), not /")


Dim: TypeAlias = "int | SymbolicDim"

_ADVICE_QUESTION = (
    "that depends on the binding. Compare with known_equal or known_less, which may answer None"
)
_ADVICE_NUMBER = (
    "is not a number before the graph runs. Use it as a Dim (shapes and attributes take it), give "
    "a literal size, or evaluate(dim, {name: number})"
)


def from_terms(terms: Terms) -> Dim:
    number = constant_value(terms)
    if number is not None:
        return number
    dim = object.__new__(SymbolicDim)
    object.__setattr__(dim, "terms", terms)
    object.__setattr__(dim, "_hash", hash(terms))
    return dim


def terms_of(dim: Dim) -> Terms:
    return dim.terms if isinstance(dim, SymbolicDim) else constant(dim)


def operand_terms(value: object) -> Terms | None:
    """The terms of an operand of arithmetic; None if it is not a size (a float, a tensor)."""
    if isinstance(value, SymbolicDim):
        return value.terms
    if type(value) is int:  # the common case; the check against the protocol is slow
        return constant(value)
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return constant(index(value))
    except TypeError:  # an array of several numbers also says that it supports index
        return None


def _decided(
    decide: Callable[[Terms], bool | None], difference: Terms, question: tuple[Dim, str, Dim]
) -> bool:
    """What `decide` says about the difference, which is what the question comes to."""
    answer = decide(difference)
    if answer is None:
        left, relation, right = question
        names = ", ".join(sorted({repr(symbol.name) for symbol in all_symbols(difference)}))
        raise DimError(
            f"is {left} {relation} {right}? That depends on the binding of {names}. Ask "
            "known_less or known_less_equal, which may answer None, take dim_max or dim_min, "
            "or declare the symbol with a minimum"
        )
    return answer
