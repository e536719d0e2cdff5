"""What parts of a formula mean, however they are spelled: products, means, roots, kept reductions.

Every function looks at a few nodes and answers None when they say something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from math import prod

from asg.core.dtype import DType, finfo
from asg.core.node import Node
from asg.core.op import Op
from asg.core.tensor import Tensor
from asg.ops.cast import StopGradient
from asg.ops.elementwise import Add, Divide, Multiply, Pow
from asg.ops.elementwise_unary import Exp, Log, Negative, Reciprocal, Rsqrt, Sqrt, Square
from asg.ops.reduce import Max, Reduction, Sum
from asg.ops.shape import ExpandDims, Reshape
from asg.ops.statistics import LogSumExp, Mean
from asg.rewrite.pattern import uniform_value
from asg.rewrite.rule import NodeRule, node_rule

Axes = tuple[int, ...]
Product = tuple[float, list[Tensor]]

MOST_FACTORS = 6
"""Longer products are no formula that has a name here."""

MOST_COMPARED = 12
"""Pairs of values that are compared to find two parts of a formula equal."""


def is_about(value: float | None, wanted: float, dtype: DType) -> bool:
    """Whether a constant is ``wanted`` as far as the dtype can tell."""
    return value is not None and abs(value - wanted) <= 4 * finfo(dtype).eps * abs(wanted)


def is_same(a: Tensor, b: Tensor) -> bool:
    """The same value, or a few equal ops on the same values."""
    pending = [(a, b)]
    for _ in range(MOST_COMPARED):
        if not pending:
            return True
        one, other = pending.pop()
        if one is other:
            continue
        if one.index != other.index or one.type != other.type:
            return False
        if not one.node.inputs or not other.node.inputs:
            number = uniform_value(one)
            if number is None or number != uniform_value(other):
                return False
            continue
        if one.node.op != other.node.op or len(one.node.inputs) != len(other.node.inputs):
            return False
        pending += zip(one.node.inputs, other.node.inputs, strict=True)
    return False


def formula(
    *roots: type[Op], beside: tuple[type[Op], ...]
) -> Callable[[Callable[[Node], Tensor | None]], NodeRule]:
    """A rule for nodes one of whose operands is the result of an op of ``beside``.

    What belongs to a gradient is left: it was derived from an op that had its name already.
    """

    def may_be(node: Node) -> bool:
        return node.origin.gradient_of is None

    return node_rule(*roots, numerics="reassociating", beside=beside, when=may_be)


# -- sums and products ----------------------------------------------------------------------------


def added_to(tensor: Tensor, constant: float) -> Tensor | None:
    """x of ``x + constant``."""
    found = plus_number(tensor)
    return found[0] if found is not None and found[1] == constant else None


def plus_number(tensor: Tensor) -> tuple[Tensor, float] | None:
    """x and c of ``x + c``."""
    if not isinstance(tensor.node.op, Add):
        return None
    for x, other in (tensor.node.inputs, tensor.node.inputs[::-1]):
        value = uniform_value(other)
        if value is not None and x.type == tensor.type:
            return x, float(value)
    return None


def product_of(tensor: Tensor, whole: Collection[Tensor] = ()) -> Product | None:
    """The number and the factors of a product; those in ``whole`` are not taken apart.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> number, factors = product_of(-(x * 3.0) * asg.square(x) / 2.0)
    >>> number, factors == [x, x, x]
    (-1.5, True)
    """
    number, pending = 1.0, [tensor]
    factors: list[Tensor] = []
    while pending:
        if len(factors) + len(pending) > MOST_FACTORS:
            return None
        each = pending.pop()
        parts = None if each in whole else _parts(each)
        if parts is None:
            factors.append(each)
        else:
            number *= parts[0]
            pending += parts[1]
    return number, factors


def _parts(tensor: Tensor) -> Product | None:
    """One step of `product_of`."""
    op, inputs = tensor.node.op, tensor.node.inputs
    value = uniform_value(tensor)
    if value is not None:
        return float(value), []
    if isinstance(op, Multiply):
        return 1.0, list(inputs)
    if isinstance(op, Negative):
        return -1.0, list(inputs)
    if isinstance(op, Divide):
        by = uniform_value(inputs[1])
        return None if not by else (1.0 / by, [inputs[0]])
    times = _times_itself(tensor)
    return None if times < 2 else (1.0, [inputs[0]] * times)


def _times_itself(tensor: Tensor) -> int:
    op = tensor.node.op
    if isinstance(op, Square):
        return 2
    exponent = uniform_value(tensor.node.inputs[1]) if isinstance(op, Pow) else None
    return int(exponent) if exponent in (2, 3) else 0


def square_of(tensor: Tensor) -> Tensor | None:
    """x of ``x * x``."""
    inputs = tensor.node.inputs
    if isinstance(tensor.node.op, Multiply):
        return inputs[0] if is_same(*inputs) else None
    return inputs[0] if _times_itself(tensor) == 2 else None


def root_of(tensor: Tensor) -> Tensor | None:
    """x of ``sqrt(x)``."""
    op, inputs = tensor.node.op, tensor.node.inputs
    if isinstance(op, Pow):
        return inputs[0] if uniform_value(inputs[1]) == 0.5 else None
    return inputs[0] if isinstance(op, Sqrt) else None


def over_root_of(tensor: Tensor) -> Tensor | None:
    """x of ``1 / sqrt(x)``."""
    op, inputs = tensor.node.op, tensor.node.inputs
    if isinstance(op, Rsqrt):
        return inputs[0]
    if isinstance(op, Pow):
        return inputs[0] if uniform_value(inputs[1]) == -0.5 else None
    below = one_over(tensor)
    return None if below is None else root_of(below)


def one_over(tensor: Tensor) -> Tensor | None:
    """x of ``1 / x``."""
    op, inputs = tensor.node.op, tensor.node.inputs
    if isinstance(op, Reciprocal):
        return inputs[0]
    if isinstance(op, Divide) and inputs[1].type == tensor.type:
        return inputs[1] if uniform_value(inputs[0]) == 1 else None
    return None


# -- reductions -----------------------------------------------------------------------------------


def kept(tensor: Tensor, kind: type[Reduction]) -> tuple[Tensor, Axes] | None:
    """x and the axes of a reduction whose axes are kept, or put back as size 1."""
    op, inner = tensor.node.op, tensor.node
    if isinstance(op, ExpandDims | Reshape):
        inner = tensor.node.inputs[0].node
    if not isinstance(inner.op, kind):
        return None
    (x,), axes = inner.inputs, inner.op.axis
    wanted = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    return (x, axes) if axes and tensor.shape == wanted else None


def kept_mean(tensor: Tensor) -> tuple[Tensor, Axes] | None:
    """x and the axes of a mean, also of a sum divided by a number, with its axes kept."""
    found = kept(tensor, Mean)
    product = None if found is not None else product_of(tensor)
    if product is None or len(product[1]) != 1:
        return found
    total = kept(product[1][0], Sum)
    if total is None:
        return None
    sizes = [total[0].shape[axis] for axis in total[1]]
    count = prod(size for size in sizes if isinstance(size, int))
    known = all(isinstance(size, int) and size > 0 for size in sizes)
    return total if known and is_about(product[0], 1.0 / count, tensor.dtype) else None


def largest(tensor: Tensor) -> tuple[Tensor, Axes] | None:
    """x and the axes of a maximum with its axes kept, also behind stop_gradient."""
    while isinstance(tensor.node.op, StopGradient):
        tensor = tensor.node.inputs[0]
    found = kept(tensor, Max)
    if found is not None and isinstance(found[0].node.op, StopGradient):
        return found[0].node.inputs[0], found[1]
    return found


def log_of_sum(tensor: Tensor) -> tuple[Tensor, Axes] | None:
    """x and the axes of ``log(sum(exp(x)))`` with its axes kept."""
    found = kept(tensor, LogSumExp)
    if found is not None or not isinstance(tensor.node.op, Log):
        return found
    total = kept(tensor.node.inputs[0], Sum)
    if total is None or not isinstance(total[0].node.op, Exp):
        return None
    return total[0].node.inputs[0], total[1]
