"""What composites do to their operands first: compute narrow floats wide, spell sizes alike.

And to the numbers they are given: refuse what is none.
"""

from __future__ import annotations

from asg.core.dtype import float32
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.core.types import Shape, TypeProblem
from asg.ops.shape import AssumeShape


def widened(x: Tensor) -> Tensor:
    """A float16 or bfloat16 tensor as float32, any other as it is.

    Sums of squares and of exponentials leave the range of float16 at 65504 and lose bfloat16's
    eight bits within a few terms; results are cast back once, at the end.
    """
    return x.astype(float32) if x.dtype.is_float and x.dtype.itemsize == 2 else x


def respelled(x: Tensor, shape: Shape) -> Tensor:
    """``x`` with its sizes written as in ``shape``, which `infer` has found equal.

    A decomposition must have the very type that `infer` gave: with a target of type ``i32[32]``
    for logits ``f32[batch, 10]``, the loss is ``f32[batch]`` and not ``f32[32]``.
    """
    return x if x.shape == shape else AssumeShape(shape)(x)


def require_number(name: str, value: object) -> float:
    """``value`` as float; OperandError (explained by the caller) when it is no Python number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeProblem(f"{name} is {value!r}, a number is needed", error=OperandError)
    return float(value)
