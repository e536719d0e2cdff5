"""Rules for the NumPy backend alone, on lowered graphs."""

from __future__ import annotations

from math import frexp

from asg.core.node import Node
from asg.core.tensor import Tensor
from asg.ops.cast import StopGradient
from asg.ops.elementwise import Divide, Multiply
from asg.rewrite.pattern import uniform_value
from asg.rewrite.rule import Rule, node_rule


@node_rule(StopGradient)
def no_more_gradients(node: Node) -> Tensor:
    """stop_gradient(x) -> x: all gradients are taken by now, and fusion sees through it"""
    return node.inputs[0]


_LARGEST_EXPONENT = {2: 13, 4: 100, 8: 1000}
"""By the bytes of a float: a smaller power of two has a reciprocal that is exact."""


@node_rule(Divide)
def divide_by_power_of_two(node: Node) -> Tensor | None:
    """x / 2^n -> x * 2^-n, to the bit: a product takes half the time of a quotient"""
    x, by = node.inputs
    value = uniform_value(by)
    if not value or not x.dtype.is_float or x.type != node.output.type:
        return None
    mantissa, exponent = frexp(value)
    exact = abs(mantissa) == 0.5 and abs(exponent) <= _LARGEST_EXPONENT[x.dtype.itemsize]
    return Multiply()(x, 1.0 / value) if exact else None


_NORMAL = {4: 1e30, 8: 1e250}
"""By the bytes of a float: numbers up to this, and their reciprocals, lose no digits."""


@node_rule(Multiply, numerics="reassociating")
def multiply_numbers(node: Node) -> Tensor | None:
    """(x * a) * b -> x * (a b), for numbers a and b"""
    found = _times_number(node)
    inner = None if found is None else _times_number(found[0].node)
    if found is None or inner is None or inner[0].type != node.output.type:
        return None
    number, largest = found[1] * inner[1], _NORMAL.get(inner[0].dtype.itemsize, 0.0)
    usual = largest > 0.0 and 1.0 / largest < abs(number) < largest
    return Multiply()(inner[0], number) if usual else None


def _times_number(node: Node) -> tuple[Tensor, float] | None:
    """x and a of ``x * a``, for floats."""
    if not isinstance(node.op, Multiply) or not node.output.dtype.is_float:
        return None
    for x, factor in (node.inputs, node.inputs[::-1]):
        number = uniform_value(factor)
        if number is not None and x.type == node.output.type:
            return x, float(number)
    return None


RULES: tuple[Rule, ...] = (no_more_gradients, divide_by_power_of_two, multiply_numbers)
