"""ArrayData: a read-only array as an op attribute, with a digest so equality stays cheap."""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dtype import DType, as_dtype
from asg.core.types import TensorType


class ArrayData:
    """A frozen array; equal when dtype, shape and bytes are equal (so NaN equals itself)."""

    __slots__ = ("_digest", "array", "dtype")

    array: np.ndarray[Any, Any]
    dtype: DType
    _digest: bytes | None

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        """Copies ``array`` unless it is read-only and owns its memory already."""
        if array.flags.writeable or not array.flags.c_contiguous or array.base is not None:
            array = np.array(array, order="C", copy=True)
            array.flags.writeable = False
        self.array = array
        self.dtype = as_dtype(array.dtype)
        self._digest = None

    @property
    def type(self) -> TensorType:
        """Dtype and shape."""
        return TensorType(self.dtype, self.array.shape)

    @property
    def digest(self) -> bytes:
        """16 bytes that identify dtype, shape and contents."""
        if self._digest is None:
            from hashlib import blake2b  # not needed by `import asg`

            header = f"{self.dtype.name}{self.array.shape}".encode()
            hasher = blake2b(header, digest_size=16)
            hasher.update(self.array.tobytes())
            self._digest = hasher.digest()
        return self._digest

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayData) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        """The value when it is a scalar, else its type."""
        return repr(self.array.item()) if self.array.ndim == 0 else f"array<{self.type}>"
