"""Activations that are worth a kernel: rows are normalised in the output, without temporaries."""

from __future__ import annotations

import numpy as np

from asg.core.op import Op
from asg.core.types import TensorType
from asg.ops import activation as ops

from ..extremes import extreme_calls
from ..kernel import Array, Call, Scratch, kernel
from ..sums import sum_call


def _is_wide(op: Op, types: tuple[TensorType, ...]) -> bool:
    """Sixteen-bit floats take the decomposition, which computes in float32."""
    return types[0].dtype.itemsize > 2


def _column(x: Array, axis: int, scratch: Scratch) -> Array:
    return scratch((*x.shape[:axis], 1, *x.shape[axis + 1 :]), x.dtype)


@kernel(ops.Softmax, inplace=True, accepts=_is_wide)
def softmax(
    op: ops.Softmax, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    x, y = inputs[0], outputs[0]
    column = _column(x, op.axis, scratch)
    return [
        *extreme_calls(np.maximum, x, (op.axis,), column, True, scratch),
        (np.subtract, (x, column, y)),
        (np.exp, (y, y)),
        sum_call(y, (op.axis,), column, True),
        (np.divide, (y, column, y)),
    ]


@kernel(ops.LogSoftmax, accepts=_is_wide)
def log_softmax(
    op: ops.LogSoftmax, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    x, y = inputs[0], outputs[0]
    column, raised = _column(x, op.axis, scratch), scratch(x.shape, x.dtype)
    return [
        *extreme_calls(np.maximum, x, (op.axis,), column, True, scratch),
        (np.subtract, (x, column, y)),
        (np.exp, (y, raised)),
        sum_call(raised, (op.axis,), column, True),
        (np.log, (column, column)),
        (np.subtract, (y, column, y)),
    ]
