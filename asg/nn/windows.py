"""What layers over spatial axes share: arguments for every axis, and inputs without a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call

PerAxis = int | tuple[int, ...]


def each_axis(name: str, value: Any, spatial: int, least: int = 1) -> tuple[int, ...]:
    """One int for every spatial axis, from one for all or one for each.

    Raises:
        OperandError: another number of entries, or an entry that is no int of ``least`` or more.

    >>> each_axis("stride", 2, 3), each_axis("padding", (0, 1), 2, least=0)
    ((2, 2, 2), (0, 1))
    """
    entries = tuple(value) if isinstance(value, tuple | list) else (value,) * spatial
    if len(entries) != spatial:
        count = len(entries)
        raise OperandError(f"{name}={value!r} has {count} entries for {spatial} spatial axes")
    for entry in entries:
        if isinstance(entry, bool) or not isinstance(entry, int) or entry < least:
            raise OperandError(f"{name}={value!r} must be ints of {least} or more, one or per axis")
    return entries


def spatial_part(output_size: Sequence[Dim], spatial: int) -> tuple[Dim, ...]:
    """The last entries of an output size that may also have channels, or batch and channels.

    Raises:
        OperandError: another number of entries.

    >>> spatial_part((2, 8, 5, 7), 2)
    (5, 7)
    """
    sizes = tuple(output_size)
    if not spatial <= len(sizes) <= spatial + 2:
        raise OperandError(
            f"output_size={sizes} has {len(sizes)} entries for {spatial} spatial axes"
        )
    return sizes[len(sizes) - spatial :]


def over_batch(spatial: int, function: Callable[..., Any], *operands: Any) -> Any:
    """``function(*operands)``; operands without batch axis, ``[channels, *spatial]``, as one each.

    The function returns a tensor or a tuple of tensors.

    Raises:
        ShapeError: the first operand has another number of axes.
    """
    tensors = [as_tensor(operand) for operand in operands]
    first = tensors[0]
    if first.ndim == spatial + 2:
        return function(*tensors)
    if first.ndim != spatial + 1:
        raise ShapeError(
            f"x is {first.type}; a layer over {spatial} spatial axes takes "
            "[batch, channels, *spatial] or [channels, *spatial]"
        )
    result = function(*(call("expand_dims", each, 0) for each in tensors))
    if isinstance(result, tuple):
        return tuple(call("squeeze", each, 0) for each in result)
    return call("squeeze", result, 0)
