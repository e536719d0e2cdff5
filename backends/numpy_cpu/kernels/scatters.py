"""Writing at places that data decide: assignments and `ufunc.at` go in order of the index."""

from __future__ import annotations

import numpy as np

from asg.ops import scatters as ops

from ..kernel import Array, Call, Scratch, kernel
from .index import written


@kernel(ops.ScatterSet, inplace=((0, 0),))
def scatter_set(
    op: ops.ScatterSet, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return written(np.ndarray.__setitem__, op.axis, False, inputs, outputs[0], scratch)


@kernel(ops.ScatterMul, inplace=((0, 0),))
def scatter_mul(
    op: ops.ScatterMul, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    return written(np.multiply.at, op.axis, False, inputs, outputs[0], scratch)


@kernel(ops.ScatterExtreme, inplace=((0, 0),))
def scatter_extreme(
    op: ops.ScatterExtreme, inputs: list[Array], outputs: list[Array], scratch: Scratch
) -> list[Call]:
    write = np.minimum.at if op.smallest else np.maximum.at
    return written(write, op.axis, False, inputs, outputs[0], scratch)
