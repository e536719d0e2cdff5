"""Rules of arithmetic that keep every bit (up to the sign of zero where noted)."""

from __future__ import annotations

from asg.core.dtype import DType, fits
from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.cast import Cast
from asg.ops.elementwise import Add, Divide, Multiply, Pow, Subtract, Where
from asg.ops.elementwise_unary import Negative, Sqrt, Square
from asg.ops.leaf import zeros_like
from asg.ops.shape import BroadcastTo
from asg.rewrite.pattern import uniform_value
from asg.rewrite.rule import Rule, node_rule, rule


@rule()
def add_zero(x):  # type: ignore[no-untyped-def]
    """x + 0 -> x (-0 + 0 is 0, so the sign of a zero may differ)"""
    return Add()(x, 0), x


@rule()
def subtract_zero(x):  # type: ignore[no-untyped-def]
    """x - 0 -> x"""
    return Subtract()(x, 0), x


@rule()
def subtract_from_zero(x):  # type: ignore[no-untyped-def]
    """0 - x -> -x (the sign of a zero may differ)"""
    return Subtract()(0, x), lambda: Negative()(x)


@rule()
def multiply_by_one(x):  # type: ignore[no-untyped-def]
    """x * 1 -> x"""
    return Multiply()(x, 1), x


@rule()
def multiply_by_minus_one(x):  # type: ignore[no-untyped-def]
    """x * -1 -> -x"""
    return Multiply()(x, -1), lambda: Negative()(x)


@rule()
def divide_by_one(x):  # type: ignore[no-untyped-def]
    """x / 1 -> x"""
    return Divide()(x, 1), x


@rule()
def negate_twice(x):  # type: ignore[no-untyped-def]
    """-(-x) -> x"""
    return Negative()(Negative()(x)), x


@rule()
def add_negative(x, y):  # type: ignore[no-untyped-def]
    """x + (-y) -> x - y"""
    return Add()(x, Negative()(y)), lambda: Subtract()(x, y)


@rule()
def subtract_negative(x, y):  # type: ignore[no-untyped-def]
    """x - (-y) -> x + y"""
    return Subtract()(x, Negative()(y)), lambda: Add()(x, y)


@rule()
def multiply_negatives(x, y):  # type: ignore[no-untyped-def]
    """(-x) * (-y) -> x * y"""
    return Multiply()(Negative()(x), Negative()(y)), lambda: Multiply()(x, y)


@rule()
def power_one(x):  # type: ignore[no-untyped-def]
    """x ** 1 -> x"""
    return Pow()(x, 1), x


@rule()
def power_two(x):  # type: ignore[no-untyped-def]
    """x ** 2 -> square(x)"""
    return Pow()(x, 2), lambda: Square()(x)


@rule()
def multiply_by_itself(x):  # type: ignore[no-untyped-def]
    """x * x -> square(x)"""
    return Multiply()(x, x), lambda: Square()(x)


@node_rule(Pow)
def power_half(node: Node) -> Tensor | None:
    """x ** 0.5 -> sqrt(x), for floats (pow(-inf, 0.5) is inf, sqrt gives nan: both are wrong)"""
    x, exponent = node.inputs
    return Sqrt()(x) if x.dtype.is_float and uniform_value(exponent) == 0.5 else None


@rule()
def choose_equal(condition, x):  # type: ignore[no-untyped-def]
    """where(condition, x, x) -> x"""
    return Where()(condition, x, x), x


@node_rule(Where)
def choose_known(node: Node) -> Tensor | None:
    """where(true, x, y) -> x, where(false, x, y) -> y"""
    condition, x, y = node.inputs
    known = uniform_value(condition)
    return None if known is None else (x if known else y)


@node_rule(Cast, beside=(Cast,))
def cast_there_and_back(node: Node) -> Tensor | None:
    """cast(cast(x, wider), x.dtype) -> x, when the wider dtype holds every value of x's"""
    inner = node.inputs[0].node
    if not isinstance(inner.op, Cast):
        return None
    (x,) = inner.inputs
    back = x.dtype is node.output.dtype
    return x if back and _holds_every_value(node.inputs[0].dtype, x.dtype) else None


def _holds_every_value(wider: DType, dtype: DType) -> bool:
    """True when a cast to ``wider`` and back gives the same value for every value."""
    if dtype.is_bool:
        return True
    if dtype.is_float:
        mantissa = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}
        exponent = {"bfloat16": 8, "float16": 5, "float32": 8, "float64": 11}
        return (
            wider.is_float
            and mantissa[wider.name] >= mantissa[dtype.name]
            and exponent[wider.name] >= exponent[dtype.name]
        )
    if not wider.is_integer:
        return False
    highest = 2 ** (dtype.bits - dtype.is_signed) - 1
    lowest = -(2 ** (dtype.bits - 1)) if dtype.is_signed else 0
    return fits(highest, wider) and fits(lowest, wider)


@node_rule(Add, Subtract, Multiply, Divide, beside=(BroadcastTo,))
def broadcast_by_itself(node: Node) -> Tensor | None:
    """x * broadcast_to(y) -> x * y, when x alone already gives the shape: the op broadcasts"""
    shape = node.output.shape
    operands = list(node.inputs)
    for position in (0, 1):
        other = operands[1 - position]
        inner = operands[position].node
        if isinstance(inner.op, BroadcastTo) and other.shape == shape:
            operands[position] = inner.inputs[0]
            return type(node.op)()(*operands)
    return None


ALGEBRA: tuple[Rule, ...] = (
    add_zero,
    subtract_zero,
    subtract_from_zero,
    multiply_by_one,
    multiply_by_minus_one,
    divide_by_one,
    negate_twice,
    add_negative,
    subtract_negative,
    multiply_negatives,
    power_one,
    power_two,
    multiply_by_itself,
    power_half,
    choose_equal,
    choose_known,
    cast_there_and_back,
    broadcast_by_itself,
)


@rule(safe=False)
def multiply_by_zero(x):  # type: ignore[no-untyped-def]
    """x * 0 -> 0; unsafe: infinity times zero is not zero"""
    return Multiply()(x, 0), lambda: zeros_like(x)


UNSAFE: tuple[Rule, ...] = (multiply_by_zero,)
"""Right for finite numbers only; off unless asked for."""
