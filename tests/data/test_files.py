"""Arrays in files, archives and tables of text."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from asg.core.errors import FileError, OperandError
from asg.data import DataLoader, Dataset, read_csv, read_npz


@pytest.fixture
def stored(tmp_path: Path) -> dict[str, Path]:
    arrays: dict[str, Any] = {
        "x": np.arange(60, dtype=np.float32).reshape(20, 3),
        "y": np.arange(20),
    }
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    return {name: tmp_path / f"{name}.npy" for name in arrays}


def test_files_give_what_arrays_give(stored: dict[str, Path]) -> None:
    files = Dataset.from_files(stored, "mine")
    held = Dataset({name: np.load(file) for name, file in stored.items()})
    assert (len(files), files.name) == (20, "mine")
    for ours, theirs in zip(DataLoader(files, 6, True), DataLoader(held, 6, True), strict=True):
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)
        assert all(type(a) is np.ndarray and a.flags.writeable for a in ours.values())
    train, test = files.split(0.75, stratify="y")
    assert (len(train), len(test)) == (15, 5)
    assert Dataset.from_examples(files).arrays["x"].shape == (20, 3)


def test_batches_read_only_their_rows(tmp_path: Path) -> None:
    """A sparse file of 64 GiB: reading it all is out of the question."""
    path = tmp_path / "big.npy"
    rows = 2**16
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, 2**18)}
    try:
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + rows * 2**20)
    except OSError:
        pytest.skip("this file system has no sparse files of this size")
    batch = next(iter(DataLoader(Dataset.from_files({"x": path}), 2, shuffle=True)))
    assert batch["x"].shape == (2, 2**18) and not batch["x"].any()


@pytest.mark.parametrize("content", [b"", b"not numpy at all", b"\x93NUMPY\x01\x00"])
def test_foreign_and_truncated_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    with pytest.raises(FileError, match=r"x\.npy cannot be read as a \.npy array"):
        Dataset.from_files({"x": path})
    with pytest.raises(FileError, match=r"x\.npy cannot be read as a \.npz archive"):
        read_npz(path)


def test_a_file_that_was_cut_off_is_refused(stored: dict[str, Path]) -> None:
    stored["x"].write_bytes(stored["x"].read_bytes()[:-4])
    with pytest.raises(FileError, match="cannot be read"):
        Dataset.from_files(stored)


def test_arrays_that_are_no_data_set_are_refused(tmp_path: Path, stored: dict[str, Path]) -> None:
    def saved(array: Any) -> dict[str, Path]:
        np.save(tmp_path / "z.npy", array)
        return {**stored, "z": tmp_path / "z.npy"}

    for array, error, message in [
        (np.zeros(4), OperandError, "x 20, y 20, z 4"),
        (np.float32(1), OperandError, "scalar"),
        (np.asfortranarray(np.zeros((20, 2))), OperandError, "Fortran"),
        (np.array([object()]), FileError, "cannot be read"),
    ]:
        with pytest.raises(error, match=message):
            Dataset.from_files(saved(array))
    with pytest.raises(FileError, match="missing"):
        Dataset.from_files({"x": tmp_path / "missing.npy"})
    with pytest.raises(OperandError, match="at least one file"):
        Dataset.from_files({})


def test_archives_give_arrays_by_name(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez_compressed(path, x=np.ones((3, 2)), y=np.arange(3), other=np.zeros(1))
    data = read_npz(path, ["y", "x"])
    assert (list(data.arrays), data.name) == (["y", "x"], "set")
    with pytest.raises(OperandError, match="no z; arrays: x, y, other"):
        read_npz(path, ["z"])
    with pytest.raises(OperandError, match="differ in length"):
        read_npz(path)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(FileError, match="is one array"):
        read_npz(tmp_path / "one.npy")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FileError, match="cannot be read"):
        read_npz(path)
    with pytest.raises(FileError, match=r"gone\.npz"):
        read_npz(tmp_path / "gone.npz")


def table(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_tables_are_read_by_column(tmp_path: Path, end: str, encoding: str) -> None:
    text = end.join(['a,"the, name",b', '1,"x ""y""",2.5', "", " -3 ,z,1e3", ""])
    data = read_csv(table(tmp_path, text, encoding), columns=("b", "a"))
    assert {k: v.tolist() for k, v in data.arrays.items()} == {"b": [2.5, 1000.0], "a": [1.0, -3.0]}
    assert data.arrays["a"].dtype == np.float64


def test_tables_without_a_header_have_numbered_columns(tmp_path: Path) -> None:
    data = read_csv(table(tmp_path, "1;2\n3;4"), header=False, delimiter=";", dtype=np.int32)
    assert {k: v.tolist() for k, v in data.arrays.items()} == {"0": [1, 3], "1": [2, 4]}
    assert data.arrays["0"].dtype == np.int32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,\n", r"table\.csv:3: column 'b': missing value"),
        ("a,b\n1,2\n\nx,4\n", r"table\.csv:4: column 'a': 'x' is no float64"),
        ("a,b\n1,2\n3\n", r"table\.csv:3: 1 fields, expected 2"),
        ("a,b\n", "has no row"),
        ("", "has no row"),
        ("a,a\n1,2\n", "a name stands twice"),
    ],
)
def test_a_table_with_a_mistake_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_csv(table(tmp_path, text))


def test_tables_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OperandError, match="no c; columns: a"):
        read_csv(table(tmp_path, "a\n1\n"), columns=("c",))
    with pytest.raises(FileError, match="cannot be read as a table"):
        read_csv(tmp_path / "gone.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(FileError, match="cannot be read as a table"):
        read_csv(tmp_path / "bytes.csv")
