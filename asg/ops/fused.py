"""Fused: elementwise work as one op, so that a backend can do it in one pass over memory."""

from __future__ import annotations

from typing import ClassVar

from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.region import body_flops, inline, require_fits, surface_checks
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem


class Fused(Op):
    """The outputs of ``body``, a graph of elementwise ops, and of reductions of their results.

    The values in between are nobody's: a backend that cuts the operands into blocks never writes
    them to memory. The pass `fuse` makes these ops; everything else looks into the body.
    """

    body: Graph
    category: ClassVar[str] = "elementwise"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        body = self.body
        if len(operands) != len(body.inputs):
            raise TypeProblem(
                f"the body takes {len(body.inputs)} values, {len(operands)} are given",
                error=OperandError,
            )
        for name, given, wanted in zip(body.input_names, operands, body.inputs, strict=True):
            require_fits(given, wanted.type, name)
        surface_checks(body)
        return tuple(tensor.type for tensor in body.outputs)

    def decompose(self, *operands: Tensor) -> tuple[Tensor, ...]:
        return inline(self.body, operands)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return body_flops(self.body)
