"""Safetensors files: round trips, agreement with PyTorch, and damaged files."""

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from asg.core.dtype import DTYPES
from asg.core.errors import AsgError, DtypeError, FileError, OperandError
from asg.io import load_arrays, load_metadata, save_arrays


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (2, 3)])
def test_every_dtype_and_shape_comes_back(dtype: str, shape: tuple[int, ...], path: Path) -> None:
    wanted = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(DTYPES[dtype].numpy)
    save_arrays(path, {"w": wanted})
    found = load_arrays(path)["w"]
    assert (found.dtype, found.shape) == (wanted.dtype, shape)
    assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float32, np.float64])
def test_every_bit_pattern_of_floats_comes_back(dtype: Any, path: Path) -> None:
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-7, 3.14], dtype)
    save_arrays(path, {"w": special})
    assert load_arrays(path)["w"].tobytes() == special.tobytes()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4).T,
        np.arange(12.0)[::2],
        np.arange(12.0)[::-1],
        np.broadcast_to(np.float64(2.0), (2, 3)),
        np.arange(3, dtype=">f8"),
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    ],
)
def test_the_layout_in_memory_does_not_matter(array: Any, path: Path) -> None:
    save_arrays(path, {"w": array})
    assert np.array_equal(load_arrays(path)["w"], array)


def test_names_and_metadata_come_back_and_names_are_sorted(path: Path) -> None:
    names = ["fc2.weight", "fc1.weight", "layers.0.ключ", ""]
    save_arrays(path, {name: np.zeros(1) for name in names}, {"epoch": "3", "note": "ü\n"})
    assert list(load_arrays(path)) == sorted(names)
    assert load_metadata(path) == {"epoch": "3", "note": "ü\n"}


def test_no_arrays_and_no_metadata_are_fine(path: Path) -> None:
    save_arrays(path, {})
    assert load_arrays(path) == {} and load_metadata(path) == {}


def test_others_may_read_the_file_as_any_other(path: Path) -> None:
    path.with_name("ordinary").write_text("")
    save_arrays(path, {"w": np.zeros(1)})
    assert path.stat().st_mode == path.with_name("ordinary").stat().st_mode


def test_the_bytes_are_those_of_the_format(path: Path) -> None:
    """Read with nothing but the specification: length, JSON header, raw numbers."""
    save_arrays(path, {"w": np.array([1.5, -2.0], np.float32)}, {"k": "v"})
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert header["__metadata__"] == {"k": "v"}
    assert header["w"] == {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    assert struct.unpack("<2f", raw[8 + length :]) == (1.5, -2.0)


def test_pytorch_reads_the_weights_and_asg_those_of_pytorch(path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    linear = torch.nn.Linear(3, 2)
    save_file(linear.state_dict(), path)
    arrays = load_arrays(path)
    assert {name: array.shape for name, array in arrays.items()} == {"weight": (2, 3), "bias": (2,)}
    arrays["weight"] = arrays["weight"].astype(ml_dtypes.bfloat16)
    save_arrays(path, arrays)
    back = load_file(path)
    assert torch.equal(back["weight"], linear.weight.to(torch.bfloat16))
    assert torch.equal(back["bias"], linear.bias)


def whole(tmp_path: Path) -> bytes:
    save_arrays(tmp_path / "whole", {"w": np.arange(10.0), "b": np.zeros(3, np.float32)})
    return (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("kept", [0, 4, 8, 20, -1])
def test_a_file_that_was_cut_off_is_refused(kept: int, path: Path, tmp_path: Path) -> None:
    path.write_bytes(whole(tmp_path)[:kept])
    with pytest.raises(FileError, match=r"^.*model\.safetensors is damaged or not a .*$"):
        load_arrays(path)


@pytest.mark.parametrize("content", [b"\xff" * 64, b"not a model at all" * 4, b"PK\x03\x04" * 9])
def test_another_format_is_refused(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(FileError, match="not a safetensors file"):
        load_arrays(path)


def test_extra_bytes_at_the_end_are_refused(path: Path, tmp_path: Path) -> None:
    path.write_bytes(whole(tmp_path) + b"\0")
    with pytest.raises(FileError, match="damaged"):
        load_metadata(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"^no file .*nothing$"):
        load_arrays(tmp_path / "nothing")
    with pytest.raises(FileError, match="is a folder"):
        load_arrays(tmp_path)
    with pytest.raises(FileError, match="cannot write"):
        save_arrays(tmp_path / "none" / "m.safetensors", {"w": np.zeros(1)})


def test_a_dtype_that_asg_lacks_is_named_with_its_array(path: Path) -> None:
    with pytest.raises(DtypeError, match="w: complex"):
        save_arrays(path, {"w": np.zeros(1, complex)})
    header = b'{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0")
    with pytest.raises(FileError, match="w is F8_E4M3, a dtype that asg does not have"):
        load_arrays(path)


@pytest.mark.parametrize(
    ("arrays", "metadata"),
    [({1: np.zeros(1)}, {}), ({"__metadata__": np.zeros(1)}, {}), ({}, {"k": 1}), ({}, {1: "v"})],
)
def test_what_is_not_text_is_refused_and_nothing_is_written(
    arrays: Any, metadata: Any, path: Path
) -> None:
    with pytest.raises(OperandError):
        save_arrays(path, arrays, metadata)
    assert not path.exists()


def test_an_error_is_an_asg_error_and_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(AsgError) as caught:
        load_arrays(tmp_path / "nothing")
    assert isinstance(caught.value, OSError)
    assert "\n" not in str(caught.value)
