"""Files such as `torch.save` writes, made by hand, so that they can also be wrong."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
KINDS = {
    "float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16",
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "bool": "Bool",
}  # fmt: skip
FALSE, NONE = b"\x89", b"N"


def text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def integer(value: int) -> bytes:
    data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(data)]) + data


def found(module: str, name: str) -> bytes:
    """A function or class of a module."""
    return f"c{module}\n{name}\n".encode()


def group(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def called(function: bytes, *arguments: bytes) -> bytes:
    return function + group(*arguments) + b"R"


def mapping(items: Mapping[str, bytes]) -> bytes:
    return b"}(" + b"".join(text(name) + value for name, value in items.items()) + b"u"


ORDERED = called(found("collections", "OrderedDict"))


def storage(kind: str, key: str, count: int) -> bytes:
    typed = found("torch", f"{kind}Storage")
    return group(text("storage"), typed, text(key), text("cpu"), integer(count)) + b"Q"


def tensor(
    kind: str, key: str, count: int, size: Sequence[int], stride: Sequence[int], offset: int = 0,
    *rest: bytes,
) -> bytes:  # fmt: skip
    """A tensor as a view of ``count`` elements stored under ``key``."""
    sizes, strides = (group(*map(integer, numbers)) for numbers in (size, stride))
    return called(
        found("torch._utils", "_rebuild_tensor_v2"), storage(kind, key, count), integer(offset),
        sizes, strides, FALSE, ORDERED, *rest,
    )  # fmt: skip


def program(body: bytes) -> bytes:
    return b"\x80\x02" + body + b"."


def archive(
    path: Path, description: bytes, records: Mapping[str, bytes],
    extra: Mapping[str, bytes] | None = None, compression: int = zipfile.ZIP_STORED,
) -> Path:  # fmt: skip
    """A file with a description, and what is stored under each key."""
    whole = {"data.pkl": description, "byteorder": b"little", "version": b"3\n"} | dict(extra or {})
    whole |= {f"data/{key}": content for key, content in records.items()}
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in whole.items():
            file.writestr(f"{path.stem}/{name}", content)
    return path


def saved(path: Path, arrays: Mapping[str, Array]) -> Path:
    """The file of a state dict of contiguous tensors."""
    parts, records = {}, {}
    for key, (name, array) in enumerate(arrays.items()):
        strides = [step // array.itemsize for step in array.strides]
        kind = KINDS[array.dtype.name]
        parts[name] = tensor(kind, str(key), array.size, array.shape, strides)
        records[str(key)] = array.tobytes()
    return archive(path, program(mapping(parts)), records)
