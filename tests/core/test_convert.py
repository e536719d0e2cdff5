"""What becomes a tensor, and with which dtype."""

import array
from typing import Any

import numpy as np
import pytest

import asg
from asg.core.convert import as_array, as_tensor
from asg.core.errors import DtypeError, OperandError


def value_of(tensor: asg.Tensor) -> Any:
    op: Any = tensor.node.op
    return op.data.array


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.5, "f32[]"),
        (2, "i32[]"),
        (True, "bool[]"),
        (np.float64(1.5), "f32[]"),
        (np.float32(1.5), "f32[]"),
        (np.int8(1), "i8[]"),
        ([1.0, 2.0], "f32[2]"),
        ([[1, 2], [3, 4]], "i32[2, 2]"),
        ([True, False], "bool[2]"),
        (np.zeros((2, 0)), "f64[2, 0]"),
        (np.arange(3), "i64[3]"),
        (memoryview(array.array("d", [1.0, 2.0])), "f64[2]"),
    ],
)
def test_values_become_constants(value: Any, text: str) -> None:
    tensor = as_tensor(value)
    assert tensor.node.op.name == "constant"
    assert str(tensor.type) == text
    np.testing.assert_array_equal(value_of(tensor), np.asarray(value))


def test_a_tensor_is_itself_and_a_list_of_tensors_is_stacked() -> None:
    x, y = asg.input("x", (2,)), asg.input("y", (2,))
    assert as_tensor(x) is x
    assert as_tensor([x, y]).shape == (2, 2)


@pytest.mark.parametrize("value", [object(), {"a": 1}, None, "text", [[1, 2], [3]], {1, 2}])
def test_what_cannot_become_a_tensor(value: Any) -> None:
    with pytest.raises((OperandError, DtypeError)):
        as_tensor(value)


def test_complex_arrays_are_refused() -> None:
    with pytest.raises(DtypeError, match="complex"):
        as_array(np.zeros(2, np.complex64))
    with pytest.raises(DtypeError, match="complex"):
        as_tensor([1j])


@pytest.mark.parametrize(
    ("dtype", "number", "result"),
    [
        ("float16", 1, "float16"),
        ("float16", 1.5, "float16"),
        ("float64", 1.5, "float64"),
        ("int8", 1, "int8"),
        ("int8", 1.5, "float32"),
        ("int8", True, "int8"),
        ("bool", 1, "int32"),
        ("bool", 1.5, "float32"),
        ("uint8", 255, "uint8"),
    ],
)
def test_numbers_are_weak(dtype: str, number: Any, result: str) -> None:
    x = asg.input("x", (2,), dtype)
    assert (x + number).dtype.name == result
    assert (number + x).dtype.name == result


@pytest.mark.parametrize(("dtype", "number"), [("int8", 200), ("uint8", -1), ("float16", 1e9)])
def test_a_number_that_does_not_fit_is_refused(dtype: str, number: Any) -> None:
    with pytest.raises(DtypeError, match="does not fit"):
        asg.input("x", (2,), dtype) + number


def test_a_number_adapts_only_to_the_operands_it_is_promoted_with() -> None:
    x = asg.input("x", (3,))
    assert asg.take(x, 1, axis=0).node.inputs[1].dtype is asg.int32
    assert asg.run(asg.take(x, -1), {x: [1.0, 2.0, 3.0]}).tolist() == 3.0
    added = asg.scatter_add(x, 1, 2.0).node.inputs
    assert [operand.dtype.name for operand in added] == ["float32", "int32", "float32"]


def test_promotion_inserts_visible_casts() -> None:
    x, y = asg.input("x", (2,), "float32"), asg.input("y", (2,), "float64")
    total = x + y
    assert total.dtype is asg.float64
    assert [operand.dtype.name for operand in total.node.inputs] == ["float64", "float64"]
    assert total.node.inputs[0].node.inputs == (x,)
    assert total.node.inputs[1] is y


def test_dtypes_without_a_common_one_are_explained() -> None:
    with pytest.raises(DtypeError, match="add: uint64 with int8 has no common dtype") as caught:
        asg.input("x", (), "uint64") + asg.input("y", (), "int8")
    assert "input 'x'" in str(caught.value)
    assert "repair" in str(caught.value)


def test_lists_take_the_dtype_that_is_asked_for_without_a_detour() -> None:
    assert value_of(asg.constant([0.1], "float64")).item() == 0.1
    assert value_of(asg.constant([2**40], "int64")).item() == 2**40
    assert value_of(asg.constant([1, 0], "bool")).tolist() == [True, False]
    assert value_of(asg.constant([1.0, np.inf, np.nan], "float16")).tolist()[:2] == [1.0, np.inf]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        ([2**40], None),
        ([1e300], None),
        ([300, 1], "uint8"),
        ([-1], "uint8"),
        ([1.5], "int32"),
        ([float("nan")], "int32"),
        ([2], "bool"),
        ([70000.0], "float16"),
        (np.array([2**63], np.uint64), "int64"),
        (300, "int8"),
        (1.5, "int8"),
        (-1, "uint64"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused(value: Any, dtype: str | None) -> None:
    with pytest.raises(DtypeError, match="does not fit"):
        asg.constant(value, dtype)


@pytest.mark.parametrize(("value", "dtype"), [(300, "int8"), (2.7, "int32"), (1e9, "float16")])
def test_a_fill_that_does_not_fit_is_refused(value: Any, dtype: str) -> None:
    with pytest.raises(DtypeError, match="does not fit"):
        asg.full((2,), value, dtype)
