"""Weights out of PyTorch's checkpoint files, without PyTorch and without running what is in them.

`torch.save` writes a zip archive: a description (asg/io/torch_pickle.py) and one record of raw
numbers for each storage. Records are stored, not compressed, so a file holds what it claims.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype
from asg.core.errors import AsgError, ConfigError, FileError
from asg.io.arrays import Array, PathLike
from asg.io.torch_pickle import StoredTensor, read_description, shown

# The files of PyTorch before 1.6 begin with this number, in the stream's protocol 2.
_OLD_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# Tensors may share storages, as tied weights do; one whose tensors are far beyond it is an attack.
_MOST_SHARING = 16
_LONGEST_DESCRIPTION = 2**26  # a hundred bytes for each tensor
_DEEPEST = 8  # dicts in dicts

StateDicts = list[tuple[tuple[str, ...], dict[str, Any]]]
# What zipfile raises for archives that are none.
_DAMAGES = (
    zipfile.BadZipFile, EOFError, RuntimeError, ValueError, OverflowError, IndexError, struct.error,
)  # fmt: skip


def load_torch(path: PathLike, key: str | None = None) -> dict[str, Array]:
    """The arrays of a state dict that `torch.save` wrote, by name in its order.

    The file may hold the state dict itself or dicts that hold it, such as
    ``{"model": {...}, "epoch": 3}``. Tensors of the file that share storage become arrays of their
    own. Nothing in the file is executed, and PyTorch is not needed.

    Args:
        path: a file of PyTorch 1.6 or later.
        key: which dict of the file: its key, or several joined by dots; needed only when there are
            several state dicts.

    Raises:
        ConfigError: there are several state dicts and no key, or no such key; lists the keys.
        FileError: missing, damaged, of the format before 1.6, or with anything that is not data:
            the message says what. Also a dtype that asg does not have.

    >>> load_torch("model.pt")
    Traceback (most recent call last):
    ...
    asg.core.errors.FileError: no file model.pt
    """
    with _opened(path) as (archive, prefix):
        description = _record(archive, f"{prefix}data.pkl", _LONGEST_DESCRIPTION)
        chosen = _chosen(read_description(description), key)
        tensors = _Tensors(archive, prefix, os.path.getsize(path))
        return {name: tensors.array(name, value) for name, value in chosen.items()}


# -- the archive -------------------------------------------------------------------------------


@contextmanager
def _opened(path: PathLike) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive, and the folder in it; every error names the file."""
    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileError(f"no file {name}")
    if os.path.isdir(name):
        raise FileError(f"{name} is a folder, not a file of PyTorch")
    try:
        _require_archive(name)
        with zipfile.ZipFile(name) as archive:
            yield archive, _folder(archive)
    except AsgError as error:
        raise type(error)(f"{name}: {error}") from None
    except _DAMAGES as error:
        raise FileError(f"{name} is damaged: {error}") from error
    except OSError as error:
        raise FileError(f"cannot read {name}: {error.strerror or error}") from error


def _require_archive(name: str) -> None:
    with open(name, "rb") as file:
        start = file.read(len(_OLD_MAGIC))
    if start == _OLD_MAGIC:
        raise FileError(
            "the format of PyTorch before 1.6 is not read; load it with PyTorch and save it again"
        )
    if not start.startswith(b"PK"):
        raise FileError("not a file that torch.save wrote")


def _folder(archive: zipfile.ZipFile) -> str:
    """``model/``: what the names of all records begin with."""
    names = archive.namelist()
    folders = [name.removesuffix("data.pkl") for name in names if name.endswith("/data.pkl")]
    if len(folders) != 1 or len(set(names)) != len(names):
        raise FileError("not a file that torch.save wrote")
    if f"{folders[0]}constants.pkl" in names:
        raise FileError("a TorchScript program; save its state_dict() instead")
    order = f"{folders[0]}byteorder"
    if order in names and _record(archive, order) != b"little":
        raise FileError("its numbers are not little-endian, which is not read")
    return folders[0]


def _record(archive: zipfile.ZipFile, name: str, most: int | None = None) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise FileError(f"the record {shown(name)} is missing") from None
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        raise FileError(f"the record {shown(name)} is compressed, which torch.save does not do")
    if most is not None and entry.file_size > most:
        raise FileError(f"the record {shown(name)} has {entry.file_size} bytes, more than {most}")
    return archive.read(entry)


# -- which dict --------------------------------------------------------------------------------


def _chosen(root: Any, key: str | None) -> dict[str, Any]:
    found = _state_dicts(root)
    if key is not None:
        for path, value in found:
            if len(path) + sum(map(len, path)) == len(key) + 1 and ".".join(path) == key:
                return value
        raise ConfigError(f"no state dict under the key {shown(key)}; {_listed(found)}")
    if found and (len(found) == 1 or not found[0][0]):
        return found[0][1]
    raise ConfigError(f"{_listed(found)}; choose one by its key" if found else _listed(found))


