"""Arithmetic of two or three operands, element by element.

Operands broadcast (axes aligned at the end, literal 1 stretches) and are cast to their common
dtype by the table of `asg.core.dtype`; Python numbers take the dtype of the tensor beside them.
Every function here raises DtypeError for dtypes that do not mix or do not have the operation, and
ShapeError for shapes that do not broadcast. Integers wrap around when they overflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_operands, is_weak
from asg.core.dtype import float32, iinfo
from asg.core.errors import DtypeError, OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, broadcast_types
from asg.ops.cast import astype
from asg.ops.compare import equal, greater, greater_equal, isinf, less, less_equal, logical_and
from asg.ops.elementwise_unary import abs, log, sigmoid
from asg.ops.leaf import Constant, Full, zeros_like

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Binary(Op, abstract=True):
    """Two numbers of one dtype to a number of that dtype."""

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x.require_numeric("x"), y.require_numeric("y"))


class Add(Binary):
    """x + y."""

    commutative: ClassVar[bool] = True

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (dy,) = cotangents
        return [dy, dy]


@public
def add(x: Any, y: Any) -> Tensor:
    """x + y.

    >>> import asg
    >>> asg.run(asg.add([1.0, 2.0], 0.5), {}).tolist()
    [1.5, 2.5]
    """
    return Add()(x, y)


class Subtract(Binary):
    """x - y."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (dy,) = cotangents
        return [dy, lambda: -dy]


@public
def subtract(x: Any, y: Any) -> Tensor:
    """x - y. Unsigned integers wrap around below zero.

    >>> import asg
    >>> asg.run(asg.subtract([1.0, 2.0], 0.5), {}).tolist()
    [0.5, 1.5]
    """
    return Subtract()(x, y)


class Multiply(Binary):
    """x y."""

    commutative: ClassVar[bool] = True

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents
        return [lambda: dy * y, lambda: dy * x]


@public
def multiply(x: Any, y: Any) -> Tensor:
    """x y.

    >>> import asg
    >>> asg.run(asg.multiply([1.0, 2.0], [[2.0], [3.0]]), {}).tolist()
    [[2.0, 4.0], [3.0, 6.0]]
    """
    return Multiply()(x, y)


class Divide(Binary):
    """x / y of floats; x / 0 is an infinity, 0 / 0 is NaN."""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x.require_float("x"), y.require_float("y"))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (_, y), (quotient,), (dy,) = inputs, outputs, cotangents
        return [lambda: dy / y, lambda: -(dy * (quotient / y))]


@public
def divide(x: Any, y: Any) -> Tensor:
    """x / y. Integers are cast to float32 first, which is exact up to 2**24.

    x / 0 is an infinity and 0 / 0 is NaN. For whole quotients see `floor_divide`.

    >>> import asg
    >>> asg.run(asg.divide([1, 3], 2), {}).tolist()
    [0.5, 1.5]
    """
    if _has_hole(x, y):
        return Divide()(x, y)
    x, y = as_operands(Divide(), (x, y))
    if not (x.dtype.is_float or y.dtype.is_float):
        Binary.infer(Divide(), x.type, y.type)
        x, y = astype(x, float32), astype(y, float32)
    return Divide()(x, y)


class FloorDivide(Binary):
    """floor(x / y), rounded once; integers divided by 0 give 0, floats an infinity or NaN."""

    differentiable: ClassVar[bool] = False


@public
def floor_divide(x: Any, y: Any) -> Tensor:
    """floor(x / y), as Python's ``//``: toward minus infinity, and x == (x // y) * y + x % y.

    An integer divided by 0 gives 0. A float divided by 0 gives an infinity, 0 / 0 gives NaN.
    The result is constant between jumps: no gradient flows through it.

    >>> import asg
    >>> asg.run(asg.floor_divide([7, -7, 7, 7], [2, 2, -2, 0]), {}).tolist()
    [3, -4, -4, 0]
    """
    return FloorDivide()(x, y)


