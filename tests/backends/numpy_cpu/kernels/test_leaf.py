"""Constants of a program: exact, read-only, and no larger than they must be."""

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from asg.backends.numpy_cpu.backend import BACKEND
from asg.backends.numpy_cpu.interpreter import evaluate

from asg import ops
from asg.core.dtype import DTYPES
from asg.core.graph import Graph
from asg.core.tensor import Tensor


def value(tensor: Tensor) -> np.ndarray[Any, Any]:
    (array,) = evaluate(Graph(value=tensor))
    assert isinstance(array, np.ndarray)
    return array


@pytest.mark.parametrize("name", list(DTYPES))
def test_full_has_the_dtype_asked_for(name: str) -> None:
    array = value(ops.full((2, 3), 1, name))
    assert array.dtype == DTYPES[name].numpy
    assert array.tolist() == [[1, 1, 1], [1, 1, 1]]


@pytest.mark.parametrize("number", [np.inf, -np.inf, 0.1, 1e30])
def test_full_rounds_as_the_dtype_does(number: float) -> None:
    assert value(ops.full((), number, "bfloat16")) == np.array(number, ml_dtypes.bfloat16)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("dtype", ["int32", "float32", "uint8", "bfloat16"])
def test_iota_counts_along_its_axis(axis: int, dtype: str) -> None:
    expected = np.indices((2, 3, 4))[axis].astype(DTYPES[dtype].numpy)
    array = value(ops.iota((2, 3, 4), axis, dtype))
    assert array.dtype == expected.dtype
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_empty_constants(shape: tuple[int, ...]) -> None:
    for tensor in (ops.zeros(shape), ops.iota(shape), ops.constant(np.ones(shape))):
        assert value(tensor).shape == shape


def test_constants_are_not_copied_into_the_program() -> None:
    data = np.arange(5.0)
    tensor = ops.constant(data)
    executable = BACKEND.compile(Graph(value=tensor))
    assert executable.plan.constant_bytes == data.nbytes
    assert executable._program.arrays[tensor] is tensor.node.op.attributes()["data"].array


def test_large_repeated_constants_take_no_memory() -> None:
    executable = BACKEND.compile(Graph(s=ops.sum(ops.ones((4000, 4000)))))
    assert executable.plan.peak_bytes < 1000
    counts = BACKEND.compile(Graph(s=ops.sum(ops.iota((4000, 4000), 1, "float32"))))
    assert counts.plan.constant_bytes == 4000 * 4


def test_sizes_are_numbers_by_the_time_they_run() -> None:
    assert value(ops.dim_size(7)) == 7
    assert value(ops.dim_size(7)).dtype == np.int32
