"""Read a size from text: `sum := product (+|- product)*` and so on, in Python's notation."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from asg.core.dim_rules import floor_divide, maximum, minimum, modulo
from asg.core.dim_terms import Symbol, Terms, add, constant, multiply, scale, single
from asg.core.errors import DimError

_TOKEN = re.compile(r"\s*(?:(?P<number>[0-9]+)|(?P<name>[^\W\d]\w*)|(?P<sign>//|[-+*%(),]))")
_NAME = re.compile(r"[^\W\d]\w*")
_FUNCTIONS = {"max": maximum, "min": minimum}
# Deeper text is refused: the parser calls itself. Three levels per compound of dim_terms suffice.
_MAXIMUM_NESTING = 125
_MAXIMUM_DIGITS = 4000  # below Python's own limit for reading an int


def checked_symbol(name: str, minimum: int = 1, multiple_of: int = 1) -> Symbol:
    """A symbol whose name the parser can read back and whose bounds make sense."""
    if not isinstance(name, str) or not name.isidentifier() or not _NAME.fullmatch(name):
        raise DimError(f"the name of a size must be an identifier such as 'batch', got {name!r}")
    if name in _FUNCTIONS:
        raise DimError(f"{name!r} cannot name a size: it is the function {name}(a, b) there")
    for word, value, least in (("minimum", minimum, 0), ("multiple_of", multiple_of, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise DimError(f"size {name!r}: {word} must be an int >= {least}, got {value!r}")
    return Symbol(name, minimum, multiple_of)


def parse_terms(text: str, symbols: Mapping[str, Symbol]) -> Terms:
    """The terms that `text` denotes; names not in `symbols` become symbols with default bounds."""
    parser = _Parser(text, symbols)
    terms = parser.sum()
    if parser.token:
        raise parser.error("expected an operator or the end")
    return terms


def symbol_terms(symbol: Symbol) -> Terms:
    """The terms of a symbol: its atom counts in units of `multiple_of`."""
    return scale(single(symbol), symbol.multiple_of)


class _Parser:
    """Recursive descent over one text; `token` is the next one, "" at the end."""

    def __init__(self, text: str, symbols: Mapping[str, Symbol]) -> None:
        self.text = text
        self.symbols = symbols
        self.start = self.end = 0  # where the next token lies
        self.nesting = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.end)
        self.kind: str | None = None
        if match is None:
            rest = self.text[self.end :]
            self.start = self.end + len(rest) - len(rest.lstrip())
            self.token = ""
            if rest.strip():
                raise self.error(f"unexpected character {rest.lstrip()[0]!r}")
            return
        self.kind = match.lastgroup
        self.token = match[self.kind or 0]
        self.start, self.end = match.start(self.kind or 0), match.end()

    def error(self, problem: str) -> DimError:
        found = "" if self.kind is None else f", found {self.token!r}"
        return DimError(
            f"cannot read the size {self.text!r}: {problem} at column {self.start + 1}{found}. "
            "A size is written like '2*batch + 1', '(n + 3)//4', 'n%2' or 'max(n, m)'"
        )

    def sum(self) -> Terms:
        terms = self.product()
        while self.token in ("+", "-"):
            sign = 1 if self.token == "+" else -1
            self.advance()
            terms = add(terms, self.product(), sign)
        return terms

    def product(self) -> Terms:
        terms = self.factor()
        while self.token in _PRODUCT_OPERATORS:
            operation = _PRODUCT_OPERATORS[self.token]
            self.advance()
            terms = operation(terms, self.factor())
        return terms

    def factor(self) -> Terms:
        self.nesting += 1
        if self.nesting > _MAXIMUM_NESTING:
            raise self.error(f"more than {_MAXIMUM_NESTING} levels of nesting")
        terms = self.nested_factor()
        self.nesting -= 1
        return terms

    def nested_factor(self) -> Terms:
        kind, token = self.kind, self.token
        if kind == "number":
            if len(token) > _MAXIMUM_DIGITS:
                raise self.error(f"a number of more than {_MAXIMUM_DIGITS} digits")
            self.advance()
            return constant(int(token))
        if kind == "name":
            self.advance()
            return self.call(token) if token in _FUNCTIONS else self.symbol(token)
        if token == "-":
            self.advance()
            return scale(self.factor(), -1)
        self.expect("(", "expected a number, a name or '('")
        terms = self.sum()
        self.expect(")", "expected ')'")
        return terms

    def symbol(self, name: str) -> Terms:
        known = self.symbols.get(name, Symbol(name))
        if known.name != name:
            raise DimError(f"symbols[{name!r}] is the symbol {known.name!r}; the names must agree")
        return symbol_terms(checked_symbol(name, known.minimum, known.multiple_of))

    def call(self, name: str) -> Terms:
        self.expect("(", f"expected '(' after {name}")
        operands = [self.sum()]
        while self.token == ",":
            self.advance()
            operands.append(self.sum())
        self.expect(")", "expected ',' or ')'")
        return _FUNCTIONS[name](operands)

    def expect(self, token: str, problem: str) -> None:
        if self.token != token:
            raise self.error(problem)
        self.advance()


_PRODUCT_OPERATORS: dict[str, Callable[[Terms, Terms], Terms]] = {
    "*": multiply,
    "//": floor_divide,
    "%": modulo,
}
