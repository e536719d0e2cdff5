"""Arrays as attributes: read-only, equal by contents."""

import numpy as np
import pytest

from asg.core.array_data import ArrayData
from asg.core.dtype import float32
from asg.core.errors import DtypeError
from asg.core.types import TensorType


def test_a_later_change_of_the_original_is_not_seen() -> None:
    original = np.array([1.0, 2.0])
    data = ArrayData(original)
    original[0] = 7.0
    assert data.array.tolist() == [1.0, 2.0]


def test_a_change_through_a_read_only_view_is_not_seen_either() -> None:
    original = np.array([1.0, 2.0])
    view = original[:]
    view.flags.writeable = False
    data = ArrayData(view)
    original[0] = 7.0
    assert data.array.tolist() == [1.0, 2.0]


def test_the_array_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        ArrayData(np.zeros(2)).array[0] = 1.0


def test_an_owned_read_only_array_is_not_copied() -> None:
    array = np.zeros(3)
    array.flags.writeable = False
    assert ArrayData(array).array is array


def test_equality_is_by_dtype_shape_and_bytes() -> None:
    same = [ArrayData(np.array([1.0, np.nan])), ArrayData(np.array([1.0, np.nan]))]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    others = [
        np.array([1.0, 2.0]),
        np.array([[1.0, np.nan]]),
        np.array([1.0, np.nan], dtype=np.float32),
    ]
    assert all(ArrayData(other) != same[0] for other in others)
    assert ArrayData(np.array(0.0)) != ArrayData(np.array(-0.0))
    assert ArrayData(np.array(1.0)) != 1.0


def test_strided_arrays_compare_by_their_elements() -> None:
    grid = np.arange(6.0).reshape(2, 3)
    assert ArrayData(grid.T) == ArrayData(np.ascontiguousarray(grid.T))


def test_type_and_text() -> None:
    assert ArrayData(np.zeros((2, 3), np.float32)).type == TensorType(float32, (2, 3))
    assert repr(ArrayData(np.array(2.5))) == "2.5"
    assert repr(ArrayData(np.zeros((2, 3), np.float32))) == "array<f32[2, 3]>"


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(DtypeError, match="complex"):
        ArrayData(np.zeros(2, np.complex128))
