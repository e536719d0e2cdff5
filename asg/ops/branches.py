"""Switch: one of several graphs is computed, chosen by an index; cond chooses between two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, dim_max
from asg.core.errors import DtypeError, OperandError
from asg.core.graph import Graph
from asg.core.node import next_serial
from asg.core.op import Op
from asg.core.region import (
    body_flops,
    body_of,
    free_tensors,
    made_outside,
    require_fits,
    surface_checks,
)
from asg.core.registry import public, service
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem
from asg.ops.loops import next_values, refill, tensors_of

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class Switch(Op):
    """``branches[index](operands)``; only that branch is computed.

    The index is a scalar: an integer, of which values outside choose the first or the last
    branch, or, for two branches, a bool (False chooses the first). Every branch takes all operands
    and gives values of the same types.

    The gradient is a switch between the gradients of the branches, which compute again what they
    need of their branch.
    """

    branches: tuple[Graph, ...]
    category: ClassVar[str] = "control"

    def infer(self, index: TensorType, *operands: TensorType) -> tuple[TensorType, ...]:
        _require_index(index, len(self.branches))
        first = self.branches[0]
        for number, branch in enumerate(self.branches):
            if len(operands) != len(branch.inputs) or len(branch.outputs) != len(first.outputs):
                raise TypeProblem(f"branch {number} does not take or give as many values as others",
                                  error=OperandError)  # fmt: skip
            for position, given in enumerate(operands):
                require_fits(given, branch.inputs[position].type,
                             f"operand {position} of branch {number}")  # fmt: skip
            for name, one, other in zip(first.output_names, first.outputs, branch.outputs,
                                        strict=True):  # fmt: skip
                require_fits(other.type, one.type, f"{name} of branch {number}")
            surface_checks(branch)
        return tuple(tensor.type for tensor in first.outputs)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        wanted = tuple(tensor.dtype.is_float for tensor in inputs)
        return self.wanted_vjp(wanted, inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        built: list[Cotangent] = service("switch_vjp")(self, wanted, inputs, cotangents)
        return built

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        cost: Dim = 0
        for branch in self.branches:
            cost = dim_max(cost, body_flops(branch))
        return cost


def _require_index(index: TensorType, count: int) -> None:
    if index.ndim:
        raise TypeProblem(
            f"the index is {index}; branches are chosen by a scalar",
            "for a choice per element use where, or switch inside a scan",
        )
    if index.dtype.is_float or (index.dtype.is_bool and count != 2):
        raise TypeProblem(
            f"the index is {index.dtype.name}, an integer is needed",
            "compare it first, or cast it with astype('int32')",
            DtypeError,
        )


@public
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``, where only the chosen branch is computed.

    Each function is called once, to build its graph, and may use tensors from outside as well as
    the operands. A gradient flows into the branch that was chosen.

    Args:
        index: an integer scalar; below 0 chooses the first branch, beyond the end the last.
        branches: functions that return the same structure of tensors, of the same types.
        operands: what they are called with: tensors, and nested dicts, lists and tuples of them.

    Raises:
        ShapeError, DtypeError: the index is no integer scalar, or a branch returns other types.
        OperandError: there are no branches, or they return different structures.

    >>> import asg
    >>> i, x = asg.input("i", (), asg.int32), asg.input("x", (2,))
    >>> y = asg.switch(i, [lambda x: x, lambda x: x * x], x)
    >>> asg.run(y, {i: 1, x: [2.0, 3.0]}).tolist()
    [4.0, 9.0]
    """
    if not branches:
        raise TypeProblem("there are no branches", "give one function at least", OperandError)
    floor = next_serial()
    trees = [branch(*operands) for branch in branches]
    named = [tensors_of("y", tree) for tree in trees]
    for number, each in enumerate(named[1:], 1):
        named[number] = _like_first(named[0], each, number)
    outside = made_outside(floor, ())
    captured = free_tensors([t for each in named for t in each.values()], set(), outside)
    names = ("if_false", "if_true") if as_tensor(index).dtype.is_bool else ()
    bodies = tuple(
        body_of([], each, captured, names[i] if names else f"branch_{i}")
        for i, each in enumerate(named)
    )
    outputs = Switch(bodies).apply(index, *captured)
    return refill(trees[0], dict(zip(named[0], outputs, strict=True)))


def _like_first(
    first: dict[str, Tensor], other: dict[str, Tensor], number: int
) -> dict[str, Tensor]:
    if first.keys() != other.keys():
        raise TypeProblem(
            f"branch {number} returns {', '.join(other) or 'nothing'}, "
            f"branch 0 {', '.join(first) or 'nothing'}",
            "return the same structure from every branch",
            OperandError,
        )
    return next_values(first, other, f"branch {number}", "of branch 0", f"of branch {number}")


@public
def cond(
    predicate: Any,
    true_function: Callable[..., Any],
    false_function: Callable[..., Any],
    *operands: Any,
) -> Any:
    """``true_function(*operands)`` where the scalar predicate holds, else ``false_function``.

    Only the chosen one is computed; for a choice per element use `where`.

    Args:
        predicate: a bool scalar.
        true_function: builds the graph for True.
        false_function: builds the graph for False; returns the same structure and types.
        operands: what both are called with.

    Raises:
        ShapeError, DtypeError: the predicate is no bool scalar, or the functions disagree.

    >>> import asg
    >>> x = asg.input("x", ())
    >>> y = asg.cond(x > 0.0, asg.sqrt, lambda x: -x, x)
    >>> asg.run(y, {x: 9.0}).item(), asg.run(y, {x: -3.0}).item()
    (3.0, 3.0)
    """
    chosen = as_tensor(predicate)
    chosen.type.require_bool("predicate")
    result: Any = switch(chosen, [false_function, true_function], *operands)
    return result
