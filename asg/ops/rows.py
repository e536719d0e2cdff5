"""Many tensors of one type held as one, a row each, and taken apart again.

What `asg.stack` and `asg.unstack` write out as thousands of nodes for thousands of layers is one
node each here: the passes that roll layers into loops make them (asg/passes/roll.py).
"""

from __future__ import annotations

from typing import ClassVar

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, require_equal
from asg.ops.join import Concat
from asg.ops.shape import Reshape, ShapeOp, Tensors
from asg.ops.slicing import Select


class StackRows(ShapeOp):
    """``y[i] = operand i``, along a new first axis; all operands have one shape and dtype."""

    promotes: ClassVar[slice | None] = slice(None)

    def infer(self, *rows: TensorType) -> TensorType:
        if not rows:
            raise TypeProblem("nothing to stack", "give one tensor at least", OperandError)
        first = rows[0]
        for position, row in enumerate(rows):
            if row == first:
                continue
            row.require_ndim(first.ndim, f"operand {position}")
            for axis, (size, wanted) in enumerate(zip(row.shape, first.shape, strict=True)):
                require_equal(size, wanted, f"axis {axis} of operand {position} differs")
        return first.with_shape((len(rows), *first.shape))

    def decompose(self, *rows: Tensor) -> Tensor:
        return Concat(0)(*[Reshape((1, *row.shape))(row) for row in rows])


class UnstackRows(ShapeOp):
    """``x[0], ..., x[count - 1]``: the parts of x along its first axis, without that axis."""

    count: int

    def infer(self, x: TensorType) -> tuple[TensorType, ...]:
        size: Dim = x.shape[0] if x.ndim else 0
        if self.count < 1 or not x.ndim:
            raise TypeProblem(
                f"{self.count} rows of {x}", "take one row at least, of one axis or more",
                OperandError,
            )  # fmt: skip
        require_equal(size, self.count, f"axis 0 of x has not {self.count} elements")
        return (x.with_shape(x.shape[1:]),) * self.count

    def decompose(self, x: Tensor) -> Tensors:
        return tuple(Select((0,), (row,))(x) for row in range(self.count))