class Remainder(Binary):
    """x - floor(x / y) y, of the sign of y; gradient 1 by x and -floor(x / y) by y."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents
        return [dy, lambda: -(dy * floor_divide(x, y))]


@public
def remainder(x: Any, y: Any) -> Tensor:
    """x - floor(x / y) y, as Python's ``%``: of the sign of y.

    An integer modulo 0 gives 0, a float modulo 0 gives NaN. The gradient is 1 by x and
    -floor(x / y) by y, also where the value jumps.

    >>> import asg
    >>> asg.run(asg.remainder([7, -7, 7, 7], [2, 2, -2, 0]), {}).tolist()
    [1, 1, -1, 0]
    """
    return Remainder()(x, y)


class Pow(Binary):
    """x ** y.

    Gradient by x: y x**(y - 1), which is 0 where y is 0 (also at x = 0, where the plain formula
    is 0 times infinity). Gradient by y: x**y log(x), which is 0 where x is 0 and y >= 0, and NaN
    where x is negative. A constant y gets the short rule, without logarithm and case distinction.
    Integers to negative powers are truncated: 1 for x = 1, 1 or -1 for x = -1, else 0.
    """

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (power,), (dy,) = inputs, outputs, cotangents
        return [lambda: _pow_by_base(x, y, dy), lambda: _pow_by_exponent(x, y, power, dy)]


def _pow_by_base(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    exponent = _scalar_value(y)
    if exponent is None:
        # x**0 is 1 even for NaN. `>` is false for it, and so finds it together with zero.
        flat = logical_and(equal(y, 0), ~greater(abs(x), 0))
        return dy * (y * pow(x, where(flat, 0, y - 1)))
    if exponent == 0:
        return zeros_like(dy)
    if exponent == 1:
        return dy
    return dy * (exponent * (x if exponent == 2 else pow(x, exponent - 1)))


def _pow_by_exponent(x: Tensor, y: Tensor, power: Tensor, dy: Tensor) -> Tensor:
    flat = logical_and(equal(x, 0), greater_equal(y, 0))
    return dy * (power * log(where(flat, 1, x)))


def _scalar_value(tensor: Tensor) -> float | None:
    """The number that a constant is; None for anything else."""
    op = tensor.node.op
    if isinstance(op, Full):
        return float(op.value)
    if isinstance(op, Constant) and op.data.array.ndim == 0:
        return float(op.data.array)
    return None


@public
def pow(x: Any, y: Any) -> Tensor:
    """x ** y; 0 ** 0 is 1, and a negative float to a broken power is NaN.

    Integers to negative powers are truncated towards zero: 1 for x = 1, 1 or -1 for x = -1, and
    0 for every other x. A literal negative y is refused instead.

    Raises:
        DtypeError: also for an integer x with a literal negative integer y.

    >>> import asg
    >>> asg.run(asg.pow([2.0, -3.0], 2), {}).tolist()
    [4.0, 9.0]
    """
    if is_weak(y) and isinstance(y, int) and y < 0 and not (is_weak(x) or _has_hole(x)):
        x, exponent = as_operands(Pow(), (x, float(y)))
        if not x.dtype.is_float:
            raise TypeProblem(
                f"x is {x.dtype.name} and y is {y}: a negative power of an integer is no integer",
                "cast x to a float first: x.astype('float32')",
                DtypeError,
            )
        return Pow()(x, exponent)
    return Pow()(x, y)


class Maximum(Binary):
    """The larger of x and y, NaN if one is NaN.

    At ties each operand gets half the gradient; beside NaN both get all of it.
    """

    commutative: ClassVar[bool] = True

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents
        return [
            lambda: _share(less(x, y), equal(x, y), dy),
            lambda: _share(greater(x, y), equal(x, y), dy),
        ]


@public
def maximum(x: Any, y: Any) -> Tensor:
    """The larger of x and y; NaN if one of them is. Which of 0.0 and -0.0 is not specified.

    At ties each operand gets half of the gradient (as in PyTorch).

    >>> import asg
    >>> asg.run(asg.maximum([1.0, -1.0], 0.0), {}).tolist()
    [1.0, 0.0]
    """
    return Maximum()(x, y)


class Minimum(Binary):
    """The smaller of x and y, NaN if one is NaN.

    At ties each operand gets half the gradient; beside NaN both get all of it.
    """

    commutative: ClassVar[bool] = True

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents
        return [
            lambda: _share(greater(x, y), equal(x, y), dy),
            lambda: _share(less(x, y), equal(x, y), dy),
        ]


def _share(loses: Tensor, ties: Tensor, dy: Tensor) -> Tensor:
    """Nothing for the loser, half at a tie, all otherwise (also beside NaN)."""
    return where(loses, 0, where(ties, 0.5 * dy, dy))


@public
def minimum(x: Any, y: Any) -> Tensor:
    """The smaller of x and y; NaN if one of them is. Which of 0.0 and -0.0 is not specified.

    At ties each operand gets half of the gradient (as in PyTorch).

    >>> import asg
    >>> asg.run(asg.minimum([1.0, -1.0], 0.0), {}).tolist()
    [0.0, -1.0]
    """
    return Minimum()(x, y)


class LogAddExp(Binary):
    """log(exp(x) + exp(y)) without overflow; gradient sigmoid(x - y) by x, 1/2 at x = y = +-inf."""

    name: ClassVar[str] = "logaddexp"
    commutative: ClassVar[bool] = True

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x.require_float("x"), y.require_float("y"))

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, y), (dy,) = inputs, cotangents
        return [lambda: dy * sigmoid(_distance(x, y)), lambda: dy * sigmoid(_distance(y, x))]


def _distance(x: Tensor, y: Tensor) -> Tensor:
    """x - y, and 0 between equal infinities, where the difference is NaN."""
    return where(logical_and(isinf(x), equal(x, y)), 0, x - y)


@public
def logaddexp(x: Any, y: Any) -> Tensor:
    """log(exp(x) + exp(y)) of floats, without overflow: addition of probabilities as logarithms.

    >>> import asg
    >>> asg.run(asg.logaddexp([1000.0, float("-inf")], [0.0, float("-inf")]), {}).tolist()
    [1000.0, -inf]
    """
    return LogAddExp()(x, y)


class Where(Op):
    """x where the condition holds, else y; each gets the gradient of the elements it gave."""

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(1, None)

    def infer(self, condition: TensorType, x: TensorType, y: TensorType) -> TensorType:
        condition.require_bool("condition")
        return broadcast_types(condition.with_dtype(x.dtype), x, y)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (condition, _, _), (dy,) = inputs, cotangents
        return [None, lambda: where(condition, dy, 0), lambda: where(condition, 0, dy)]


@public
def where(condition: Any, x: Any, y: Any) -> Tensor:
    """x where the condition holds, else y; x and y of any dtype, the condition bool.

    Both branches are computed. The gradient of a branch is zero where the other one was chosen,
    but zero times an infinite or NaN derivative is NaN: keep the branch itself within its domain,
    as in ``where(x > 0, log(where(x > 0, x, 1)), 0)``.

    >>> import asg
    >>> asg.run(asg.where(asg.less([1, 2, 3], 2), 10, [1, 2, 3]), {}).tolist()
    [10, 2, 3]
    """
    if condition is True or condition is False:  # what == of two tensors gives: their identity
        raise OperandError(
            f"where: the condition is the Python bool {condition}; compare tensors by asg.equal, "
            "and choose by an ordinary `if` when the condition is known"
        )
    return Where()(condition, x, y)


class Clip(Op):
    """min(max(x, low), high); the gradient by x is 1 from low to high, both included, else 0.

    Where x is outside, the bound that is the value gets the gradient: high also where high < low.
    """

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, x: TensorType, low: TensorType, high: TensorType) -> TensorType:
        return broadcast_types(
            x.require_numeric("x"), low.require_numeric("low"), high.require_numeric("high")
        )

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x, low, high), (dy,) = inputs, cotangents
        return [
            lambda: where(greater_equal(x, low) & less_equal(x, high), dy, 0),
            lambda: where(less(x, low) & less_equal(low, high), dy, 0),
            lambda: where(greater(x, high) | less(high, low), dy, 0),
        ]


@public
def clip(x: Any, min: Any = None, max: Any = None) -> Tensor:
    """``x`` limited to the interval from ``min`` to ``max``: minimum(maximum(x, min), max).

    Args:
        x: numbers.
        min, max: bounds that broadcast with x; None leaves that side open.

    The gradient by x is 1 inside and on the bounds, and 0 outside.

    >>> import asg
    >>> asg.run(asg.clip([-2.0, 0.5, 2.0], 0.0, 1.0), {}).tolist()
    [0.0, 0.5, 1.0]
    """
    if _has_hole(x, min, max):
        return Clip()(x, min, max)
    given = [x, *(bound for bound in (min, max) if bound is not None)]
    x, *bounds = as_operands(Clip(), tuple(given))
    low, high = _limits(x)
    if min is not None:
        low = bounds[0]
    if max is not None:
        high = bounds[-1]
    return Clip()(x, low, high)


def _limits(x: Tensor) -> tuple[Any, Any]:
    """Bounds that change nothing."""
    if x.dtype.is_integer:
        return iinfo(x.dtype).min, iinfo(x.dtype).max
    return float("-inf"), float("inf")


def _has_hole(*operands: Any) -> bool:
    """Whether an operand is a hole of a rewrite pattern, which has no type to look at."""
    return any(hasattr(operand, "__asg_pattern__") for operand in operands)
