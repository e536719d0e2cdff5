"""Graphs with a size of their own: a number that only the run knows, or that follows from others.

Such a size is a symbol that exists in the body of the op alone. No operand and no output has it,
so nobody has to bind it: the op does, when it knows the number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isqrt
from typing import TYPE_CHECKING, ClassVar

from asg.core.dim import Dim, free_symbols, substitute
from asg.core.dtype import int32
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.op import Op
from asg.core.region import body_flops, inline, require_operands, surface_checks, with_bodies
from asg.core.registry import service
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class OwnSize(Op, abstract=True):
    """What these ops have in common: the outputs of ``body`` with a number for the size ``size``.

    The gradient is the same op around the gradient of the body, so it exists to any order. The cost
    in flops is the one for a size of 1.
    """

    body: Graph
    size: str
    category: ClassVar[str] = "control"

    def output_types(self, operands: Sequence[TensorType]) -> tuple[TensorType, ...]:
        """What `infer` says; the operands must fit the body, and nothing may have the own size."""
        body = self.body
        require_operands(body, operands)
        found = tuple(tensor.type for tensor in body.outputs)
        if self.size in free_symbols(size for each in (*operands, *found) for size in each.shape):
            raise TypeProblem(
                f"the size {self.size!r} is the op's own; no operand or output may have it",
                "choose another name for it",
            )
        surface_checks(body, self.own_sizes())
        return found

    def own_sizes(self) -> tuple[str, ...]:
        return (self.size,)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        wanted = tuple(tensor.dtype.is_float for tensor in inputs)
        return self.wanted_vjp(wanted, inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        built: list[Cotangent] = service("own_size_vjp")(self, wanted, inputs, cotangents)
        return built

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return substitute(body_flops(self.body), {self.size: 1})


class RunTimeLength(OwnSize):
    """``body(steps, operands)`` with a number, not below ``steps``, for the size ``size``.

    The outputs are the same for every number from ``steps`` on (steps of a loop beyond ``steps``
    change nothing), so a kernel may choose few numbers, and keep a program for each.

    It is the gradient of a `while_loop`.
    """

    without_kernel: ClassVar[str] = (
        "the loop has as many steps as the run takes, and programs of this backend have fixed "
        "sizes: pass max_length= to while_loop, give fori_loop ints or sizes as bounds, or compute "
        "the gradient on the numpy backend"
    )

    def infer(self, steps: TensorType, *operands: TensorType) -> tuple[TensorType, ...]:
        if steps != TensorType.of(int32, ()):
            raise TypeProblem(f"steps is {steps}, i32[] is needed", error=OperandError)
        return self.output_types((steps, *operands))


class RootSized(OwnSize):
    """``body(operands)`` with a number near the square root of ``length`` for ``size``.

    Sizes are polynomials and have no roots; so the size stays a symbol until ``length`` is a
    number. Then the body takes the place of the op.
    """

    length: Dim
    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        return self.output_types(operands)

    def settle(self, *operands: Tensor) -> Tensors | None:
        if not isinstance(self.length, int):
            return None
        body: Graph = service("specialise")(self.body, {self.size: near_root(self.length)})
        return inline(body, operands)


def near_root(length: int) -> int:
    """The divisor of ``length`` next to its root, if one is within a factor of 2; else the root.

    >>> near_root(32768), near_root(9), near_root(31), near_root(22), near_root(0)
    (128, 3, 5, 2, 1)
    """
    root = max(isqrt(length), 1)
    for step in range(root // 2 + 1):
        for size in (root - step, root + step):
            if length % size == 0:
                return size
    return root


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
