"""Functions wrapped into one op: computed again in backward, or with a gradient of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim
from asg.core.errors import OperandError
from asg.core.graph import Graph
from asg.core.node import next_serial
from asg.core.op import Op
from asg.core.region import (
    body_flops,
    body_input,
    close,
    inline,
    made_outside,
    require_fits,
    require_operands,
    surface_checks,
)
from asg.core.registry import public, service
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.loops import refill, tensors_of

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Barrier(Op):
    """``y = x``, computed after the other operands; nothing moves across it or merges with it."""

    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> TensorType:
        if not operands:
            raise TypeProblem("a barrier holds back a value; none is given", error=OperandError)
        return operands[0]

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return [cotangents[0], *(None for _ in inputs[1:])]

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 0


class Wrapped(Op, abstract=True):
    """An op that stands for its body, a composite."""

    body: Graph
    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        require_operands(self.body, operands)
        surface_checks(self.body)
        return tuple(tensor.type for tensor in self.body.outputs)

    def decompose(self, *operands: Tensor) -> Tensors:
        return inline(self.body, operands)

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return body_flops(self.body)


class Checkpoint(Wrapped):
    """The outputs of ``body``; the backward pass computes the body again instead of keeping it."""

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        """Only the operands are kept: barriers hold the second computation back until it is due."""
        return self.wanted_vjp((True,) * len(inputs), inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        built: list[Cotangent] = service("checkpoint_vjp")(self, wanted, inputs, cotangents)
        return built


class CustomVjp(Wrapped):
    """The outputs of ``body``, with the gradient that ``backward`` computes.

    ``backward`` takes the operands, the outputs and the cotangents, and gives the cotangents of
    the operands at the positions ``given``; the others have no gradient.
    """

    backward: Graph
    given: tuple[int, ...]

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        return self.wanted_vjp((True,) * len(inputs), inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        asked = [number for number, position in enumerate(self.given) if wanted[position]]
        part = Graph.of(
            self.backward.inputs,
            [self.backward.outputs[number] for number in asked],
            [self.backward.output_names[number] for number in asked],
            input_names=self.backward.input_names,
        )
        found = inline(part, (*inputs, *outputs, *cotangents))
        by_operand = dict(zip([self.given[number] for number in asked], found, strict=True))
        return [by_operand.get(position) for position in range(len(inputs))]


@public
def checkpoint(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with less memory: backward computes its inner values again.

    Only the arguments, what the function uses from outside, and the results are kept from forward
    to backward; that costs one more forward computation. Chen et al., 2016,
    https://arxiv.org/abs/1604.06174.

    Args:
        function: of tensors (nested dicts, lists and tuples of them), returning the same.

    >>> import asg
    >>> x = asg.input("x", (3,))
    >>> y = asg.checkpoint(lambda x: asg.tanh(asg.tanh(x)))(x)
    >>> y.node.op.name
    'checkpoint'
    """

    def wrapper(*args: Any) -> Any:
        given = tensors_of("x", list(args))
        floor = next_serial()
        inner = {name: body_input(name, tensor.type) for name, tensor in given.items()}
        returned = function(*refill(list(args), inner))
        results = tensors_of("y", returned)
        leaves = list(inner.values())
        body, captured = close(leaves, results, made_outside(floor, leaves))
        outputs = Checkpoint(body).apply(*given.values(), *captured)
        return refill(returned, dict(zip(results, outputs, strict=True)))

    return wrapper


@public
def custom_vjp(
    forward: Callable[..., Any], backward: Callable[[Tensors, Tensors, Tensors], Sequence[Any]]
) -> Callable[..., Any]:
    """``forward`` with a gradient of your own.

    Args:
        forward: of tensors, returning a tensor or a tuple of them.
        backward: of (operands, outputs, cotangents), three tuples; returns one cotangent per
            operand, of the operand's type, or None for no gradient. It builds graph, so the
            second derivative follows.

    Raises:
        OperandError: a function uses computed tensors from outside (pass them as arguments), or
            returns something else.
        ShapeError, DtypeError: a cotangent has another type than its operand.

    >>> import asg
    >>> clipped = asg.custom_vjp(lambda x: x * 1.0, lambda x, y, dy: [asg.clip(dy[0], -1.0, 1.0)])
    >>> x = asg.input("x", (2,))
    >>> asg.run(asg.grad(asg.sum(clipped(x) * 5.0), x), {x: [0.0, 0.0]}).tolist()
    [1.0, 1.0]
    """

    def wrapper(*args: Any) -> Any:
        operands = [as_tensor(value) for value in args]
        floor = next_serial()
        inner = [body_input(f"x{i}", tensor.type) for i, tensor in enumerate(operands)]
        returned = forward(*inner)
        body = _closed("forward", inner, _outputs("forward", returned), floor)
        outputs = [body_input(f"y{i}", tensor.type) for i, tensor in enumerate(body.outputs)]
        pulled = [body_input(f"dy{i}", tensor.type) for i, tensor in enumerate(body.outputs)]
        entries = list(backward(tuple(inner), tuple(outputs), tuple(pulled)))
        found = _checked(entries, inner)
        reverse = _closed("backward", [*inner, *outputs, *pulled], found, floor)
        results = CustomVjp(body, reverse, tuple(_positions(entries))).apply(*operands)
        return tuple(results) if isinstance(returned, tuple) else results[0]

    return wrapper


def _outputs(what: str, returned: Any) -> dict[str, Tensor]:
    values = returned if isinstance(returned, tuple) else (returned,)
    return {f"{what}_{i}": as_tensor(value) for i, value in enumerate(values)}


def _positions(entries: Sequence[Any]) -> list[int]:
    return [i for i, entry in enumerate(entries) if entry is not None]


def _checked(entries: Sequence[Any], operands: Sequence[Tensor]) -> dict[str, Tensor]:
    if len(entries) != len(operands):
        raise TypeProblem(
            f"backward returned {len(entries)} cotangents for {len(operands)} operands",
            "return one for each, None where there is no gradient",
            OperandError,
        )
    found = {f"dx{i}": as_tensor(entries[i]) for i in _positions(entries)}
    for i, tensor in zip(_positions(entries), found.values(), strict=True):
        require_fits(tensor.type, operands[i].type, f"the cotangent of operand {i}")
    return found


def _closed(what: str, inputs: list[Tensor], outputs: dict[str, Tensor], floor: int) -> Graph:
    body, captured = close(inputs, outputs, made_outside(floor, inputs))
    if captured:
        listed = ", ".join(repr(tensor) for tensor in captured)
        raise TypeProblem(
            f"{what} uses tensors from outside: {listed}",
            "pass them as arguments, so that their gradients are yours to give",
            OperandError,
        )
    return body
