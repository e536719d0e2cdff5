"""Rules that write powers and roots as cheaper operations; the last digit may differ."""

from __future__ import annotations

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.elementwise import Divide, Multiply, Pow
from asg.ops.elementwise_unary import Reciprocal, Rsqrt, Sqrt, Square
from asg.rewrite.pattern import uniform_value
from asg.rewrite.rule import Rule, node_rule, rule


@node_rule(Pow, numerics="reassociating")
def power_three(node: Node) -> Tensor | None:
    """x ** 3 -> x * square(x), for floats"""
    x, exponent = node.inputs
    wanted = x.dtype.is_float and uniform_value(exponent) == 3
    return Multiply()(x, Square()(x)) if wanted else None


@node_rule(Pow, numerics="reassociating")
def power_minus_one(node: Node) -> Tensor | None:
    """x ** -1 -> 1 / x, for floats"""
    x, exponent = node.inputs
    return Reciprocal()(x) if x.dtype.is_float and uniform_value(exponent) == -1 else None


@node_rule(Pow, numerics="reassociating")
def power_minus_half(node: Node) -> Tensor | None:
    """x ** -0.5 -> rsqrt(x), for floats (0 for -inf as a power, and as a root nan)"""
    x, exponent = node.inputs
    return Rsqrt()(x) if x.dtype.is_float and uniform_value(exponent) == -0.5 else None


@rule("reassociating")
def one_over_root(x):  # type: ignore[no-untyped-def]
    """1 / sqrt(x) -> rsqrt(x)"""
    return Divide()(1, Sqrt()(x)), lambda: Rsqrt()(x)


@rule("reassociating")
def reciprocal_of_root(x):  # type: ignore[no-untyped-def]
    """reciprocal(sqrt(x)) -> rsqrt(x)"""
    return Reciprocal()(Sqrt()(x)), lambda: Rsqrt()(x)


POWER_RULES: tuple[Rule, ...] = (
    power_three,
    power_minus_one,
    power_minus_half,
    one_over_root,
    reciprocal_of_root,
)
