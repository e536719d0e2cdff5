"""Layouts: whose memory a value reads, from which byte and at which strides."""

from collections.abc import Iterator

import numpy as np
import pytest
from asg.backends.numpy_cpu import backend as _backend  # noqa: F401 - registers the kernels
from asg.backends.numpy_cpu import kernel as table
from asg.backends.numpy_cpu.layout import Layout, nbytes_of, prototype_memory, resolve_layouts

from asg import ops
from asg.core.dtype import float64
from asg.core.errors import GraphError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.registry import OPS
from asg.core.tensor import Tensor
from asg.core.types import TensorType
from asg.ops.slicing import Slice


def layout_of(tensor: Tensor) -> Layout:
    found: Layout = resolve_layouts(Graph(y=tensor))[tensor]
    return found


@pytest.fixture
def x() -> Tensor:
    return ops.input("x", (3, 4), float64)


def test_a_computed_value_owns_its_memory(x: Tensor) -> None:
    y = ops.exp(x)
    assert layout_of(y)[:5] == (y, True, 0, (3, 4), (32, 8))


def test_a_transpose_reads_its_input_by_other_strides(x: Tensor) -> None:
    found = layout_of(ops.permute_dims(x, (1, 0)))
    assert found[:5] == (x, False, 0, (4, 3), (8, 32))
    assert found.extent() == (0, 96)


def test_a_reshape_is_a_whole_view(x: Tensor) -> None:
    assert layout_of(ops.reshape(x, (2, 6)))[:5] == (x, True, 0, (2, 6), (48, 8))


def test_a_reshape_that_needs_a_copy_owns_its_memory(x: Tensor) -> None:
    y = ops.reshape(ops.permute_dims(x, (1, 0)), (12,))
    assert layout_of(y).owner is y


def test_a_flip_starts_at_its_last_element(x: Tensor) -> None:
    found = layout_of(ops.flip(x))
    assert found[:5] == (x, False, 88, (3, 4), (-32, -8))
    assert found.extent() == (0, 96)


def test_views_of_views_belong_to_the_first_owner(x: Tensor) -> None:
    rows = Slice.along(0, 1, 2, ops.exp(x))
    found = layout_of(ops.reshape(rows, (4,)))
    assert found.owner.node.op.name == "exp"
    assert (found.whole, found.offset, found.strides) == (False, 32, (8,))


def test_a_broadcast_reads_few_bytes() -> None:
    row = ops.input("row", (4,), float64)
    found = layout_of(ops.broadcast_to(row, (1000, 4)))
    assert found.strides == (0, 8)
    assert found.extent() == (0, 32)


def test_an_empty_view_reads_nothing() -> None:
    empty = ops.input("empty", (0, 4), float64)
    assert layout_of(ops.permute_dims(empty, (1, 0))).extent() == (0, 0)


def test_views_of_constants_are_constants() -> None:
    found = layout_of(ops.permute_dims(ops.constant(np.arange(6.0).reshape(2, 3)), (1, 0)))
    assert found.constant is not None
    assert found.constant.tolist() == [[0, 3], [1, 4], [2, 5]]


def test_sizes_in_bytes() -> None:
    assert nbytes_of(ops.input("a", (3, 4), float64)) == 96
    assert nbytes_of(ops.input("b", (0, 4), float64)) == 0
    assert nbytes_of(ops.input("c", (), float64)) == 8


def test_prototypes_are_as_large_as_the_largest_value(x: Tensor) -> None:
    assert prototype_memory(Graph(y=ops.matmul(x, ops.permute_dims(x, (1, 0))))).nbytes == 97


@pytest.fixture
def false_view() -> Iterator[type[Op]]:
    before = dict(OPS)

    class FalseViewForTest(Op):
        def infer(self, x: TensorType) -> TensorType:
            return x

    yield FalseViewForTest
    table.VIEWS.pop(FalseViewForTest, None)
    OPS.clear()
    OPS.update(before)


def test_a_view_function_that_copies_is_found_out(false_view: type[Op], x: Tensor) -> None:
    table.view(false_view)(lambda op, array: array.copy())
    with pytest.raises(GraphError, match="it made a copy"):
        resolve_layouts(Graph(y=false_view()(x)))


def test_a_view_function_of_the_wrong_type_is_found_out(false_view: type[Op], x: Tensor) -> None:
    table.view(false_view)(lambda op, array: array.T)
    with pytest.raises(GraphError, match=r"is float64\[4, 3\], but infer says f64\[3, 4\]"):
        resolve_layouts(Graph(y=false_view()(x)))
