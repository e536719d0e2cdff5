"""Samples of the ops without operands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from asg.core.array_data import ArrayData
from asg.core.dtype import bfloat16, bool_, float32, float64, int8, int32, uint32
from asg.core.types import TensorType, as_shape
from asg.ops.leaf import Constant, DimSize, Full, Input, Iota, State
from asg.testing.sample import Array, Sample, register_samples


@dataclass(frozen=True)
class Cell:
    """The least a variable must be."""

    name: str
    type: TensorType
    role: str = "parameter"


def _constant(array: Array, label: str = "") -> Sample:
    return Sample(Constant(ArrayData(array)), (), lambda: np.array(array), None, label=label)


def _placeholder_value(shape: tuple[int, ...], dtype: type) -> Array:
    return np.arange(int(np.prod(shape))).reshape(shape).astype(dtype)


register_samples(
    [
        Sample(Input("matrix", float32, (2, 3)), (),
               lambda: _placeholder_value((2, 3), np.float32), None),
        Sample(Input("scalar", int8, ()), (), lambda: _placeholder_value((), np.int8), None),
        Sample(Input("empty", bool_, (0, 4)), (), lambda: _placeholder_value((0, 4), bool), None),
        Sample(State(Cell("weight", TensorType(float32, (2, 3)))), (),
               lambda: _placeholder_value((2, 3), np.float32), None),
        Sample(State(Cell("count", TensorType(int32, ()), "counter")), (),
               lambda: _placeholder_value((), np.int32), None),
        _constant(np.array([[1.0, -0.0, np.nan], [np.inf, -np.inf, 5e-324]]), "not finite"),
        _constant(np.array(True)),
        _constant(np.zeros((2, 0, 3), np.int16)),
        _constant(np.array([1.5, -2.25]).astype(bfloat16.numpy), "bfloat16"),
        Sample(Full(2.5, float32, (2, 3)), (), lambda: np.full((2, 3), 2.5, np.float32), (),
               Full(2.5, float32, as_shape(("n", 3)))),
        Sample(Full(-7, int32, ()), (), lambda: np.array(-7, np.int32), None),
        Sample(Full(True, bool_, (4,)), (), lambda: np.ones(4, bool), None),
        Sample(Full(float("-inf"), float64, (0, 2)), (), lambda: np.empty((0, 2)), None),
        Sample(Full(float("inf"), float32, (2,)), (),
               lambda: np.full(2, np.inf, np.float32), None),
        Sample(Iota(int32, (4,)), (), lambda: np.arange(4, dtype=np.int32), (),
               Iota(int32, as_shape(("n + 1",)))),
        Sample(Iota(float64, (2, 3), 1), (),
               lambda: np.broadcast_to(np.arange(3.0), (2, 3)).copy(), None),
        Sample(Iota(uint32, (2, 1, 2), 0), (),
               lambda: np.array([[[0, 0]], [[1, 1]]], np.uint32), None),
        Sample(Iota(int32, (0, 3), 1), (), lambda: np.empty((0, 3), np.int32), None),
        Sample(DimSize(12), (), lambda: np.array(12, np.int32), None),
        Sample(DimSize(0), (), lambda: np.array(0, np.int32), None),
    ]
)  # fmt: skip
