"""Sizes of axes: arithmetic, questions, binding and errors, case by case."""

from __future__ import annotations

import copy
import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy
import pytest

from asg.core.dim import (
    Dim,
    Symbol,
    SymbolicDim,
    as_dim,
    as_symbol,
    bounds,
    ceil_div,
    dim_max,
    dim_min,
    evaluate,
    free_symbols,
    known_equal,
    known_less,
    known_less_equal,
    known_nonnegative,
    parse_dim,
    product,
    solve_for_symbol,
    substitute,
    symbol,
    symbols_of,
)
from asg.core.errors import DimError

n = symbol("n")
m = symbol("m")
k = symbol("k")
empty = symbol("empty", minimum=0)
wide = symbol("wide", multiple_of=8)
large = symbol("large", minimum=16)


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (n - n, 0),
        (n + 1 - n, 1),
        (0 * n, 0),
        ((n * m) // m, n),
        ((n * m) // n, m),
        (n // n, 1),
        (n % 1, 0),
        (n // 1, n),
        ((4 * n + 3) // 4, n),
        ((4 * n + 3) % 4, 3),
        ((n * m + n) // (m + 1), n),
        (product([n + 1, 4, m]) // (n + 1), 4 * m),
        ((n + 1) % (n + 1), 0),
        (n % (n + 1), n),
        (n // (n + 1), 0),
        (wide % 4, 0),
        (wide % 8, 0),
        (wide // 8 * 8, wide),
        ((wide + 7) // 8, wide // 8),
        (4 * (wide // 4), wide),
        (n // 2 // 3, n // 6),
        ((n // 2 + m) // 3, (n + 2 * m) // 6),
        ((2 * n) // (2 * m), n // m),
        ((2 * n + 1) // 4, n // 2),
        ((6 * n + 4) % 4, 2 * (n % 2)),
        (n % 8 % 4, n % 4),
        (n % 4 // 4, 0),
        (n % 4 % 7, n % 4),
        ((n - n % 4) // 4, n // 4),
        (-n // -2, n // 2),
        (n // -2, -n // 2),
        (n % -2, -(-n % 2)),
        (dim_max(n, 1), n),
        (dim_max(n, n + m), n + m),
        (dim_min(n, n + m), n),
        (dim_max(dim_max(n, m), n), dim_max(m, n)),
        (dim_max(n // 2, n), n),
        (dim_min(large, 16), 16),
        (dim_max(n % 3, 2), 2),
        (ceil_div(n * m, m), n),
        (ceil_div(wide, 8), wide // 8),
        (ceil_div(7, 2), 4),
        (product([2, n, 3, m]), 6 * n * m),
        (product([]), 1),
        (+n, n),
        (7 - n - 7, -n),
        (12 // (n + n % 1 + 1 - n), 12),
        (7 % (2 + n - n), 1),
    ],
)
def test_normal_form(dim: Dim, expected: Dim) -> None:
    assert dim == expected
    assert type(dim) is type(expected)


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (2 * n + 1, "2*n + 1"),
        (1 - n, "1 - n"),
        (-n, "-n"),
        (-n - 3, "-n - 3"),
        (m - 2 * n, "m - 2*n"),
        (n // 2, "n//2"),
        (-(n // 2), "-(n//2)"),
        (3 * (n // 2) + 1, "3*(n//2) + 1"),
        ((n + 1) % 4, "(n + 1)%4"),
        (n * n - n, "n*n - n"),
        (dim_max(n, m) * 2, "2*max(m, n)"),
        (dim_min(n + 1, m // k), "min(n + 1, m//k)"),
        (n // (m + 1), "n//(m + 1)"),
        (wide, "wide"),
        (wide // 4, "2*(wide//8)"),
        (wide // 8, "wide//8"),
        (-(wide // 8), "-(wide//8)"),
        (wide * wide + wide, "wide*wide + wide"),
        (8 * wide * n, "8*n*wide"),
        ((n + 1) // 2 % 3 // (m % 5 + 1), "(((n + 1)//2)%3)//(m%5 + 1)"),
    ],
)
def test_text(dim: Dim, text: str) -> None:
    assert str(dim) == text
    assert repr(dim) == f"Dim({str(dim)!r})"
    assert parse_dim(str(dim), free_symbols([dim])) == dim


@pytest.mark.parametrize(
    ("a", "b", "equal", "less", "less_equal"),
    [
        (3, 3, True, False, True),
        (3, 4, False, True, True),
        (n, n, True, False, True),
        (n, m, None, None, None),
        (n, n + 1, False, True, True),
        (n, 0, False, False, False),
        (empty, 0, None, False, None),
        (n, n * m, None, None, True),
        (2 * n, 2 * m + 1, False, None, None),
        (wide, 8 * n + 4, False, None, None),
        (n % 4, 4, False, True, True),
        (n // 2, n, False, True, True),
        (empty // 2, empty, None, None, True),
        (n - n % 4, n, None, None, True),
        (n, dim_max(n, m), None, None, True),
        (dim_min(n, m), dim_max(n, m), None, None, True),
        (dim_max(n, m), n + m, False, True, True),
        (n // 3 * 3 + n % 3, n, True, False, True),
        ((n + 1) // 2, n - n // 2, True, False, True),
        ((n + 2) // 3 + (n + 1) // 3 + n // 3, n, True, False, True),
        (2 * (n // 2), 2 * ((n + 1) // 2) + 1, False, True, True),
        (n // 4 * 4, n, None, None, True),
        (2 * large, 31, False, False, False),
        (n // 2, 0, None, False, None),
        ((n + 1) // 2 - n // 2, 0, None, False, None),
    ],
)
def test_questions_about_two_sizes(
    a: Dim, b: Dim, equal: bool | None, less: bool | None, less_equal: bool | None
) -> None:
    assert known_equal(a, b) is equal
    assert known_equal(b, a) is equal
    assert known_less(a, b) is less
    assert known_less_equal(a, b) is less_equal


def test_known_nonnegative() -> None:
    assert known_nonnegative(n - 1) is True
    assert known_nonnegative(-n) is False
    assert known_nonnegative(n - 2) is None
    assert known_nonnegative(-1) is False


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (5, (5, 5)),
        (n, (1, None)),
        (empty, (0, None)),
        (wide, (8, None)),
        (symbol("x", minimum=9, multiple_of=8), (16, None)),
        (-n, (None, -1)),
        (n - m, (None, None)),
        (n % 5, (0, 4)),
        (n % 5 * 2 + 1, (1, 9)),
        (n // 4, (0, None)),
        (large // 4, (4, None)),
        (dim_min(n, 7), (1, 7)),
        (dim_max(empty, 7), (7, None)),
        (n * n - n, (0, None)),
        ((n % 5) // 2, (0, 2)),
    ],
)
def test_bounds(dim: Dim, expected: tuple[int | None, int | None]) -> None:
    assert bounds(dim) == expected


def test_comparison_operators_answer_or_raise() -> None:
    assert n < n + 1
    assert n <= 2 * n
    assert n > 0
    assert n >= 1
    assert not n < n
    assert 0 < n  # noqa: SIM300 - the reflected operator is what is tested
    for compare, left, right in (
        (operator.lt, n, m),
        (operator.le, n, 5),
        (operator.gt, m, n),
        (operator.ge, n, 2),
    ):
        with pytest.raises(DimError, match=r"depends on the binding of .*known_less"):
            compare(left, right)


def test_an_undecidable_comparison_names_both_sizes() -> None:
    with pytest.raises(DimError, match=r"is 2\*n < m \+ 3\? .* of 'm', 'n'"):
        assert 2 * n < m + 3


@pytest.mark.parametrize("convert", [int, float, bool, complex, range, [1, 2].__getitem__])
def test_a_symbolic_size_is_not_a_number(convert: Callable[[object], object]) -> None:
    with pytest.raises(DimError, match="n"):
        convert(n)


def test_equality_is_total() -> None:
    assert n == symbol("n")
    assert n != symbol("n", minimum=0)
    assert n != m
    assert n != 1
    assert n != "n"
    assert n is not None
    assert n != numpy.float32(1.0)
    assert hash(n * 2) == hash(n + n)
    assert len({n, symbol("n"), n + 0, m}) == 2


def test_sizes_are_immutable_and_copies_are_equal() -> None:
    with pytest.raises(AttributeError, match="immutable"):
        n.terms = ()
    with pytest.raises(AttributeError, match="immutable"):
        del n.terms
    with pytest.raises(DimError, match="symbol"):
        SymbolicDim()
    assert copy.deepcopy([n])[0] == copy.copy(n) == n


def test_numpy_integers_work_and_other_numbers_do_not() -> None:
    two: Any = numpy.int64(2)
    assert n * two == two * n == 2 * n
    assert type(as_dim(two)) is int
    assert (two + n) // two == (n + 2) // 2
    others: list[Any] = [1.5, True, None, numpy.float32(2)]
    for other in others:
        for operation in (operator.add, operator.mul, operator.floordiv, operator.lt, operator.ge):
            with pytest.raises(TypeError):
                operation(n, other)
    for left, right in ((n, 2), (2, n), (n, m)):
        with pytest.raises(DimError, match="//"):
            operator.truediv(left, right)


def test_division_by_zero() -> None:
    for divide, zero in ((operator.floordiv, 0), (operator.mod, 0), (operator.floordiv, m - m)):
        with pytest.raises(DimError, match="division by zero"):
            divide(n, zero)
    ratio = n // empty
    assert evaluate(ratio, {"n": 7, "empty": 2}) == 3
    with pytest.raises(DimError, match=r"division by zero.*empty = 0"):
        evaluate(ratio, {"n": 7, "empty": 0})
    assert empty // empty != 1  # it has no value for 0, so it must not become 1
    assert (empty * n) // n == empty


@pytest.mark.parametrize("divisor", [*range(-6, 0), *range(1, 7)])
def test_every_small_quotient_is_right(divisor: int) -> None:
    """Exhaustive where the rules split coefficients and cancel common factors."""
    for slope, offset in itertools.product(range(-4, 7), range(-3, 6)):
        for second in (0, 2):
            linear = slope * n + second * m + offset
            quotient, remainder = linear // divisor, linear % divisor
            for one, other in itertools.product(range(1, 5), range(1, 4)):
                binding = {"n": one, "m": other}
                value = slope * one + second * other + offset
                assert evaluate(quotient, binding) == value // divisor
                assert evaluate(remainder, binding) == value % divisor


@pytest.mark.parametrize("outer", range(2, 9))
def test_a_remainder_inside_a_remainder(outer: int) -> None:
    for inner, factor in itertools.product(range(2, 9), (1, 2, 3)):
        nested = (factor * (n % inner) + 1) % outer
        for value in range(1, 40):
            assert evaluate(nested, {"n": value}) == (factor * (value % inner) + 1) % outer


def test_divisors_that_are_negative_under_every_binding() -> None:
    """No sign shows in their leading term, and some laws hold for positive divisors only."""
    divisor = dim_min(n, 3) - 5
    for value, other in itertools.product(range(1, 12), range(1, 6)):
        binding, number = {"n": value, "m": other}, min(value, 3) - 5
        for numerator, expected in (
            (m // 2, other // 2),
            (n + m // 3, value + other // 3),
            (2 * m + 1, 2 * other + 1),
            (4 * m - 3, 4 * other - 3),
        ):
            for multiple in (1, 2, 4):
                symbolic, plain = multiple * divisor, multiple * number
                assert evaluate(numerator // symbolic, binding) == expected // plain
                assert evaluate(numerator % symbolic, binding) == expected % plain


def test_ceil_div_needs_a_positive_divisor() -> None:
    assert ceil_div(n, m) == (n + m - 1) // m
    with pytest.raises(DimError, match="positive"):
        ceil_div(n, 0)


def test_as_dim() -> None:
    assert as_dim(0) == 0
    assert as_dim(n) is n
    assert as_dim("2*n") == 2 * n
    assert as_dim("2*3") == 6
    for refused in (True, numpy.bool_(True), 1.0, None, [1], numpy.float32(2)):
        with pytest.raises(DimError, match="a size is an int, a name or a symbolic size"):
            as_dim(refused)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "2n", "a b", "n+1", "max", "min", "n²", 3, None])
def test_symbol_names_must_be_identifiers(name: str) -> None:
    with pytest.raises(DimError, match="name"):
        symbol(name)


def test_symbol_names_may_be_any_identifier() -> None:
    for name in ("größe", "_x1", "lambda", "β"):
        assert str(symbol(name)) == name
        assert parse_dim(f"2*{name}") == 2 * symbol(name)


@pytest.mark.parametrize("arguments", [{"minimum": -1}, {"multiple_of": 0}, {"minimum": True}])
def test_symbol_bounds_are_checked(arguments: dict[str, int]) -> None:
    with pytest.raises(DimError, match="must be an int"):
        symbol("n", **arguments)


def test_evaluate_checks_the_binding() -> None:
    int32_three: Any = numpy.int32(3)
    assert evaluate(5, {}) == 5
    assert evaluate(wide // 4 + n, {"wide": 16, "n": int32_three, "unused": 1}) == 7
    with pytest.raises(DimError, match=r"no number is given for the size 'm' \(given: n = 2\)"):
        evaluate(n + m, {"n": 2})
    with pytest.raises(DimError, match="'n' is 0, below its minimum 1"):
        evaluate(n, {"n": 0})
    with pytest.raises(DimError, match="'wide' is 12, not a multiple of 8"):
        evaluate(wide, {"wide": 12})
    with pytest.raises(DimError, match="must be an int"):
        evaluate(n, {"n": 2.0})  # type: ignore[dict-item]


def test_substitute_replaces_all_at_once() -> None:
    assert substitute(n - m, {"n": m, "m": n}) == m - n
    assert substitute(n // 2 + m, {"n": 4 * k}) == 2 * k + m
    assert substitute(n, {"other": 3}) == n
    assert substitute(7, {"n": 3}) == 7
    assert substitute(dim_max(n, m) % 7, {"n": 5, "m": 9}) == 2
    assert substitute(wide // 8, {"wide": 16 * n}) == 2 * n


def test_substitute_keeps_the_promises_of_the_symbol() -> None:
    with pytest.raises(DimError, match="not known to be a multiple of 8"):
        substitute(wide // 8, {"wide": 4 * n})
    with pytest.raises(DimError, match="not known to be at least 1"):
        substitute(n, {"n": m - 1})
    with pytest.raises(DimError, match="below its minimum"):
        substitute(n + m, {"n": 0})
    assert substitute(empty, {"empty": m - 1}) == m - 1


def test_symbols() -> None:
    dim = dim_max(n * m, wide // k)
    assert {one.name for one in symbols_of(dim)} == {"n", "m", "wide", "k"}
    assert symbols_of(3) == frozenset()
    found = free_symbols([dim, 3, large])
    assert list(found) == ["k", "m", "n", "wide", "large"]
    assert (found["wide"].multiple_of, found["large"].minimum) == (8, 16)
    assert as_symbol(wide) == Symbol("wide", multiple_of=8)
    assert as_symbol(wide // 8) is None
    assert as_symbol(n * m) is as_symbol(n + 1) is as_symbol(4) is None


def test_one_name_with_two_bounds_is_an_error() -> None:
    with pytest.raises(DimError, match="'n' has two declarations"):
        free_symbols([n, symbol("n", minimum=2)])


def test_solve_for_symbol() -> None:
    assert solve_for_symbol(n, 7, {}) == ("n", 7)
    assert solve_for_symbol(2 * n + 1, 7, {}) == ("n", 3)
    assert solve_for_symbol(n * m, 12, {"m": 4}) == ("n", 3)
    assert solve_for_symbol(10 - n, 7, {}) == ("n", 3)
    assert solve_for_symbol(wide // 8, 3, {}) == ("wide", 24)
    int64_five: Any = numpy.int64(5)
    assert solve_for_symbol(n + m // 2, 7, {"m": int64_five}) == ("n", 5)


def test_solve_for_symbol_gives_up_where_there_is_no_one_answer() -> None:
    for dim in (n * m, n + m, n * n, n // 2, n % 2, dim_max(n, m), n + n // 2, 4):
        assert solve_for_symbol(dim, 4, {}) is None
    assert solve_for_symbol(n, 4, {"n": 4}) is None


def test_solve_for_symbol_refuses_impossible_sizes() -> None:
    with pytest.raises(DimError, match=r"no size 'n' makes 2\*n equal to 7"):
        solve_for_symbol(2 * n, 7, {})
    with pytest.raises(DimError, match=r"n \+ 3 cannot be 3: .*below its minimum"):
        solve_for_symbol(n + 3, 3, {})
    with pytest.raises(DimError, match="not a multiple of 8"):
        solve_for_symbol(wide, 12, {})


def test_parse() -> None:
    assert parse_dim(" 2 * batch+1 ") == 2 * symbol("batch") + 1
    assert parse_dim("-n//2") == -n // 2
    assert parse_dim("--n") == n
    assert parse_dim("max(n, m, 0)") == dim_max(n, m)
    assert parse_dim("(7)") == 7
    assert parse_dim("wide//8", {"wide": Symbol("wide", 1, 8)}) == wide // 8
    assert parse_dim("n//2*2") == 2 * (n // 2)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a number, a name or '(' at column 1"),
        ("2*", "at column 3"),
        ("n m", "expected an operator or the end at column 3, found 'm'"),
        ("2 n", "at column 3"),
        ("n/2", "unexpected character '/' at column 2"),
        ("n**2", "found '*'"),
        ("(n", "expected ')' at column 3"),
        ("max n", "expected '(' after max"),
        ("max(n", "expected ',' or ')'"),
        ("f(n)", "expected an operator or the end"),
        ("1.5", "unexpected character '.'"),
        ("n; m", "unexpected character ';'"),
        ("(" * 1000 + "n" + ")" * 1000, "levels of nesting"),
        ("9" * 5000, "digits"),
    ],
)
def test_parse_errors_say_where(text: str, problem: str) -> None:
    with pytest.raises(DimError) as caught:
        parse_dim(text)
    assert problem in str(caught.value)


def test_parse_checks_the_given_symbols() -> None:
    with pytest.raises(DimError, match="the names must agree"):
        parse_dim("n", {"n": Symbol("m")})
    with pytest.raises(DimError, match="must be an int"):
        parse_dim("n", {"n": Symbol("n", minimum=-3)})


def test_a_size_that_grows_without_end_is_refused() -> None:
    doubling = n
    with pytest.raises(DimError, match="too complicated"):
        for _ in range(100):
            doubling = doubling + doubling // 2  # type: ignore[assignment]
    nested = n
    with pytest.raises(DimError, match="too complicated"):
        for _ in range(100):
            nested = (2 * nested + 1) // 3  # type: ignore[assignment]


def test_the_deepest_size_can_still_be_printed_and_read() -> None:
    deepest: Dim = n
    for _ in range(40):
        deepest = (2 * deepest + 1) // 3
    assert parse_dim(str(deepest)) == deepest
    value = 1000
    for _ in range(40):
        value = (2 * value + 1) // 3
    assert evaluate(deepest, {"n": 1000}) == value


def test_a_chain_of_convolutions_stays_small() -> None:
    height: Dim = symbol("height", minimum=4096)
    for _ in range(10):
        height = (height + 2 - 3) // 2 + 1
    assert evaluate(height, {"height": 5000}) == 5
    assert str(height) == "(height + 1023)//1024"
