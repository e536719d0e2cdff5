"""The same elements in another dtype, and the same elements without gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import DType, as_dtype, fits, iinfo
from asg.core.op import Op
from asg.core.registry import public
from asg.core.tensor import Tensor
from asg.core.types import TensorType

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Cast(Op):
    """x in another dtype.

    Floats to integers are truncated towards zero; what lies outside the range of the integer
    becomes its nearest limit and NaN becomes 0. Integers to narrower ones keep their low bits.
    Anything but 0 (NaN too) becomes True. Between floats the cotangent is cast back; integers and
    bool carry no gradient.
    """

    dtype: DType
    broadcasts: ClassVar[bool] = True

    def infer(self, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        (x,), (dy,) = inputs, cotangents
        return [astype(dy, x.dtype)]

    def range_of(self, source: DType) -> tuple[float, float]:
        """For floats to integers: below the first, and from the second on, x is out of range.

        Both are numbers of ``source``: powers of two, or infinities where it does not reach them.
        """
        limits = iinfo(self.dtype)
        low, high = float(limits.min), float(limits.max + 1)
        return low if fits(low, source) else -math.inf, high if fits(high, source) else math.inf


@public
def astype(x: Any, dtype: Any) -> Tensor:
    """``x`` converted to ``dtype``; x itself when it has that dtype already.

    * float to float: rounded to nearest; too large becomes an infinity.
    * float to integer: truncated towards zero, limited to the range of the integer, NaN to 0.
    * integer to integer: low bits kept (wraps around); to float: rounded to nearest.
    * anything to bool: whether it differs from 0, which NaN does; bool to number: 0 or 1.

    The gradient is the cotangent cast back, between floats; integers and bool carry none.

    Raises:
        DtypeError: ``dtype`` names no dtype.

    >>> import asg
    >>> asg.run(asg.astype([1.9, -1.9, 300.0], "int8"), {}).tolist()
    [1, -1, 127]
    """
    wanted = as_dtype(dtype)
    x = as_tensor(x)
    if hasattr(x, "__asg_pattern__"):
        return Cast(wanted)(x)
    return x if x.dtype is wanted else Cast(wanted)(x)


class StopGradient(Op):
    """x, through which no gradient flows."""

    differentiable: ClassVar[bool] = False

    def infer(self, x: TensorType) -> TensorType:
        return x

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


@public
def stop_gradient(x: Any) -> Tensor:
    """``x`` as a constant for differentiation: no gradient flows to what it was computed from.

    >>> import asg
    >>> x = asg.input("x", ())
    >>> asg.run(asg.grad(x * asg.stop_gradient(x), x), {x: 3.0}).item()
    3.0
    """
    return StopGradient()(x)
