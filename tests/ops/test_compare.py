"""Comparisons, logic and bits beyond the samples: dtypes, refusals, identity of tensors."""

from typing import Any

import pytest

import asg
from asg.core.errors import DtypeError, UnreachedParameter

COMPARISONS = [
    asg.equal, asg.not_equal, asg.less, asg.less_equal, asg.greater, asg.greater_equal,
]  # fmt: skip
BITS = [asg.bitwise_and, asg.bitwise_or, asg.bitwise_xor]
SHIFTS = [asg.bitwise_left_shift, asg.bitwise_right_shift]
LOGIC = [asg.logical_and, asg.logical_or, asg.logical_xor]


@pytest.mark.parametrize("function", COMPARISONS, ids=lambda f: f.__name__)
def test_comparisons_give_bool_of_the_broadcast_shape(function: Any) -> None:
    x, y = asg.input("x", ("n", 1), "int8"), asg.input("y", (3,), "float64")
    assert str(function(x, y).type) == "bool[n, 3]"
    assert [each.dtype for each in function(x, y).node.inputs] == [asg.float64, asg.float64]


@pytest.mark.parametrize("function", COMPARISONS[2:], ids=lambda f: f.__name__)
def test_bool_has_no_order(function: Any) -> None:
    flag = asg.input("flag", (2,), "bool")
    with pytest.raises(DtypeError, match="x is bool, a number is needed"):
        function(flag, flag)


def test_signed_with_the_widest_unsigned_is_refused() -> None:
    with pytest.raises(DtypeError, match="uint64"):
        asg.equal(asg.input("x", (), "int8"), asg.input("y", (), "uint64"))


def test_operators_order_tensors_and_equality_stays_identity() -> None:
    x, y = asg.input("x", (2,)), asg.input("y", (2,))
    names = [(x < y), (x <= y), (x > y), (x >= y)]
    assert [each.node.op.name for each in names] == [
        "less", "less_equal", "greater", "greater_equal"
    ]  # fmt: skip
    assert (x == y) is False
    assert (x == x) is True
    assert {x: 1, y: 2}[x] == 1


@pytest.mark.parametrize("function", LOGIC, ids=lambda f: f.__name__)
def test_logic_needs_bool(function: Any) -> None:
    flag = asg.input("flag", (2,), "bool")
    assert function(flag, True).dtype is asg.bool_
    with pytest.raises(DtypeError, match="y is int32, bool is needed"):
        function(flag, asg.input("i", (2,), "int32"))
    with pytest.raises(DtypeError, match="y is int32, bool is needed"):
        function(flag, 1)


@pytest.mark.parametrize("function", [*BITS, *SHIFTS], ids=lambda f: f.__name__)
def test_floats_have_no_bits(function: Any) -> None:
    x, i = asg.input("x", (2,)), asg.input("i", (2,), "int32")
    with pytest.raises(DtypeError, match="is float32"):
        function(i, x)
    with pytest.raises(DtypeError, match="is float32"):
        asg.bitwise_invert(x)


@pytest.mark.parametrize("function", SHIFTS, ids=lambda f: f.__name__)
def test_bool_is_not_shifted(function: Any) -> None:
    flag = asg.input("flag", (2,), "bool")
    with pytest.raises(DtypeError, match="x is bool, integers are needed"):
        function(flag, flag)


def test_operators_on_bits() -> None:
    i, j = asg.input("i", (2,), "int32"), asg.input("j", (2,), "int32")
    made = [i & j, i | j, i ^ j, ~i, i << 2, 2 >> i]
    assert [each.node.op.name for each in made] == [
        "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_invert", "bitwise_left_shift",
        "bitwise_right_shift",
    ]  # fmt: skip
    assert all(each.dtype is asg.int32 for each in made)


def test_no_gradient_flows_through_a_comparison() -> None:
    x = asg.input("x", (2,))
    with pytest.raises(UnreachedParameter, match="less"):
        asg.grad(asg.where(x < 0, 1.0, 2.0).sum(), x)


def test_questions_about_integers_need_no_floats() -> None:
    assert asg.run(asg.isfinite([1, 2]), {}).tolist() == [True, True]
    with pytest.raises(DtypeError, match="x is bool"):
        asg.isnan(asg.input("flag", (), "bool"))
