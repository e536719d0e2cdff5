"""Matrix products by BLAS, which reads transposed matrices as they lie."""

from __future__ import annotations

from math import prod

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import linalg as ops

from ..kernel import Array, Call, Scratch, kernel, reshaped_view
from ..products import is_faster_turned, products_of, shared_product


@kernel(ops.Matmul, order="turned")
def matmul(
    op: ops.Matmul, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (a, b), (out,) = inputs, outputs
    narrow = out.dtype.itemsize == 2 and as_dtype(out.dtype).is_float
    wide = np.dtype(np.float32) if narrow else out.dtype
    copy_a, a = readable(a, wide, scratch)
    copy_b, b = readable(b, wide, scratch)
    total = scratch(out.shape, wide) if narrow else out
    calls = [*copy_a, *copy_b, *_product(a, b, total, scratch)]
    return [*calls, (_narrow, (out, total))] if narrow else calls


def _product(a: Array, b: Array, out: Array, scratch: Scratch) -> list[Call]:
    calls: list[Call] = []
    if a.ndim > 2 and b.ndim <= 2:  # one product of all rows instead of one for each leading index
        rows = reshaped_view(a, (prod(a.shape[:-1]), a.shape[-1]))
        if rows is None and prod(a.shape[:-2]) * b.size > a.size:  # each would prepare b anew
            copy = scratch(a.shape, a.dtype)
            calls, rows = [(np.copyto, (copy, a))], copy.reshape(-1, a.shape[-1])
        if rows is not None:
            a, out = rows, out.reshape(rows.shape[0], *b.shape[1:])
    if is_faster_turned(a, b, out):
        turned = scratch(out.shape[::-1], out.dtype)
        return [*calls, *_one_product(b.T, a.T, turned), (np.copyto, (out, turned.T))]
    return calls + _one_product(a, b, out)


def _one_product(a: Array, b: Array, out: Array) -> list[Call]:
    return shared_product(a, b, out) or products_of(a, b, out)


def readable(x: Array, dtype: np.dtype[np.generic], scratch: Scratch) -> tuple[list[Call], Array]:
    """x as BLAS can read it, with the calls that copy it if it is not.

    BLAS wants one of the last two axes to be contiguous and the other to step over it; NumPy
    multiplies anything else with loops of its own, far slower than the copy.
    """
    if x.dtype == dtype and (not as_dtype(dtype).is_float or _blas_strides(x)):
        return [], x
    copy = scratch(x.shape, dtype)
    return [(_widen, (copy, x))], copy


def _blas_strides(x: Array) -> bool:
    item = x.dtype.itemsize
    if x.ndim == 1:
        return bool(x.strides[0] > 0 and x.strides[0] % item == 0)
    (rows, columns), (down, across) = x.shape[-2:], x.strides[-2:]
    by_rows = across == item and down % item == 0 and down >= columns * item
    by_columns = down == item and across % item == 0 and across >= rows * item
    return bool(by_rows or by_columns)


def _widen(copy: Array, x: Array) -> None:
    np.copyto(copy, x, casting="unsafe")


def _narrow(out: Array, total: Array) -> None:
    np.copyto(out, total, casting="unsafe")
