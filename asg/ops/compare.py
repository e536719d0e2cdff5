"""Questions about elements: comparisons, tests of floats, logic and bits. None has a gradient.

Operands of comparisons and bit operations broadcast and are cast to their common dtype. An
int64 beside a float32 is therefore compared as float32. All comparisons with NaN are False,
except `not_equal`. Every function raises DtypeError for dtypes that do not mix or do not have the
operation, and ShapeError for shapes that do not broadcast.
"""

from __future__ import annotations

from typing import Any, ClassVar

from asg.core.dtype import bool_
from asg.core.errors import DtypeError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, broadcast_types


class Comparison(Op, abstract=True):
    """Two operands of one dtype to bool."""

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(None)
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x, y).with_dtype(bool_)


class Ordering(Comparison, abstract=True):
    """A comparison that bool does not have."""

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        x.require_numeric("x")
        y.require_numeric("y")
        return broadcast_types(x, y).with_dtype(bool_)


class Equal(Comparison):
    """Whether x = y; False where one is NaN."""

    commutative: ClassVar[bool] = True


class NotEqual(Comparison):
    """Whether x != y; True where one is NaN."""

    commutative: ClassVar[bool] = True


class Less(Ordering):
    """Whether x < y."""


class LessEqual(Ordering):
    """Whether x <= y."""


class Greater(Ordering):
    """Whether x > y."""


class GreaterEqual(Ordering):
    """Whether x >= y."""


@public
def equal(x: Any, y: Any) -> Tensor:
    """Whether x = y, element by element, as bool; ``x == y`` asks for the same tensor instead.

    >>> import asg
    >>> asg.run(asg.equal([1.0, 2.0, float("nan")], [1.0, 3.0, float("nan")]), {}).tolist()
    [True, False, False]
    """
    return Equal()(x, y)


@public
def not_equal(x: Any, y: Any) -> Tensor:
    """Whether x differs from y, element by element, as bool.

    >>> import asg
    >>> asg.run(asg.not_equal([1.0, 2.0], 1.0), {}).tolist()
    [False, True]
    """
    return NotEqual()(x, y)


@public
def less(x: Any, y: Any) -> Tensor:
    """Whether x < y, as bool.

    >>> import asg
    >>> asg.run(asg.less([1, 2, 3], 2), {}).tolist()
    [True, False, False]
    """
    return Less()(x, y)


@public
def less_equal(x: Any, y: Any) -> Tensor:
    """Whether x <= y, as bool.

    >>> import asg
    >>> asg.run(asg.less_equal([1, 2, 3], 2), {}).tolist()
    [True, True, False]
    """
    return LessEqual()(x, y)


@public
def greater(x: Any, y: Any) -> Tensor:
    """Whether x > y, as bool.

    >>> import asg
    >>> asg.run(asg.greater([1, 2, 3], 2), {}).tolist()
    [False, False, True]
    """
    return Greater()(x, y)


@public
def greater_equal(x: Any, y: Any) -> Tensor:
    """Whether x >= y, as bool.

    >>> import asg
    >>> asg.run(asg.greater_equal([1, 2, 3], 2), {}).tolist()
    [False, True, True]
    """
    return GreaterEqual()(x, y)


class FloatTest(Op, abstract=True):
    """A question about one number; integers are always finite."""

    broadcasts: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return x.require_numeric("x").with_dtype(bool_)


class IsNan(FloatTest):
    """Whether x is NaN."""

    name: ClassVar[str] = "isnan"


class IsInf(FloatTest):
    """Whether x is an infinity of either sign."""

    name: ClassVar[str] = "isinf"


class IsFinite(FloatTest):
    """Whether x is neither NaN nor an infinity."""

    name: ClassVar[str] = "isfinite"


@public
def isnan(x: Any) -> Tensor:
    """Whether x is NaN, as bool.

    >>> import asg
    >>> asg.run(asg.isnan([1.0, float("nan"), float("inf")]), {}).tolist()
    [False, True, False]
    """
    return IsNan()(x)


@public
def isinf(x: Any) -> Tensor:
    """Whether x is an infinity of either sign, as bool.

    >>> import asg
    >>> asg.run(asg.isinf([1.0, float("nan"), float("-inf")]), {}).tolist()
    [False, False, True]
    """
    return IsInf()(x)


@public
def isfinite(x: Any) -> Tensor:
    """Whether x is neither NaN nor an infinity, as bool.

    >>> import asg
    >>> asg.run(asg.isfinite([1.0, float("nan"), float("inf")]), {}).tolist()
    [True, False, False]
    """
    return IsFinite()(x)


class Logic(Op, abstract=True):
    """Two truths to one."""

    broadcasts: ClassVar[bool] = True
    commutative: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x.require_bool("x"), y.require_bool("y"))


class LogicalAnd(Logic):
    """x and y."""


class LogicalOr(Logic):
    """x or y."""


class LogicalXor(Logic):
    """Either x or y, not both."""


