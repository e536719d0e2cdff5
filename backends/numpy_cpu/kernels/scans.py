"""Running totals: NumPy accumulates into the output; recurrences go step by step.

Sixteen-bit floats are accumulated in float32 and rounded once.
"""

from __future__ import annotations

import numpy as np

from asg.core.dtype import as_dtype
from asg.ops import scans as ops

from ..kernel import Array, Call, Scratch, kernel


def _is_half(array: Array) -> bool:
    return as_dtype(array.dtype).is_float and array.dtype.itemsize == 2


def _register(op_class: type[ops.Scan], ufunc: np.ufunc) -> None:
    @kernel(op_class)
    def bind(
        op: ops.Scan, inputs: list[Array], outputs: list[Array], scratch: Scratch
    ) -> list[Call]:
        (x,), (out,) = inputs, outputs
        before: list[Call] = []
        after: list[Call] = []
        if _is_half(out):
            source, target = scratch(x.shape, np.float32), scratch(x.shape, np.float32)
            before, after = [(np.copyto, (source, x))], [(np.copyto, (out, target, "unsafe"))]
        else:
            source, target = x, out
        if op.reverse:
            source, target = np.flip(source, op.axis), np.flip(target, op.axis)
        return [*before, (ufunc.accumulate, (source, op.axis, target.dtype, target)), *after]


_register(ops.CumSum, np.add)
_register(ops.CumProd, np.multiply)
_register(ops.CumMax, np.maximum)
_register(ops.CumMin, np.minimum)
_register(ops.LogCumSumExp, np.logaddexp)


@kernel(ops.LinearRecurrence)
def linear_recurrence(
    op: ops.LinearRecurrence, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    (a, b), (out,) = inputs, outputs
    if not out.size:
        return []
    wide = scratch(out.shape, np.float32) if _is_half(out) else out
    rows = [np.moveaxis(each, op.axis, 0) for each in (a, b, wide)]
    if op.reverse:
        rows = [np.flip(each, 0) for each in rows]
    factors, terms, totals = ([each[i : i + 1] for i in range(len(each))] for each in rows)
    calls: list[Call] = [
        (np.copyto, (totals[0], terms[0])),
        (_steps, (list(zip(factors[1:], totals, terms[1:], totals[1:], strict=False)),)),
    ]
    return calls if wide is out else [*calls, (np.copyto, (out, wide, "unsafe"))]


def _steps(steps: list[tuple[Array, Array, Array, Array]]) -> None:
    for factor, before, term, total in steps:
        np.multiply(factor, before, total)
        np.add(total, term, total)
