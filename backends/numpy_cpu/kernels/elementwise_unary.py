"""Functions of one number."""

from __future__ import annotations

import numpy as np

from asg.ops import elementwise_unary as ops

from ..kernel import Array, Call, Scratch, kernel, register_ufunc, without_repeats

register_ufunc(ops.Negative, np.negative)
register_ufunc(ops.Abs, np.abs)
register_ufunc(ops.Sign, np.sign)
register_ufunc(ops.Square, np.square)
register_ufunc(ops.Sqrt, np.sqrt)
register_ufunc(ops.Exp, np.exp)
register_ufunc(ops.Expm1, np.expm1)
register_ufunc(ops.Log, np.log)
register_ufunc(ops.Log1p, np.log1p)
register_ufunc(ops.Log2, np.log2)
register_ufunc(ops.Sin, np.sin)
register_ufunc(ops.Cos, np.cos)
register_ufunc(ops.Tanh, np.tanh)
register_ufunc(ops.Floor, np.floor)
register_ufunc(ops.Ceil, np.ceil)
register_ufunc(ops.Round, np.rint)
register_ufunc(ops.Trunc, np.trunc)


def reciprocal_call(x: Array, out: Array) -> Call:
    """One divided by x: NumPy divides vectors, and takes reciprocals one by one.

    65 thousand float32 take 7 instead of 14 microseconds, and the results are the same.
    """
    return np.divide, (np.ones((), x.dtype), x, out)


@kernel(ops.Reciprocal, inplace=True, order="elementwise")
def reciprocal(
    op: ops.Reciprocal, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return [reciprocal_call(without_repeats(inputs[0]), outputs[0])]


@kernel(ops.Rsqrt, inplace=True, order="elementwise")
def rsqrt(op: ops.Rsqrt, inputs: list[Array], outputs: list[Array], scratch: Scratch) -> list[Call]:
    (x,), (out,) = inputs, outputs
    if x.dtype.itemsize == 2:
        wide = scratch(x.shape, np.float32)
        return [
            (np.sqrt, (x, wide)),
            reciprocal_call(wide, wide),
            (np.copyto, (out, wide, "same_kind")),
        ]
    return [(np.sqrt, (x, out)), reciprocal_call(out, out)]


@kernel(ops.Sigmoid, inplace=True, order="elementwise")
def sigmoid(
    op: ops.Sigmoid, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    """1 / (1 + exp(-x)): exp may overflow to infinity, whose reciprocal is the 0 that is due."""
    (x,), (out,) = inputs, outputs
    wide = scratch(x.shape, np.float32) if x.dtype.itemsize == 2 else out
    calls: list[Call] = [
        (np.negative, (x, wide)),
        (np.exp, (wide, wide)),
        (np.add, (wide, np.ones((), wide.dtype), wide)),
        reciprocal_call(wide, wide),
    ]
    return calls if wide is out else [*calls, (np.copyto, (out, wide, "same_kind"))]
