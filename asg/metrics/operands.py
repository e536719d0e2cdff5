"""What metrics do to their operands first: check shapes, spread weights, flatten."""

from __future__ import annotations

from typing import Any

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.dtype import float64
from asg.core.errors import DtypeError, ShapeError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import Shape

NAN = float("nan")


def of_shape(name: str, value: Any, shape: Shape, reason: str) -> Tensor:
    """The tensor, which must have this very shape: metrics do not broadcast.

    Raises:
        ShapeError: it does not.
    """
    tensor = as_tensor(value)
    sizes = zip(tensor.shape, shape, strict=False)
    if tensor.ndim != len(shape) or any(_differ(*pair) for pair in sizes):
        wanted = ", ".join(map(str, shape))
        raise ShapeError(f"{name} is {tensor.type}, expected shape [{wanted}]; {reason}")
    return call("assume_shape", tensor, shape)


def _differ(size: Dim, wanted: Dim) -> bool:
    """Two numbers that differ; of other sizes it is found out at the run."""
    return isinstance(size, int) and isinstance(wanted, int) and size != wanted


def number_pair(prediction: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Both as float64, of equal shapes.

    Raises:
        ShapeError: the shapes differ.
        DtypeError: one is bool.
    """
    x = as_tensor(prediction)
    y = of_shape("target", target, x.shape, "it is like the prediction")
    for name, each in (("prediction", x), ("target", y)):
        if each.dtype.is_bool:
            raise DtypeError(f"{name} is {each.type}, numbers are needed")
    return x.astype(float64), y.astype(float64)


def weights_for(sample_weight: Any, shape: Shape) -> Tensor:
    """Float64 weights of this shape: ones, or those given for each element or for each row.

    Raises:
        ShapeError: neither.
    """
    if sample_weight is None:
        return call("ones", shape, float64)
    given = as_tensor(sample_weight).astype(float64)
    if given.ndim not in (1, len(shape)):
        raise ShapeError(f"sample_weight is {given.type}, one for each example is needed")
    rows = len(shape) - given.ndim
    given = of_shape("sample_weight", given, shape[: given.ndim], "one for each example")
    spread = call("reshape", given, (*shape[: given.ndim], *[1] * rows))
    return call("broadcast_to", spread, shape)


def flat(x: Tensor) -> Tensor:
    """All elements in a vector."""
    return call("reshape", x, (-1,))


def rows_of(x: Tensor, axis: int) -> Tensor:
    """``[examples, size of the axis]``: the axis last, all others in one."""
    moved = call("moveaxis", x, axis, -1)
    return call("reshape", moved, (-1, moved.shape[-1]))