class LogicalNot(Op):
    """Not x."""

    broadcasts: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return x.require_bool("x")


@public
def logical_and(x: Any, y: Any) -> Tensor:
    """x and y, of bool.

    >>> import asg
    >>> asg.run(asg.logical_and([False, True, True], [False, False, True]), {}).tolist()
    [False, False, True]
    """
    return LogicalAnd()(x, y)


@public
def logical_or(x: Any, y: Any) -> Tensor:
    """x or y, of bool.

    >>> import asg
    >>> asg.run(asg.logical_or([False, True, True], [False, False, True]), {}).tolist()
    [False, True, True]
    """
    return LogicalOr()(x, y)


@public
def logical_xor(x: Any, y: Any) -> Tensor:
    """Either x or y but not both, of bool.

    >>> import asg
    >>> asg.run(asg.logical_xor([False, True, True], [False, False, True]), {}).tolist()
    [False, True, False]
    """
    return LogicalXor()(x, y)


@public
def logical_not(x: Any) -> Tensor:
    """Not x, of bool.

    >>> import asg
    >>> asg.run(asg.logical_not([False, True]), {}).tolist()
    [True, False]
    """
    return LogicalNot()(x)


class Bitwise(Op, abstract=True):
    """Two operands of one dtype, integer or bool, bit by bit."""

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(None)
    commutative: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(_require_bits(x, "x"), _require_bits(y, "y"))


def _require_bits(operand: TensorType, name: str) -> TensorType:
    if operand.dtype.is_float:
        raise TypeProblem(
            f"{name} is {operand.dtype.name}, integers or bool are needed",
            f"cast it first: {name}.astype('int32'), or compare it: asg.not_equal({name}, 0)",
            DtypeError,
        )
    return operand


class BitwiseAnd(Bitwise):
    """The bits that are set in x and in y; `logical_and` of bool."""


class BitwiseOr(Bitwise):
    """The bits that are set in x or in y; `logical_or` of bool."""


class BitwiseXor(Bitwise):
    """The bits that are set in one of x and y; `logical_xor` of bool."""


class BitwiseInvert(Op):
    """All bits of x flipped (-x - 1 of signed integers); `logical_not` of bool."""

    broadcasts: ClassVar[bool] = True
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return _require_bits(x, "x")


class Shift(Op, abstract=True):
    """The bits of x moved by y places."""

    broadcasts: ClassVar[bool] = True
    promotes: ClassVar[slice | None] = slice(None)
    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType, y: TensorType) -> TensorType:
        return broadcast_types(x.require_integer("x"), y.require_integer("y"))


class BitwiseLeftShift(Shift):
    """x times 2**y, wrapped around; 0 where y is negative or not below the number of bits."""


class BitwiseRightShift(Shift):
    """floor(x / 2**y); where y is negative or not below the number of bits, 0, or -1 for x < 0."""


@public
def bitwise_and(x: Any, y: Any) -> Tensor:
    """The bits set in x and in y, of integers or bool; ``x & y``.

    >>> import asg
    >>> asg.run(asg.bitwise_and([12, 10], 6), {}).tolist()
    [4, 2]
    """
    return BitwiseAnd()(x, y)


@public
def bitwise_or(x: Any, y: Any) -> Tensor:
    """The bits set in x or in y, of integers or bool; ``x | y``.

    >>> import asg
    >>> asg.run(asg.bitwise_or([12, 10], 6), {}).tolist()
    [14, 14]
    """
    return BitwiseOr()(x, y)


@public
def bitwise_xor(x: Any, y: Any) -> Tensor:
    """The bits set in just one of x and y, of integers or bool; ``x ^ y``.

    >>> import asg
    >>> asg.run(asg.bitwise_xor([12, 10], 6), {}).tolist()
    [10, 12]
    """
    return BitwiseXor()(x, y)


@public
def bitwise_invert(x: Any) -> Tensor:
    """All bits of an integer flipped, or not x of bool; ``~x``.

    >>> import asg
    >>> asg.run(asg.bitwise_invert([0, 5]), {}).tolist()
    [-1, -6]
    """
    return BitwiseInvert()(x)


@public
def bitwise_left_shift(x: Any, y: Any) -> Tensor:
    """The bits of integers moved up by y places, zeros moving in; ``x << y``.

    0 where y is negative or at least the number of bits.

    >>> import asg
    >>> asg.run(asg.bitwise_left_shift([1, 3], [4, 32]), {}).tolist()
    [16, 0]
    """
    return BitwiseLeftShift()(x, y)


@public
def bitwise_right_shift(x: Any, y: Any) -> Tensor:
    """The bits of integers moved down by y places, the sign moving in: floor(x / 2**y).

    Where y is negative or at least the number of bits, 0, or -1 for negative x.

    >>> import asg
    >>> asg.run(asg.bitwise_right_shift([16, -16, -1], [2, 2, 32]), {}).tolist()
    [4, -4, -1]
    """
    return BitwiseRightShift()(x, y)
