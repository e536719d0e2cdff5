"""Leaves: inputs, constants, the state of variables, and arrays made from nothing."""

from __future__ import annotations

from functools import lru_cache
from math import copysign
from typing import Any, ClassVar

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.convert import as_array, as_tensor
from asg.core.dim import Dim
from asg.core.dtype import DType, as_dtype, fits, float32, int32
from asg.core.errors import DtypeError, OperandError
from asg.core.op import Op
from asg.core.registry import public
from asg.core.state_slot import StateCell
from asg.core.tensor import Tensor
from asg.core.types import Shape, TensorType, TypeProblem, as_shape, normalize_axis


class Input(Op):
    """A value the caller gives at each run, by name."""

    label: str
    dtype: DType
    shape: Shape
    category: ClassVar[str] = "leaf"
    is_placeholder: ClassVar[bool] = True

    def infer(self) -> TensorType:
        return TensorType(self.dtype, self.shape)

    @staticmethod
    def in_body(label: str, dtype: DType, shape: Shape) -> Input:
        """An input of a body."""
        return BodyInput(label, dtype, shape)

    def leaf_label(self) -> str:
        return f"input {self.label!r}"

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class BodyInput(Input, abstract=True):
    """An input of the body of a loop or branch, which means nothing outside of it."""

    is_local: ClassVar[bool] = True


class State(Op):
    """The value a variable holds when the step starts; read and written through state slots."""

    cell: StateCell
    category: ClassVar[str] = "leaf"
    is_placeholder: ClassVar[bool] = True

    def infer(self) -> TensorType:
        return self.cell.type

    def leaf_label(self) -> str:
        return f"{self.cell.role.replace('_', ' ')} {self.cell.name!r}"

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class Constant(Op):
    """A fixed array, part of the program."""

    data: ArrayData
    category: ClassVar[str] = "leaf"

    def infer(self) -> TensorType:
        return self.data.type

    def leaf_label(self) -> str:
        array = self.data.array
        return f"constant {array[()]}" if array.ndim == 0 else "constant"

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class Full(Op):
    """Every element equal to ``value``; the shape may be symbolic."""

    value: bool | int | float
    dtype: DType
    shape: Shape
    category: ClassVar[str] = "leaf"

    def infer(self) -> TensorType:
        return TensorType(self.dtype, self.shape)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class Iota(Op):
    """0, 1, 2, ... along ``axis``, constant along the others."""

    dtype: DType
    shape: Shape
    axis: int = 0
    category: ClassVar[str] = "leaf"

    def infer(self) -> TensorType:
        result = TensorType(self.dtype, self.shape)
        if self.dtype.is_bool:
            raise TypeProblem("iota counts; bool cannot", "use an integer or floating dtype",
                              DtypeError)  # fmt: skip
        return result.require_axis(self.axis)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class DimSize(Op):
    """The number bound to a symbolic size, as an int32 scalar: ``2*batch + 1`` at run time."""

    dim: Dim
    category: ClassVar[str] = "leaf"

    def infer(self) -> TensorType:
        return TensorType(int32, ())

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


@public
def input(name: str, shape: Any, dtype: Any = float32) -> Tensor:
    """Declare a value the caller gives at each run.

    Args:
        name: what the caller feeds it by; an identifier.
        shape: ints, dim names (``"batch"``, ``"2*n"``) and Dims.
        dtype: float32 unless given.

    >>> import asg
    >>> asg.input("images", ("batch", 784))
    <tensor input 'images': f32[batch, 784]>
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise OperandError(f"input name {name!r} is not an identifier; use letters, digits and _")
    return Input(name, as_dtype(dtype), as_shape(shape))()


@public
def constant(value: Any, dtype: Any = None) -> Tensor:
    """A fixed array; Python floats become float32 and ints int32 unless ``dtype`` says otherwise.

    >>> import asg
    >>> asg.constant([1.0, 2.0]).type.dtype
    asg.float32
    """
    if isinstance(value, Tensor):
        raise OperandError("constant takes numbers, not tensors; use the tensor as it is")
    if isinstance(value, bool | int | float) and not isinstance(value, np.generic):
        wanted = as_dtype(dtype) if dtype is not None else as_tensor(value).dtype
        return _number(value, copysign(1.0, value) if value == 0 else 1.0, wanted)()
    return Constant(ArrayData(as_array(value, None if dtype is None else as_dtype(dtype))))()


@lru_cache(4096, typed=True)  # the same few numbers stand everywhere, and ops never change
def _number(value: bool | int | float, sign: float, dtype: DType) -> Constant:
    """The op of a number; 0.0 and -0.0, which are equal, differ in their ``sign``."""
    return Constant(ArrayData(np.array(_fitting(value, dtype), dtype=dtype.numpy)))


def _fitting(value: bool | int | float, dtype: DType) -> bool | int | float:
    if not fits(value, dtype):
        raise DtypeError(f"{value!r} does not fit {dtype.name}; name a wider dtype")
    return value


@public
def full(shape: Any, value: bool | int | float, dtype: Any = None) -> Tensor:
    """An array of ``shape`` with every element ``value``."""
    if not isinstance(value, bool | int | float):
        raise OperandError(
            f"full takes a Python number, got {type(value).__name__}; "
            "for a tensor write broadcast_to(value, shape)"
        )
    wanted = as_tensor(value).dtype if dtype is None else as_dtype(dtype)
    number = wanted.numpy.type(_fitting(value, wanted)).item()
    return Full(number, wanted, as_shape(shape))()


@public
def zeros(shape: Any, dtype: Any = float32) -> Tensor:
    """An array of zeros."""
    return full(shape, 0, dtype)


@public
def ones(shape: Any, dtype: Any = float32) -> Tensor:
    """An array of ones."""
    return full(shape, 1, dtype)


@public
def full_like(x: Any, value: bool | int | float, dtype: Any = None) -> Tensor:
    """``value`` in the shape (and dtype unless given) of ``x``."""
    x = as_tensor(x)
    return full(x.shape, value, x.dtype if dtype is None else dtype)


@public
def zeros_like(x: Any, dtype: Any = None) -> Tensor:
    """Zeros in the shape and dtype of ``x``."""
    return full_like(x, 0, dtype)


@public
def ones_like(x: Any, dtype: Any = None) -> Tensor:
    """Ones in the shape and dtype of ``x``."""
    return full_like(x, 1, dtype)


@public
def iota(shape: Any, axis: int = 0, dtype: Any = int32) -> Tensor:
    """0, 1, 2, ... along ``axis``.

    >>> import asg
    >>> asg.run(asg.iota((2, 3), axis=1), {}).tolist()
    [[0, 1, 2], [0, 1, 2]]
    """
    sizes = as_shape(shape)
    return Iota(as_dtype(dtype), sizes, normalize_axis(axis, len(sizes), "iota"))()


@public
def dim_size(size: Dim | str) -> Tensor:
    """A symbolic size as an int32 scalar of the graph (``x.shape[0]`` inside a formula)."""
    (dim,) = as_shape((size,))
    return DimSize(dim)()
