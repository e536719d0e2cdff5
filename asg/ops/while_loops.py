"""WhileLoop: steps until a condition fails; and the loops by counter and over elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from asg.core.convert import as_tensor
from asg.core.dim import Dim, SymbolicDim, dim_max
from asg.core.dtype import int32
from asg.core.errors import DtypeError, OperandError
from asg.core.graph import Graph
from asg.core.node import next_serial
from asg.core.op import Op
from asg.core.region import (
    body_flops,
    body_input,
    body_of,
    free_tensors,
    made_outside,
    require_fits,
    surface_checks,
)
from asg.core.registry import public, service
from asg.core.tensor import Tensor
from asg.core.types import TensorType, TypeProblem, as_shape
from asg.ops.branches import cond
from asg.ops.leaf import dim_size, iota
from asg.ops.loops import next_values, refill, scan, steps_unrolled, tensors_of

if TYPE_CHECKING:
    from asg.core.op import Cotangent

Tensors = tuple[Tensor, ...]


class WhileLoop(Op):
    """``while condition(carry, captured): carry = body(carry, captured)``.

    Operands: the first values of the carries, then what the two graphs capture; both take all.
    Outputs: the last values of the carries, then the number of steps, int32. That number only the
    run knows; the cost in flops is that of one step and two tests.

    The gradient is a `RunTimeLength`; see `asg.autodiff.own_sizes`.
    """

    condition: Graph
    body: Graph
    carries: int
    category: ClassVar[str] = "control"

    def infer(self, *operands: TensorType) -> tuple[TensorType, ...]:
        for what, graph in (("condition", self.condition), ("body", self.body)):
            if len(operands) != len(graph.inputs):
                raise TypeProblem(
                    f"the {what} takes {len(graph.inputs)} values, {len(operands)} are given",
                    error=OperandError,
                )
            for name, given, wanted in zip(graph.input_names, operands, graph.inputs, strict=True):
                require_fits(given, wanted.type, f"{name} of the {what}")
            surface_checks(graph)
        _require_truth(self.condition.outputs[0].type)
        for name, before, after in zip(self.body.input_names, self.body.inputs[: self.carries],
                                       self.body.outputs, strict=False):  # fmt: skip
            require_fits(after.type, before.type, f"{name} as it comes out of the body")
        steps = TensorType.of(int32, ())
        return (*(tensor.type for tensor in self.body.outputs), steps)

    def vjp(self, inputs: Tensors, outputs: Tensors, cotangents: Tensors) -> Sequence[Cotangent]:
        wanted = tuple(tensor.dtype.is_float for tensor in inputs)
        return self.wanted_vjp(wanted, inputs, outputs, cotangents)

    def wanted_vjp(
        self, wanted: tuple[bool, ...], inputs: Tensors, outputs: Tensors, cotangents: Tensors
    ) -> Sequence[Cotangent]:
        built: list[Cotangent] = service("while_vjp")(self, wanted, inputs, outputs, cotangents)
        return built

    def flops(self, inputs: tuple[TensorType, ...], outputs: tuple[TensorType, ...]) -> Dim:
        return 2 * body_flops(self.condition) + body_flops(self.body)


def _require_truth(of: TensorType) -> None:
    if of.ndim or not of.dtype.is_bool:
        raise TypeProblem(
            f"the condition is {of}, a bool scalar is needed",
            "compare scalars, or reduce with asg.all or asg.any",
            DtypeError,
        )


@public
def while_loop(
    cond_function: Callable[[Any], Any],
    body_function: Callable[[Any], Any],
    init: Any,
    max_length: Dim | str | None = None,
) -> Any:
    """``carry = body_function(carry)`` as long as ``cond_function(carry)`` holds.

    Both functions are called once, to build their graphs, and may use tensors from outside.

    A gradient takes the number of steps as it was. It keeps the carries of every step and computes
    the rest of a step again.

    Args:
        cond_function: from the carry to a bool scalar.
        body_function: from the carry to the next one, of the same structure and types.
        init: the first carry: a tensor, or nested dicts, lists and tuples of them.
        max_length: stop after this many steps even if the condition still holds. The loop is then
            a `scan` of that length whose later steps change nothing. Backends whose programs have
            fixed sizes (JAX) need it for a gradient.

    Raises:
        ShapeError, DtypeError: a carry changes its type, or the condition is no bool scalar.
        UnsupportedOp: by `compile` for JAX, when a gradient goes through a loop without
            ``max_length``.

    >>> import asg
    >>> x = asg.input("x", ())
    >>> y = asg.while_loop(lambda c: c < 100.0, lambda c: c * 2.0, x)
    >>> value, slope = asg.run([y, asg.grad(y, x)], {x: 3.0})
    >>> value.item(), slope.item()
    (192.0, 64.0)
    """
    if max_length is not None:
        return _bounded(cond_function, body_function, init, max_length)
    first = tensors_of("carry", init)
    if not first:
        raise TypeProblem("the loop carries nothing", "pass init", OperandError)
    floor = next_serial()
    carry = {name: body_input(name, tensor.type) for name, tensor in first.items()}
    goes_on = as_tensor(cond_function(refill(init, carry)))
    _require_truth(goes_on.type)
    after = tensors_of("carry", body_function(refill(init, carry)))
    after = next_values(carry, after, "the function")
    outside = made_outside(floor, carry.values())
    captured = free_tensors([goes_on, *after.values()], set(carry.values()), outside)
    condition = body_of([*carry.values()], {"goes_on": goes_on}, captured, "condition")
    body = body_of([*carry.values()], after, captured)
    outputs = WhileLoop(condition, body, len(carry)).apply(*first.values(), *captured)
    return refill(init, dict(zip(carry, outputs, strict=False)))


def _bounded(
    cond_function: Callable[[Any], Any],
    body_function: Callable[[Any], Any],
    init: Any,
    max_length: Dim | str,
) -> Any:
    def step(carry: Any, _: None) -> tuple[Any, None]:
        goes_on = as_tensor(cond_function(carry))
        _require_truth(goes_on.type)
        return cond(goes_on, body_function, lambda same: same, carry), None

    return scan(step, init, length=max_length)[0]


@public
def fori_loop(
    lower: Any,
    upper: Any,
    body_function: Callable[[Tensor, Any], Any],
    init: Any,
    unroll: int | bool = 1,
) -> Any:
    """``for i in range(lower, upper): carry = body_function(i, carry)``.

    With ints or symbolic sizes as bounds it is a `scan`; with tensors, a `while_loop`, whose
    gradient not every backend computes.

    Args:
        lower: the first i.
        upper: the i before which the loop ends; nothing happens when it is not above ``lower``.
        body_function: from i, an int32 scalar, and the carry to the next carry.
        init: the first carry: a tensor, or nested dicts, lists and tuples of them.
        unroll: see `scan`; only with bounds that are ints or sizes.

    Raises:
        ShapeError, DtypeError: a carry changes its type, or a bound is no integer scalar.
        OperandError: ``unroll`` is no number of steps, or given with bounds that are tensors.

    >>> import asg
    >>> x = asg.input("x", ())
    >>> asg.run(asg.fori_loop(1, 5, lambda i, c: c * i.astype("float32"), x), {x: 1.0}).item()
    24.0
    """
    if isinstance(lower, int | SymbolicDim) and isinstance(upper, int | SymbolicDim | str):
        (end,) = as_shape((upper,))
        places = iota((dim_max(0, end - lower),)) + _as_integer(lower)
        return scan(lambda c, i: (body_function(i, c), None), init, places, unroll=unroll)[0]
    if steps_unrolled(unroll) != 1:
        raise TypeProblem(
            f"unroll is {unroll!r}, but the bounds are tensors: the number of steps is not known",
            "give ints or sizes as bounds, or leave unroll out",
            OperandError,
        )
    start, stop = _as_integer(lower), _as_integer(upper)
    return while_loop(
        lambda c: c[0] < stop, lambda c: (c[0] + 1, body_function(c[0], c[1])), (start, init)
    )[1]


def _as_integer(bound: Any) -> Tensor:
    tensor = dim_size(bound) if isinstance(bound, SymbolicDim) else as_tensor(bound)
    if tensor.ndim or not tensor.dtype.is_integer:
        raise TypeProblem(f"a bound is {tensor.type}, an integer scalar is needed",
                          "cast it with astype('int32')", DtypeError)  # fmt: skip
    return tensor.astype(int32)


@public
def map(function: Callable[[Any], Any], xs: Any, unroll: int | bool = 1) -> Any:
    """``function`` of every element along axis 0, one after the other, stacked.

    It needs the memory of one element at a time; code that handles all of them at once, by
    broadcasting, is faster.

    Args:
        function: from one element of ``xs`` to tensors, nested as you like.
        xs: a tensor, or nested dicts, lists and tuples of them, with equal sizes on axis 0.
        unroll: see `scan`.

    >>> import asg
    >>> x = asg.input("x", (2, 3))
    >>> asg.run(asg.map(lambda row: row.sum(), x), {x: [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}).tolist()
    [6.0, 15.0]
    """
    return scan(lambda _, x: (None, function(x)), None, xs, unroll=unroll)[1]
