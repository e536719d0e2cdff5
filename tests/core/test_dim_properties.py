"""Random expressions on sizes against Python's own arithmetic, and polynomials against sympy."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
from hypothesis import assume, given, settings

from asg.core.dim import (
    Dim,
    bounds,
    evaluate,
    free_symbols,
    known_equal,
    known_less,
    known_less_equal,
    known_nonnegative,
    parse_dim,
    solve_for_symbol,
    substitute,
)
from asg.core.errors import DimError
from tests.core.dim_expressions import BINDINGS, SYMBOLS, Expression, Tree, build, compute, trees

ALL = "+ + - * // // % % max min"
Binding = Mapping[str, int]


def built(tree: Tree) -> Dim:
    """The tree as a Dim; a tree that divides by a literal zero is left out."""
    try:
        return build(tree)
    except (DimError, ZeroDivisionError):
        assume(False)
        raise


def computed(tree: Tree, binding: Binding) -> int:
    """The oracle's value; a binding under which the tree divides by zero is left out."""
    try:
        return compute(tree, binding)
    except ZeroDivisionError:
        assume(False)
        raise


def check_value(tree: Tree, binding: Binding) -> None:
    """The size has the expression's value, within the bounds that it claims."""
    dim = built(tree)
    value = computed(tree, binding)
    assert evaluate(dim, binding) == value
    low, high = bounds(dim)
    assert (low is None or low <= value) and (high is None or value <= high)
    assert known_nonnegative(dim) in (None, value >= 0)


@settings(max_examples=120, deadline=None)
@given(trees(ALL, leaves=9), BINDINGS)
def test_normal_form_has_the_value_of_the_expression(tree: Tree, binding: Binding) -> None:
    check_value(tree, binding)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(trees(ALL, leaves=14), BINDINGS)
def test_large_expressions_keep_their_value(tree: Tree, binding: Binding) -> None:
    check_value(tree, binding)


@settings(max_examples=50, deadline=None)
@given(trees(ALL), BINDINGS)
def test_an_expression_refused_while_building_has_no_value(tree: Tree, binding: Binding) -> None:
    try:
        build(tree)
    except (DimError, ZeroDivisionError):
        with pytest.raises(ZeroDivisionError):
            compute(tree, binding)


@settings(max_examples=120, deadline=None)
@given(trees(ALL, leaves=9))
def test_text_is_read_back_as_the_same_size(tree: Tree) -> None:
    dim = built(tree)
    assert parse_dim(str(dim), SYMBOLS) == dim
    assert parse_dim(str(dim), free_symbols([dim])) == dim


@settings(max_examples=60, deadline=None)
@given(trees(ALL))
def test_python_reads_the_text_the_same_way(tree: Tree) -> None:
    """The tree's own text, in Python's precedence, parses to the tree's normal form."""
    dim = built(tree)
    assert parse_dim(str(tree), SYMBOLS) == dim


@settings(max_examples=150, deadline=None)
@given(trees(ALL), trees(ALL), BINDINGS)
def test_answers_about_two_sizes_hold_for_every_binding(
    left: Tree, right: Tree, binding: Binding
) -> None:
    a, b = built(left), built(right)
    x, y = computed(left, binding), computed(right, binding)
    assert known_equal(a, b) in (None, x == y)
    assert known_less(a, b) in (None, x < y)
    assert known_less_equal(a, b) in (None, x <= y)
    if a == b:
        assert x == y


@settings(max_examples=80, deadline=None)
@given(trees(ALL, leaves=4), trees(ALL, leaves=4), trees("// % max min +", leaves=3), BINDINGS)
def test_close_relatives_are_decided_soundly(
    tree: Tree, shift: Tree, part: Tree, binding: Binding
) -> None:
    """Pairs that are equal or nearly so, where a wrong proof would most likely show."""
    moved = Expression("-", Expression("+", tree, shift), Expression("max", shift, part))
    a, b = built(tree), built(moved)
    x, y = computed(tree, binding), computed(moved, binding)
    assert known_equal(a, b) in (None, x == y)
    assert known_less_equal(b, a) in (None, y <= x)


@settings(max_examples=60, deadline=None)
@given(trees(ALL), trees(ALL))
def test_equal_sizes_have_equal_hashes_and_copies_are_equal(left: Tree, right: Tree) -> None:
    a, b = built(left), built(right)
    assert (a == b) == (b == a)
    if a == b:
        assert hash(a) == hash(b)
        assert known_equal(a, b) is True
    assert copy.deepcopy(a) == a
    assert hash(copy.deepcopy(a)) == hash(a)


@settings(max_examples=60, deadline=None)
@given(trees("+ - * // %"), trees("+ - * // %"), trees("+ - *", leaves=3))
def test_sums_do_not_depend_on_their_order(first: Tree, second: Tree, third: Tree) -> None:
    a, b, c = built(first), built(second), built(third)
    assert (a + b) + c == a + (b + c) == (c + b) + a
    assert (a + b) - b == a
    assert (a + b) * c == c * b + a * c


@settings(max_examples=60, deadline=None)
@given(trees(ALL), BINDINGS)
def test_binding_in_two_steps_is_binding_in_one(tree: Tree, binding: Binding) -> None:
    dim = built(tree)
    value = computed(tree, binding)
    half = substitute(dim, {name: binding[name] for name in "ace"})
    assert evaluate(half, binding) == value
    assert substitute(dim, dict(binding)) == value


@settings(max_examples=60, deadline=None)
@given(trees("+ - * max", leaves=6), BINDINGS)
def test_solving_gives_back_what_was_bound(tree: Tree, binding: Binding) -> None:
    dim = built(tree)
    others = {name: value for name, value in binding.items() if name != "a"}
    solution = solve_for_symbol(dim, evaluate(dim, binding), others)
    assert solution in (None, ("a", binding["a"]))


@settings(max_examples=50, deadline=None)
@given(trees("+ - *", leaves=8))
def test_polynomials_are_expanded_as_sympy_does(tree: Tree) -> None:
    sympy = pytest.importorskip("sympy")
    dim = built(tree)
    ours = sympy.sympify(str(dim), locals={name: sympy.Symbol(name) for name in SYMBOLS})
    theirs = sympy.expand(sympy.sympify(str(tree), locals={n: sympy.Symbol(n) for n in SYMBOLS}))
    if not free_symbols([dim]).keys() & {"d", "e"}:
        assert ours == theirs  # term by term: both are expanded, nothing is left to simplify
    assert sympy.expand(ours) == theirs or "//" in str(dim)
