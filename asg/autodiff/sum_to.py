"""Undo broadcasting: sum a cotangent down to the type of the operand it belongs to."""

from __future__ import annotations

from asg.core.dim import known_equal
from asg.core.errors import GraphError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TensorType


def sum_to(cotangent: Tensor, wanted: TensorType) -> Tensor:
    """``cotangent`` summed over the axes along which the operand was stretched.

    Sizes that are spelled differently but were taken as equal (a recorded run-time check) are
    respelled with ``assume_shape``.

    Raises:
        GraphError: the cotangent cannot belong to such an operand: the rule has a defect.
    """
    if cotangent.type == wanted:
        return cotangent
    if cotangent.dtype is not wanted.dtype or cotangent.ndim < wanted.ndim:
        raise GraphError(f"cotangent of type {cotangent.type} for an operand of type {wanted}")
    extra = cotangent.ndim - wanted.ndim
    if extra:
        cotangent = call("sum", cotangent, tuple(range(extra)))
    stretched = tuple(
        axis
        for axis, (given, size) in enumerate(zip(cotangent.shape, wanted.shape, strict=True))
        if size == 1 and given != 1
    )
    if stretched:
        cotangent = call("sum", cotangent, stretched, keepdims=True)
    return respell(cotangent, wanted)


def respell(tensor: Tensor, wanted: TensorType) -> Tensor:
    """The same value with its type spelled ``wanted``, sizes checked at run time if need be."""
    if tensor.type == wanted:
        return tensor
    for given, size in zip(tensor.shape, wanted.shape, strict=True):
        if known_equal(given, size) is False:
            raise GraphError(f"cotangent of type {tensor.type} for an operand of type {wanted}")
    return call("assume_shape", tensor, wanted.shape)
