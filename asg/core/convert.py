"""What may stand where a Tensor is expected: numbers, arrays, variables.

Python numbers are weak: they take the dtype of their neighbours. Arrays keep their own dtype.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from asg.core.dtype import DType, as_dtype, bool_, fits, promote, promote_weak
from asg.core.errors import DtypeError, OperandError
from asg.core.registry import call
from asg.core.tensor import Tensor
from asg.core.types import TypeProblem

if TYPE_CHECKING:
    from asg.core.op import Op


def is_weak(value: object) -> bool:
    """Python bool, int and float (np.float64 is one of them) adapt to their neighbours."""
    return isinstance(value, bool | int | float)


def as_operands(op: Op, operands: tuple[Any, ...]) -> tuple[Tensor, ...]:
    """Every operand as a Tensor; a number adapts to the operands that it is promoted with.

    Raises:
        OperandError: an operand is nothing that can become a tensor.
        DtypeError: a number does not fit the dtype of its neighbours.
    """
    strong = [None if is_weak(operand) else as_tensor(operand) for operand in operands]
    chosen = range(*op.promotes.indices(len(operands))) if op.promotes else range(0)
    neighbours = [tensor for i in chosen if (tensor := strong[i]) is not None]
    neighbour = common_dtype(neighbours) if neighbours else None
    return tuple(
        tensor
        if tensor is not None
        else weak_constant(operands[i], neighbour if i in chosen else None)
        for i, tensor in enumerate(strong)
    )


def common_dtype(tensors: Iterable[Tensor]) -> DType:
    """The promotion of all dtypes; TypeProblem when two do not mix."""
    result: DType | None = None
    for tensor in tensors:
        dtype = tensor.type.dtype
        try:
            result = dtype if result is None or result is dtype else promote(result, dtype)
        except DtypeError as error:
            raise TypeProblem(str(error), "cast one of them with astype", DtypeError) from None
    if result is None:
        raise OperandError("no operand given to promote")
    return result


def weak_constant(value: bool | int | float, neighbour: DType | None) -> Tensor:
    """A Python number as a constant of the dtype its neighbours imply."""
    kind = bool if isinstance(value, bool) else int if isinstance(value, int) else float
    dtype = promote_weak(kind, neighbour or bool_)
    if not fits(value, dtype):
        raise DtypeError(
            f"{value!r} does not fit {dtype.name}; cast the tensor to a wider dtype first"
        )
    return call("constant", value, dtype)


def as_tensor(value: Any) -> Tensor:
    """A Tensor from a Tensor, a variable, an array or a number.

    Raises:
        OperandError: ``value`` is none of these.
    """
    if isinstance(value, Tensor):
        return value
    read = getattr(value, "__asg_tensor__", None)
    if read is not None:
        return read()  # type: ignore[no-any-return]
    if hasattr(value, "__asg_pattern__"):
        return value  # type: ignore[no-any-return]  # a hole of a rewrite rule stands for a tensor
    if is_weak(value):
        return weak_constant(value, None)
    if isinstance(value, list | tuple) and any(isinstance(item, Tensor) for item in value):
        return call("stack", value)
    return call("constant", as_array(value))


def as_array(value: Any, dtype: DType | None = None) -> np.ndarray[Any, Any]:
    """A NumPy array from anything with a buffer, ``__array__``, DLPack or nested lists.

    Lists of numbers become float32 or int32 unless ``dtype`` says otherwise.

    Raises:
        OperandError: ``value`` is nothing of this kind.
        DtypeError: the values do not fit the dtype.
    """
    array = _array_from(value)
    if dtype is None and isinstance(value, list | tuple) and array.dtype in (np.float64, np.int64):
        dtype = promote_weak(float if array.dtype.kind == "f" else int, bool_)
    as_dtype(array.dtype)
    return array if dtype is None else exact_cast(array, dtype)


def _array_from(value: Any) -> np.ndarray[Any, Any]:
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if isinstance(value, str | bytes):
        raise OperandError(f"{value!r} ({type(value).__name__}) is no number; convert it first")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise OperandError(f"{type(value).__name__} cannot become a tensor: {error}") from None
    if array.dtype == object:
        raise OperandError(
            f"{type(value).__name__} cannot become a tensor; "
            "give a number, an array, nested lists of numbers, a Tensor or a Variable"
        )
    return array


def exact_cast(array: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    """``array`` in ``dtype``: digits of floats may be lost, nothing wraps, is cut off or overflows.

    Raises:
        DtypeError: a value does not fit; names the first one.
    """
    with np.errstate(all="ignore"):
        result = array.astype(dtype.numpy)
        if dtype.is_float:
            kept = np.isfinite(result) | ~np.isfinite(array.astype(np.float64))
        else:
            kept = (result.astype(array.dtype) == array) & ((result < 0) == (array < 0))
    if not np.all(kept):
        raise DtypeError(
            f"{array[~kept].flat[0]!s} does not fit {dtype.name}; name a wider dtype, "
            "or convert the array yourself if the loss is meant"
        )
    return result
