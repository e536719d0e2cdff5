"""Arrays by name in safetensors files: weights as PyTorch and Hugging Face store them.

The format is a JSON header with names, dtypes, shapes and byte ranges, then the raw little-endian
numbers: nothing in it can run code. https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from asg.core.dtype import as_dtype
from asg.core.errors import AsgError, FileError, OperandError
from asg.io.atomic import replacing

Array = np.ndarray[Any, Any]
PathLike = str | os.PathLike[str]
RESERVED = "__metadata__"

_READABLE = frozenset(
    {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL"}
)


def save_arrays(
    path: PathLike, arrays: Mapping[str, Any], metadata: Mapping[str, str] | None = None
) -> None:
    """Write arrays by name, atomically.

    Args:
        path: by convention ``*.safetensors``.
        arrays: of any dtype of asg (bfloat16 as that of `ml_dtypes`) and any shape.
        metadata: facts as text, kept in the header.

    Raises:
        OperandError: a name or a metadata entry that is not text.
        DtypeError: an array of a dtype that asg does not have.
        FileError: the system refuses.

    >>> save_arrays("model.safetensors", {"fc1.weight": np.ones((2, 3), np.float32)}, {"by": "asg"})
    >>> load_arrays("model.safetensors")["fc1.weight"].shape, load_metadata("model.safetensors")
    ((2, 3), {'by': 'asg'})
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    stored = {_require_name(name): _stored(name, array) for name, array in arrays.items()}
    facts = dict(metadata or {})
    for key, value in facts.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise OperandError(f"metadata is text by text, got {key!r}: {value!r}")
    try:
        with replacing(path) as temporary:
            save_file(stored, temporary, facts or None)
    except SafetensorError as error:
        raise FileError(f"cannot write {os.fspath(path)}: {error}") from error


def _require_name(name: object) -> str:
    if not isinstance(name, str) or name == RESERVED:
        raise OperandError(f"an array of a safetensors file cannot be named {name!r}")
    return name


def _stored(name: str, array: Any) -> Array:
    """Contiguous and little-endian: the library writes the memory as it lies."""
    try:
        dtype = as_dtype(np.asarray(array).dtype).numpy
    except AsgError as error:
        raise type(error)(f"{name}: {error}") from None
    return np.asarray(array, dtype=dtype.newbyteorder("="), order="C")


def load_arrays(path: PathLike) -> dict[str, Array]:
    """The arrays of a safetensors file, sorted by name.

    Raises:
        FileError: missing, damaged, cut off, or with a dtype that asg does not have.
    """
    with _opened(path) as file:
        names = sorted(file.keys())
        kinds = {name: str(file.get_slice(name).get_dtype()) for name in names}
        foreign = [f"{name} is {kind}" for name, kind in kinds.items() if kind not in _READABLE]
        if foreign:
            raise FileError(f"{os.fspath(path)}: {foreign[0]}, a dtype that asg does not have")
        return {name: file.get_tensor(name) for name in names}


def load_metadata(path: PathLike) -> dict[str, str]:
    """The facts `save_arrays` stored beside the arrays.

    Raises:
        FileError: missing or damaged.
    """
    with _opened(path) as file:
        return dict(file.metadata() or {})


@contextmanager
def _opened(path: PathLike) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileError(f"no file {name}")
    if os.path.isdir(name):
        raise FileError(f"{name} is a folder, not a safetensors file")
    try:
        with safe_open(name, framework="np") as file:
            yield file
    except SafetensorError as error:
        raise FileError(f"{name} is damaged or not a safetensors file: {error}") from error
    except OSError as error:
        if isinstance(error, AsgError):
            raise
        raise FileError(f"cannot read {name}: {error.strerror or error}") from error
