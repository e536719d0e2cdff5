"""What layers over spatial axes share: arguments for every axis, and inputs without a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asg.core.convert import as_tensor
from asg.core.errors import OperandError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor

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


def over_batch(spatial: int, function: Callable[[Tensor], Any], x: Any) -> Any:
    """``function(x)``; an x without batch axis, ``[channels, *spatial]``, passes as a batch of one.

    The function returns a tensor or a tuple of tensors.

    Raises:
        ShapeError: x has another number of axes.
    """
    x = as_tensor(x)
    if x.ndim == spatial + 2:
        return function(x)
    if x.ndim != spatial + 1:
        raise ShapeError(
            f"x is {x.type}; a layer over {spatial} spatial axes takes [batch, channels, *spatial] "
            "or [channels, *spatial]"
        )
    result = function(call("expand_dims", x, 0))
    if isinstance(result, tuple):
        return tuple(call("squeeze", each, 0) for each in result)
    return call("squeeze", result, 0)
