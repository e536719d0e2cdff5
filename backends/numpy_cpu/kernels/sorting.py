"""Order and search: NumPy sorts rows, and allocates what it answers.

bfloat16 is compared as float32, which holds all its values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from asg.core.dtype import as_dtype, bfloat16
from asg.core.op import Op
from asg.core.types import TensorType
from asg.ops import sorting as ops

from ..kernel import Array, Call, Scratch, kernel


def _comparable(x: Array, scratch: Scratch) -> tuple[list[Call], Array]:
    """x in a dtype that NumPy orders itself, C-contiguous, with the calls that copy it there."""
    wanted: Any = np.float32 if as_dtype(x.dtype) is bfloat16 else x.dtype
    if x.flags.c_contiguous and x.dtype == wanted:
        return [], x
    copy = scratch(x.shape, wanted)
    return [(np.copyto, (copy, x))], copy


@kernel(ops.ArgSort)
def argsort(
    op: ops.ArgSort, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    calls, rows = _comparable(np.moveaxis(inputs[0], op.axis, -1), scratch)
    return [*calls, (_argsort, (rows, np.moveaxis(outputs[0], op.axis, -1)))]


def _argsort(rows: Array, out: Array) -> None:
    np.copyto(out, np.argsort(rows, axis=-1, kind="stable"), casting="unsafe")


def _ordered_by_numpy(op: Op, types: tuple[TensorType, ...]) -> bool:
    return types[0].dtype is not bfloat16


@kernel(ops.Sort, inplace=True, accepts=_ordered_by_numpy)
def sort(op: ops.Sort, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    """In the output, and without places; descending as what is turned around, with NaN last."""
    (x,), (out,) = inputs, outputs
    if not op.descending:
        return [(np.copyto, (out, x)), (out.sort, (op.axis,))]
    turn = np.negative if out.dtype.kind == "f" else np.invert
    return [(turn, (x, out)), (out.sort, (op.axis,)), (turn, (out, out))]


@kernel(ops.SearchSorted)
def searchsorted(
    op: ops.SearchSorted, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    before, ascending = _comparable(inputs[0], scratch)
    after, values = _comparable(inputs[1], scratch)
    return [*before, *after, (_searchsorted, (ascending, values, op.side, outputs[0]))]


def _searchsorted(ascending: Array, values: Array, side: Any, out: Array) -> None:
    np.copyto(out, np.searchsorted(ascending, values, side), casting="unsafe")