def _listed(found: StateDicts) -> str:
    if not found:
        return "there is no state dict, which is a dict of tensors by name"
    keys = [shown(".".join(path)) for path, _ in found[:10]]
    more = f" and {len(found) - 10} more" if len(found) > 10 else ""
    return f"there are state dicts under {', '.join(keys)}{more}"


def _state_dicts(root: Any) -> StateDicts:
    """Dicts by name that hold tensors, with the keys that lead there; outer ones first.

    Dicts under numbers, as in the states of optimizers, are left out.
    """
    found: StateDicts = []
    queue: list[tuple[tuple[str, ...], Any]] = [((), root)]
    seen: set[int] = set()
    for path, value in queue:
        if not isinstance(value, dict) or id(value) in seen or len(path) > _DEEPEST:
            continue
        seen.add(id(value))
        if not all(isinstance(name, str) for name in value):
            continue
        if any(isinstance(each, StoredTensor) for each in value.values()):
            found.append((path, value))
        queue += [((*path, name), each) for name, each in value.items() if isinstance(each, dict)]
    return found


# -- tensors -----------------------------------------------------------------------------------


class _Tensors:
    """Makes arrays of the tensors of an archive; storages are read once."""

    def __init__(self, archive: zipfile.ZipFile, prefix: str, file_size: int) -> None:
        self.archive, self.prefix = archive, prefix
        self.left = file_size * _MOST_SHARING
        self.storages: dict[str, bytes] = {}

    def array(self, name: str, tensor: Any) -> Array:
        """A copy of the elements of a tensor, checked against its storage."""
        if not isinstance(tensor, StoredTensor):
            kind = type(tensor).__name__
            raise FileError(f"the entry {shown(name)} of the state dict is {kind}, not a tensor")
        try:
            return self._array(tensor)
        except AsgError as error:
            raise FileError(f"the tensor {shown(name)}: {error}") from None

    def _array(self, tensor: StoredTensor) -> Array:
        dtype = _numpy_dtype(tensor.dtype)
        elements = _elements(self._storage(tensor, dtype.itemsize), dtype)
        _require_inside(tensor, elements.size)
        self._take(prod(tensor.size) * dtype.itemsize)
        # Strides of axes with one element say nothing, and may be any number.
        strides = [
            step * dtype.itemsize if size > 1 else 0
            for size, step in zip(tensor.size, tensor.stride, strict=True)
        ]
        start = elements[min(tensor.offset, elements.size) :]
        view = np.lib.stride_tricks.as_strided(start, tensor.size, strides, writeable=False)
        return np.array(view, order="C")

    def _storage(self, tensor: StoredTensor, itemsize: int) -> bytes:
        content = self.storages.get(tensor.key)
        if content is None:
            content = _record(self.archive, f"{self.prefix}data/{tensor.key}")
            self._take(len(content))
            self.storages[tensor.key] = content
        claimed = tensor.count * (1 if tensor.in_bytes else itemsize)
        if len(content) != claimed or claimed % itemsize:
            raise FileError(
                f"its storage {shown(tensor.key)} has {len(content)} bytes and should have "
                f"{claimed}"
            )
        return content

    def _take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise FileError(
                f"the tensors up to this one have more than {_MOST_SHARING} times the bytes of "
                "the file"
            )


def _elements(content: bytes, dtype: np.dtype[Any]) -> Array:
    if dtype == np.bool_:  # NumPy takes bytes beyond 1 as they are, and then True is not True
        return np.minimum(np.frombuffer(content, np.uint8), 1).view(np.bool_)
    return np.frombuffer(content, dtype)


def _numpy_dtype(name: str) -> np.dtype[Any]:
    try:
        return as_dtype(name).numpy
    except AsgError:
        raise FileError(f"its dtype is {name}, which asg does not have") from None


def _require_inside(tensor: StoredTensor, elements: int) -> None:
    """The indices of all elements are those of the storage."""
    size, stride = tensor.size, tensor.stride
    if len(size) != len(stride) or len(size) > 32:
        raise FileError(f"{len(size)} sizes and {len(stride)} strides are not a tensor")
    count = prod(size)
    if count > elements:
        raise FileError(
            f"its {count} elements are more than the {elements} of its storage; an expanded tensor "
            "has to be saved with .contiguous()"
        )
    if prod(max(length, 1) for length in size) > max(elements, 2**40):
        raise FileError(f"its sizes {size} are too large")
    last = tensor.offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count and last >= elements:
        raise FileError(f"its elements go up to place {last} of a storage of {elements}")
