"""Pickle files read as data: what they hold comes back, what they ask for does not happen."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asg.core.errors import FileError
from asg.data.stored_objects import read_objects

VALUES: list[Any] = [
    {"a": 1, "b": [True, False, None, -5, 2**40, 1.5]},
    [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
    {"text": "ärger", "bytes": b"\x00\xff", "nested": {"x": ["y"] * 3}},
    list(range(300)),
]


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("value", VALUES)
def test_plain_values_come_back(value: Any, protocol: int) -> None:
    assert read_objects(pickle.dumps(value, protocol), "file") == value


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["u1", "<i4", ">i8", "<f8", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_come_back(dtype: str, order: Any, protocol: int) -> None:
    array = np.asarray(np.arange(12).reshape(3, 4) % 5, dtype, order=order)
    shared = {"x": array, "again": array}
    found = read_objects(pickle.dumps(shared, protocol), "file")
    assert np.array_equal(found["x"], array) and found["x"].dtype == array.dtype
    assert found["again"] is found["x"]


class Harmful:
    """Its pickle makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(5))
def test_calls_are_refused_and_not_made(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps({"x": Harmful(tmp_path / "harm")}, protocol)
    with pytest.raises(FileError, match=r"it asks for|which data need not"):
        read_objects(content, "file")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"plain text", "cannot be read"),
        (pickle.dumps({"a": 1}, 2)[:-1], "cannot be read"),
        (pickle.dumps(np.arange(3), 2)[:-20], "cannot be read"),
        (pickle.dumps(np.array([object()]), 2), "cannot be read"),
        (pickle.dumps({1, 2}, 4), "EMPTY_SET, which data need not"),
        (b"\x80\x02cnumpy\nndarray\n.", "more than data"),
        (b"\x80\x02cnumpy\nndarray\n)R.", "it calls 'numpy ndarray'"),
        (b"\x80\x02K\x01)R.", "calls what is no function"),
        (b"\x80\x02}}b.", "no array"),
        (b"\x80\x02h\x05.", "cannot be read"),
        (b"\x80\x02.", "cannot be read"),
    ],
)
def test_damaged_and_foreign_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_objects(content, "file")
