"""RunTimeLength: a graph with a size that only the run knows, the number of steps of a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from asg.core.dim import Dim, free_symbols, substitute
from asg.core.dtype import int32
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.region import require_fits, surface_checks, with_bodies
from asg.core.registry import service
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.loops import body_flops

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class RunTimeLength(Op):
    """``body(steps, operands)`` with a number, not below ``steps``, for the size ``length``.

    The size exists in the body only: no operand and no output has it. The outputs are the same for
    every number from ``steps`` on (steps of a loop beyond ``steps`` change nothing), so a kernel
    may choose few numbers, and keep a program for each.

    It is the gradient of a `while_loop`, of any order: its own gradient is again a `RunTimeLength`,
    around the gradient of the body. Its cost in flops is that of a single step.
    """

    body: Graph
    length: str
    category: ClassVar[str] = "control"
    without_kernel: ClassVar[str] = (
        "the loop has as many steps as the run takes, and programs of this backend have fixed "
        "sizes: pass max_length= to while_loop, give fori_loop ints or sizes as bounds, or compute "
        "the gradient on the numpy backend"
    )

    def infer(self, steps: TensorType, *operands: TensorType) -> tuple[TensorType, ...]:
        body = self.body
        if steps != TensorType.of(int32, ()):
            raise TypeProblem(f"steps is {steps}, i32[] is needed", error=OperandError)
        if len(operands) + 1 != len(body.inputs):
            raise TypeProblem(
                f"the body takes {len(body.inputs)} values, {len(operands) + 1} are given",
                error=OperandError,
            )
        for name, given, wanted in zip(
            body.input_names, (steps, *operands), body.inputs, strict=True
        ):
            require_fits(given, wanted.type, name)
        found = tuple(tensor.type for tensor in body.outputs)
        if self.length in free_symbols(size for each in (*operands, *found) for size in each.shape):
            raise TypeProblem(
                f"the size {self.length!r} is the op's own; no operand or output may have it",
                "choose another name for it",
            )
        surface_checks(body, self.own_sizes())
        return found

    def own_sizes(self) -> tuple[str, ...]:
        return (self.length,)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        wanted = tuple(tensor.dtype.is_float for tensor in inputs)
        return self.wanted_vjp(wanted, inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        built: list[Cotangent] = service("run_time_length_vjp")(self, wanted, inputs, cotangents)
        return built

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return substitute(body_flops(self.body), {self.length: 1})


def fresh_size(like: str, tensors: Iterable[Tensor], bodies: Iterable[Graph]) -> str:
    """A name for a size that neither the tensors nor anything in the bodies has.

    >>> import asg
    >>> x = asg.input("x", ("steps", "n"))
    >>> fresh_size("steps", [x], [])
    'steps_1'
    """
    inside = [o for body in bodies for each in with_bodies(body) for n in each.nodes
              for o in n.outputs]  # fmt: skip
    shapes = [tensor.shape for tensor in (*tensors, *inside)]
    taken = {name for shape in shapes for name in free_symbols(shape)}
    name, number = like, 0
    while name in taken:
        number += 1
        name = f"{like}_{number}"
    return name
